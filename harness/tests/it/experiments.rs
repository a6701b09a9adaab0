//! Experiments of the real harness on servers that fail as they were told to, and know how often.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Child, Stdio},
};

use race::{
    plan::experiment::EventKind,
    records::{
        experiment::{EventRecord, ExperimentRecord, RestartedBy},
        window::Verdict,
    },
};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    lap::{Lap, PATIENCE, assert_they_end, scripted_server, stderr},
    rows::FACTORS,
    support::finish,
};

const WORKERS: &str = "workers = { children_of = 'server' }\n";
const RELOADS: &str = "reload = { signal = 'SIGHUP' }\n";
const FAILS: &str = "fault_args = ['--faults']\n";

/// A row that is the supervised server with these words, and says this of itself.
struct Subject {
    name: &'static str,
    words: &'static str,
    says: String,
}

fn subject(name: &'static str, words: &'static str, says: &[&str]) -> Subject {
    Subject { name, words, says: says.concat() }
}

/// Rows, and one scenario `e` with this experiment.
fn lap_of(subjects: &[Subject], experiment: &str) -> Lap {
    let folder = tempfile::tempdir().unwrap();
    let program: PathBuf = scripted_server().with_file_name("supervised_server");
    let rows: String = subjects
        .iter()
        .map(|Subject { name, words, says }| {
            let words: Vec<String> = words.split(' ').map(|word| format!("'{word}'")).collect();
            format!(
                "[[row]]\nname = '{name}'\nabout = 'scripted'\ntier = 'controlled'\ncommand = ['{}', {}]\n\
                 operations = ['simple']\nready_within = '20s'\n{FACTORS}{says}\n",
                program.display(),
                words.join(", ")
            )
        })
        .collect();
    fs::write(folder.path().join("servers.toml"), rows).unwrap();
    fs::create_dir(folder.path().join("scenarios")).unwrap();
    let lap = Lap { folder };
    let text = format!(
        "question = 'What is lost?'\nplacement = 'shared'\nserver_cpus = 1\nwarm_up = '50ms'\ntimeout = '10s'\n\
         rank = {{ stream = 'simple', by = 'p99' }}\n[experiment]\n{experiment}\n\
         [[stream]]\nname = 'simple'\noperation = 'simple'\nconnections = 16\n\
         pacing = {{ kind = 'poisson', rate = {{ of_own_capacity = 0.1 }} }}\n"
    );
    fs::write(lap.folder.path().join("scenarios/e.toml"), text).unwrap();
    lap
}

/// Runs it to its end, which is to be a good one: what the log holds then.
fn experiments(lap: &Lap) -> Vec<ExperimentRecord> {
    let output = lap.run(&["--seed", "1"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    lap.measurements().experiments
}

/// Runs it to an end before its last event, of which `reason` is said: what the log holds then.
fn cut_short(lap: &Lap, reason: &str) -> ExperimentRecord {
    let output = lap.run(&["--seed", "1"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains(&format!("error: a in e: {reason}")), "{}", stderr(&output));
    let mut experiments = lap.measurements().experiments;
    assert_eq!(experiments.len(), 1);
    let experiment = experiments.remove(0);
    assert!(experiment.pass.cut_short.as_deref().unwrap().starts_with(reason));
    experiment
}

fn only(mut experiments: Vec<ExperimentRecord>) -> ExperimentRecord {
    assert_eq!(experiments.len(), 1);
    let experiment = experiments.remove(0);
    assert_sound(&experiment);
    experiment
}

/// What holds of every pass: the accounts balance, and its events divide it without a gap.
fn assert_sound(ExperimentRecord { pass, events }: &ExperimentRecord) {
    let measured = pass.measured.as_ref().unwrap();
    let stream = &measured.streams[0];
    assert!(matches!(pass.verdict, Verdict::Valid { .. }), "{:?}", pass.verdict);
    assert!(stream.accounts_agree && stream.right > 0);
    assert_eq!(pass.events, events.len());
    let ends = |event: &EventRecord| event.at_ns + event.stretch_ns;
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event.number, number);
        let next = events.get(number + 1).map(|next| next.at_ns);
        assert_eq!(ends(event), next.unwrap_or((measured.window_s * 1e9).round() as u64));
        assert_eq!(event.slices.width_ns, 10_000_000);
        assert_eq!(
            (event.slices.due.len(), event.p99_us.len()),
            (event.slices.answered.len(), event.slices.due.len())
        );
        // Half a second before it, or as much as there was.
        let before = event.at_ns - event.slices_from_ns;
        assert!(before <= 510_000_000 && (before >= 500_000_000 || event.slices_from_ns == 0), "{before}");
        let slices = event.slices.due.len() as u64;
        assert!(event.slices_from_ns + slices * 10_000_000 >= ends(event) - 10_000_000);
    }
}

/// What failed before the first event, or is of no event: nothing on a server that fails only when it is told to.
fn assert_nothing_else_failed(ExperimentRecord { pass, events }: &ExperimentRecord) {
    let stream = &pass.measured.as_ref().unwrap().streams[0];
    let all: u64 = stream.errors.iter().filter(|(kind, _)| *kind != "connect").map(|(_, count)| count).sum();
    assert_eq!(all, events.iter().map(EventRecord::requests_failed).sum::<u64>());
    assert_eq!(pass.reset, events.iter().map(|event| event.reset).sum::<u64>());
    assert_eq!(stream.due, stream.right + all);
}

#[test]
fn a_killed_worker_is_replaced_after_the_gap_that_its_supervisor_leaves_and_workers_are_killed_in_turn() {
    let subject = subject("a", "respawns 2 150 0", &[WORKERS]);
    let lap = lap_of(&[subject], "kind = 'crash'\nevents = 4\nevery = '600ms'\nfaults = [{ kind = 'kill' }]");
    let experiment = only(experiments(&lap));
    assert_nothing_else_failed(&experiment);
    let ExperimentRecord { pass, events } = &experiment;
    assert_eq!((pass.planned, events.len(), pass.workers), (4, 4, Some(2)));
    assert!(pass.capacity_per_second.unwrap() > 0.0);
    let mut killed: Vec<u32> = Vec::new();
    for event in events {
        assert_eq!(
            (event.kind, event.restarted_by),
            (EventKind::Kill, Some(RestartedBy::Server)),
            "{event:?}"
        );
        let (ended, replaced) = (event.ended_ns.unwrap(), event.replaced_ns.unwrap());
        assert!(ended < replaced && replaced >= 150_000_000, "{ended} {replaced}");
        assert_eq!((event.hit.len(), event.new.len(), event.done_ns), (1, 1, None));
        assert!(!killed.contains(&event.hit[0]), "one process was killed twice");
        killed.push(event.hit[0]);
        // Each connection can lose one request, and the other worker none.
        assert!(event.requests_failed() <= 16, "{:?}", event.failed);
    }
    // Of two workers, each in turn: who came in the first event's place is killed in the third.
    assert_eq!((events[2].hit[0], events[3].hit[0]), (events[0].new[0], events[1].new[0]));
    let primary = pass.primary.as_ref().unwrap();
    assert!(
        primary.cpu_share() < 0.5 && primary.rss_kib > 0 && primary.peak_rss_kib >= primary.rss_kib,
        "{primary:?}"
    );
}

#[test]
fn failures_are_counted_exactly_in_the_event_that_caused_them() {
    let subject = subject("a", "respawns 1 0 5", &[WORKERS, FAILS]);
    let lap =
        lap_of(&[subject], "kind = 'crash'\nevents = 3\nevery = '400ms'\nfaults = [{ kind = 'panic' }]");
    let experiment = only(experiments(&lap));
    assert_nothing_else_failed(&experiment);
    for event in &experiment.events {
        assert_eq!(event.failed, [("reset".to_owned(), 5)].into(), "{event:?}");
        assert_eq!((event.reset, event.closed_idle, event.connects_failed), (5, 0, 0), "{event:?}");
        assert_eq!(event.slices.errors.iter().sum::<u32>(), 5);
        // It was caught: the process lives on, and nobody was to replace it.
        assert_eq!(event.answer.as_deref(), Some("500"));
        assert_eq!((event.ended_ns, event.replaced_ns, event.restarted_by), (None, None, None));
    }
}

#[test]
fn a_reload_that_loses_so_many_requests_is_said_to_and_is_done_when_all_workers_are_others() {
    let subjects = [
        subject("loses", "respawns 1 0 3", &[WORKERS, RELOADS]),
        subject("loses-none", "respawns 1 0 0", &[WORKERS, RELOADS]),
    ];
    let lap = lap_of(&subjects, "kind = 'reload'\nevents = 3\nevery = '300ms'");
    let all = experiments(&lap);
    assert_eq!(all.len(), 2);
    for (experiment, lost) in all.iter().zip([3, 0]) {
        assert_sound(experiment);
        assert_nothing_else_failed(experiment);
        assert_eq!(experiment.events.len(), 3);
        let mut before: Option<&EventRecord> = None;
        for event in &experiment.events {
            assert_eq!(
                (event.requests_failed(), event.reset, &event.problem),
                (lost, lost, &None),
                "{event:?}"
            );
            assert!(event.done_ns.is_some() && event.replaced_ns.is_some() && event.ended_ns.is_none());
            assert_eq!((event.hit.len(), event.new.len()), (1, 1));
            if let Some(before) = before {
                assert_eq!(event.hit, before.new);
                // No sooner than 0.3 s after the last was done.
                assert!(event.at_ns >= before.at_ns + before.done_ns.unwrap() + 300_000_000);
            }
            before = Some(event);
        }
    }
}

#[test]
fn a_server_that_never_comes_back_has_its_events_said_so_and_its_pass_ends_when_nobody_is_left() {
    let subject = subject("a", "stays-dead 2 0 0", &[WORKERS]);
    let lap = lap_of(
        &[subject],
        "kind = 'crash'\nevents = 9\nevery = '300ms'\ndeadline = '400ms'\nfaults = [{ kind = 'kill' }]",
    );
    let ExperimentRecord { pass, events } = cut_short(&lap, "no worker process is left to kill");
    assert_eq!((pass.planned, pass.events, events.len()), (9, 2, 2));
    for event in &events {
        assert_eq!((event.restarted_by, event.replaced_ns), (Some(RestartedBy::Nobody), None));
        let problem = event.problem.as_deref().unwrap();
        assert!(problem.starts_with("no other process was in its place after 0.4"), "{problem}");
        assert!(event.new.is_empty());
    }
}

#[test]
fn a_reload_that_nobody_does_is_given_up_after_three() {
    let subject = subject("a", "deaf 1 0 0", &[WORKERS, RELOADS]);
    let lap = lap_of(&[subject], "kind = 'reload'\nevents = 9\nevery = '300ms'\ndeadline = '200ms'");
    let experiment = cut_short(&lap, "3 events in a row did not go as they should");
    assert_sound(&experiment);
    assert_eq!(experiment.events.len(), 3);
    for event in experiment.events {
        assert_eq!((event.done_ns, event.requests_failed()), (None, 0));
        let problem = event.problem.unwrap();
        assert!(problem.contains("1 of 1 old workers were there and 0 new ones"), "{problem}");
    }
}

#[test]
fn a_server_of_one_process_is_started_again_by_the_harness_where_it_listened_before() {
    let subject = subject("a", "respawns 0 0 0", &[FAILS]);
    let lap = lap_of(
        &[subject],
        "kind = 'crash'\nevents = 3\nevery = '500ms'\nfaults = [{ kind = 'kill' }, { kind = 'abort' }]",
    );
    let experiment = only(experiments(&lap));
    // It has no worker to kill.
    assert_eq!(experiment.events.iter().map(|event| event.kind).collect::<Vec<_>>(), [EventKind::Abort; 3]);
    for pair in experiment.events.windows(2) {
        assert_eq!(pair[0].new, pair[1].hit);
    }
    for event in &experiment.events {
        assert_eq!(event.restarted_by, Some(RestartedBy::Harness), "{event:?}");
        assert!(event.ended_ns.unwrap() < event.replaced_ns.unwrap());
        assert_ne!(event.hit, event.new);
        assert!(["reset", "closed_early"].contains(&event.answer.as_deref().unwrap()), "{event:?}");
        // Every connection was lost, and found the server again.
        assert!(event.slices.answered.iter().rev().take(10).sum::<u32>() > 0, "{event:?}");
    }
}

#[test]
fn a_server_that_does_not_know_the_request_for_a_fault_is_said_so() {
    let subject = subject("a", "respawns 0 0 0", &["fault_args = ['--no-such-thing']\n"]);
    let lap =
        lap_of(&[subject], "kind = 'crash'\nevents = 3\nevery = '300ms'\nfaults = [{ kind = 'panic' }]");
    let experiment = cut_short(&lap, "the server answers 404 to POST /fault");
    assert!(experiment.events.is_empty());
}

#[test]
fn a_run_has_ordinary_scenarios_first_and_rows_without_events_are_left_out_with_the_reason() {
    let subjects = [
        subject("a", "respawns 1 0 0", &[WORKERS, RELOADS]),
        subject("b", "respawns 0 0 0", &["reload = { none = 'it has none' }\n"]),
    ];
    let lap = lap_of(&subjects, "kind = 'reload'\nevents = 1\nevery = '300ms'");
    lap.scenario("closed", "shared", "by = 'throughput'", "kind = 'closed'");
    let plan = lap.run(&["--starts", "2", "--dry-run"]);
    let plan = String::from_utf8_lossy(&plan.stdout).into_owned();
    for expected in [
        "one row alive alone, in turn, an event every 300ms",
        "a: 1 of reload; about 1 second",
        "b: left out: it has none",
        "1 pass of experiments, after the starts",
        "2 starts of all servers",
    ] {
        assert!(plan.contains(expected), "no `{expected}` in\n{plan}");
    }
    let output = lap.run(&["--starts", "2", "--seed", "1"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let measured = lap.measurements();
    assert_eq!((measured.complete.len(), measured.experiments.len()), (2, 1));
    assert!(
        measured.complete.iter().flat_map(|start| &start.windows).all(|window| window.scenario == "closed")
    );
    let names: Vec<&str> = measured.experiments.iter().map(|one| one.pass.of.row.as_str()).collect();
    assert_eq!(names, ["a"]);
    // Where nothing else is asked for, nobody has an event.
    let none = lap.run(&["--only", "b", "--scenario", "e", "--replace"]);
    assert_eq!(none.status.code(), Some(1), "{}", stderr(&none));
    assert!(stderr(&none).contains("b in e: it has none"), "{}", stderr(&none));
}

#[test]
fn a_quick_look_has_six_events_of_a_kind_and_starts_are_passes_where_there_is_nothing_else() {
    let lap = lap_of(
        &[subject("a", "respawns 2 0 0", &[WORKERS])],
        "kind = 'crash'\nevents = 50\nevery = '1s'\nfaults = [{ kind = 'kill' }]",
    );
    let planned = |arguments: &[&str]| {
        let output = lap.run(&[arguments, &["--dry-run"]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(planned(&[]).contains("a: 50 of kill; about 51 seconds"), "{}", planned(&[]));
    assert!(planned(&["--profile", "quick"]).contains("a: 6 of kill; about 7 seconds"));
    assert!(planned(&["--starts", "3"]).contains("3 passes of experiments"));
}

/// A run of two rows whose first pass is over and whose second is under way.
fn second_pass_under_way(lap: &Lap) -> (Child, Pid) {
    let mut child =
        lap.command(&["--seed", "1"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    loop {
        let mut line = String::new();
        assert!(lines.read_line(&mut line).unwrap() > 0, "the harness ended early");
        if line.contains("e b, event 1 of 5") {
            break;
        }
    }
    std::thread::spawn(move || lines.read_to_end(&mut Vec::new()));
    (child, pid)
}

fn two_rows() -> Lap {
    let of = |name| subject(name, "respawns 2 0 0", &[WORKERS]);
    lap_of(&[of("a"), of("b")], "kind = 'crash'\nevents = 5\nevery = '300ms'\nfaults = [{ kind = 'kill' }]")
}

fn resume(lap: &Lap) -> Vec<String> {
    let mut command = host::tether::command(env!("CARGO_BIN_EXE_harness"));
    command
        .args(["bench", "--beside-others", "--registry"])
        .arg(lap.folder.path().join("servers.toml"))
        .arg("--scenarios")
        .arg(lap.folder.path().join("scenarios"))
        .arg("--resume")
        .arg(lap.out())
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap(), PATIENCE);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 of 2 passes of experiments"));
    let measured = lap.measurements();
    measured.experiments.iter().for_each(assert_sound);
    // What was cut off is known, and counts for nothing.
    assert_eq!(measured.cut_off.iter().map(|of| of.row.as_str()).collect::<Vec<_>>(), ["b"]);
    measured.experiments.into_iter().map(|one| one.pass.of.row).collect()
}

#[test]
fn a_pass_that_was_killed_is_done_again_as_a_whole_and_leaves_no_process() {
    let lap = two_rows();
    let (mut child, pid) = second_pass_under_way(&lap);
    let processes = host::processes::descendants(pid.as_raw_nonzero().get().unsigned_abs());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(processes.len() >= 3, "{processes:?}");
    assert_they_end(&processes);
    let left = lap.measurements();
    assert_eq!((left.experiments.len(), left.cut_off.len()), (1, 1));
    assert_eq!(resume(&lap), ["a", "b"]);
}

#[test]
fn ctrl_c_ends_the_pass_and_its_servers_and_the_run_goes_on_from_there() {
    let lap = two_rows();
    let (child, pid) = second_pass_under_way(&lap);
    let processes = host::processes::descendants(pid.as_raw_nonzero().get().unsigned_abs());
    kill_process(pid, Signal::INT).unwrap();
    assert_eq!(finish(child, PATIENCE).status.code(), Some(130));
    assert_they_end(&processes);
    let left = lap.measurements();
    assert_eq!((left.experiments.len(), left.cut_off.len()), (1, 1));
    assert_eq!(resume(&lap), ["a", "b"]);
}
