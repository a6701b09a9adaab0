//! Laps with programs that know nothing of this project: no ready line, no end when they are asked for one.

use std::{collections::BTreeSet, fs, io::Read, process::Stdio, time::Instant};

use crate::lap::{Lap, PATIENCE, assert_they_end, stderr};

/// How a program is told everything that it must know.
const BY_HTTP: &str = "ready = 'http'\nargs = ['--listen', '{address}', '--cpus', '{cpus}']\n";

#[test]
fn a_foreign_program_is_raced_by_its_answers_alone_and_nothing_is_invented_of_it() {
    let lap = Lap::with_rows(&[("ours", "right")])
        .and_reference("http", "foreign", BY_HTTP)
        .and_reference("terse", "terse", "");
    let output = lap.run(&["--starts", "1", "--scenario", "open"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for (row, workers) in [("ours", Some(1)), ("http", None), ("terse", None)] {
        let server = lap.servers().into_iter().find(|server| server.row == row).unwrap();
        assert_eq!(
            (server.workers, &server.unclean_end, &server.fault),
            (workers, &None, &None),
            "{server:?}"
        );
        let window = lap.windows().into_iter().rfind(|window| window.row == row).unwrap();
        let measured = window.measured.unwrap();
        assert!(measured.streams[0].right > 0 && measured.accounts.row.cpu_ns > 0, "{row}: {measured:?}");
        assert_eq!(measured.accounts.row.processes, 1, "the guard is none of the server's: {measured:?}");
    }
}

#[test]
fn a_foreign_program_that_fails_is_reported_with_its_last_words() {
    let failures = [
        ("dies", "ended before it was ready (exit code 3): no reason to live"),
        ("mute", "gave no HTTP answer on 127.0.0.1:"),
        ("into-the-background", "run it in the foreground"),
    ];
    let mut lap = Lap::with_rows(&[("fine", "right")]);
    for (mode, _) in failures {
        lap = lap.and_reference(mode, mode, BY_HTTP);
    }
    // Only one of them is waited for in vain.
    let path = lap.folder.path().join("servers.toml");
    fs::write(&path, fs::read_to_string(&path).unwrap().replace("'20s'", "'2s'")).unwrap();
    let output = lap.run(&["--starts", "1", "--scenario", "open"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    for (row, expected) in failures {
        let said = stderr(&output)
            .lines()
            .find(|line| line.starts_with(&format!("error: {row} ")))
            .map(str::to_owned);
        assert!(said.as_ref().is_some_and(|said| said.contains(expected)), "{row}: {}", stderr(&output));
    }
    assert!(lap.windows().iter().any(|window| window.row == "fine"));
}

#[test]
fn a_foreign_program_that_cannot_be_stopped_is_ended_with_all_that_it_started_and_counts() {
    let lap = Lap::with_rows(&[("ours", "right")]).and_reference("stubborn", "unstoppable", BY_HTTP);
    let mut child = lap
        .command(&["--starts", "1", "--scenario", "open"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Everything that was ever seen below the harness.
    let mut seen = BTreeSet::new();
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "the harness does not end");
        seen.extend(host::processes::descendants(child.id()));
        std::thread::yield_now();
    }
    // The server's guard, the server, two shells with a sleep each; and the other row's two.
    assert!(seen.len() >= 8, "{seen:?}");
    assert_they_end(&seen.into_iter().collect::<Vec<_>>());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("warning: stubborn does not end cleanly: it outstayed SIGTERM by 5s"), "{said}");
    assert_eq!(child.wait().unwrap().code(), Some(0), "{said}");
    let server = lap.servers().into_iter().find(|server| server.row == "stubborn").unwrap();
    assert!(server.unclean_end.as_ref().unwrap().contains("SIGTERM") && server.fault.is_none(), "{server:?}");
    let window = lap.windows().into_iter().rfind(|window| window.row == "stubborn").unwrap();
    let processes = window.measured.unwrap().accounts.row.processes;
    assert_eq!(processes, 5, "the daemon is the server's");
    assert!(lap.report().contains("did not end cleanly in "), "{}", lap.report());
}
