//! The programs that are no packages of this workspace and are made here all the same: by the row's own command, once, and again when what
//! they are made of has changed.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    slice,
    time::{Duration, Instant},
};

use host::{
    guard::Ended,
    launch::{Exit, Heard, Launch},
    program::find_program,
};
use serde::{Deserialize, Serialize};
use terminal::interrupt::Interrupt;

use super::{
    builder::{BuildError, GLANCE},
    made_of::sources_of,
    prerequisites,
};
use crate::{
    records::environment::sha256_of,
    registry::{Program, Row},
};

/// How many of the command's last lines are said where it fails.
const LAST_WORDS: usize = 3;

/// How long a command may take above which there is no guard, by which it would be heard that a person wants to stop.
const UNGUARDED_WITHIN: Duration = Duration::from_secs(60);

/// All that a program came of; kept beside it.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Recipe {
    build: Vec<String>,
    files_sha256: BTreeMap<PathBuf, String>,
    /// What the programs that the row requires say that they are: the compiler among them.
    versions: BTreeMap<String, Option<String>>,
}

/// Makes the program of `row`, if it says how and what is there is not made of what it is made of now. `said` is told before. `root` is the
/// checkout.
///
/// # Errors
/// What it is made of cannot be read, or the command fails or leaves no program.
pub(crate) fn make(
    row: &Row,
    root: &Path,
    guard: &[OsString],
    interrupt: &Interrupt,
    said: impl FnOnce(&str),
) -> Result<(), BuildError> {
    let (Program::Command(command), Some(builder)) = (&row.program, row.build.first()) else { return Ok(()) };
    let failed = |reason: String| BuildError::Own { command: row.build.join(" "), reason };
    let program = root.join(command.first().map_or("", String::as_str));
    let mut kept_as = program.clone().into_os_string();
    kept_as.push(".recipe.json");
    let kept_as = PathBuf::from(kept_as);

    let mut files_sha256 = BTreeMap::new();
    for file in sources_of(row, root).map_err(|error| failed(error.to_string()))? {
        let sha256 = sha256_of(&file).map_err(|error| failed(format!("{}: {error}", file.display())))?;
        files_sha256.insert(file, sha256);
    }
    let versions = prerequisites::versions(slice::from_ref(row), root, guard);
    let recipe = Recipe { build: row.build.clone(), files_sha256, versions };
    let kept = fs::read(&kept_as).ok().and_then(|text| serde_json::from_slice::<Recipe>(&text).ok());
    if program.is_file() && kept.as_ref() == Some(&recipe) {
        return Ok(());
    }

    said(&format!("{}: building it: {}", row.name, row.build.join(" ")));
    if let Some(folder) = program.parent() {
        fs::create_dir_all(folder).map_err(|error| failed(format!("{}: {error}", folder.display())))?;
    }
    // A program that is half made must not be taken for one that is whole.
    drop(fs::remove_file(&kept_as));
    let found = find_program(Path::new(builder)).ok_or_else(|| BuildError::NoProgram(builder.clone()))?;
    let launch = Launch::new(found).args(&row.build[1..]).folder(root);
    let exit = if guard.is_empty() {
        launch.spawn()?.wait(UNGUARDED_WITHIN)?
    } else {
        ended(launch.guarded_by(guard), &row.name, interrupt)?
    };
    if exit.ended != Ended::Code(0) {
        let from = exit.stderr.len().saturating_sub(LAST_WORDS);
        let words = exit.stderr[from..].iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
        return Err(failed(if words.is_empty() { format!("{:?}", exit.ended) } else { words }));
    }
    if !program.is_file() {
        return Err(failed(format!("it left no {}", program.display())));
    }
    let text = serde_json::to_vec(&recipe).map_err(|error| failed(error.to_string()))?;
    fs::write(&kept_as, text).map_err(|error| failed(format!("{}: {error}", kept_as.display())))
}

fn ended(launch: Launch, row: &str, interrupt: &Interrupt) -> Result<Exit, BuildError> {
    let mut process = launch.spawn()?;
    loop {
        match process.next_line(Instant::now() + GLANCE)? {
            Heard::End(exit) => return Ok(exit),
            // Dropping the process ends it.
            Heard::Nothing if interrupt.asked() => return Err(BuildError::Interrupted(row.to_owned())),
            Heard::Line(_) | Heard::Nothing => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row whose program is made by `build` of the folder `app`, in a checkout where both are.
    fn row(root: &Path, build: &[&str]) -> Row {
        fs::create_dir_all(root.join("app")).unwrap();
        fs::write(root.join("app/source"), "one").unwrap();
        Row {
            build: build.iter().map(|&word| word.to_owned()).collect(),
            made_of: vec!["app".into()],
            ..Row::given("made".to_owned(), vec!["made/app".to_owned()])
        }
    }

    /// What is said when it is made, if it is, and how that ends.
    fn made(row: &Row, root: &Path) -> (Option<String>, Result<(), String>) {
        let mut said = None;
        let outcome = make(row, root, &[], &Interrupt::never(), |line| said = Some(line.to_owned()));
        (said, outcome.map_err(|error| error.to_string()))
    }

    #[test]
    fn a_program_is_made_once_and_again_when_what_it_is_made_of_or_how_has_changed() {
        let checkout = tempfile::tempdir().unwrap();
        let root = checkout.path();
        let mut row = row(root, &["cp", "app/source", "made/app"]);
        let line = Some("made: building it: cp app/source made/app".to_owned());
        assert_eq!(made(&row, root), (line.clone(), Ok(())));
        assert_eq!(made(&row, root), (None, Ok(())), "nothing has changed");
        fs::write(root.join("app/source"), "two").unwrap();
        assert_eq!(made(&row, root), (line.clone(), Ok(())));
        assert_eq!(fs::read_to_string(root.join("made/app")).unwrap(), "two");
        fs::write(root.join("app/another"), "").unwrap();
        assert_eq!(made(&row, root), (line.clone(), Ok(())), "a file more");
        fs::remove_file(root.join("made/app")).unwrap();
        assert_eq!(made(&row, root), (line, Ok(())), "it is gone");
        row.build.insert(1, "-p".to_owned());
        assert!(made(&row, root).0.is_some(), "it is made in another way");
        assert_eq!(made(&row, root), (None, Ok(())));
    }

    #[test]
    fn what_fails_is_said_in_one_line_and_tried_again() {
        let checkout = tempfile::tempdir().unwrap();
        let root = checkout.path();
        for (build, expected) in [
            (&["cp", "app/gone", "made/app"][..], "`cp app/gone made/app` failed: "),
            (&["true"], "`true` failed: it left no "),
            (&["no-such-compiler"], "no program `no-such-compiler`"),
        ] {
            let row = row(root, build);
            for _ in 0..2 {
                let (said, outcome) = made(&row, root);
                let error = outcome.unwrap_err();
                assert!(said.is_some() && error.starts_with(expected), "{error}");
                assert_eq!(error.lines().count(), 1, "{error}");
            }
        }
        // A failure leaves nothing that would be taken for a program of today's sources.
        let right = row(root, &["cp", "app/source", "made/app"]);
        made(&right, root).1.unwrap();
        let wrong = row(root, &["cp", "app/gone", "made/app"]);
        made(&wrong, root).1.unwrap_err();
        assert!(made(&right, root).0.is_some());
    }
}
