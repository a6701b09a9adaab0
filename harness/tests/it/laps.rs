//! Whole laps of the real harness against scripted servers, right and wrong ones.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use crate::lap::{Lap, harness, scripted_server, stderr};

/// What the machine may do to a trial, as its verdict says it.
const DISTURBANCES: [&str; 5] = [
    "the generator's own lag has p99 ",
    "Little's law is off by ",
    "the generator waited for a CPU for ",
    "other processes of this machine took ",
    "the generator took ",
];

/// Every row was tried in every block of every scenario: again as long as the machine disturbed it, three times at most.
fn assert_tried_as_planned(trials: &[serde_json::Value], rows: &[&str], scenarios: &[&str], blocks: u64) {
    let mut verdicts = BTreeMap::new();
    for trial in trials {
        let text = |name: &str| trial[name].as_str().unwrap().to_owned();
        let place = (text("scenario"), trial["block"].as_u64().unwrap(), text("row"));
        let attempts: &mut Vec<&str> = verdicts.entry(place).or_default();
        assert_eq!(trial["attempt"], attempts.len(), "{trial}");
        attempts.push(trial["verdict"]["kind"].as_str().unwrap());
        let reasons = trial["verdict"]["reasons"].as_array();
        assert_eq!(trial["verdict"]["kind"] == "invalid", reasons.is_some_and(|reasons| !reasons.is_empty()));
        for reason in reasons.into_iter().flatten() {
            let reason = reason.as_str().unwrap();
            assert!(DISTURBANCES.iter().any(|known| reason.contains(known)), "{reason}");
        }
    }
    let of_block = |block: u64| {
        scenarios.iter().flat_map(move |scenario| {
            rows.iter().map(move |row| ((*scenario).to_owned(), block, (*row).to_owned()))
        })
    };
    let planned: BTreeSet<_> = (0..blocks).flat_map(of_block).collect();
    assert_eq!(verdicts.keys().cloned().collect::<BTreeSet<_>>(), planned);
    for (place, attempts) in verdicts {
        let (last, earlier) = attempts.split_last().unwrap();
        assert!(earlier.iter().all(|verdict| *verdict == "invalid"), "{place:?}: {attempts:?}");
        assert!(*last == "valid" || attempts == ["invalid"; 3], "{place:?}: {attempts:?}");
    }
}

#[test]
fn a_lap_leaves_a_folder_whose_tables_are_what_its_records_say() {
    let lap = Lap::with_rows(&[("a", "right"), ("b", "right")]);
    let output = lap.run(&["--trials", "2", "--seed", "1"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let trials = lap.trials();
    assert_tried_as_planned(&trials, &["a", "b"], &["closed", "open"], 2);
    // Nothing that the machine does to a trial, and no verdict, changes this: the server is right, and the books balance.
    let (mut answered, mut due_in_block) = (BTreeSet::new(), BTreeMap::new());
    for trial in &trials {
        let stream = &trial["measured"]["streams"][0];
        let count = |name: &str| stream[name].as_u64().unwrap();
        let (answers, cpu_ns) = (count("right"), trial["measured"]["server"]["cpu_ns"].as_u64().unwrap());
        if answers > 0 {
            assert!(cpu_ns > 0, "{trial}");
            answered.insert((trial["row"].as_str().unwrap(), trial["scenario"].as_str().unwrap()));
        } else {
            // Whole windows pass in which nobody gets a CPU, where too many want one.
            assert_eq!(trial["verdict"]["kind"], "invalid", "{trial}");
        }
        let errors = stream["errors"].as_object().unwrap();
        assert!(errors.keys().all(|kind| kind == "timeout"), "{trial}");
        assert_eq!(count("due"), count("right") + count("censored"), "{trial}");
        assert_eq!(stream["accounts_agree"], true, "{trial}");
        if trial["scenario"] == "open" {
            // The rows of a block meet the same arrivals, however often.
            let block = trial["block"].as_u64().unwrap();
            assert_eq!(*due_in_block.entry(block).or_insert(count("due")), count("due"), "{trial}");
        }
    }
    assert_eq!((answered.len(), due_in_block.len()), (4, 2), "{answered:?} {due_in_block:?}");
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
    ];
    let mut rows = vec![("fine", "right")];
    rows.extend(failures.iter().map(|&(mode, _)| (mode, mode)));
    let lap = Lap::with_rows(&rows);
    let output = lap.run(&["--trials", "1", "--scenario", "open"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let (stderr, report) = (stderr(&output), lap.report());
    for (row, expected) in failures {
        // Under the scenario, or before any: `dies` must not be taken for `dies-under-load`.
        let of_row = |line: &&str| {
            [" under open: ", ": "].iter().any(|end| line.starts_with(&format!("error: {row}{end}")))
        };
        let said =
            stderr.lines().find(of_row).unwrap_or_else(|| panic!("nothing is said of {row} in\n{stderr}"));
        assert!(said.contains(expected), "{said}");
        assert!(report.contains(expected), "no `{expected}` in\n{report}");
    }
    let fine = lap.trials().into_iter().rfind(|trial| trial["row"] == "fine").unwrap();
    assert!(fine["measured"]["streams"][0]["right"].as_u64() > Some(0), "{fine}");
}

#[test]
fn a_seed_repeats_the_order_of_the_rows() {
    let order = |seed| {
        let lap = Lap::with_rows(&[("a", "right"), ("b", "right"), ("c", "right")]);
        let output = lap.run(&["--trials", "3", "--seed", seed, "--scenario", "open", "--duration", "100ms"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let trials = lap.trials().into_iter().filter(|trial| trial["attempt"] == 0);
        let order: Vec<String> = trials.map(|trial| format!("{} {}", trial["row"], trial["seed"])).collect();
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
            sender.send(lap.run(&["--trials", "1"])).unwrap();
        });
    });
    let output = receiver.recv().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("closed needs 2 CPUs but only 1 may be used"), "{}", stderr(&output));
    assert!(lap.trials().iter().all(|trial| trial["scenario"] == "open"));
    assert!(!lap.trials().is_empty());
}

#[test]
fn a_folder_that_holds_something_is_not_written_to() {
    let lap = Lap::with_rows(&[("a", "right")]);
    fs::create_dir(lap.out()).unwrap();
    fs::write(lap.out().join("thesis.txt"), "all of it").unwrap();
    let output = lap.run(&["--trials", "1"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("not empty"), "{}", stderr(&output));
}

#[test]
fn a_row_that_lacks_something_is_skipped_with_what_installs_it_and_fails_only_who_named_it() {
    let requires = "requires = [{ program = 'no-such-program-anywhere', install = 'get it' }]\n";
    let lap = Lap::with_rows(&[("ours", "right")]).and_reference("lacking", "terse", requires);
    let said = "skipped: lacking: no no-such-program-anywhere; install it with `get it`";
    let output = lap.run(&["--trials", "1", "--scenario", "open"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains(&format!("warning: {said}")), "{}", stderr(&output));
    let run: serde_json::Value =
        serde_json::from_slice(&fs::read(lap.out().join("run.json")).unwrap()).unwrap();
    assert_eq!(run["skipped"][0]["row"], "lacking");
    assert!(lap.report().contains("- Skipped: lacking: no no-such"), "{}", lap.report());
    assert_eq!(harness(&["check", lap.out().to_str().unwrap()]).status.code(), Some(0));

    let both = lap.run(&["--trials", "1", "--scenario", "open", "--only", "ours,lacking", "--replace"]);
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
    let arguments = ["--trials", "1", "--scenario", "open", "--only", "ours", "--with", &with];
    let output = lap.run(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let raced = |row: &str| lap.trials().iter().any(|trial| trial["row"] == row);
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
