//! Stopping by SIGSTOP and going on by SIGCONT.

use std::{
    io, thread,
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    process::{Pid, Signal, kill_process},
};

use super::fault::FreezeFault;
use crate::{
    members::{self, Member},
    processes,
};

/// Between two looks at a process that is to stop. Most have stopped before the first.
const LOOK_AGAIN: Duration = Duration::from_micros(100);

/// Stops everything below `root`, parents before their children; who that is. Where it fails, all that was stopped goes on.
pub(super) fn stop(root: u32, within: Duration) -> Result<Vec<Member>, FreezeFault> {
    let mut stopped = Vec::new();
    match stop_all(root, within, &mut stopped) {
        Ok(()) => Ok(stopped),
        Err(fault) => {
            resume(&stopped);
            Err(fault)
        }
    }
}

/// Lets them go on, children before their parents.
pub(super) fn resume(stopped: &[Member]) {
    for member in stopped.iter().rev() {
        // The number of one that died may be somebody else's by now.
        if is_there(member) {
            processes::send(member.pid, Signal::CONT);
        }
    }
}

fn stop_all(root: u32, within: Duration, stopped: &mut Vec<Member>) -> Result<(), FreezeFault> {
    let deadline = Instant::now() + within;
    loop {
        let living = members::below(root)?.living;
        stopped.retain(|member| living.contains(member));
        let new: Vec<Member> = living.into_iter().filter(|member| !stopped.contains(member)).collect();
        if new.is_empty() {
            // Who had stopped when it was looked at may have been let go on by somebody else since.
            for member in stopped.iter() {
                if is_moving(member.pid)? {
                    return Err(FreezeFault::NotStopped { member: member.clone(), within });
                }
            }
            return Ok(());
        }
        for member in new {
            // Before it is, so that whatever happens it is let go on.
            stopped.push(member.clone());
            stop_one(member, within, deadline)?;
        }
    }
}

fn stop_one(member: Member, within: Duration, deadline: Instant) -> Result<(), FreezeFault> {
    let pid = i32::try_from(member.pid).ok().and_then(Pid::from_raw);
    let Some(pid) = pid.filter(|_| is_there(&member)) else { return Ok(()) };
    match kill_process(pid, Signal::STOP) {
        // It has died in the meantime.
        Ok(()) | Err(Errno::SRCH) => {}
        Err(errno) => return Err(FreezeFault::Refused { member, errno }),
    }
    while is_moving(member.pid)? {
        if Instant::now() > deadline {
            return Err(FreezeFault::NotStopped { member, within });
        }
        thread::sleep(LOOK_AGAIN);
    }
    Ok(())
}

fn is_there(member: &Member) -> bool {
    let stat = processes::stat(&format!("/proc/{}/stat", member.pid));
    stat.is_ok_and(|stat| stat.is_some_and(|stat| stat.starttime == member.started))
}

/// Whether a thread of process `pid` is neither stopped nor dead.
fn is_moving(pid: u32) -> io::Result<bool> {
    processes::any_thread(pid, |state| !matches!(state, 'T' | 'Z' | 'X'))
}
