use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};

use super::*;
use crate::{fixtures, records::log::Entry};

#[test]
fn a_folder_that_holds_something_is_never_overwritten_unless_it_is_a_run() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("a");
    Folder::create(&path, false).unwrap();
    fs::write(path.join("precious"), "").unwrap();
    assert!(matches!(Folder::create(&path, false), Err(FolderError::Taken(_))));
    assert!(matches!(Folder::create(&path, true), Err(FolderError::Foreign(_))));
    fs::write(path.join(RUN), "{}").unwrap();
    Folder::create(&path, true).unwrap();
    assert!(path.join("precious").exists() && !path.join(RUN).exists());
}

#[test]
fn a_run_is_replaced_whole_with_what_its_end_left_unfinished() {
    let parent = tempfile::tempdir().unwrap();
    for name in FILES {
        fs::write(parent.path().join(name), "x").unwrap();
        fs::write(parent.path().join(name).with_extension(UNFINISHED), "x").unwrap();
    }
    let made = [
        "report.md",
        "report.html",
        "deviations.md",
        "tables/a.csv",
        "plots/a.svg",
        "hdr/a.hlog",
        "schema/a.json",
    ];
    Folder::open(parent.path()).write_made(&made.map(|path| File::text(path, "x"))).unwrap();
    fs::write(parent.path().join("plots/b.svg.unfinished"), "x").unwrap();
    Folder::create(parent.path(), true).unwrap();
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
}

#[test]
fn what_is_nobodys_business_stays_where_a_run_is_replaced() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path();
    fs::write(path.join(RUN), "{}").unwrap();
    Folder::open(path).write_made(&[File::text("tables/a.csv", "x"), File::text("hdr/a.hlog", "x")]).unwrap();
    for mine in ["tables/notes.txt", "tables/a.xlsx", "hdr.txt"] {
        fs::write(path.join(mine), "mine").unwrap();
    }
    Folder::create(path, true).unwrap();
    assert_eq!(names(&Folder::open(path)), ["hdr.txt", "tables"]);
    assert_eq!(names(&Folder::open(&path.join("tables"))), ["a.xlsx", "notes.txt"]);
}

/// A run of two starts that says what `text` does instead of its records.
fn with(name: &str, text: &str) -> (tempfile::TempDir, Folder) {
    let parent = tempfile::tempdir().unwrap();
    let folder = Folder::create(parent.path(), false).unwrap();
    folder.write_environment(&fixtures::environment()).unwrap();
    folder.write_run(&fixtures::run_record(2)).unwrap();
    fs::write(folder.file(name), text).unwrap();
    (parent, folder)
}

/// What is said of it, without the way there.
fn refusal(name: &str, text: &str) -> String {
    let (parent, folder) = with(name, text);
    let error = folder.contents().unwrap_err();
    let said = format!("{:#}", anyhow::Error::from(error));
    said.replace(&parent.path().display().to_string(), "DIR")
}

#[test]
fn a_record_that_is_no_log_is_refused_with_its_file_line_and_column() {
    let whole = serde_json::to_string_pretty(&fixtures::run_record(2)).unwrap();
    assert_eq!(
        refusal("run.json", ""),
        "cannot use DIR/run.json: line 1, column 0: EOF while parsing a value"
    );
    assert_eq!(
        refusal("environment.json", "{\n  \"host\": nobody"),
        "cannot use DIR/environment.json: line 2, column 12: expected ident"
    );
    let said = refusal("run.json", &whole.replace("\"seed\": 7", "\"seed\": \"7\""));
    assert!(
        said.starts_with("cannot use DIR/run.json: line ") && said.contains(", column 15: invalid type"),
        "{said}"
    );
}

#[test]
fn a_plan_that_somebody_changed_into_none_is_refused() {
    let whole = serde_json::to_string_pretty(&fixtures::run_record(2)).unwrap();
    for (from, to, expected) in [
        ("\"stream\": \"simple\"", "\"stream\": \"other\"", "no stream is called `other`, as `rank` says"),
        ("\"rounds\": 2", "\"rounds\": 1000000000000", "a start has 1 to 1000 rounds, not 1000000000000"),
    ] {
        assert!(whole.contains(from), "{whole}");
        let said = refusal("run.json", &whole.replacen(from, to, 1));
        assert_eq!(said, format!("cannot use DIR/run.json: the scenario `first`: {expected}"));
    }
}

#[test]
fn what_another_version_measured_is_said_to_be_that_whatever_else_there_is() {
    let (_parent, folder) = with("run.json", "{\"matrix\":1}");
    for (name, schema) in [("trials.jsonl", 2), ("windows.jsonl", 2), ("windows.jsonl", 99)] {
        fs::write(folder.file(name), format!("{{\"schema\":{schema},\"trial\":1}}\n")).unwrap();
        let error = folder.contents().unwrap_err();
        assert!(error.is_of_another_schema(), "{error}");
        let era = if schema < SCHEMA { "an earlier" } else { "a later" };
        assert!(error.to_string().contains(&format!("{name}: {era} harness wrote it")), "{error}");
    }
}

#[test]
fn without_windows_a_run_has_measured_nothing() {
    for (name, text) in [("windows.jsonl", ""), ("notes.txt", ""), ("windows.jsonl", "{\"schema\":3,\"sha")] {
        let (_parent, folder) = with(name, text);
        let contents = folder.contents().unwrap();
        assert_eq!((contents.measurements, contents.damage), (Measurements::default(), Vec::new()), "{text}");
    }
}

#[test]
fn what_was_never_to_be_measured_is_left_out_by_its_line() {
    let (_parent, folder) = with("notes.txt", "");
    let mut log = folder.log().unwrap();
    let of = |scenario: &str, row: &str, start| {
        Entry::Window(Box::new(fixtures::window(scenario, row, start, 0, fixtures::sound())))
    };
    let begun = |start| Entry::Begun { start, at: String::new() };
    for entry in [
        begun(0),
        of("first", "a", 0),
        of("first", "z", 0),
        of("third", "a", 0),
        Entry::Server(fixtures::server("z", 0, &["first"])),
        begun(2),
        Entry::Complete { start: 0 },
    ] {
        log.append(&entry).unwrap();
    }
    let contents = folder.contents().unwrap();
    assert_eq!(contents.measurements.complete[0].windows.len(), 1);
    let said: Vec<String> = contents.damage.iter().map(ToString::to_string).collect();
    let expected = [(3, "the row `z`"), (4, "the scenario `third`"), (5, "the row `z`"), (6, "start 2")];
    let expected = expected.map(|(line, what)| {
        format!("line {line} of windows.jsonl is left out: it is of {what}, which the plan does not have")
    });
    assert_eq!(said, expected);
}

#[test]
fn windows_under_an_experiment_and_passes_under_another_scenario_are_left_out() {
    use crate::plan::experiment::EventKind::Kill;
    let (_parent, folder) = with("notes.txt", "");
    let mut log = folder.log().unwrap();
    let recorded = fixtures::experiment::experiment("first", "a", &[Kill]);
    log.append(&Entry::PassBegun { of: recorded.pass.of.clone(), at: String::new() }).unwrap();
    log.append(&Entry::Event(Box::new(recorded.events[0].clone()))).unwrap();
    log.append(&Entry::Pass(Box::new(recorded.pass))).unwrap();
    let contents = folder.contents().unwrap();
    assert_eq!(contents.measurements, Measurements::default());
    let said: Vec<String> = contents.damage.iter().map(ToString::to_string).collect();
    assert!(said.len() == 3 && said[0].contains("an experiment under the scenario `first`"), "{said:?}");
}

#[test]
fn a_second_run_of_a_day_gets_a_folder_of_its_own() {
    let parent = tempfile::tempdir().unwrap();
    let mut names = Vec::new();
    for _ in 0..3 {
        let folder = Folder::create_dated(parent.path(), "2026-11-21", "host").unwrap();
        fs::write(folder.path().join("x"), "").unwrap();
        names.push(folder.path().file_name().unwrap().to_str().unwrap().to_owned());
    }
    assert_eq!(names, ["2026-11-21-host", "2026-11-21-host-2", "2026-11-21-host-3"]);
}

fn names(folder: &Folder) -> Vec<String> {
    let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_file_that_cannot_be_replaced_stays_and_nothing_is_left_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.json");
    write_whole(&path, b"old").unwrap();
    write_whole(&path, b"new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");

    let path = folder.path().join("taken.json");
    fs::create_dir_all(path.join("by a folder")).unwrap();
    let error = write_whole(&path, b"new").unwrap_err().to_string();
    assert!(error.contains("taken.json: "), "{error}");
    assert_eq!(names(&Folder::open(folder.path())), ["run.json", "taken.json"]);
}

/// The folder of the run that a child is to go on with on a disk that is full.
const FOLDER: &str = "FOLDER_ON_A_FULL_DISK";

#[test]
fn a_full_disk_is_an_error_that_names_the_file_and_leaves_what_was_there() {
    // A limit of the size of files is the full disk that needs no privilege; it is that of a process, so that it needs one of its own.
    if let Some(path) = std::env::var_os(FOLDER) {
        return on_a_full_disk(&Folder::open(Path::new(&path)));
    }
    let parent = tempfile::tempdir().unwrap();
    let folder = Folder::create(parent.path(), false).unwrap();
    folder.write_environment(&fixtures::environment()).unwrap();
    folder.write_run(&fixtures::run_record(2)).unwrap();
    let mut log = folder.log().unwrap();
    log.append(&Entry::Begun { start: 0, at: String::new() }).unwrap();
    for round in 0..4 {
        log.append(&window(round)).unwrap();
    }
    drop(log);

    let own = std::env::current_exe().unwrap();
    let test =
        "records::folder::tests::a_full_disk_is_an_error_that_names_the_file_and_leaves_what_was_there";
    let played =
        host::tether::command(own).args([test, "--exact"]).env(FOLDER, folder.path()).output().unwrap();
    assert!(played.status.success(), "{}", String::from_utf8_lossy(&played.stdout));
    assert_eq!(folder.contents().unwrap().measurements.incomplete[0].windows.len(), 4);
    assert_eq!(names(&folder), ["environment.json", "run.json", "windows.jsonl"]);
}

fn window(round: usize) -> Entry {
    Entry::Window(Box::new(fixtures::window("first", "a", 0, round, fixtures::sound())))
}

fn on_a_full_disk(folder: &Folder) {
    // Without a handler the signal that comes with the error ends a process.
    let signalled = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(Signal::XFSZ.as_raw(), Arc::clone(&signalled)).unwrap();
    let before = folder.contents().unwrap();
    let mut log = folder.log().unwrap();
    let room = fs::metadata(folder.file(WINDOWS)).unwrap().len() + 500;
    let limit = |current| {
        let maximum = getrlimit(Resource::Fsize).maximum;
        setrlimit(Resource::Fsize, Rlimit { current, maximum }).unwrap();
    };
    limit(Some(room));

    let error = log.append(&window(4)).unwrap_err();
    assert!(error.to_string().contains("windows.jsonl: File too large"), "{error}");
    assert!(signalled.load(Ordering::SeqCst), "nothing was written up to the limit");
    // Nothing of it is left, so that there is room for a short entry.
    log.append(&Entry::Begun { start: 1, at: String::new() }).unwrap();
    let after = folder.contents().unwrap().measurements;
    assert_eq!(after.incomplete[0], before.measurements.incomplete[0]);
    assert_eq!(after.incomplete.len(), 2);

    let mut large = before.run.clone();
    large.failures = vec![Failure { what: "x".repeat(room as usize), reason: String::new(), start: None }];
    let error = folder.write_run(&large).unwrap_err();
    assert!(error.to_string().contains("run.json: File too large"), "{error}");
    assert_eq!(folder.contents().unwrap().run.plan, before.run.plan);
    assert_eq!(names(folder), ["environment.json", "run.json", "windows.jsonl"]);
}
