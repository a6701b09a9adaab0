//! A bell for a thread that waits in poll(2) or epoll: an eventfd, which is readable once somebody has rung.
//!
//! Rung before the wait begins it ends it at once, so no wake-up is lost; rung many times it is silenced once. Whoever rings it
//! only when somebody waits says so beside its own protocol. Of what is waited for it knows nothing.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Arc,
    task::Wake,
};

use rustix::event::{EventfdFlags, eventfd};

/// The bell. In an [`Arc`] it is what a [`std::task::Waker`] can be made of.
#[derive(Debug)]
pub struct Bell(OwnedFd);

impl Bell {
    /// A bell that has not been rung.
    ///
    /// # Errors
    /// No eventfd is to be had: the limit of open files, as a rule.
    pub fn new() -> io::Result<Self> {
        Ok(Self(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    /// Makes it readable until it is silenced.
    #[inline]
    pub fn ring(&self) {
        // Fails only where the counter is full, and then it is readable.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    /// Makes it unreadable until it is rung again, however often it was before.
    #[inline]
    pub fn silence(&self) {
        // Fails only where nobody has rung.
        let _ = rustix::io::read(&self.0, &mut [0_u8; 8]);
    }
}

impl AsFd for Bell {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

#[cfg(test)]
mod tests {
    use std::{task::Waker, thread};

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;

    /// Far longer than any wait that ends.
    const PATIENCE: Timespec = Timespec { tv_sec: 30, tv_nsec: 0 };
    const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

    /// Whether a wait ends because the bell was rung.
    fn ends(bell: &Bell, patience: &Timespec) -> bool {
        poll(&mut [PollFd::new(bell, PollFlags::IN)], Some(patience)).unwrap() == 1
    }

    #[test]
    fn a_bell_that_is_rung_before_the_wait_ends_it() {
        let bell = Arc::new(Bell::new().unwrap());
        assert!(!ends(&bell, &AT_ONCE));
        let waker = Waker::from(Arc::clone(&bell));
        waker.wake_by_ref();
        assert!(ends(&bell, &AT_ONCE));
        assert!(ends(&bell, &AT_ONCE), "until it is silenced");
        bell.silence();
        waker.wake();
        assert!(ends(&bell, &AT_ONCE));
    }

    #[test]
    fn many_wake_ups_are_silenced_at_once() {
        let bell = Bell::new().unwrap();
        (0..1_000).for_each(|_| bell.ring());
        bell.silence();
        assert!(!ends(&bell, &AT_ONCE));
        // With nothing to be silenced it does not block either.
        bell.silence();
        bell.ring();
        assert!(ends(&bell, &AT_ONCE));
    }

    #[test]
    fn a_wait_is_ended_by_another_thread() {
        let bell = Arc::new(Bell::new().unwrap());
        for _ in 0..1_000 {
            let waker = Waker::from(Arc::clone(&bell));
            let ringing = thread::spawn(move || waker.wake());
            assert!(ends(&bell, &PATIENCE));
            bell.silence();
            ringing.join().unwrap();
            assert!(!ends(&bell, &AT_ONCE));
        }
    }

    #[test]
    fn a_counter_that_is_full_neither_blocks_who_rings_nor_loses_the_wake_up() {
        let bell = Bell::new().unwrap();
        rustix::io::write(&bell, &(u64::MAX - 1).to_ne_bytes()).unwrap();
        bell.ring();
        assert!(ends(&bell, &AT_ONCE));
        bell.silence();
        assert!(!ends(&bell, &AT_ONCE));
    }
}
