//! `harness clock` against a host that is reached by a script instead of ssh: what it says of the clock there, and how it refuses.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::Value;

use crate::load_command::{ended, json, right, serve};

/// Takes ssh's place: what follows its options, `--` and the host is a command for the shell there.
const HERE: &str = r#"while [ "$1" != -- ]; do shift; done; shift 2; exec sh -c "$*""#;

/// A host whose clock is so many nanoseconds ahead, as `AHEAD` computes them of the number `n` that is asked with.
const OTHER_CLOCK: &str = r#"
echo 'Last login: yesterday'
echo harness-clock 1 other-host other-boot
while read -r n; do
    now=$(($(date +%s%N) + AHEAD))
    echo "$n $now $now"
done
"#;

/// An executable script in the folder. Another process writes it: what this one has open for writing, a child of another test may have
/// inherited and not yet closed, and then it is not executed.
fn script(folder: &Path, name: &str, text: &str) -> PathBuf {
    let (draft, path) = (folder.join(format!("{name}.draft")), folder.join(name));
    fs::write(&draft, format!("#!/bin/sh\n{text}\n")).unwrap();
    let installed =
        host::tether::command("install").args(["-m", "755"]).args([&draft, &path]).status().unwrap();
    assert!(installed.success());
    path
}

/// A host whose clock is so far ahead.
fn ahead(folder: &Path, by: &str) -> PathBuf {
    script(folder, "ssh", &OTHER_CLOCK.replace("AHEAD", by))
}

/// Exit code, stdout and stderr of `harness clock` with this in ssh's place.
fn clock(ssh: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = host::tether::command(env!("CARGO_BIN_EXE_harness"));
    command.args(["clock", "--ssh", ssh.to_str().unwrap()]).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    ended(command.spawn().unwrap())
}

/// The offset and its bound, in nanoseconds.
fn offset(record: &Value) -> (i64, i64) {
    (record["offset_ns"].as_i64().unwrap(), record["bound_ns"].as_i64().unwrap())
}

#[test]
fn this_host_has_the_clock_that_it_has_within_the_bound() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("clock.json");
    let ssh = script(folder.path(), "ssh", HERE);
    let arguments =
        ["node1", "--there", env!("CARGO_BIN_EXE_harness"), "--export-json", file.to_str().unwrap()];
    let (code, stdout, stderr) = clock(&ssh, &arguments);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    assert!(stdout.starts_with("node1 (") && stdout.contains(": its clock is "), "{stdout}");
    assert!(stdout.contains(" the least of 50 round trips took "), "{stdout}");
    let answered = json(&file);
    let (offset_ns, bound_ns) = offset(&answered);
    assert!(offset_ns.abs() <= bound_ns, "{answered}");
    assert_eq!(answered["host"]["name"], race::records::environment::host_name().as_str());
}

#[test]
fn a_clock_that_is_ahead_is_told_within_the_bound_whatever_the_login_says() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("clock.json");
    for (by, ahead_ns) in [("3000000000", 3_000_000_000_i64), ("-3000000000", -3_000_000_000)] {
        let export = ["me@node1", "-n", "5", "--export-json", file.to_str().unwrap()];
        let (code, stdout, stderr) = clock(&ahead(folder.path(), by), &export);
        assert_eq!(code, 0, "{stdout}{stderr}");
        let (offset_ns, bound_ns) = offset(&json(&file));
        assert!((offset_ns - ahead_ns).abs() <= bound_ns, "{offset_ns} within {bound_ns}");
        let said =
            if ahead_ns > 0 { " ms ahead of this one, within " } else { " ms behind this one, within " };
        assert!(stdout.contains("(other-host)") && stdout.contains(said), "{stdout}");
    }
}

#[test]
fn a_clock_that_is_set_while_it_is_asked_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) =
        clock(&ahead(folder.path(), "n / 5 * 3600000000000"), &["node1", "-n", "10"]);
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(stderr.starts_with("error: node1: a clock was set meanwhile, by "), "{stderr}");
}

#[test]
fn a_host_that_cannot_be_asked_is_one_line_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let own = |name: &str, text: &str| script(folder.path(), name, text);
    for (ssh, arguments, code, expected) in [
        (
            own("refused", "echo 'me@node1: Permission denied (publickey).' >&2; exit 255"),
            &["node1"][..],
            1,
            "error: node1 cannot be asked: `me@node1: Permission denied (publickey).`; see that `ssh node1 harness --version` answers",
        ),
        (
            own("here", HERE),
            &["node1", "--there", "/nowhere/harness"],
            1,
            "; install the harness on node1, or say with --there",
        ),
        (
            own("old", "echo 'error: unrecognized subcommand' >&2; exit 2"),
            &["node1"],
            1,
            "; build both harnesses from the same revision",
        ),
        (
            own("newer", "echo harness-clock 2; read -r n"),
            &["node1"],
            1,
            "error: node1 has another revision of the harness",
        ),
        (
            own("silent", "read -r nothing"),
            &["node1", "--within", "200ms"],
            1,
            "error: node1 did not answer within 200ms",
        ),
        (
            own("unused", "exit 1"),
            &["--", "-oProxyCommand=false"],
            2,
            "error: `-oProxyCommand=false` is no host",
        ),
        (
            PathBuf::from("/nowhere/ssh"),
            &["node1"],
            1,
            "error: /nowhere/ssh cannot be started to reach node1: No such file",
        ),
    ] {
        let (ended, stdout, stderr) = clock(&ssh, arguments);
        assert_eq!((ended, stdout.as_str()), (code, ""), "{}: {stderr}", ssh.display());
        assert!(stderr.contains(expected) && stderr.lines().count() == 1, "{expected} is not in:\n{stderr}");
    }
}

#[test]
fn a_part_records_the_clock_that_it_was_compared_with_before_and_after() {
    let folder = tempfile::tempdir().unwrap();
    let gathered = folder.path().join("gathered");
    let ssh = ahead(folder.path(), "3000000000");
    let url = format!("{}/simple", serve(right));
    let mut command = host::tether::command(env!("CARGO_BIN_EXE_harness"));
    command
        .args(["load", &url, "-q", "100", "-c", "2", "-z", "200ms", "-w", "0s", "--quiet", "--part", "0/1"]);
    command.arg("--gather").arg(&gathered).args(["--clock-against", "node1", "--ssh"]).arg(&ssh);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (code, stdout, stderr) = ended(command.spawn().unwrap());
    assert_eq!(code, 0, "{stdout}{stderr}");
    let part = json(&gathered.join("part-0.json"));
    let (offset_ns, bound_ns) = offset(&part["clock"]);
    assert!((offset_ns - 3_000_000_000).abs() <= bound_ns, "{part}");
    assert_eq!(part["clock"]["against"]["name"], "other-host");
    assert_eq!(part["clock"], part["report"]["clock"]);
    // The start is by the other clock, and the window by the one here.
    let start_s = json(&gathered.join("start.json"))["start_ns"].as_i64().unwrap() as f64 / 1e9;
    let ahead_s = start_s - part["opened_s"].as_f64().unwrap();
    assert!((ahead_s - 3.0).abs() < 1.0, "{ahead_s}");
}
