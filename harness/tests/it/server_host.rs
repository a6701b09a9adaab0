//! `harness bench --server-host`: a race whose servers run on another host, which is reached by a script in ssh's place, and how that is refused.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Instant,
};

use serde_json::Value;

use crate::{
    lap::{Lap, PATIENCE, stderr},
    support::finish,
};

/// Takes ssh's place: what follows its options, `--` and the host is a command for the shell there.
const HERE: &str = r#"while [ "$1" != -- ]; do shift; done; shift 2; exec sh -c "$*""#;

/// The same, and the link is lost behind the first accounts.
const LOST: &str = r#"while [ "$1" != -- ]; do shift; done; shift 2; sh -c "$*" | sed -u '/"accounts"/q'"#;

/// An executable script in the lap's folder.
fn script(lap: &Lap, text: &str) -> PathBuf {
    let path = lap.folder.path().join("ssh");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// A lap of one start whose servers run on `node1`.
fn run(lap: &Lap, ssh: &Path, more: &[&str]) -> Output {
    let there = [
        &["--server-host", "node1", "--ssh", ssh.to_str().unwrap(), "--there", env!("CARGO_BIN_EXE_harness")]
            [..],
        &["--server-address", "127.0.0.1", "--starts", "1", "--rounds", "1", "--seed", "1"],
        more,
    ];
    // Where the agent keeps the programs that were brought.
    let mut command = lap.command(&there.concat());
    command.env("TMPDIR", lap.folder.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    finish(command.spawn().unwrap(), PATIENCE)
}

/// The programs below `folder` that somebody runs.
fn running_from(folder: &str) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let programs = processes.filter_map(|process| fs::read_link(process.path().join("exe")).ok());
    programs
        .map(|program| program.display().to_string())
        .filter(|program| program.starts_with(folder))
        .collect()
}

fn environment(lap: &Lap) -> Value {
    serde_json::from_slice(&fs::read(lap.out().join("environment.json")).unwrap()).unwrap()
}

#[test]
fn servers_on_another_host_are_measured_as_others_are_and_both_hosts_are_recorded() {
    let lap = Lap::with_rows(&[("a", "right"), ("b", "right")]);
    let output = run(&lap, &script(&lap, HERE), &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let windows = lap.windows();
    assert!(windows.len() >= 4, "{} windows", windows.len());
    for window in &windows {
        let measured = window.measured.as_ref().unwrap();
        assert!(measured.answered_in_stretch > 0 && measured.accounts.row.total_cpu_ns() > 0, "{window:?}");
        assert!(measured.accounts.generator.threads > 0, "{window:?}");
    }
    let servers = lap.servers();
    assert!(servers.iter().all(|server| server.fault.is_none() && server.life.is_some()), "{servers:?}");
    let there = &environment(&lap)["server_host"];
    assert_eq!((&there["asked"], &there["address"]), (&Value::from("node1"), &Value::from("127.0.0.1")));
    assert_eq!(there["host"]["name"], Value::from(race::records::environment::host_name()));
    assert!(there["round_trip"]["least_ns"].as_u64() > Some(0), "{there}");
    assert_eq!(there["interface"]["name"], "lo");
    assert!(lap.report().contains("reached as node1"), "{}", lap.report());
}

#[test]
fn generators_on_other_hosts_make_a_load_together_and_the_lightly_loaded_one_measures() {
    let lap = Lap::with_rows(&[("a", "right"), ("b", "right")]);
    let generators = ["--generator-host", "node2", "--generator-host", "node3", "--measure-with", "1"];
    let output = run(&lap, &script(&lap, HERE), &generators);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let windows = lap.windows();
    assert!(windows.len() >= 4, "{} windows", windows.len());
    let mut shared = 0;
    for window in &windows {
        let measured = window.measured.as_ref().unwrap();
        assert!(measured.answered_in_stretch > 0 && measured.accounts.generator.threads > 0, "{window:?}");
        let hosts: Vec<(&str, bool)> =
            measured.parts.iter().map(|part| (part.host.as_str(), part.measures)).collect();
        for (index, stream) in measured.streams.iter().enumerate() {
            let due: u64 = measured.parts.iter().map(|part| part.streams[index].due).sum();
            let connections: usize = measured.parts.iter().map(|part| part.streams[index].connections).sum();
            assert_eq!((due, connections), (stream.due, stream.connections), "{window:?}");
            assert!(stream.accounts_agree, "{window:?}");
        }
        if hosts == [("node2", true), ("node3", false)] {
            shared += 1;
            let of_light = measured.parts[0].streams[0].right;
            assert_eq!(measured.streams[0].response_times().len(), of_light, "{window:?}");
        }
    }
    assert!(shared > 0, "no load had connections for both");
    let hosts = environment(&lap)["generator_hosts"].as_array().unwrap().clone();
    let said = |at: usize| (hosts[at]["asked"].clone(), hosts[at]["measures"].clone());
    assert_eq!([said(0), said(1)], [("node2".into(), true.into()), ("node3".into(), false.into())]);
    assert!(hosts.iter().all(|host| host["round_trip"]["least_ns"].as_u64() > Some(0)), "{hosts:?}");
    let report = lap.report();
    assert!(report.contains("a generator's host, "), "{report}");
}

#[test]
fn generator_hosts_that_cannot_share_a_load_are_refused() {
    let lap = Lap::with_rows(&[("a", "right")]);
    let ssh = script(&lap, HERE);
    for (arguments, expected) in [
        (&["--generator-host", "node2", "--generator-host", "node2"][..], "node2 is given twice"),
        (
            &["--generator-host", "node2", "--measure-with", "1"],
            "leaves none of 1 generator hosts that loads",
        ),
    ] {
        let output = run(&lap, &ssh, arguments);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    }
    let output = lap.run(&["--generator-host", "node2"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--server-host"), "{}", stderr(&output));
}

#[test]
fn a_link_that_is_lost_ends_the_run_and_is_no_failure_of_a_row() {
    let lap = Lap::with_rows(&[("a", "right"), ("b", "right")]);
    let output = run(&lap, &script(&lap, LOST), &[]);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(
        said.contains("the link to node1 was lost: ") && said.contains("--resume goes on from there"),
        "{said}"
    );
    assert!(lap.measurements().complete.is_empty());
    // What ran there was in a folder that went with the agent: below the lap's, since that is where it was told to keep files.
    let (folder, deadline) = (lap.folder.path().to_str().unwrap(), Instant::now() + PATIENCE);
    while !running_from(folder).is_empty() {
        assert!(Instant::now() < deadline, "{:?}", running_from(folder));
        std::thread::yield_now();
    }
}

#[test]
fn a_host_that_cannot_run_servers_is_refused_with_what_to_do() {
    let greeting = r#"echo '{"server_host":1,"harness_sha256":"0","architecture":"ARCH","name":"n","boot":""}'; read -r line"#;
    let [other_build, other_processor] =
        [std::env::consts::ARCH, "pdp11"].map(|architecture| greeting.replace("ARCH", architecture));
    let cases = [
        (
            "echo 'node1: Permission denied (publickey).' >&2; exit 255",
            1,
            "`node1: Permission denied (publickey).`; see that `",
        ),
        (
            "echo 'sh: 1: harness: not found' >&2; exit 127",
            1,
            "install the harness on node1, or say with --there where it is",
        ),
        (other_build.as_str(), 1, "node1 has another build of the harness"),
        (other_processor.as_str(), 1, "node1 is pdp11 and this host is "),
    ];
    for (ssh, code, expected) in cases {
        let lap = Lap::with_rows(&[("a", "right")]);
        let output = run(&lap, &script(&lap, ssh), &[]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(expected) && said.lines().count() == 1, "{expected}: {said}");
        assert!(!lap.out().exists(), "nothing was begun");
    }
    let lap = Lap::with_rows(&[("a", "right")]);
    let ssh = script(&lap, HERE);
    // TEST-NET-1 (RFC 5737) is nobody's.
    let elsewhere =
        ["--server-host", "node1", "--ssh", ssh.to_str().unwrap(), "--server-address", "192.0.2.9"];
    let there = ["--there", env!("CARGO_BIN_EXE_harness")];
    let said = stderr(&lap.run(&[&elsewhere[..], &there].concat()));
    assert!(said.contains("node1: servers cannot listen on 192.0.2.9: "), "{said}");
    let output = lap.run(&["--server-host=-oProxyCommand=x"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

#[test]
fn what_needs_more_than_its_program_is_not_raced_on_another_host() {
    let lap = Lap::with_rows(&[("a", "right")]).and_reference(
        "needy",
        "right",
        "requires = [{ program = 'sh', install = 'apt-get install dash' }]",
    );
    let ssh = script(&lap, HERE);
    let output = run(&lap, &ssh, &["--only", "needy"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("`needy` needs more on its host than a program"), "{}", stderr(&output));
    let output = run(&lap, &ssh, &["--dry-run"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("warning: left out") && stderr(&output).contains(": needy"),
        "{}",
        stderr(&output)
    );
}
