//! How much CPU time a process has used, by its own clock: to the nanosecond, with the threads of it that have ended, in one
//! call, and with nothing opened (`clock_getcpuclockid(3)`).
//!
//! Of a thread that runs at this instant the kernel has accounted for all but what it used since the last tick; of one that
//! waits or is stopped, for everything. Children are other processes: what one that was waited for used is in its parent's
//! `cutime` and `cstime` alone.

use std::time::Duration;

use nix::{time::ClockId, unistd::Pid};

/// CPU time of process `pid`, until now or until it died; `None` once it was waited for.
pub fn of_process(pid: u32) -> Option<Duration> {
    // 0 would be this process itself.
    let pid = i32::try_from(pid).ok().filter(|pid| *pid > 0)?;
    let used = ClockId::pid_cpu_clock_id(Pid::from_raw(pid)).ok()?.now().ok()?;
    Some(Duration::from(used))
}

#[cfg(test)]
mod tests {
    use std::{io::Write, process::Stdio, thread};

    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

    use super::{ClockId, Duration, of_process};
    use crate::tether;

    fn own() -> Duration {
        of_process(std::process::id()).unwrap()
    }

    #[test]
    fn what_a_thread_used_stays_on_the_clock_when_it_has_ended() {
        let before = own();
        let used = thread::spawn(|| {
            let used = || Duration::from(ClockId::CLOCK_THREAD_CPUTIME_ID.now().unwrap());
            while used() < Duration::from_millis(30) {
                std::hint::spin_loop();
            }
            used()
        });
        let used = used.join().unwrap();
        assert!(own() - before >= used);
    }

    #[test]
    fn a_process_that_died_keeps_its_clock_until_it_is_waited_for() {
        let script = "i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done; read -r _";
        let mut child = tether::command("sh").args(["-c", script]).stdin(Stdio::piped()).spawn().unwrap();
        let pid = child.id();
        child.stdin.take().unwrap().write_all(b"\n").unwrap();
        let unburied = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(Pid::from_child(&child)), unburied).unwrap();
        let used = of_process(pid).unwrap();
        assert!(used > Duration::ZERO && of_process(pid) == Some(used), "{used:?}");
        child.wait().unwrap();
        assert_eq!(of_process(pid), None);
    }

    #[test]
    fn no_process_has_no_clock() {
        assert_eq!(of_process(0), None);
        assert_eq!(of_process(u32::MAX), None);
    }
}
