//! What is left of hosts when whoever made them is gone.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::Stdio,
    sync::mpsc::channel,
    thread,
};

use machines::{Site, until};

use crate::scene::{self, PATIENCE};

#[test]
fn hosts_end_with_their_site() {
    let Some(site) = scene::site(&[]) else { return };
    let pids = site.all().map(|machine| machine.pid());
    assert!(pids.iter().all(|pid| is_there(*pid)));
    let sshd = site.server.running("sshd");
    assert!(!sshd.is_empty());
    drop(site);
    let all: Vec<u32> = pids.into_iter().chain(sshd.into_iter().map(|process| process.pid)).collect();
    assert_eq!(survivors(&all), [0_u32; 0]);
}

#[test]
fn hosts_end_with_a_process_that_is_killed() {
    // Only to know whether hosts can be had.
    let Some(site) = scene::site(&[]) else { return };
    drop(site);
    let mut hold = host::tether::command(Site::programs().unwrap().join("examples/hold"));
    let mut holder = hold.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let out = holder.stdout.take().unwrap();
    let (sender, receiver) = channel();
    thread::spawn(move || sender.send(BufReader::new(out).lines().next()));
    let line = receiver.recv_timeout(PATIENCE).unwrap().expect("the pids").unwrap();
    let pids: Vec<u32> = line.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    assert_eq!(pids.len(), 4, "{line}");
    assert!(pids.iter().all(|pid| is_there(*pid)), "{line}");
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert_eq!(survivors(&pids), [0_u32; 0]);
}

/// Those of them that do not end in time.
fn survivors(pids: &[u32]) -> Vec<u32> {
    let there = || pids.iter().copied().filter(|pid| is_there(*pid)).collect::<Vec<_>>();
    match until(PATIENCE, || there().is_empty().then_some(())) {
        Some(()) => Vec::new(),
        None => there(),
    }
}

fn is_there(pid: u32) -> bool {
    // A dead one that is not yet reaped has no namespaces any more.
    Path::new(&format!("/proc/{pid}/ns/net")).read_link().is_ok()
}
