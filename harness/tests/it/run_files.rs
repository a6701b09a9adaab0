//! The files of a run's folder that are made from its records: all of them or none, whatever became of the records and of the disk.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Output,
};

use rustix::process::geteuid;

use crate::{
    output_files::{full_disk, with_own_mounts},
    scene::{PATIENCE, Scene, text},
    support::finish,
};

/// What `harness` says and prints in a scene.
fn harness(scene: &Scene, arguments: &[&str]) -> Output {
    finish(scene.harness(arguments).spawn().unwrap(), PATIENCE)
}

fn refused(scene: &Scene, arguments: &[&str]) -> String {
    let output = harness(scene, arguments);
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{arguments:?}: {said}");
    said
}

/// Every file below a folder, with what it holds.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), fs::read(path).unwrap());
        }
    }
    found
}

fn edit(scene: &Scene, file: &str, change: impl FnOnce(String) -> String) {
    let text = fs::read_to_string(scene.path(file)).unwrap();
    fs::write(scene.path(file), change(text)).unwrap();
}

#[test]
fn all_files_are_made_again_byte_for_byte_and_the_logs_can_be_merged() {
    let scene = Scene::new();
    let before = files(&scene.path("checked"));
    let records =
        ["environment.json", "run.json", "windows.jsonl"].map(|name| scene.path("checked").join(name));
    for path in before.keys().filter(|path| !records.contains(path)) {
        fs::remove_file(path).unwrap();
    }
    assert!(refused(&scene, &["check", "checked"]).contains("checked/report.md is missing"));
    let output = harness(&scene, &["report", "checked"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    assert_eq!(files(&scene.path("checked")), before);
    assert!(harness(&scene, &["check", "checked"]).status.success());

    let logs = ["work-stealing", "ceiling"].map(|row| format!("checked/hdr/simple-latency.{row}.hlog"));
    let merged = harness(&scene, &["merge", &logs[0], &logs[1], "-o", "out/merged.hlog"]);
    let (printed, said) = (text(&merged.stdout), text(&merged.stderr));
    assert!(merged.status.success() && printed.contains("simple.response"), "{printed}{said}");
    assert!(scene.path("out/merged.hlog").is_file());
}

#[test]
fn a_damaged_line_is_named_and_left_out_and_the_folder_is_not_whole() {
    let scene = Scene::new();
    edit(&scene, "checked/windows.jsonl", |text| text.replacen("\"round\":0", "\"round\":1", 1));
    let number = fs::read_to_string(scene.path("checked/windows.jsonl")).unwrap();
    let number = number.lines().position(|line| line.contains("\"round\":1")).unwrap() + 1;
    let why = "is damaged: its entry has another SHA-256 than it says";
    let said = refused(&scene, &["check", "checked"]);
    assert!(said.contains(&format!("checked/windows.jsonl: line {number} {why}")), "{said}");
    let output = harness(&scene, &["report", "checked"]);
    let (printed, said) = (text(&output.stdout), text(&output.stderr));
    let left_out = format!("line {number} of windows.jsonl is left out: it {why}");
    assert_eq!((output.status.code(), said), (Some(0), format!("warning: {left_out}\n")));
    assert!(printed.contains(&left_out) && printed.contains("simple-latency"), "{printed}");
    assert!(fs::read_to_string(scene.path("checked/report.md")).unwrap().contains(&left_out));
}

#[test]
fn a_record_that_is_no_line_of_a_log_is_refused_with_file_line_and_column() {
    for (file, change, expected) in [
        ("run.json", (|text| text[..60].to_owned()) as fn(String) -> String, "EOF while parsing"),
        ("run.json", |text| text.replacen("\"seed\": 7", "\"seed\": -7", 1), "invalid value: integer `-7`"),
        ("environment.json", |text| text.replacen('{', "{,", 1), "line 1, column 2: "),
        ("environment.json", |_| String::new(), "line 1, column 0: EOF while parsing a value"),
    ] {
        let scene = Scene::new();
        edit(&scene, &format!("checked/{file}"), change);
        let before = files(&scene.path("checked"));
        for command in ["report", "check"] {
            let said = refused(&scene, &[command, "checked"]);
            let at = said.split_once(&format!("checked/{file}: line ")).map(|(_, at)| at);
            assert!(at.is_some_and(|at| at.contains(", column ")) && said.contains(expected), "{said}");
        }
        assert_eq!(files(&scene.path("checked")), before, "{file}");
    }
}

#[test]
fn a_run_with_nothing_measured_has_pages_that_say_so() {
    let nothing: [fn(&Scene); 2] = [
        |scene| fs::write(scene.path("checked/windows.jsonl"), "").unwrap(),
        |scene| fs::remove_file(scene.path("checked/windows.jsonl")).unwrap(),
    ];
    for empty in nothing {
        let scene = Scene::new();
        empty(&scene);
        let output = harness(&scene, &["report", "checked"]);
        let (printed, said) = (text(&output.stdout), text(&output.stderr));
        assert!(
            output.status.success() && printed.contains("0 of 2 starts were finished"),
            "{printed}{said}"
        );
        assert!(!scene.path("checked/hdr").join("simple-latency.ceiling.hlog").exists());
        assert!(
            refused(&scene, &["check", "checked"])
                .contains("0 of 2 starts were finished, and nothing says why")
        );
    }
}

#[test]
fn a_run_of_an_earlier_schema_is_said_to_be_one_and_left_alone() {
    let earlier: [fn(&Scene); 2] = [
        |scene| edit(scene, "checked/windows.jsonl", |text| text.replace("\"schema\":3", "\"schema\":2")),
        |scene| fs::rename(scene.path("checked/windows.jsonl"), scene.path("checked/trials.jsonl")).unwrap(),
    ];
    for make in earlier {
        let scene = Scene::new();
        make(&scene);
        // Its other records may be others, too.
        edit(&scene, "checked/run.json", |text| text.replacen("\"plan\"", "\"matrix\"", 1));
        let before = files(&scene.path("checked"));
        for command in ["report", "check"] {
            let said = refused(&scene, &[command, "checked"]);
            assert!(said.contains("an earlier harness wrote it"), "{said}");
            assert!(said.trim_end().ends_with("the run's pages stay as they are"), "{said}");
        }
        assert_eq!(files(&scene.path("checked")), before);
    }
}

/// What is in a folder that a script copied for a test to see.
fn assert_as_it_was(before: &BTreeMap<PathBuf, Vec<u8>>, (from, to): (&Path, &Path)) {
    let after = files(to);
    let moved: BTreeMap<PathBuf, Vec<u8>> = before
        .iter()
        .map(|(path, content)| (to.join(path.strip_prefix(from).unwrap()), content.clone()))
        .collect();
    let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&after), names(&moved));
    assert!(after == moved, "a file holds something else");
}

/// Has every file of the checked run that is made from its records hold something else, as if another version had made it.
fn make_old(scene: &Scene) -> BTreeMap<PathBuf, Vec<u8>> {
    let folder = scene.path("checked");
    let records = ["environment.json", "run.json", "windows.jsonl"].map(|name| folder.join(name));
    for path in files(&folder).keys().filter(|path| !records.contains(path)) {
        fs::write(path, "old").unwrap();
    }
    files(&folder)
}

#[test]
fn on_a_full_disk_all_files_are_what_they_were() {
    let scene = Scene::new();
    let before = make_old(&scene);
    let (disk, kept) = (scene.path("out"), scene.path("kept"));
    let script = full_disk(r#"cp -r checked "$1""#).replace("size=1m", "size=8m")
        + r#"
        code=0; "$0" report "$1/checked" || code=$?; cp -r "$1/checked" "$2"; exit $code"#;
    let given = [OsString::from(&disk), OsString::from(&kept)].into();
    let Some(output) = with_own_mounts(&scene, &script, given) else { return };
    let (said, printed) = (text(&output.stderr), text(&output.stdout));
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(printed.contains("simple-latency"), "{printed}");
    assert!(said.contains("report.md: No space left on device") && said.contains("make room"), "{said}");
    assert_as_it_was(&before, (&scene.path("checked"), &kept));
}

#[test]
fn under_a_limit_of_the_size_of_files_all_are_what_they_were() {
    let scene = Scene::new();
    let before = make_old(&scene);
    // In units of 512 bytes: enough for most of them, and not for all.
    let script = r#"ulimit -f 12; trap '' XFSZ; exec "$0" report checked"#;
    let arguments = ["-c", script, env!("CARGO_BIN_EXE_harness")].map(OsString::from);
    let output = finish(scene.command("sh", arguments).spawn().unwrap(), PATIENCE);
    let said = text(&output.stderr);
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.contains(": File too large"), "{said}");
    assert_as_it_was(&before, (&scene.path("checked"), &scene.path("checked")));
}

#[test]
fn a_folder_that_may_not_be_written_to_is_named_and_left_as_it_was() {
    let scene = Scene::new();
    let before = files(&scene.path("run"));
    fs::set_permissions(scene.path("run"), fs::Permissions::from_mode(0o555)).unwrap();
    let harness = [env!("CARGO_BIN_EXE_harness"), "report", "run"].map(OsString::from);
    // Root may write anywhere.
    let output = match geteuid().is_root() {
        true => {
            let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"].map(OsString::from);
            finish(scene.command("setpriv", nobody.into_iter().chain(harness)).spawn().unwrap(), PATIENCE)
        }
        false => finish(scene.command("env", harness).spawn().unwrap(), PATIENCE),
    };
    fs::set_permissions(scene.path("run"), fs::Permissions::from_mode(0o755)).unwrap();
    let said = text(&output.stderr);
    if matches!(output.status.code(), Some(126 | 127)) {
        return println!("skipped: not everybody may run this harness: {said}");
    }
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.contains("run/") && said.contains("Permission denied"), "{said}");
    assert!(text(&output.stdout).contains("simple-latency"));
    assert_eq!(files(&scene.path("run")), before);
}
