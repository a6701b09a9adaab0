//! The application under PM2.

use std::{collections::BTreeSet, path::PathBuf, time::Instant};

use crate::common::{PATIENCE, Running, foreign, have, have_node, lives, node};
use app::Endpoint;
use host::{guard::Ended, launch::Launch, processes};
use rustix::process::Signal;

const SERVED: &[Endpoint] = &[Endpoint::Simple, Endpoint::Complex, Endpoint::Randoms, Endpoint::Info];

/// With folders of its own for what it may and may not write.
fn pm2(temporary: &tempfile::TempDir, home: &tempfile::TempDir) -> Launch {
    let app = node("single.js").display().to_string();
    foreign(&["pm2", "--app", &app]).env("TMPDIR", temporary.path()).env("HOME", home.path())
}

fn is_empty(folder: &tempfile::TempDir) -> bool {
    std::fs::read_dir(folder.path()).unwrap().next().is_none()
}

/// The folders of all launchers that have `temporary`.
fn run_folders(temporary: &tempfile::TempDir) -> Vec<PathBuf> {
    let inside = |folder: PathBuf| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> = inside(temporary.path().to_owned()).flat_map(inside).collect();
    folders.sort();
    folders
}

#[test]
fn pm2_serves_with_an_instance_for_each_processor_and_leaves_no_process_and_no_file() {
    if !have_node() {
        return;
    }
    let (temporary, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let running = Running::start(pm2(&temporary, &home));
    assert_eq!(running.ready.server, "pm2");
    // Whatever the CPU mask: `max` is what Node says of the machine.
    let info = running.info();
    assert_eq!(info["processors"]["present"], running.ready.workers);
    assert_eq!(info["workers"], running.ready.workers);
    running.check(SERVED);
    let counts = running.spread(8 * running.ready.workers);
    assert_eq!(counts.len(), running.ready.workers, "{counts:?}");
    // Its daemon and the instances, and nothing else.
    assert_eq!(processes::descendants(running.ready.pid).len(), running.ready.workers + 1);
    assert_eq!(run_folders(&temporary).len(), 1);
    running.stop();
    assert!(run_folders(&temporary).is_empty(), "the run folder is left");
    assert!(is_empty(&home), "PM2 wrote outside its folder");
}

#[test]
fn a_hangup_has_pm2_replace_every_instance_while_others_serve_and_a_stop_ends_a_reload() {
    if !have_node() {
        return;
    }
    let (temporary, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let running = Running::start(pm2(&temporary, &home));
    let instances = || {
        let all = running.ready.workers;
        running.spread(8 * all).into_keys().collect::<BTreeSet<u32>>()
    };
    let before = instances();
    assert!(processes::send(running.ready.pid, Signal::HUP));
    let deadline = Instant::now() + PATIENCE;
    while before.iter().any(|pid| lives(*pid)) || instances().len() < before.len() {
        assert!(Instant::now() < deadline, "{before:?} were not replaced");
    }
    assert!(instances().is_disjoint(&before));
    running.check(SERVED);
    // The command has ended, and left nobody.
    while processes::descendants(running.ready.pid).len() > running.ready.workers + 1 {
        assert!(Instant::now() < deadline, "the command of the reload is there still");
    }
    // Twice at once, and the end in the middle of it.
    assert!(
        processes::send(running.ready.pid, Signal::HUP) && processes::send(running.ready.pid, Signal::HUP)
    );
    running.stop();
    assert!(run_folders(&temporary).is_empty(), "the run folder is left");
}

#[test]
fn a_launcher_of_pm2_that_is_killed_leaves_no_daemon_and_no_instance() {
    if !have_node() {
        return;
    }
    let (temporary, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    Running::start(pm2(&temporary, &home)).kill();
}

#[test]
fn the_folder_of_a_launcher_that_was_killed_is_removed_by_the_next_start_and_no_other_is() {
    if !have_node() || !have(&["nginx"]) {
        return;
    }
    let (temporary, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let nginx = || Running::start(foreign(&["nginx-return"]).env("TMPDIR", temporary.path()));
    let live = nginx();
    let lives = run_folders(&temporary);
    let killed = [Running::start(pm2(&temporary, &home)), nginx()];
    assert_eq!((lives.len(), run_folders(&temporary).len()), (1, 3));
    killed.into_iter().for_each(Running::kill);
    assert_eq!(run_folders(&temporary).len(), 3, "a launcher that is killed removes nothing");

    let next = nginx();
    let folders = run_folders(&temporary);
    assert!(folders.len() == 2 && folders.contains(&lives[0]), "{folders:?}");
    live.check(&[Endpoint::Simple]);
    next.stop();
    assert_eq!(run_folders(&temporary), lives);
    live.stop();
    assert!(run_folders(&temporary).is_empty());
}

#[test]
fn a_daemon_that_dies_ends_the_launcher() {
    if !have_node() {
        return;
    }
    let (temporary, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let running = Running::start(pm2(&temporary, &home));
    let below = processes::descendants(running.ready.pid);
    assert!(processes::send(below[0], Signal::KILL));
    let exit = running.wait();
    assert_eq!(exit.ended, Ended::Code(1));
    assert!(exit.stderr.join("\n").contains("the PM2 daemon ended (signal "), "{:?}", exit.stderr);
    assert!(!below.into_iter().any(lives));
    assert!(run_folders(&temporary).is_empty(), "the run folder is left");
}

#[test]
fn a_port_that_is_taken_is_named_with_what_node_said() {
    if !have_node() {
        return;
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let app = node("single.js").display().to_string();
    let launch = Launch::new(env!("CARGO_BIN_EXE_foreign")).args(["pm2", "--app", &app, "--listen", &listen]);
    let exit = launch.spawn().unwrap().wait(PATIENCE).unwrap();
    assert_eq!(exit.ended, Ended::Code(1));
    let said = exit.stderr.join("\n");
    assert!(said.contains("EADDRINUSE") && said.contains(&listen), "{said}");
    // Not that nobody answered in time: whoever has the port here takes connections and says nothing.
    assert!(said.contains("could not listen"), "{said}");
}

#[test]
fn what_is_missing_is_named_with_what_installs_it() {
    let folder = tempfile::tempdir().unwrap();
    let app = folder.path().join("single.js");
    std::fs::write(&app, "").unwrap();
    let said = |launch: Launch| {
        let exit = launch.spawn().unwrap().wait(PATIENCE).unwrap();
        assert_eq!(exit.ended, Ended::Code(1));
        exit.stderr.join("\n")
    };
    let app = app.display().to_string();
    let without_node = said(foreign(&["pm2", "--app", &app]).env("PATH", folder.path()));
    assert!(without_node.contains("node is not here: install Node.js"), "{without_node}");
    if have(&["node"]) {
        let without_modules = said(foreign(&["pm2", "--app", &app]));
        assert!(without_modules.contains("just setup-reference"), "{without_modules}");
        let without_app = said(foreign(&["pm2", "--app", "/nowhere/single.js"]));
        assert!(without_app.contains("/nowhere/single.js is not here"), "{without_app}");
    }
}
