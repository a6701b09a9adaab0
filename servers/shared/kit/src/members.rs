//! The open connections of one accept loop, counted.
//!
//! They are counted in one atomic. A connection that ends wakes the loop only if the loop
//! said that it waits for that (`awaited`): it first says so, then looks at the count; a connection first
//! counts itself out, then looks whether anybody waits. Both in sequentially consistent order, so one sees the other.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
};

/// The open connections of one accept loop.
#[derive(Debug, Default)]
pub(crate) struct Members {
    open: AtomicUsize,
    awaited: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Members {
    /// How many there are.
    #[inline]
    pub(crate) fn open(&self) -> usize {
        self.open.load(SeqCst)
    }

    /// Ready when there are fewer than `limit`.
    pub(crate) fn poll_below(&self, limit: usize, context: &mut Context<'_>) -> Poll<()> {
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(context.waker().clone());
        self.awaited.store(true, SeqCst);
        if self.open.load(SeqCst) < limit {
            self.awaited.store(false, SeqCst);
            return Poll::Ready(());
        }
        Poll::Pending
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
        if self.0.awaited.load(SeqCst) {
            let waker = self.0.waker.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

#[cfg(test)]
mod tests {
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
}
