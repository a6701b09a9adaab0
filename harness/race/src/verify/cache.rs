//! What the suite found, kept until something that the row is made of, its arguments or the suite change.
//!
//! Outcomes are kept and never judgements: deviations are judged afresh each time. A file that is damaged, or of
//! another program, is as good as none.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    slice,
};

use serde::{Deserialize, Serialize};

use super::play::{PlayedCase, Setting};
use crate::{
    programs::{builder::Built, made_of::files_of, prerequisites, start_environment},
    records::{
        durable::naming,
        environment::{sha256_of, sha256_of_bytes},
    },
    registry::Row,
};
use terminal::output::Output;

/// Raised when a field changes its meaning.
const SCHEMA: u32 = 2;

/// All that outcomes depend on, as far as it can be known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Key {
    schema: u32,
    row: String,
    /// All files of [`files_of`].
    files_sha256: BTreeMap<PathBuf, String>,
    /// What the programs and packages that it requires say that they are: an interpreter may be a few lines around a library.
    versions: BTreeMap<String, Option<String>>,
    arguments: Vec<String>,
    /// What it starts with. Of the caller's variables, which may be secrets, the hash.
    environment: BTreeMap<String, String>,
    /// This very program, which the suite is linked into.
    suite_sha256: String,
}

/// The version of the suite: the hash of this program.
///
/// # Errors
/// The program cannot be read.
pub(crate) fn suite_sha256() -> io::Result<String> {
    // Not by its path: it may have been replaced meanwhile.
    sha256_of(Path::new("/proc/self/exe"))
}

/// What is the same for all rows of one call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings<'a> {
    /// The checkout.
    pub(crate) root: &'a Path,
    /// The command that guards a process.
    pub(crate) guard: &'a [OsString],
    /// See [`suite_sha256`].
    pub(crate) suite_sha256: &'a str,
}

impl Key {
    /// What the outcomes of `row` depend on.
    ///
    /// # Errors
    /// The binary, or something else that it is made of, cannot be read.
    pub(crate) fn of(
        row: &Row,
        built: &Built,
        setting: &Setting,
        surroundings: Surroundings<'_>,
    ) -> io::Result<Self> {
        let Surroundings { root, guard, suite_sha256 } = surroundings;
        let mut files_sha256 = BTreeMap::new();
        for file in files_of(row, built, root)? {
            let sha256 = sha256_of(&file).map_err(|error| naming(&file, &error))?;
            files_sha256.insert(file, sha256);
        }
        let variables = start_environment::of(row, &start_environment::own());
        let shown = |text: &OsString| text.to_string_lossy().into_owned();
        let kept = |value: &OsString| match row.is_given {
            true => sha256_of_bytes(value.as_encoded_bytes()),
            false => shown(value),
        };
        let leading = built.leading_args.iter().cloned();
        Ok(Self {
            schema: SCHEMA,
            row: row.name.clone(),
            files_sha256,
            versions: prerequisites::versions(slice::from_ref(row), root, guard),
            arguments: leading.chain(setting.arguments(row)).collect(),
            environment: variables.iter().map(|(name, value)| (shown(name), kept(value))).collect(),
            suite_sha256: suite_sha256.to_owned(),
        })
    }
}

/// One row's outcomes, as the file has them.
#[derive(Serialize, Deserialize)]
struct Kept {
    key: Key,
    cases: Vec<PlayedCase>,
    /// What the server said, case by case.
    said: Vec<String>,
}

/// A folder with one file for each row.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// The cache in `folder`, which need not exist.
    pub(crate) fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// What was found under this very key.
    pub(crate) fn load(&self, key: &Key) -> Option<Vec<PlayedCase>> {
        let kept: Kept = serde_json::from_slice(&fs::read(self.file(key)).ok()?).ok()?;
        let is_whole = kept.key == *key && !kept.cases.is_empty() && kept.cases.len() == kept.said.len();
        is_whole.then(|| {
            let with_said = |(case, said)| PlayedCase { said, ..case };
            kept.cases.into_iter().zip(kept.said).map(with_said).collect()
        })
    }

    /// Keeps what was found, instead of what was known of the row before.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub(crate) fn store(&self, key: &Key, cases: &[PlayedCase]) -> anyhow::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let said = cases.iter().map(|case| case.said.clone()).collect();
        let kept = Kept { key: key.clone(), cases: cases.to_vec(), said };
        Ok(Output::begin(&self.file(key))?.finish_json(&kept)?)
    }

    fn file(&self, key: &Key) -> PathBuf {
        let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
        self.folder.join(format!("{}.json", key.row.chars().map(plain).collect::<String>()))
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, os::unix::fs::PermissionsExt};

    use conformance::{Level, Verdict};

    use host::ready::Profile;

    use super::*;
    use crate::registry::{Asked, Registry};

    fn key(suite: &str) -> Key {
        Key {
            schema: SCHEMA,
            row: "../a b".to_owned(),
            files_sha256: BTreeMap::new(),
            versions: BTreeMap::new(),
            arguments: vec!["--io".to_owned(), "epoll".to_owned()],
            environment: BTreeMap::new(),
            suite_sha256: suite.to_owned(),
        }
    }

    fn cases() -> Vec<PlayedCase> {
        vec![PlayedCase {
            name: "a missing Host is refused".to_owned(),
            level: Level::Must,
            source: "RFC 9112 3.2".to_owned(),
            verdict: Verdict::Warn,
            detail: "answered 500, expected 400".to_owned(),
            said: "HTTP/1.1 500 x\r\n\r\n\0\u{fffd}".to_owned(),
        }]
    }

    #[test]
    fn what_is_kept_reads_back_whole_and_only_under_its_own_key() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().join("verified"));
        assert_eq!(cache.load(&key("1")), None);
        cache.store(&key("1"), &cases()).unwrap();
        assert_eq!(cache.load(&key("1")), Some(cases()));
        assert_eq!(cache.load(&key("2")), None);
        let mut other = key("1");
        other.arguments.pop();
        assert_eq!(cache.load(&other), None);
        // Whatever the row is called, its file is within the folder, and there is one.
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(fs::read_dir(folder.path().join("verified")).unwrap().count(), 1);
    }

    /// What identifies a row in a checkout at `root`, whose packages are all this test itself.
    fn files_and_versions(row: &Row, root: &Path) -> io::Result<Key> {
        let itself = std::env::current_exe().unwrap();
        let binaries: HashMap<String, PathBuf> =
            row.packages().map(|package| (package.clone(), itself.clone())).collect();
        let built = Built::of(row, root, &binaries, Profile::Release).unwrap();
        // What prints its version and ends needs no more of a guard than its report.
        let report = r#"{"guarded":{"Ok":{"code":0}},"usage":null,"left_behind":0}"#;
        let guard = ["sh", "-c", &format!("\"$0\" \"$@\"; echo; echo '{report}'")].map(OsString::from);
        Key::of(
            row,
            &built,
            &Setting::of(row).unwrap(),
            Surroundings { root, guard: &guard, suite_sha256: "" },
        )
    }

    #[test]
    fn a_change_of_anything_that_a_row_is_made_of_makes_another_key() {
        let checkout = tempfile::tempdir().unwrap();
        let root = checkout.path();
        let write = |file: &str, text: &str| {
            let file = root.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        };
        let files = ["bin/engine", "bin/helper", "app/main.js", "app/serve.js", "app/package-lock.json"];
        files.into_iter().for_each(|file| write(file, "#!/bin/sh\necho 1.0\n"));
        write("app/modules/.lock.json", "1");
        write("app/modules/x/package.json", r#"{"version":"1.0.0"}"#);
        let table = "name = 'a'\nabout = ''\ntier = 'reference'\ncommand = ['bin/engine', 'app/main.js']\n\
                     made_of = ['app', 'app/modules/.lock.json']\nrequires = [\
                     { program = 'bin/helper', install = 'x' }, { file = 'app/modules/x/package.json', install = 'x' }]";
        let row: Row = toml::from_str(table).unwrap();
        let key = || files_and_versions(&row, root).unwrap();

        let mut known = vec![key()];
        assert_eq!(key(), known[0], "nothing has changed");
        for (file, text) in [
            ("bin/engine", "another"),
            ("bin/helper", "#!/bin/sh\necho 1.1\n"),
            ("app/main.js", "another"),
            ("app/serve.js", "another"),
            ("app/package-lock.json", "another"),
            ("app/modules/.lock.json", "another"),
            ("app/modules/x/package.json", r#"{"version":"1.0.1"}"#),
            ("app/new.js", "new"),
        ] {
            write(file, text);
            let changed = key();
            assert!(!known.contains(&changed), "{file}");
            known.push(changed);
        }
        // Another program says of itself what this one did, through a library that changed beneath it.
        write("bin/helper", "#!/bin/sh\ncat $(dirname $0)/library\n");
        write("bin/library", "version 1.1");
        let before = key();
        write("bin/library", "version 1.2");
        assert_ne!(key(), before);
        // What nothing names is none of the row's.
        write("app/modules/y/index.js", "another");
        write("elsewhere/x.js", "another");
        let same = key();
        assert_eq!(same.files_sha256.len(), known.last().unwrap().files_sha256.len());

        fs::remove_file(root.join("app/modules/.lock.json")).unwrap();
        let error = files_and_versions(&row, root).unwrap_err().to_string();
        assert!(error.contains("app/modules/.lock.json"), "{error}");
    }

    #[test]
    fn the_rows_of_node_are_made_of_their_scripts_and_of_what_npm_installed() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
        let names = ["node-cluster", "node-single", "pm2", "nginx-return"].map(str::to_owned);
        let registry = Registry::read(&root.join("harness/servers.toml")).unwrap();
        for row in registry.select(Asked::Named(&names)).unwrap() {
            // Whether Node is here or not.
            let program = PathBuf::from("/nowhere/program");
            let built = Built {
                program,
                leading_args: Vec::new(),
                args: Vec::new(),
                folder: None,
                uses: BTreeMap::new(),
                profile: Profile::Release,
            };
            let files = files_of(&row, &built, root).unwrap();
            for file in [
                "app.js",
                "cluster.js",
                "serve.js",
                "single.js",
                "strict.js",
                "package-lock.json",
                "node_modules/.package-lock.json",
            ] {
                let is_made_of_it = files.contains(&root.join("servers/foreign/node").join(file));
                assert_eq!(is_made_of_it, !row.name.starts_with("nginx"), "{}: {file}", row.name);
            }
            for program in row.requires.iter().filter_map(|required| required.program.as_deref()) {
                let found = prerequisites::located(root, program);
                assert!(found.is_none_or(|program| files.contains(&program)), "{}: {program}", row.name);
            }
        }
    }

    #[test]
    fn a_damaged_file_is_as_good_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().to_owned());
        cache.store(&key("1"), &cases()).unwrap();
        let file = cache.file(&key("1"));
        let whole = fs::read_to_string(&file).unwrap();
        for damaged in [&whole[..whole.len() / 2], "", "{}", "\u{0}", &whole.replace("\"warn\"", "\"fine\"")]
        {
            fs::write(&file, damaged).unwrap();
            assert_eq!(cache.load(&key("1")), None, "{damaged}");
        }
        cache.store(&key("1"), &cases()).unwrap();
        assert_eq!(cache.load(&key("1")), Some(cases()));
    }
}
