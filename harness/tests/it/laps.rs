//! Whole laps of the real harness against scripted servers, right and wrong ones.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use race::records::window::{Verdict, WindowRecord};

use crate::lap::{Lap, harness, scripted_server, stderr};

/// Every row was measured in every round of every start of every scenario, and once more at most.
fn assert_measured_as_planned(windows: &[WindowRecord], rows: &[&str], scenarios: &[&str], starts: usize) {
    let mut attempts: BTreeMap<_, Vec<u32>> = BTreeMap::new();
    for window in windows {
        let place = (window.scenario.as_str(), window.start, window.round, window.row.as_str());
        attempts.entry(place).or_default().push(window.attempt);
    }
    let rounds = (0..starts).flat_map(|start| (0..2).map(move |round| (start, round)));
    let planned: BTreeSet<_> = rounds
        .flat_map(|(start, round)| {
            scenarios
                .iter()
                .flat_map(move |scenario| rows.iter().map(move |row| (*scenario, start, round, *row)))
        })
        .collect();
    assert_eq!(attempts.keys().copied().collect::<BTreeSet<_>>(), planned);
    assert!(attempts.values().all(|attempts| attempts[..] == [0] || attempts[..] == [0, 1]), "{attempts:?}");
}

#[test]
fn a_lap_leaves_a_folder_whose_tables_are_what_its_records_say() {
    let lap = Lap::with_rows(&[("a", "right"), ("b", "right")]);
    let output = lap.run(&["--starts", "2", "--seed", "1"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let windows = lap.windows();
    assert_measured_as_planned(&windows, &["a", "b"], &["closed", "open"], 2);
    // Nothing that the machine does to a window, and no verdict, changes this: the server is right, and the books balance.
    let (mut answered, mut due_in_round) = (BTreeSet::new(), BTreeMap::new());
    for window in &windows {
        let measured = window.measured.as_ref().unwrap();
        let stream = &measured.streams[0];
        if stream.right > 0 {
            assert!(
                measured.accounts.row.cpu_ns > 0 && measured.answered_in_stretch >= stream.right,
                "{window:?}"
            );
            answered.insert((window.row.as_str(), window.scenario.as_str()));
            let by_worker: u64 = stream.answers_by_worker.values().sum();
            assert_eq!((by_worker, stream.answers_by_worker.len()), (measured.answered_in_stretch, 1));
        }
        assert!(stream.errors.keys().all(|kind| kind == "timeout"), "{window:?}");
        assert_eq!(stream.due, stream.right + stream.censored, "{window:?}");
        assert!(stream.accounts_agree, "{window:?}");
        assert_eq!(stream.response_times().len(), stream.due, "{window:?}");
        assert_eq!(stream.slices.due.iter().map(|&due| u64::from(due)).sum::<u64>(), stream.due);
        assert_eq!(window.scenario == "closed", measured.closed_loop.is_some());
        if window.scenario == "open" {
            // The rows of a round meet the same arrivals, however often.
            let round = (window.start, window.round);
            assert_eq!(*due_in_round.entry(round).or_insert(stream.due), stream.due, "{window:?}");
        }
    }
    assert_eq!((answered.len(), due_in_round.len()), (4, 4), "{answered:?} {due_in_round:?}");
    let servers = lap.servers();
    assert_eq!(servers.len(), 8, "{servers:?}");
    assert!(servers.iter().all(|server| server.fault.is_none() && server.life.is_some()), "{servers:?}");
    let report = lap.report();
    for expected in ["## closed", "## open", "| a ", "| b ", "Fewer than 6", "**The rows were not verified"] {
        assert!(report.contains(expected), "no `{expected}` in\n{report}");
    }
    let out = lap.out();
    let out = out.to_str().unwrap();
    assert_eq!(harness(&["check", out]).status.code(), Some(0));

    // A check that could not fail would be worth nothing.
    fs::write(lap.out().join("report.md"), report.replace("| a ", "| z ")).unwrap();
    let wrong = harness(&["check", out]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(stderr(&wrong).contains("report.md"), "{}", stderr(&wrong));
    assert_eq!(harness(&["report", out]).status.code(), Some(0));
    assert_eq!(harness(&["check", out]).status.code(), Some(0));
}

#[test]
fn an_unknown_name_is_a_usage_error_that_lists_the_known_ones() {
    let lap = Lap::with_rows(&[("alpha", "right"), ("beta", "right")]);
    for (argument, wrong, expected) in [
        ("--only", "alhpa", "did you mean `alpha`?); known: alpha, beta"),
        ("--scenario", "opne", "did you mean `open`?); known: closed, open"),
    ] {
        let output = lap.run(&[argument, wrong]);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
        assert!(!lap.out().exists());
    }
}

#[test]
fn a_row_that_fails_is_reported_in_one_line_and_the_others_go_on() {
    let failures = [
        ("dies", "no reason to live"),
        ("mute", "printed no ready line within 500ms"),
        ("port-taken", "choose another with --listen"),
        ("wrong", "499501"),
        ("debug", "debug build"),
        ("no-program", "/nowhere/at-all"),
        ("dies-under-load", "exit code 9"),
        ("daemonises", "leaving 1 of its processes behind"),
        ("forks-under-load", "(sleep) came"),
        ("closes-under-load", "nobody listens any more"),
        ("never-rests", "still uses "),
        ("hangs-under-load", "no right answer"),
    ];
    let mut rows = vec![("fine", "right")];
    rows.extend(failures.iter().map(|&(mode, _)| (mode, mode)));
    let lap = Lap::with_rows(&rows);
    let output = lap.run(&["--starts", "2", "--scenario", "open"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let (stderr, report) = (stderr(&output), lap.report());
    for (row, expected) in failures {
        // In a start, or before any: `dies` must not be taken for `dies-under-load`.
        let of_row = |line: &&str| {
            [" in start 1: ", ": "].iter().any(|end| line.starts_with(&format!("error: {row}{end}")))
        };
        let said =
            stderr.lines().find(of_row).unwrap_or_else(|| panic!("nothing is said of {row} in\n{stderr}"));
        assert!(said.contains(expected), "{said}");
        assert!(report.contains(expected), "no `{expected}` in\n{report}");
        // One that hangs is given one round where it was overloaded before, in which it answers the first few.
        let built = row != "no-program" && row != "hangs-under-load";
        let out = format!("error: {row}: is out of the race after 2 starts in which it failed");
        assert!(stderr.contains(&out) || !built, "{row}:\n{stderr}");
    }
    let fine: Vec<WindowRecord> = lap.windows().into_iter().filter(|window| window.row == "fine").collect();
    assert!(fine.iter().filter(|window| window.attempt == 0).count() == 4, "{fine:?}");
    assert!(fine.iter().all(|window| !matches!(window.verdict, Verdict::Failed { .. })), "{fine:?}");
    assert_eq!(harness(&["check", lap.out().to_str().unwrap()]).status.code(), Some(0));
}

#[test]
fn a_seed_repeats_the_order_of_the_rows() {
    let order = |seed| {
        let lap = Lap::with_rows(&[("a", "right"), ("b", "right"), ("c", "right")]);
        let output = lap.run(&[
            "--starts",
            "3",
            "--rounds",
            "1",
            "--seed",
            seed,
            "--scenario",
            "open",
            "--duration",
            "50ms",
        ]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let windows = lap.windows().into_iter().filter(|window| window.attempt == 0);
        let order: Vec<String> = windows.map(|window| format!("{} {}", window.row, window.seed)).collect();
        assert_eq!(order.len(), 9, "{order:?}");
        order
    };
    assert_eq!(order("1"), order("1"));
    assert_ne!(order("1"), order("2"));
}

#[test]
fn a_host_with_one_cpu_is_told_what_it_cannot_measure_and_measures_the_rest() {
    let lap = Lap::with_rows(&[("a", "right")]);
    let cpu = host::cpus::CpuSet::allowed().unwrap().iter().next().unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            host::cpus::CpuSet::from_iter([cpu]).apply_to_current_thread().unwrap();
            sender.send(lap.run(&["--starts", "1"])).unwrap();
        });
    });
    let output = receiver.recv().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("closed needs 2 CPUs but only 1 may be used"), "{}", stderr(&output));
    assert!(lap.windows().iter().all(|window| window.scenario == "open"));
    assert!(!lap.windows().is_empty());
}

#[test]
fn a_folder_that_holds_something_is_not_written_to() {
    let lap = Lap::with_rows(&[("a", "right")]);
    fs::create_dir(lap.out()).unwrap();
    fs::write(lap.out().join("thesis.txt"), "all of it").unwrap();
    let output = lap.run(&["--starts", "1"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("not empty"), "{}", stderr(&output));
}

#[test]
fn a_row_that_lacks_something_is_skipped_with_what_installs_it_and_fails_only_who_named_it() {
    let requires = "requires = [{ program = 'no-such-program-anywhere', install = 'get it' }]\n";
    let lap = Lap::with_rows(&[("ours", "right")]).and_reference("lacking", "terse", requires);
    let said = "skipped: lacking: no no-such-program-anywhere; install it with `get it`";
    let output = lap.run(&["--starts", "1", "--scenario", "open"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains(&format!("warning: {said}")), "{}", stderr(&output));
    let run: serde_json::Value =
        serde_json::from_slice(&fs::read(lap.out().join("run.json")).unwrap()).unwrap();
    assert_eq!(run["skipped"][0]["row"], "lacking");
    assert!(lap.report().contains("- lacking: no no-such"), "{}", lap.report());
    assert_eq!(harness(&["check", lap.out().to_str().unwrap()]).status.code(), Some(0));

    let both = lap.run(&["--starts", "1", "--scenario", "open", "--only", "ours,lacking", "--replace"]);
    assert_eq!(both.status.code(), Some(1), "{}", stderr(&both));
    assert!(stderr(&both).contains(&format!("error: {said}")), "{}", stderr(&both));
    let listed = lap.run(&["--list"]);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(
        listed.contains("cannot run here: no no-such-program-anywhere; install it with `get it`"),
        "{listed}"
    );
}

#[test]
fn a_server_of_the_command_line_is_raced_beside_what_is_selected() {
    let lap = Lap::with_rows(&[("ours", "right"), ("other", "right")]);
    let server = scripted_server();
    let with = format!(
        "name=mine,cmd='{}' foreign --listen {{address}} --cpus {{cpus}},ready=http,operations=simple",
        server.display()
    );
    let arguments = ["--starts", "1", "--scenario", "open", "--only", "ours", "--with", &with];
    let output = lap.run(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let raced = |row: &str| lap.windows().iter().any(|window| window.row == row);
    assert!(raced("ours") && raced("mine") && !raced("other"));
    let taken = lap.run(&["--replace", "--with", &with.replace("mine", "ours")]);
    assert_eq!(taken.status.code(), Some(2), "{}", stderr(&taken));
    let wrong = lap.run(&["--with", "name=mine"]);
    assert_eq!(wrong.status.code(), Some(2), "{}", stderr(&wrong));
    assert!(
        stderr(&wrong).contains("as in \"name=my,cmd=./my --port {port},ready=http\""),
        "{}",
        stderr(&wrong)
    );
}
