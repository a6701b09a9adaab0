//! Whole laps of the real harness against scripted servers, right and wrong ones.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use crate::rows::FACTORS;
use crate::support::finish;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

const PATIENCE: Duration = Duration::from_secs(60);

/// A registry, scenarios and a place for results, all of this test alone.
struct Lap {
    folder: tempfile::TempDir,
}

impl Lap {
    /// `rows`: name and mode of the scripted server.
    fn with_rows(rows: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = scripted_server();
        let table = |(name, mode): &(&str, &str)| {
            let command = match *mode {
                "no-program" => "'/nowhere/at-all'".to_owned(),
                mode => format!("'{}', '{mode}'", server.display()),
            };
            // Only one of them is waited for in vain.
            let ready_within = if *mode == "mute" { "500ms" } else { "20s" };
            format!(
                "[[row]]\nname = '{name}'\nabout = 'scripted'\ntier = 'controlled'\ncommand = [{command}]\n\
                 operations = ['simple']\nready_within = '{ready_within}'\n{FACTORS}"
            )
        };
        fs::write(folder.path().join("servers.toml"), rows.iter().map(table).collect::<String>()).unwrap();
        fs::create_dir(folder.path().join("scenarios")).unwrap();
        let lap = Self { folder };
        lap.scenario("closed", "split", "by = 'throughput'", "kind = 'closed'");
        lap.scenario("open", "shared", "by = 'p99'", "kind = 'poisson', rate = { per_second = 200.0 }");
        lap
    }

    /// Adds a row of tier reference: mode of the scripted server, and more keys.
    fn and_reference(self, name: &str, mode: &str, more: &str) -> Self {
        let path = self.folder.path().join("servers.toml");
        let table = format!(
            "[[row]]\nname = '{name}'\nabout = 'scripted'\ntier = 'reference'\ncommand = ['{}', '{mode}']\n\
             operations = ['simple']\nready_within = '20s'\n{FACTORS}{more}\n",
            scripted_server().display()
        );
        fs::write(&path, fs::read_to_string(&path).unwrap() + &table).unwrap();
        self
    }

    fn scenario(&self, name: &str, placement: &str, by: &str, pacing: &str) {
        let text = format!(
            "question = 'Does it work?'\nplacement = '{placement}'\nwarm_up = '50ms'\nwindow = '200ms'\ntimeout = '1s'\n\
             rank = {{ stream = 'simple', {by} }}\n\
             [[stream]]\nname = 'simple'\noperation = 'simple'\nconnections = 4\npacing = {{ {pacing} }}\n"
        );
        fs::write(self.folder.path().join(format!("scenarios/{name}.toml")), text).unwrap();
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = host::tether::command(env!("CARGO_BIN_EXE_harness"));
        command
            .arg("bench")
            // Scripted servers are about racing; `verify.rs` is about which rows may be raced.
            .arg("--unverified")
            .arg("--registry")
            .arg(self.folder.path().join("servers.toml"))
            .arg("--scenarios")
            .arg(self.folder.path().join("scenarios"))
            .arg("--out")
            .arg(self.out())
            .args(arguments)
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        finish(
            self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap(),
            PATIENCE,
        )
    }

    fn trials(&self) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(self.out().join("trials.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn report(&self) -> String {
        fs::read_to_string(self.out().join("report.md")).unwrap()
    }
}

/// The example of this package, which cargo builds beside its tests.
pub(crate) fn scripted_server() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let folder = own.parent().and_then(Path::parent).unwrap();
    folder.join("examples/scripted_server")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn harness(arguments: &[&str]) -> Output {
    let mut command = host::tether::command(env!("CARGO_BIN_EXE_harness"));
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR"));
    finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap(), PATIENCE)
}

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

/// A lap that is under way: its first finished trial was seen.
fn under_way(lap: &Lap) -> (Child, Pid) {
    let mut child = lap
        .command(&["--trials", "1000", "--scenario", "open"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    loop {
        let mut line = String::new();
        assert!(lines.read_line(&mut line).unwrap() > 0, "the harness ended early");
        if line.contains("open ") {
            break;
        }
    }
    std::thread::spawn(move || lines.read_to_end(&mut Vec::new()));
    (child, pid)
}

/// The processes that the harness has started, which must not be there once it has ended.
fn started_by(harness: Pid) -> Vec<u32> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = host::processes::descendants(harness.as_raw_nonzero().get().unsigned_abs());
        // A guard and the server below it.
        if found.len() >= 2 {
            return found;
        }
        assert!(Instant::now() < deadline, "no server was started");
    }
}

fn assert_they_end(processes: &[u32]) {
    let deadline = Instant::now() + PATIENCE;
    let runs = |pid: &u32| {
        let pid = Pid::from_raw(i32::try_from(*pid).unwrap()).unwrap();
        test_kill_process(pid).is_ok() && !is_zombie(pid)
    };
    while processes.iter().any(runs) {
        assert!(Instant::now() < deadline, "processes outlived the harness: {processes:?}");
        std::thread::yield_now();
    }
}

fn is_zombie(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'))
}

#[test]
fn ctrl_c_ends_what_was_started_and_keeps_the_finished_trials() {
    let lap = Lap::with_rows(&[("a", "right")]);
    let (child, pid) = under_way(&lap);
    let processes = started_by(pid);
    kill_process(pid, Signal::INT).unwrap();
    assert_eq!(finish(child, PATIENCE).status.code(), Some(130));
    assert_they_end(&processes);
    assert!(!lap.trials().is_empty());
    assert!(lap.report().contains("interrupted"), "{}", lap.report());
    assert_eq!(harness(&["check", lap.out().to_str().unwrap()]).status.code(), Some(0));
}

#[test]
fn nothing_outlives_a_harness_that_is_killed() {
    let lap = Lap::with_rows(&[("a", "daemonises"), ("b", "right")]);
    let (mut child, pid) = under_way(&lap);
    let processes = started_by(pid);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_they_end(&processes);
    // What was finished is there, and whole.
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

/// How a program is told everything that it must know.
const BY_HTTP: &str = "ready = 'http'\nargs = ['--listen', '{address}', '--cpus', '{cpus}']\n";

#[test]
fn a_foreign_program_is_raced_by_its_answers_alone_and_nothing_is_invented_of_it() {
    let lap = Lap::with_rows(&[("ours", "right")])
        .and_reference("http", "foreign", BY_HTTP)
        .and_reference("terse", "terse", "");
    let output = lap.run(&["--trials", "1", "--scenario", "open"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for (row, workers) in [
        ("ours", serde_json::json!(1)),
        ("http", serde_json::Value::Null),
        ("terse", serde_json::Value::Null),
    ] {
        let trial = lap.trials().into_iter().rfind(|trial| trial["row"] == row).unwrap();
        let measured = &trial["measured"];
        assert_eq!(measured["workers"], workers, "{row}: {trial}");
        assert!(measured["streams"][0]["right"].as_u64() > Some(0), "{row}: {trial}");
        assert!(measured["server"]["cpu_ns"].as_u64() > Some(0), "{row}: {trial}");
        assert_eq!(measured["server"]["processes"], 1, "the guard is none of the server's: {trial}");
        assert!(measured.get("unclean_end").is_none(), "{row}: {trial}");
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
    let output = lap.run(&["--trials", "1", "--scenario", "open"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    for (row, expected) in failures {
        let said = stderr(&output)
            .lines()
            .find(|line| line.starts_with(&format!("error: {row} ")))
            .map(str::to_owned);
        assert!(said.as_ref().is_some_and(|said| said.contains(expected)), "{row}: {}", stderr(&output));
    }
    assert!(lap.trials().iter().any(|trial| trial["row"] == "fine"));
}

#[test]
fn a_foreign_program_that_cannot_be_stopped_is_ended_with_all_that_it_started_and_counts() {
    let lap = Lap::with_rows(&[("ours", "right")]).and_reference("stubborn", "unstoppable", BY_HTTP);
    let mut child = lap
        .command(&["--trials", "1", "--scenario", "open"])
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
    let trial = lap.trials().into_iter().rfind(|trial| trial["row"] == "stubborn").unwrap();
    assert!(trial["measured"]["unclean_end"].as_str().unwrap().contains("SIGTERM"), "{trial}");
    assert_eq!(trial["measured"]["server"]["processes"], 5, "the daemon is the server's: {trial}");
    assert!(lap.report().contains("did not end cleanly in "), "{}", lap.report());
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
