//! What a primary owes, each case by real processes.

use std::{
    fs,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::played::Primary;

/// All of them, by name.
macro_rules! all {
    ($($name:ident),* $(,)?) => { &[$((stringify!($name), $name as fn())),*] };
}

pub(crate) const ALL: &[(&str, fn())] = all![
    every_worker_gets_a_descriptor_of_its_own_and_ends_with_the_stop,
    a_worker_that_ends_before_it_is_ready_is_a_failure,
    workers_that_crash_are_replaced_until_the_stop,
    workers_that_crash_too_often_are_given_up_and_the_primary_says_of_what,
    a_worker_that_is_never_ready_fails_the_start,
    a_worker_that_hangs_is_replaced,
    a_replacement_that_is_never_ready_is_replaced_itself,
    a_reload_waits_for_a_successor_that_takes_its_time_and_the_old_worker_serves_meanwhile,
    a_reload_whose_successor_is_never_ready_is_abandoned_and_the_old_worker_goes_on,
    a_stop_interrupts_a_reload,
    reloads_that_overlap_leave_as_many_workers_as_there_are_places,
    old_workers_that_do_not_drain_are_killed,
    a_tree_that_was_stopped_and_continued_replaces_nobody,
    a_worker_that_was_stopped_alone_is_replaced,
    signals_are_obeyed_before_all_are_ready,
    what_a_worker_shouts_costs_neither_the_primary_nor_the_disk,
    what_a_worker_prints_goes_to_the_log_and_not_to_the_primary,
    a_place_that_had_failed_shows_in_the_exit_code,
];

fn every_worker_gets_a_descriptor_of_its_own_and_ends_with_the_stop() {
    let primary = Primary::ready(&["--workers", "2"]);
    assert_eq!(primary.log[primary.log.len() - 3..], ["I am p0", "I am p1", "all ready"]);
    let (code, log) = primary.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("while it drained") && !log.contains("killed"), "{log}");
}

fn a_worker_that_ends_before_it_is_ready_is_a_failure() {
    let (code, log) = Primary::start("refuse", &["--workers", "2"]).end();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("exited with code 3 before all workers accepted"), "{log}");
}

fn workers_that_crash_are_replaced_until_the_stop() {
    let (code, log) = Primary::start("crash", &["--starts", "5"]).end();
    assert_eq!(code, Some(0), "{log}");
    // The fifth is started when the stop is raised already: however it ends, it is not replaced.
    assert_eq!(log.matches("worker p0 exited with code 4 after").count(), 4, "{log}");
}

fn workers_that_crash_too_often_are_given_up_and_the_primary_says_of_what() {
    let (code, log) = Primary::start("crash", &["--max-crashes", "3"]).end();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("all places have failed: worker p0 exited with code 4"), "{log}");
    assert_eq!(log.matches("worker p0 exited with code 4").count(), 4, "{log}");
}

fn a_worker_that_is_never_ready_fails_the_start() {
    let (code, log) = Primary::start("never", &["--ready-timeout", "100ms"]).end();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("1 workers did not accept within 100ms"), "{log}");
}

fn a_worker_that_hangs_is_replaced() {
    let (code, log) = Primary::start("hang", &["--hang-timeout", "1s", "--max-crashes", "2"]).end();
    assert_eq!(code, Some(1), "{log}");
    let why = "all places have failed: worker p0 did not answer its primary for 1s and was killed";
    assert!(log.contains(why), "{log}");
}

fn a_replacement_that_is_never_ready_is_replaced_itself() {
    let mut primary = Primary::ready(&["--ready-timeout", "200ms"]);
    primary.script("never");
    let [victim] = primary.workers()[..] else { panic!("one worker") };
    assert!(host::processes::send(victim, Signal::KILL));
    primary.until("worker p0 was not ready within 200ms and was killed");
    primary.script("serve");
    primary.until("worker p0 accepts");
    assert_eq!(primary.stop().0, Some(0));
}

fn a_reload_waits_for_a_successor_that_takes_its_time_and_the_old_worker_serves_meanwhile() {
    // Far longer than any drain: nothing but its being ready may end the old one.
    let mut primary = Primary::ready(&["--ready-timeout", "30s", "--drain", "100ms"]);
    let [old] = primary.workers()[..] else { panic!("one worker") };
    primary.script("never");
    primary.signal(Signal::HUP);
    let both = primary.workers_become(|workers| workers.len() == 2);
    // Longer than the old one may drain.
    let deadline = Instant::now() + Duration::from_secs(3);
    while Instant::now() < deadline {
        assert_eq!(primary.workers().len(), 2, "the old worker went before the new one was ready");
        std::thread::sleep(Duration::from_millis(50));
    }
    primary.script("serve");
    primary.until("reloaded");
    let now = primary.workers_become(|workers| workers.len() == 1);
    assert!(!now.contains(&old) && both.contains(&now[0]));
    assert_eq!(primary.stop().0, Some(0));
}

fn a_reload_whose_successor_is_never_ready_is_abandoned_and_the_old_worker_goes_on() {
    let mut primary = Primary::ready(&["--ready-timeout", "200ms", "--workers", "2"]);
    let old = primary.workers();
    for (script, why) in
        [("never", "was not ready within 200ms"), ("refuse", "exited with code 3 before it was ready")]
    {
        primary.script(script);
        primary.signal(Signal::HUP);
        let line = primary.until("abandoned");
        assert!(line.contains("the successor of p0") && line.contains(why), "{line}");
        assert_eq!(primary.workers_become(|workers| workers.len() == 2), old);
    }
    primary.script("serve");
    primary.signal(Signal::HUP);
    primary.until("reloaded");
    assert!(primary.workers_become(|workers| workers.len() == 2).iter().all(|worker| !old.contains(worker)));
    assert_eq!(primary.stop().0, Some(0));
}

fn a_stop_interrupts_a_reload() {
    let primary = Primary::ready(&["--ready-timeout", "10m"]);
    primary.script("never");
    primary.signal(Signal::HUP);
    primary.workers_become(|workers| workers.len() == 2);
    let (code, log) = primary.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("the reload was given up: a stop came first"), "{log}");
}

fn reloads_that_overlap_leave_as_many_workers_as_there_are_places() {
    let mut primary = Primary::ready(&["--workers", "3"]);
    let old = primary.workers();
    for _ in 0..20 {
        primary.signal(Signal::HUP);
    }
    // Those that came while one was under way are one more.
    primary.until("reloaded");
    let now = primary
        .workers_become(|workers| workers.len() == 3 && workers.iter().all(|worker| !old.contains(worker)));
    assert_eq!(now.len(), 3);
    assert_eq!(primary.stop().0, Some(0));
}

fn old_workers_that_do_not_drain_are_killed() {
    let mut primary = Primary::start("stay", &["--drain", "100ms"]);
    primary.until("all ready");
    for _ in 0..3 {
        primary.signal(Signal::HUP);
        primary.until("worker p0 did not end in time and is killed");
        primary.until("reloaded");
        assert_eq!(primary.workers().len(), 1);
    }
    primary.signal(Signal::TERM);
    let (code, log) = primary.end();
    assert_eq!(code, Some(0), "{log}");
}

fn a_tree_that_was_stopped_and_continued_replaces_nobody() {
    let primary = Primary::ready(&["--workers", "2", "--hang-timeout", "2s", "--ready-timeout", "2s"]);
    let workers = primary.workers();
    let tree = || [&workers[..], &[primary.pid()]].concat();
    for pid in tree() {
        assert!(host::processes::send(pid, Signal::STOP));
    }
    std::thread::sleep(Duration::from_secs(10));
    // The primary first: it finds its workers as they were left.
    for pid in tree().into_iter().rev() {
        assert!(host::processes::send(pid, Signal::CONT));
    }
    // As long as it would take to see that they do not answer.
    let deadline = Instant::now() + Duration::from_secs(4);
    while Instant::now() < deadline {
        assert_eq!(primary.workers(), workers);
        std::thread::sleep(Duration::from_millis(50));
    }
    let (code, log) = primary.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("did not answer"), "{log}");
}

fn a_worker_that_was_stopped_alone_is_replaced() {
    let mut primary = Primary::ready(&["--workers", "2", "--hang-timeout", "1s"]);
    let [first, second] = primary.workers()[..] else { panic!("two workers") };
    assert!(host::processes::send(first, Signal::STOP));
    primary.until("did not answer its primary for 1s and was killed");
    let now = primary.workers_become(|workers| workers.len() == 2 && !workers.contains(&first));
    assert!(now.contains(&second));
    assert_eq!(primary.stop().0, Some(0));
}

fn signals_are_obeyed_before_all_are_ready() {
    let mut primary = Primary::start("never", &["--workers", "2"]);
    primary.workers_become(|workers| workers.len() == 2);
    // A reload waits until there is something to reload.
    primary.signal(Signal::HUP);
    primary.script("serve");
    primary.until("all ready");
    primary.until("reloaded");
    assert_eq!(primary.stop().0, Some(0));

    let primary = Primary::start("never", &[]);
    primary.workers_become(|workers| workers.len() == 1);
    let (code, log) = primary.stop();
    assert_eq!(code, Some(0), "{log}");
}

fn what_a_worker_shouts_costs_neither_the_primary_nor_the_disk() {
    let mut primary = Primary::ready(&["--ready-timeout", "1s"]);
    primary.script("shout");
    primary.signal(Signal::HUP);
    primary.until("abandoned");
    let lines = primary.log.iter().filter(|line| line.contains("the same line once more")).count();
    assert!((1..10_000).contains(&lines), "{lines} lines");
    let status = fs::read_to_string(format!("/proc/{}/status", primary.pid())).unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    assert!(peak.is_some_and(|kib| kib < 64 << 10), "{peak:?} KiB");
    assert_eq!(primary.stop().0, Some(0));
}

fn what_a_worker_prints_goes_to_the_log_and_not_to_the_primary() {
    let mut primary = Primary::start("print", &[]);
    let line = primary.until("printed where nobody should");
    assert!(line.starts_with("p0 | "), "{line}");
    // More than may be logged, which takes a moment to print.
    primary.until("lines were left out here");
    primary.signal(Signal::TERM);
    let (code, log) = primary.end();
    assert_eq!(code, Some(0), "{log}");
}

fn a_place_that_had_failed_shows_in_the_exit_code() {
    let mut primary = Primary::ready(&["--workers", "2", "--max-crashes", "1"]);
    let victim = primary.workers()[0];
    assert!(host::processes::send(victim, Signal::KILL));
    primary.until("so its place has failed");
    assert_eq!(primary.workers().len(), 1);
    let (code, log) = primary.stop();
    assert_eq!(code, Some(3), "{log}");
    assert!(log.contains("drained, but places had failed: p"), "{log}");
}
