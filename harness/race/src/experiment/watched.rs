//! One process, watched to its end by a descriptor of it: its number may be another's later, the descriptor never.

use std::{
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};

/// A process.
#[derive(Debug)]
pub(super) struct Watched {
    pid: u32,
    /// None where it had ended before.
    descriptor: Option<OwnedFd>,
}

impl Watched {
    /// The process that has the number `pid` now.
    ///
    /// # Errors
    /// There is no descriptor left, or the kernel has none for processes.
    pub(super) fn open(pid: u32) -> Result<Self, Errno> {
        let number = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH);
        match number.and_then(|number| pidfd_open(number, PidfdFlags::empty())) {
            Ok(descriptor) => Ok(Self { pid, descriptor: Some(descriptor) }),
            Err(Errno::SRCH) => Ok(Self { pid, descriptor: None }),
            Err(error) => Err(error),
        }
    }

    /// Its number.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends it `signal`. False where it has ended.
    pub(super) fn send(&self, signal: Signal) -> bool {
        self.descriptor.as_ref().is_some_and(|descriptor| pidfd_send_signal(descriptor, signal).is_ok())
    }

    /// Whether it has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.ends_by(Instant::now())
    }

    /// Waits for its end until `deadline`. Whether it has come.
    pub(super) fn ends_by(&self, deadline: Instant) -> bool {
        all_end_by(std::slice::from_ref(self), deadline)
    }
}

/// Waits until all of them have ended, or until `deadline`. Whether all have.
pub(super) fn all_end_by(all: &[Watched], deadline: Instant) -> bool {
    let mut living: Vec<&OwnedFd> = all.iter().filter_map(|watched| watched.descriptor.as_ref()).collect();
    while !living.is_empty() {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut polled: Vec<PollFd<'_>> =
            living.iter().map(|descriptor| PollFd::new(*descriptor, PollFlags::IN)).collect();
        let timeout = Timespec::try_from(left).unwrap_or_default();
        match poll(&mut polled, Some(&timeout)) {
            Ok(0) if left.is_zero() => return false,
            Ok(_) | Err(Errno::INTR) => {}
            // Not what a descriptor that is open can be told.
            Err(_) => std::thread::sleep(left.min(Duration::from_millis(1))),
        }
        let ended: Vec<bool> = polled.iter().map(|polled| !polled.revents().is_empty()).collect();
        let mut ended = ended.into_iter();
        living.retain(|_| !ended.next().unwrap_or(false));
        if left.is_zero() && !living.is_empty() {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use host::tether;

    use super::*;

    #[test]
    fn the_end_of_all_is_waited_for_and_a_process_that_is_gone_has_ended() {
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut children: Vec<_> =
            (0..2).map(|_| tether::command("cat").stdin(Stdio::piped()).spawn().unwrap()).collect();
        let watched: Vec<Watched> = children.iter().map(|child| Watched::open(child.id()).unwrap()).collect();
        assert!(!all_end_by(&watched, Instant::now()) && !watched[0].has_ended());
        assert!(watched[0].send(Signal::KILL));
        assert!(watched[0].ends_by(deadline) && !watched[1].has_ended());
        drop(children[1].stdin.take());
        assert!(all_end_by(&watched, deadline));
        let gone = children[0].id();
        children.iter_mut().for_each(|child| assert!(child.wait().is_ok()));
        assert!(!watched[0].send(Signal::KILL));
        assert!(Watched::open(gone).unwrap().has_ended());
    }
}
