//! Arguments that are no UTF-8: paths are paths, and where a text is wanted the argument is named.

use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::ffi::OsStrExt,
    path::Path,
};

use serde_json::Value;

use crate::{
    lap::{Lap, PATIENCE},
    scene::{Scene, Writes, text},
    support::finish,
};

/// `café` in Latin-1.
fn coffee(end: &str) -> OsString {
    OsStr::from_bytes(&[b"caf\xe9", end.as_bytes()].concat()).to_owned()
}

#[test]
fn every_file_can_have_any_name() {
    let scene = Scene::new();
    for writes in Writes::ALL.into_iter().filter(|writes| writes.takes_a_name()) {
        let file = scene.path("out").join(coffee(".json"));
        let output = scene.run(writes, &file);
        assert_eq!(output.status.code(), Some(writes.code()), "{writes:?}: {}", text(&output.stderr));
        assert!(writes.is_whole(&fs::read(&file).unwrap()), "{writes:?}");
        fs::remove_file(&file).unwrap();
    }
    fs::rename(scene.path("run"), scene.path(coffee(""))).unwrap();
    fs::rename(scene.path("a.hlog"), scene.path(coffee(".hlog"))).unwrap();
    for arguments in
        [["report".into(), coffee("")], ["check".into(), coffee("")], ["merge".into(), coffee(".hlog")]]
    {
        let output = finish(scene.harness(&arguments).spawn().unwrap(), PATIENCE);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn a_command_is_recorded_as_it_can_be_typed_again() {
    let scene = Scene::new();
    let body = scene.path(coffee(".txt"));
    fs::write(&body, "a body").unwrap();
    let mut arguments = scene.arguments(Writes::LoadJson, Path::new(&coffee(".json")));
    let mut at = OsString::from("@");
    at.push(&body);
    arguments.splice(4..4, ["-d".into(), at, "-H".into(), "a: it's b".into()]);
    let output = finish(scene.harness(&arguments).spawn().unwrap(), PATIENCE);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report: Value = serde_json::from_slice(&fs::read(scene.path(coffee(".json"))).unwrap()).unwrap();
    let command = report["command"].as_str().unwrap();
    let again = command.strip_prefix("harness ").unwrap();
    assert!(again.ends_with(r"--export-json $'caf\xe9.json'"), "{command}");
    // By the shell that reads it.
    let script = format!("printf '%s\\0' {again}");
    let read = finish(scene.command("bash", ["-c", &script]).spawn().unwrap(), PATIENCE).stdout;
    let typed: Vec<u8> = arguments.iter().flat_map(|one| [one.as_bytes(), b"\0"].concat()).collect();
    assert_eq!(text(&read), text(&typed));
    assert_eq!(read, typed);
}

#[test]
fn an_argument_that_should_be_text_is_named() {
    let scene = Scene::new();
    for (arguments, expected) in [
        (
            vec!["load".into(), "127.0.0.1:1".into(), "-m".into(), coffee("")],
            r"error: -m $'caf\xe9': it is to be UTF-8 text",
        ),
        (vec!["load".into(), coffee("")], r"error: $'caf\xe9': it is to be UTF-8 text"),
        (
            vec!["bench".into(), "--only".into(), coffee("")],
            r"error: --only $'caf\xe9': it is to be UTF-8 text",
        ),
        (vec!["bench".into(), "--registry".into(), coffee(".toml")], "caf\u{fffd}.toml"),
        (vec![coffee("")], "error: "),
        (vec!["load".into(), OsStr::from_bytes(b"--caf\xe9").to_owned()], "error: "),
    ] {
        let output = finish(scene.harness(&arguments).spawn().unwrap(), PATIENCE);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(expected) && !said.contains("panicked"), "{arguments:?}: {said}");
    }
}

#[test]
fn a_race_can_be_left_in_a_folder_of_any_name() {
    let lap = Lap::with_rows(&[("a", "right")]);
    let folder = lap.folder.path().join(coffee(""));
    let mut command = lap.command(&["--starts", "1", "--scenario", "closed"]);
    let arguments: Vec<OsString> = command.get_args().map(OsString::from).collect();
    let out = arguments.iter().position(|argument| argument == "--out").unwrap();
    command = host::tether::command(env!("CARGO_BIN_EXE_harness"));
    command
        .args(&arguments[..=out])
        .arg(&folder)
        .args(&arguments[out + 2..])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let output = finish(command.spawn().unwrap(), PATIENCE);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let environment: Value =
        serde_json::from_slice(&fs::read(folder.join("environment.json")).unwrap()).unwrap();
    assert!(environment["command"].as_str().unwrap().contains(r"caf\xe9'"), "{}", environment["command"]);
}
