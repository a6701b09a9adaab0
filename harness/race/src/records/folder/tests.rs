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
    Folder::create(parent.path(), true).unwrap();
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
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
