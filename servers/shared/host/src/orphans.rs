//! The orphans that process 1 of a PID namespace is given, and that nobody else will ever wait for.

use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};

/// Reaps all children that have ended and are nobody's whom `is_known` knows: those are for who waits for them. Returns how many.
///
/// Does not wait. One that is known and has ended hides those behind it until it was waited for.
pub fn reap(is_known: impl Fn(u32) -> bool) -> usize {
    let mut reaped = 0;
    let ended = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG;
    while let Ok(WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, ..)) =
        waitid(Id::All, ended | WaitPidFlag::WNOWAIT)
    {
        if is_known(pid.as_raw().unsigned_abs()) || waitid(Id::Pid(pid), ended).is_err() {
            break;
        }
        reaped += 1;
    }
    reaped
}
