//! What one process uses and how old it is, from one file of `/proc`.
//!
//! For lists of processes that people read. Where CPU time is measured it is taken from the process's own clock
//! ([`crate::cpu_clock`]), which is exact.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::processes;

/// What a living process uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// User and system time, to the kernel's tick (10 ms as a rule).
    pub cpu: Duration,
    /// Resident memory, bytes.
    pub rss_bytes: u64,
    /// Time since it was started, to the tick.
    pub age: Duration,
}

impl Usage {
    /// Of process `pid`; `None` if it has ended, or is not for this one to see.
    pub fn of_process(pid: u32) -> Option<Self> {
        let stat = processes::stat(&format!("/proc/{pid}/stat")).ok()??;
        if matches!(stat.state, 'Z' | 'X') {
            return None;
        }
        let now = Duration::try_from(clock_gettime(ClockId::Boottime)).ok()?;
        Some(Self {
            cpu: ticks(stat.utime + stat.stime),
            rss_bytes: stat.rss * procfs::page_size(),
            age: now.saturating_sub(ticks(stat.starttime)),
        })
    }
}

/// `proc_pid_stat(5)` counts in these.
fn ticks(count: u64) -> Duration {
    let per_second = procfs::ticks_per_second().max(1);
    Duration::from_secs(count / per_second)
        + Duration::from_nanos(count % per_second * 1_000_000_000 / per_second)
}

#[cfg(test)]
mod tests {
    use std::{io::Write, process::Stdio};

    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

    use super::*;
    use crate::tether;

    #[test]
    fn what_a_process_uses_shows_until_it_has_ended() {
        let script = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo; read -r _";
        let mut child = tether::command("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Read::read_exact(&mut child.stdout.take().unwrap(), &mut [0]).unwrap();
        let usage = Usage::of_process(child.id()).unwrap();
        assert!(usage.cpu >= Duration::from_millis(10) && usage.rss_bytes > 0, "{usage:?}");
        assert!(usage.age + Duration::from_millis(20) >= usage.cpu, "{usage:?}");
        assert!(usage.age < Duration::from_secs(60), "{usage:?}");
        child.stdin.take().unwrap().write_all(b"\n").unwrap();
        let unburied = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(Pid::from_child(&child)), unburied).unwrap();
        assert_eq!(Usage::of_process(child.id()), None, "the dead use nothing");
        child.wait().unwrap();
        assert_eq!(Usage::of_process(child.id()), None);
        assert_eq!(Usage::of_process(u32::MAX), None);
    }
}
