//! Whether what rows require is there, and in which version. A row that lacks something is skipped, never failed: the others
//! are none the worse for it.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use host::{
    launch::{Heard, Launch},
    program::find_program,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::registry::{Requirement, Row};

/// How long a program may take to say its version.
const VERSION_WITHIN: Duration = Duration::from_secs(10);

/// A row that cannot run here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Skipped {
    /// The row.
    pub row: String,
    /// What is missing.
    pub missing: String,
    /// The command that installs it.
    pub install: String,
    /// Whether the row was asked for by name, so that its absence is a failure of the command.
    pub named: bool,
}

impl std::fmt::Display for Skipped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { row, missing, install, .. } = self;
        write!(f, "{row}: no {missing}; install it with `{install}`")
    }
}

/// What a row requires and does not find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing<'a> {
    /// What it is.
    pub requirement: &'a Requirement,
    /// What is there instead, where only one version will do.
    found: Option<String>,
}

impl std::fmt::Display for Missing<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { requirement, found } = self;
        match (found, &requirement.version) {
            (Some(found), Some(wanted)) => write!(f, "{requirement} {wanted} (the one here is {found})"),
            _ => write!(f, "{requirement}"),
        }
    }
}

/// The first requirement of `row` that is not there; `root` is the checkout.
pub fn missing<'a>(row: &'a Row, root: &Path) -> Option<Missing<'a>> {
    row.requires.iter().find_map(|requirement| {
        let is_there = match (&requirement.program, &requirement.file) {
            (Some(program), _) => located(root, program).is_some(),
            (None, Some(file)) => root.join(file).is_file(),
            (None, None) => true,
        };
        if !is_there {
            return Some(Missing { requirement, found: None });
        }
        if !requirement.exactly {
            return None;
        }
        let found = version_of(requirement, root, &[]);
        (!requirement.expects(found.as_deref())).then(|| Missing {
            requirement,
            found: Some(found.unwrap_or_else(|| "of an unknown version".to_owned())),
        })
    })
}

/// Takes the rows that cannot run here out of `rows`. `named` are those that a person asked for by name.
pub fn skip(rows: &mut Vec<Row>, root: &Path, named: &[String]) -> Vec<Skipped> {
    let mut skipped = Vec::new();
    rows.retain(|row| match missing(row, root) {
        None => true,
        Some(missing) => {
            skipped.push(Skipped {
                row: row.name.clone(),
                missing: missing.to_string(),
                install: missing.requirement.install.clone(),
                named: named.contains(&row.name),
            });
            false
        }
    });
    skipped
}

/// The versions of all that `rows` require, by name; absent where it cannot be told.
pub fn versions(rows: &[Row], root: &Path, guard: &[OsString]) -> BTreeMap<String, Option<String>> {
    let mut versions = BTreeMap::new();
    for requirement in rows.iter().flat_map(|row| &row.requires) {
        versions.entry(requirement.to_string()).or_insert_with(|| version_of(requirement, root, guard));
    }
    versions
}

fn version_of(requirement: &Requirement, root: &Path, guard: &[OsString]) -> Option<String> {
    match &requirement.file {
        Some(file) => version_of_file(&root.join(file)),
        None => version_of_program(requirement, root, guard),
    }
}

/// What must be said of the versions that `rows` require and that were `found`: those that begin otherwise.
pub fn unexpected(rows: &[Row], found: &BTreeMap<String, Option<String>>) -> Vec<String> {
    let mut said = Vec::new();
    for row in rows {
        for requirement in &row.requires {
            let name = requirement.to_string();
            // Records of before versions were looked for say nothing.
            let (Some(found), Some(expected)) = (found.get(&name), &requirement.version) else { continue };
            if !requirement.expects(found.as_deref()) {
                let found = found.as_deref().unwrap_or("of an unknown version");
                said.push(format!("{}: {name} is {found}, and {expected} was expected", row.name));
            }
        }
    }
    said
}

/// Of a `package.json`.
fn version_of_file(path: &Path) -> Option<String> {
    #[derive(Deserialize)]
    struct Package {
        version: String,
    }
    let package: Package = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
    Some(package.version)
}

/// The first version in what the program prints, on whichever stream.
fn version_of_program(requirement: &Requirement, root: &Path, guard: &[OsString]) -> Option<String> {
    let program = located(root, requirement.program.as_deref()?)?;
    let default = [String::from("--version")];
    let arguments = requirement.version_args.as_deref().unwrap_or(&default);
    let launch = Launch::new(program).args(arguments);
    let launch = if guard.is_empty() { launch } else { launch.guarded_by(guard) };
    let mut process = launch.spawn().ok()?;
    let deadline = Instant::now() + VERSION_WITHIN;
    let mut printed = Vec::new();
    loop {
        match process.next_line(deadline) {
            Ok(Heard::Line(line)) => {
                printed.push(line);
                continue;
            }
            Ok(Heard::End(exit)) => printed.extend(exit.stderr),
            // Dropping it ends it.
            Ok(Heard::Nothing) => return None,
            // The end of what no guard is above, with its last words.
            Err(ended) => printed.push(ended.to_string()),
        }
        return printed.iter().find_map(|line| version_in(line));
    }
}

/// The first numbers with a point between them: `1.22.1` in `nginx version: nginx/1.22.1 (Debian)`.
fn version_in(line: &str) -> Option<String> {
    let is_of_version = |letter: char| letter.is_ascii_alphanumeric() || ".-+".contains(letter);
    line.split(|letter: char| !is_of_version(letter)).find_map(|word| {
        let from = word.find(|letter: char| letter.is_ascii_digit())?;
        let version = &word[from..];
        let (major, rest) = version.split_once('.')?;
        let is_number = |text: &str| text.starts_with(|first: char| first.is_ascii_digit());
        (major.bytes().all(|byte| byte.is_ascii_digit()) && is_number(rest))
            .then(|| version.trim_end_matches(['.', '-', '+']).to_owned())
    })
}

/// Where a program is: a path is one within the checkout, a bare name is looked for.
pub(crate) fn located(root: &Path, program: &str) -> Option<PathBuf> {
    let program = Path::new(program);
    let is_path = program.components().count() > 1;
    find_program(&if is_path { root.join(program) } else { program.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_what_programs_print() {
        for (line, version) in [
            ("nginx version: nginx/1.22.1", Some("1.22.1")),
            ("v20.11.0", Some("20.11.0")),
            ("tool 1.4.0-rc.1 (2025)", Some("1.4.0-rc.1")),
            ("Copyright 2024. All rights reserved.", None),
            ("no number", None),
        ] {
            assert_eq!(version_in(line).as_deref(), version, "{line}");
        }
    }

    #[test]
    fn what_is_missing_is_skipped_and_another_version_is_said() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("package.json"), r#"{"name":"x","version":"5.1.0"}"#).unwrap();
        let row = |name: &str, requirement: &str| Row {
            requires: vec![toml::from_str(&format!("{requirement}\ninstall = 'get it'")).unwrap()],
            ..Row::given(name.to_owned(), vec!["x".to_owned()])
        };
        let mut rows = vec![
            row("program", "program = 'no-such-program-anywhere'"),
            row("file", "file = 'node_modules/x/package.json'"),
            row("other", "file = 'package.json'\nversion = '5.2'"),
            row("right", "file = 'package.json'\nversion = '5.1'"),
            row("exact", "file = 'package.json'\nversion = '5.2'\nexactly = true"),
            row(
                "exact program",
                "program = 'sh'\nversion = '1.19'\nversion_args = ['-c', 'echo go1.20.3 x/y']\nexactly = true",
            ),
            row(
                "mute program",
                "program = 'sh'\nversion = '1.19'\nversion_args = ['-c', 'exit 3']\nexactly = true",
            ),
            row(
                "right program",
                "program = 'sh'\nversion = '1.19'\nversion_args = ['-c', 'echo go1.19.8 x/y']\nexactly = true",
            ),
        ];
        let skipped = skip(&mut rows, folder.path(), &["file".to_owned()]);
        let shown: Vec<(String, bool)> =
            skipped.iter().map(|skipped| (skipped.to_string(), skipped.named)).collect();
        assert_eq!(
            shown,
            [
                ("program: no no-such-program-anywhere; install it with `get it`".to_owned(), false),
                ("file: no node_modules/x/package.json; install it with `get it`".to_owned(), true),
                ("exact: no package.json 5.2 (the one here is 5.1.0); install it with `get it`".to_owned(), false),
                ("exact program: no sh 1.19 (the one here is 1.20.3); install it with `get it`".to_owned(), false),
                ("mute program: no sh 1.19 (the one here is of an unknown version); install it with `get it`".to_owned(), false),
            ]
        );
        let left: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(left, ["other", "right", "right program"]);
        let found = versions(&rows, folder.path(), &[]);
        assert_eq!(unexpected(&rows, &found), ["other: package.json is 5.1.0, and 5.2 was expected"]);
        assert!(unexpected(&rows, &BTreeMap::new()).is_empty());
    }
}
