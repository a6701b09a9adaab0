//! What can be said of a run whatever wrote its records and whatever became of them: for lists, which no damaged folder ends.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::folder::{ENVIRONMENT, Folder, REPORT, RUN, TRIALS, WINDOWS};

/// The outline of a run. What its files do not say is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// When it began, RFC 3339.
    pub started: Option<String>,
    /// The command.
    pub command: Option<String>,
    /// The scenarios that it was to measure.
    pub scenarios: Vec<String>,
    /// Starts of all servers that were planned.
    pub starts: Option<u32>,
    /// The schema of what it measured, by the first line.
    pub schema: Option<u32>,
}

impl Outline {
    /// The outline of the run in `folder`.
    pub fn of(folder: &Folder) -> Self {
        let read = |name: &str| -> Option<Value> {
            serde_json::from_slice(&fs::read(folder.path().join(name)).ok()?).ok()
        };
        let (environment, run) = (read(ENVIRONMENT), read(RUN));
        let said = |key: &str| Some(environment.as_ref()?[key].as_str()?.to_owned());
        let plan = run.as_ref().map(|run| &run["plan"]);
        let scenarios = plan.and_then(|plan| plan["scenarios"].as_array());
        let names = scenarios.into_iter().flatten().filter_map(|scenario| scenario["name"].as_str());
        Self {
            started: said("started"),
            command: said("command"),
            scenarios: names.map(str::to_owned).collect(),
            starts: plan.and_then(|plan| u32::try_from(plan["starts"].as_u64()?).ok()),
            schema: [WINDOWS, TRIALS].iter().find_map(|name| schema_of(&folder.path().join(name))),
        }
    }
}

/// What the first line of a log says of itself.
fn schema_of(path: &Path) -> Option<u32> {
    let mut line = Vec::new();
    BufReader::new(File::open(path).ok()?).read_until(b'\n', &mut line).ok()?;
    let line: Value = serde_json::from_slice(&line).ok()?;
    u32::try_from(line["schema"].as_u64()?).ok()
}

/// Every folder below `parent` that has any file of a run, the oldest run first: also those that can be read no further.
pub fn folders_below(parent: &Path) -> Vec<(Folder, Outline)> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_run = |path: &PathBuf| {
        [RUN, ENVIRONMENT, WINDOWS, TRIALS, REPORT].iter().any(|name| path.join(name).is_file())
    };
    let mut runs: Vec<(Folder, Outline)> = entries
        .filter(is_run)
        .map(|path| {
            let folder = Folder::open(&path);
            let outline = Outline::of(&folder);
            (folder, outline)
        })
        .collect();
    runs.sort_by(|(a, of_a), (b, of_b)| (&of_a.started, a.path()).cmp(&(&of_b.started, b.path())));
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_every_schema_have_an_outline_and_foreign_folders_none() {
        let results = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../results"));
        let of = |name: &str| Outline::of(&Folder::open(&results.join(name)));
        let earliest = of("2026-11-21-vm");
        assert_eq!((earliest.schema, earliest.starts), (Some(1), None));
        assert_eq!(earliest.scenarios, ["simple-throughput", "simple-latency", "mixed"]);
        assert_eq!(earliest.command.as_deref(), Some("cargo bench-all"));
        let latest = of("2026-11-27-vm");
        assert_eq!((latest.schema, latest.starts), (Some(3), Some(8)));
        assert_eq!(of("nowhere"), Outline::default());
    }

    #[test]
    fn a_folder_with_anything_of_a_run_is_listed_and_one_with_nothing_of_it_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let path = parent.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("late/environment.json", r#"{"started": "2026-02-02T00:00:00+00:00", "command": "x"}"#);
        write("late/run.json", "{");
        write("early/environment.json", r#"{"started": "2026-01-01T00:00:00+00:00"}"#);
        write("broken/windows.jsonl", "no line");
        write("foreign/notes.txt", "");
        let names: Vec<String> = folders_below(parent.path())
            .iter()
            .map(|(folder, _)| folder.path().file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        // When a run began that does not say so, nobody knows.
        assert_eq!(names, ["broken", "early", "late"]);
    }
}
