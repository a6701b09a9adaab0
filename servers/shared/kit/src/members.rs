//! Open connections, counted: those of one accept loop, and those that loops with one limit have together ([`Room`]).
//!
//! They are counted in one atomic. A connection that ends wakes the loops only if one
//! said that it waits for that (`awaited`): it first leaves its waker and says so, then looks at the count; a connection first
//! counts itself out, then looks whether anybody waits. Both in sequentially consistent order, so one sees the other.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
};

/// Open connections.
#[derive(Debug, Default)]
pub(crate) struct Members {
    open: AtomicUsize,
    awaited: AtomicBool,
    wakers: Mutex<Vec<Waker>>,
}

impl Members {
    /// How many there are.
    #[inline]
    pub(crate) fn open(&self) -> usize {
        self.open.load(SeqCst)
    }

    /// Ready when there are fewer than `limit`.
    pub(crate) fn poll_below(&self, limit: usize, context: &mut Context<'_>) -> Poll<()> {
        let mut wakers = self.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        if !wakers.iter().any(|waker| waker.will_wake(context.waker())) {
            wakers.push(context.waker().clone());
        }
        drop(wakers);
        self.awaited.store(true, SeqCst);
        // Who finds room leaves its waker behind, and is woken once for nothing.
        if self.open() < limit { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// Counts one connection while it lives.
#[derive(Debug)]
pub(crate) struct Membership(Arc<Members>);

impl Membership {
    pub(crate) fn of(members: &Arc<Members>) -> Self {
        members.open.fetch_add(1, SeqCst);
        Self(Arc::clone(members))
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, SeqCst);
        // Each of those who wait is woken once, and says again that it waits.
        if self.0.awaited.load(SeqCst) && self.0.awaited.swap(false, SeqCst) {
            let wakers = std::mem::take(&mut *self.0.wakers.lock().unwrap_or_else(PoisonError::into_inner));
            wakers.into_iter().for_each(Waker::wake);
        }
    }
}

/// Room for connections. Clones are the same room: accept loops that share one limit have a clone each.
#[derive(Clone, Debug)]
pub struct Room {
    members: Arc<Members>,
    limit: usize,
}

impl Room {
    /// Room for `limit` connections.
    pub fn new(limit: usize) -> Self {
        Self { members: Arc::default(), limit }
    }

    /// Takes a place, also where none is left: what is queued at a stop is served beyond the limit.
    pub(crate) fn enter(&self) -> Membership {
        Membership::of(&self.members)
    }

    /// Ready when a place is free.
    pub(crate) fn poll_free(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.members.open() < self.limit {
            return Poll::Ready(());
        }
        self.members.poll_below(self.limit, context)
    }
}

impl From<usize> for Room {
    fn from(limit: usize) -> Self {
        Self::new(limit)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Wake;

    use super::*;

    #[test]
    fn the_last_connection_to_end_wakes_the_one_who_waits() {
        let members = Arc::new(Members::default());
        let first = Membership::of(&members);
        let second = Membership::of(&members);
        let mut context = Context::from_waker(Waker::noop());
        assert!(members.poll_below(1, &mut context).is_pending());
        drop(first);
        assert!(members.poll_below(1, &mut context).is_pending());
        assert!(members.poll_below(2, &mut context).is_ready());
        drop(second);
        assert!(members.poll_below(1, &mut context).is_ready());
    }

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, SeqCst);
        }
    }

    #[test]
    fn loops_that_share_a_limit_are_all_told_of_a_place_and_wait_again() {
        let room = Room::new(2);
        let (first, second) = (room.enter(), room.clone().enter());
        let woken: [Arc<Woken>; 3] = Default::default();
        let wakers = woken.clone().map(Waker::from);
        for round in 1..=2 {
            for waker in &wakers {
                // However often each asks.
                for _ in 0..3 {
                    assert!(room.poll_free(&mut Context::from_waker(waker)).is_pending());
                }
            }
            // One goes and another takes its place before they look.
            drop(room.enter());
            assert_eq!(woken.each_ref().map(|woken| woken.0.load(SeqCst)), [round; 3]);
        }
        drop(first);
        assert!(room.poll_free(&mut Context::from_waker(&wakers[0])).is_ready());
        drop(second);
        assert_eq!(room.members.open(), 0);
    }
}
