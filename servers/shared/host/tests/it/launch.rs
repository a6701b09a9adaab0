//! Real processes: launched, guarded, ended.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use host::{
    class::SchedulingClass,
    cpus::CpuSet,
    footprint::Footprint,
    guard::Ended,
    launch::{Heard, Launch, LaunchError},
    processes, tether,
};
use rustix::process::Signal;

const PATIENCE: Duration = Duration::from_secs(20);
const READY: &str =
    r#"{"server":"script","address":"127.0.0.1:1","pid":$$,"workers":1,"cpus":"0","profile":"debug"}"#;

/// This crate's guard example: the smallest program that offers a guard.
fn guard() -> [String; 1] {
    let own = std::env::current_exe().unwrap();
    let folder = own.parent().and_then(|deps| deps.parent()).unwrap();
    [folder.join("examples/guard").to_str().unwrap().to_owned()]
}

fn script(text: &str) -> Launch {
    let text = text.replace("READY", &format!("echo \"{}\"", READY.replace('"', "\\\"")));
    Launch::new("sh").args(["-c", &text])
}

fn both_ways(text: &str) -> [Launch; 2] {
    [script(text), script(text).guarded_by(guard())]
}

#[test]
fn a_server_that_is_ready_and_obeys_sigterm_ends_clean() {
    for launch in both_ways("trap 'exit 0' TERM; echo noise; READY; while :; do sleep 0.01; done") {
        let mut process = launch.spawn().unwrap();
        let ready = process.ready(PATIENCE).unwrap();
        assert_eq!((ready.server.as_str(), ready.pid), ("script", process.pid()));
        let exit = process.stop(PATIENCE).unwrap();
        assert!(exit.ended == Ended::Code(0) && !exit.forced, "{exit:?}");
    }
}

#[test]
fn what_nobody_listens_to_is_dropped_and_the_end_is_heard() {
    let chatty = "trap 'i=0; while [ $i -lt 2000 ]; do echo line; i=$((i+1)); done; exit 0' TERM; READY; while :; do sleep 0.01; done";
    let mut process = script(chatty).guarded_by(guard()).spawn().unwrap();
    process.ready(PATIENCE).unwrap();
    process.stop_listening();
    process.terminate();
    let heard = process.next_line(Instant::now() + PATIENCE).unwrap();
    assert!(matches!(&heard, Heard::End(exit) if exit.ended == Ended::Code(0)), "{heard:?}");
}

#[test]
fn a_server_that_dies_first_is_reported_with_its_code_and_last_words() {
    for launch in both_ways("echo first >&2; echo 'port 80 is taken' >&2; exit 3") {
        let error = launch.spawn().unwrap().ready(PATIENCE).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("exit code 3") && text.contains("port 80 is taken"), "{text}");
    }
}

#[test]
fn a_server_that_says_nothing_is_given_up_after_the_deadline() {
    for launch in both_ways("echo starting >&2; sleep 60") {
        let error = launch.spawn().unwrap().ready(Duration::from_millis(100)).unwrap_err();
        assert!(matches!(error, LaunchError::NeverReady { .. }), "{error}");
    }
}

#[test]
fn a_server_that_ignores_sigterm_is_killed_and_that_is_said() {
    for launch in both_ways("trap '' TERM; READY; while :; do sleep 0.01; done") {
        let mut process = launch.spawn().unwrap();
        process.ready(PATIENCE).unwrap();
        let exit = process.stop(Duration::from_millis(100)).unwrap();
        assert!(exit.forced && exit.ended == Ended::Signal(9) && !exit.is_clean(), "{exit:?}");
    }
}

#[test]
fn a_program_that_does_not_exist_is_named() {
    let direct = Launch::new("/nowhere/at-all").spawn().unwrap_err().to_string();
    assert!(direct.contains("/nowhere/at-all"), "{direct}");
    let mut guarded = Launch::new("/nowhere/at-all").guarded_by(guard()).spawn().unwrap();
    let guarded = guarded.ready(PATIENCE).unwrap_err().to_string();
    assert!(guarded.contains("/nowhere/at-all"), "{guarded}");
}

#[test]
fn a_process_runs_on_the_cpus_that_it_was_given_and_the_caller_keeps_its_own() {
    let before = CpuSet::allowed().unwrap();
    let last = CpuSet::from_iter(before.iter().last());
    for launch in both_ways("grep Cpus_allowed_list /proc/self/status >&2; exit 1") {
        let error = launch.cpus(last.clone()).spawn().unwrap().ready(PATIENCE).unwrap_err();
        assert!(error.to_string().ends_with(&format!("\t{last}")), "{error}");
    }
    assert_eq!(CpuSet::allowed().unwrap(), before);
}

#[test]
fn the_guard_kills_what_a_server_leaves_behind_and_accounts_for_it() {
    // The inner shell detaches into its own session and spends CPU, as a daemon would.
    let text = "setsid sh -c 'echo $$ >&2; while :; do :; done' & trap 'exit 0' TERM; READY; while :; do sleep 0.01; done";
    let mut process = script(text).guarded_by(guard()).spawn().unwrap();
    process.ready(PATIENCE).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let spent = |pid: &String| Footprint::of_tree(pid.parse().unwrap()).cpu;
    while process.stderr().first().is_none_or(|daemon| spent(daemon) < Duration::from_millis(150)) {
        assert!(Instant::now() < deadline, "the daemon gets no CPU");
        thread::sleep(Duration::from_millis(5));
    }
    let exit = process.stop(PATIENCE).unwrap();
    assert!(exit.left_behind >= 1 && !exit.is_clean(), "{exit:?}");
    let daemon = exit.stderr.first().unwrap().parse().unwrap();
    assert!(!processes::send(daemon, Signal::CONT), "the daemon still runs");
    let usage = exit.usage.unwrap();
    assert!(usage.user_us + usage.system_us > 100_000, "the daemon's CPU time is missing: {usage:?}");
}

#[test]
fn nothing_outlives_a_launcher_that_is_killed() {
    // Killing this test is not an option, so a shell plays the launcher: it holds the guard's pipe.
    let guard = &guard()[0];
    let text = format!("sleep 300 | {guard} sh -c 'setsid sleep 300 & echo $$ $!; wait'");
    let mut launcher = tether::command("sh").args(["-c", &text]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(launcher.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let pids: Vec<u32> = line.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    assert_eq!(pids.len(), 2, "{line}");

    let pipe_holder = processes::descendants(launcher.id())
        .into_iter()
        .find(|&pid| {
            std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|c| c == "sleep\x00300\x00")
        })
        .unwrap();
    assert!(processes::send(pipe_holder, Signal::KILL));
    let deadline = Instant::now() + PATIENCE;
    while pids.iter().any(|pid| processes::send(*pid, Signal::CONT)) {
        assert!(Instant::now() < deadline, "a guarded process outlived the guard's pipe");
        std::thread::yield_now();
    }
    launcher.wait().unwrap();
}

#[test]
fn a_process_and_what_it_starts_inherit_the_scheduling_class() {
    // Field 41 of /proc/PID/stat is the policy (proc(5)); SCHED_BATCH is 3. `cut` is what the shell starts.
    for launch in both_ways("echo policy $(cut -d' ' -f41 /proc/self/stat) >&2") {
        let process = launch.class(SchedulingClass::Batch).spawn().unwrap();
        let exit = process.wait(PATIENCE).unwrap();
        assert_eq!(exit.stderr, ["policy 3"]);
    }
}

#[test]
fn a_last_line_without_an_end_does_not_hide_how_the_process_ended() {
    let mut process = script("printf unfinished").guarded_by(guard()).spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    let mut lines = Vec::new();
    let exit = loop {
        match process.next_line(deadline).unwrap() {
            Heard::Line(line) => lines.push(line),
            Heard::End(exit) => break exit,
            Heard::Nothing => panic!("no end within {PATIENCE:?}, after {lines:?}"),
        }
    };
    assert!(exit.is_clean(), "{exit:?}");
    assert_eq!(lines, ["unfinished"]);
}

#[test]
fn who_inherits_no_environment_ends_with_its_launcher_all_the_same() {
    // Whoever watches finds what it must end by this variable.
    let mut process =
        Launch::new("/bin/sh").args(["-c", "echo $ENDS_WITH >&2"]).inherits_nothing().spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while process.ended().unwrap().is_none() {
        assert!(Instant::now() < deadline, "it has not ended");
        thread::yield_now();
    }
    let said = process.stderr();
    assert!(said.iter().any(|line| !line.trim().is_empty()), "it has no mark: {said:?}");
}
