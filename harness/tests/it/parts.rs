//! Several generators as parts of one load, as real processes that meet in a folder, and what `harness merge` makes of what they
//! leave there.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::channel,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use stats::hdr_log::HdrLog;

use crate::load_command::{PATIENCE, ended, json as read, right, serve};

/// A harness in which nobody says which part it is.
pub(crate) fn harness(arguments: &[&str]) -> Command {
    let mut command = host::tether::command(env!("CARGO_BIN_EXE_harness"));
    for variable in ["SLURM_PROCID", "SLURM_NTASKS", "JOB_COMPLETION_INDEX"] {
        command.env_remove(variable);
    }
    command.args(arguments).env("LC_ALL", "C.UTF-8");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A part that gathers in a folder: 300 requests a second of all parts on 6 connections, for so long after a tenth of a second.
fn part_for(window: &str, url: &str, folder: &Path, which: &str, more: &[&str]) -> Child {
    let mut command = harness(&["load", url, "-q", "300", "-c", "6", "-z", window, "-w", "100ms", "--quiet"]);
    command.args(["--share-host", "--part", which, "--gather"]).arg(folder).args(more).spawn().unwrap()
}

pub(crate) fn part(url: &str, folder: &Path, which: &str, more: &[&str]) -> Child {
    part_for("500ms", url, folder, which, more)
}

/// What `merge` says of a folder, without what the parts found wrong with this machine, which has tests to run.
pub(crate) fn merged(arguments: &[&str]) -> (i32, String, String) {
    let (code, stdout, stderr) = ended(harness(&[&["merge"][..], arguments].concat()).spawn().unwrap());
    let host = race::records::environment::host_name();
    let is_of_host = |line: &&str| {
        let part = line.strip_prefix("warning: part ").and_then(|line| line.split_once(" on "));
        part.is_some_and(|(_, line)| line.starts_with(&format!("{host}: ")))
    };
    let others: String =
        stderr.lines().filter(|line| !is_of_host(line)).map(|line| format!("{line}\n")).collect();
    (code, stdout, others)
}

/// Waits until a file is there.
fn appears(path: &Path) {
    let until = Instant::now() + PATIENCE;
    while !path.exists() {
        assert!(Instant::now() < until, "{} never came", path.display());
        thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn url() -> String {
    format!("{}/simple", serve(right))
}

#[test]
fn parts_that_gather_are_together_the_load_that_one_would_make() {
    let folder = tempfile::tempdir().unwrap();
    let (gathered, url) = (folder.path().join("gathered"), url());
    let parts: Vec<Child> = ["1/3", "2/3", "0/3"].map(|which| part(&url, &gathered, which, &[])).into();
    for part in parts {
        let (code, stdout, stderr) = ended(part);
        assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
        assert!(stdout.contains(" of 3, counted from 0: what follows is of this part alone"), "{stdout}");
        assert!(stdout.contains("100/s evenly spaced, 2 connections"), "{stdout}");
    }
    let records: Vec<Value> = (0..3).map(|part| read(&gathered.join(format!("part-{part}.json")))).collect();
    let due = |record: &Value| record["report"]["streams"][0]["counts"]["due"].as_u64().unwrap();
    // What is due is exactly what is due of one generator, dealt out in turn.
    assert_eq!(records.iter().map(due).sum::<u64>(), 150);
    let plan = read(&gathered.join("plan.json"));
    for (index, record) in records.iter().enumerate() {
        assert_eq!(record["report"]["part"], json!({ "index": index, "of": 3 }));
        assert_eq!(record["report"]["seed"], plan["seed"]);
        assert_eq!((&record["token"], &record["plan_sha256"]), (&plan["token"], &plan["sha256"]));
    }
    let sum = folder.path().join("all.hlog");
    let (code, stdout, stderr) = merged(&[gathered.to_str().unwrap(), "-o", sum.to_str().unwrap()]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    for expected in [
        format!("http://{url}: 3 parts of plan "),
        "/simple in all: 300 a second offered, ".to_owned(),
        "at work together for 0.".to_owned(),
        "\n/simple.response: 150 values\n".to_owned(),
    ] {
        assert!(stdout.contains(&expected), "{expected} is not in\n{stdout}");
    }
    let sum = HdrLog::read(&fs::read(sum).unwrap()).unwrap();
    assert_eq!(sum.response_times("/simple").unwrap().len(), 150);
    // Nothing but what is said of it is left there.
    let mut names: Vec<String> = fs::read_dir(&gathered)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    let of = |part: u32| [".arrived.json", ".hlog", ".json"].map(|rest| format!("part-{part}{rest}"));
    let expected: Vec<String> =
        (0..3).flat_map(of).chain(["plan.json", "start.json"].map(str::to_owned)).collect();
    assert_eq!(names, expected);
}

#[test]
fn slurm_says_which_part_it_is_and_each_part_writes_files_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let url = url();
    let export = folder.path().join("out.json");
    for task in ["0", "1"] {
        let mut command =
            harness(&["load", &url, "-q", "100", "-c", "4", "-z", "100ms", "-w", "0s", "--quiet"]);
        command.args(["--seed", "7", "--export-json"]).arg(&export);
        command.env("SLURM_PROCID", task).env("SLURM_NTASKS", "2");
        let (code, stdout, stderr) = ended(command.spawn().unwrap());
        assert_eq!(code, 0, "{stdout}{stderr}");
        let note =
            format!("note: this is part {task} of 2, counted from 0, by SLURM_PROCID and SLURM_NTASKS; ");
        assert!(stderr.starts_with(&note), "{stderr}");
        let own = read(&folder.path().join(format!("out.part-{task}-of-2.json")));
        assert_eq!(own["part"]["index"].to_string(), task);
    }
    assert!(!export.exists());
}

#[test]
fn a_part_that_is_killed_makes_the_whole_a_failure_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let gathered = folder.path().join("gathered");
    let (sender, asked) = channel();
    let url = format!(
        "{}/simple",
        serve(move |line| {
            let _ = sender.send(());
            right(line)
        })
    );
    // It would last for a minute.
    let more = ["--gather-within", "3s", "-t", "1s"];
    let [first, second] = ["0/2", "1/2"].map(|which| part_for("1m", &url, &gathered, which, &more));
    // Both are at work, or were about to be.
    asked.recv_timeout(PATIENCE).unwrap();
    kill_process(Pid::from_child(&second), Signal::KILL).unwrap();
    let host = race::records::environment::host_name();
    let killed = second.wait_with_output().unwrap();
    assert!(!killed.status.success());
    let (code, stdout, stderr) = ended(first);
    assert_eq!(code, 1, "{stdout}{stderr}");
    let named = format!("error: part 1 failed on {host}: it gave no sign of life for 3s, as part 0 on ");
    assert!(stderr.starts_with(&named) && stderr.lines().count() == 1, "{stderr}");
    // What it measured is shown all the same.
    assert!(stdout.contains("right answers a second"), "{stdout}");
    let (code, stdout, stderr) = merged(&[gathered.to_str().unwrap()]);
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert!(stderr.starts_with(&named) && stderr.lines().count() == 1, "{stderr}");
}

#[test]
fn a_part_that_is_long_in_comparing_its_clock_is_waited_for_and_misses_no_start() {
    let folder = tempfile::tempdir().unwrap();
    let (gathered, url) = (folder.path().join("gathered"), url());
    let (ssh, go) = (folder.path().join("ssh"), folder.path().join("go"));
    let script = format!(
        "#!/bin/sh\nuntil [ -e '{}' ]; do sleep 0.05; done\nwhile [ \"$1\" != -- ]; do shift; done\nshift 2\nexec sh -c \"$*\"\n",
        go.display()
    );
    fs::write(&ssh, script).unwrap();
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    let slow = [
        "--clock-against",
        "node0",
        "--ssh",
        ssh.to_str().unwrap(),
        "--there",
        env!("CARGO_BIN_EXE_harness"),
    ];
    let second = part(&url, &gathered, "1/2", &slow);
    let first = part(&url, &gathered, "0/2", &[]);
    for name in ["part-0.alive", "part-1.arrived.json"] {
        appears(&gathered.join(name));
    }
    assert!(!gathered.join("start.json").exists(), "one is not ready");
    fs::write(&go, "").unwrap();
    for part in [first, second] {
        let (code, stdout, stderr) = ended(part);
        assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    }
    let (code, stdout, stderr) = merged(&[gathered.to_str().unwrap()]);
    // How well clocks are known is up to how busy this machine is.
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.contains("surely for ") && stdout.contains("clocks are known within "), "{stdout}");
}

#[test]
fn a_part_that_is_started_again_fails_itself_and_the_others_do_not_wait_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let (gathered, url) = (folder.path().join("gathered"), url());
    let second = part(&url, &gathered, "1/2", &[]);
    let first = part(&url, &gathered, "0/2", &[]);
    appears(&gathered.join("part-1.arrived.json"));
    for (which, expected) in
        [("1/2", "error: part 1 came to "), ("0/2", " of an earlier load; name a folder that is empty")]
    {
        let (code, stdout, stderr) = ended(part(&url, &gathered, which, &[]));
        assert_eq!((code, stdout.as_str()), (2, ""), "{stderr}");
        assert!(stderr.contains(expected) && stderr.lines().count() == 1, "{stderr}");
    }
    for part in [first, second] {
        let (code, stdout, stderr) = ended(part);
        assert_eq!(code, 0, "{stdout}{stderr}");
    }
    assert_eq!(merged(&[gathered.to_str().unwrap()]).0, 0);
}

#[test]
fn who_does_not_come_or_comes_with_another_plan_is_named_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let (gathered, url) = (folder.path().join("gathered"), url());
    let soon = ["--gather-within", "300ms"];
    for (which, expected) in
        [("1/2", "error: part 0 left no plan in "), ("0/2", "error: part 1 did not come to ")]
    {
        let (code, stdout, stderr) = ended(part(&url, &gathered, which, &soon));
        assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
        assert!(stderr.starts_with(expected) && stderr.lines().count() == 1, "{stderr}");
    }
    let (code, _, stderr) = ended(part(&url, Path::new("/dev/null/gathered"), "0/2", &soon));
    assert!(code == 1 && stderr.contains("name a folder that all parts share"), "{code}: {stderr}");

    let gathered = folder.path().join("other");
    let first = part(&url, &gathered, "0/2", &[]);
    let (code, _, stderr) = ended(part(&url, &gathered, "1/2", &["-n", "9"]));
    assert!(code == 2 && stderr.contains("cannot be used with"), "{code}: {stderr}");
    let (code, _, stderr) = ended(part(&url, &gathered, "1/2", &["--timeout", "9s"]));
    let differs = "part 1 has another plan than part 0: timeout is 5.0 and 9.0; start all parts with the same arguments";
    assert_eq!((code, stderr.as_str()), (2, format!("error: {differs}\n").as_str()));
    let (code, _, stderr) = ended(first);
    assert!(
        code == 1 && stderr.starts_with("error: part 1 failed on ") && stderr.contains(differs),
        "{code}: {stderr}"
    );
    let (code, stdout, stderr) = merged(&[gathered.to_str().unwrap()]);
    assert!(code == 1 && stdout.is_empty(), "{code}: {stdout}");
    // Who gave up because of another is not named in its place.
    assert!(stderr.starts_with("error: part 1 failed on ") && stderr.contains(differs), "{stderr}");
}

#[test]
fn parts_on_one_host_are_refused_unless_they_are_meant() {
    let folder = tempfile::tempdir().unwrap();
    let url = url();
    let start = |which| {
        let mut command =
            harness(&["load", &url, "-q", "300", "-c", "6", "--quiet", "--part", which, "--gather"]);
        command.arg(folder.path()).spawn().unwrap()
    };
    let host = race::records::environment::host_name();
    let [first, second] = ["0/2", "1/2"].map(start).map(ended);
    assert_eq!((first.0, first.1.as_str()), (2, ""));
    assert!(first.2.starts_with(&format!("error: parts 0 and 1 are both on {host}, ")), "{}", first.2);
    assert!(second.0 == 1 && second.2.contains("or say --share-host"), "{}", second.2);
}
