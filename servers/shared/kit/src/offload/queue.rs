//! The bounded queue between a front and a pool.
//!
//! Bounded in all that it holds: a client that leaves takes its entry along at once, so that neither can work for
//! nobody keep others out, nor can clients that come and go fill the memory behind a long operation.
//!
//! The pool is not told *what* to do but to come and take the oldest entry. Every entry has somebody on the way for it: a
//! newcomer is called for only if fewer are on the way than entries wait, so those who were called for an entry that
//! left serve the next one, and never are more on the way than there is room in the queue.
//!
//! One lock, held for a look-up in a tree.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The queue.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    capacity: usize,
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    /// By number, which is by age.
    entries: BTreeMap<u64, T>,
    next: u64,
    on_the_way: usize,
}

/// What [`Queue::push`] did.
#[derive(Debug)]
pub(crate) struct Enqueued<T> {
    /// Keeps the entry in the queue.
    pub(crate) ticket: Ticket<T>,
    /// Whether the caller must see to it that somebody calls [`Queue::take`].
    pub(crate) call_somebody: bool,
}

impl<T> Queue<T> {
    /// A queue with room for `capacity` entries.
    pub(crate) fn new(capacity: usize) -> Arc<Self> {
        let state = State { entries: BTreeMap::new(), next: 0, on_the_way: 0 };
        Arc::new(Self { capacity, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        // Nothing that can panic happens under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an entry; `None` if there is no room.
    pub(crate) fn push(self: &Arc<Self>, entry: T) -> Option<Enqueued<T>> {
        let mut state = self.state();
        if state.entries.len() >= self.capacity {
            return None;
        }
        let number = state.next;
        state.next += 1;
        state.entries.insert(number, entry);
        let call_somebody = state.on_the_way < state.entries.len();
        state.on_the_way += usize::from(call_somebody);
        drop(state);
        Some(Enqueued { ticket: Ticket { queue: Arc::clone(self), number }, call_somebody })
    }

    /// Says that one who was called will not come.
    pub(crate) fn excuse(&self) {
        let mut state = self.state();
        state.on_the_way = state.on_the_way.saturating_sub(1);
    }

    /// The oldest entry, for one who was called; `None` if those for whom it was called have left.
    pub(crate) fn take(&self) -> Option<T> {
        let mut state = self.state();
        state.on_the_way = state.on_the_way.saturating_sub(1);
        state.entries.pop_first().map(|(_, entry)| entry)
    }

    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.state().entries.len()
    }
}

/// An entry's right to its place: dropping it takes the entry out, unless that was taken already.
#[derive(Debug)]
pub(crate) struct Ticket<T> {
    queue: Arc<Queue<T>>,
    number: u64,
}

impl<T> Drop for Ticket<T> {
    fn drop(&mut self) {
        // Dropped outside the lock, whatever the entry's own end does.
        let _left = self.queue.state().entries.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn entries_are_taken_in_their_order_and_those_that_left_are_not() {
        let queue = Queue::new(3);
        let [a, b, c] = ["a", "b", "c"].map(|entry| queue.push(entry).unwrap());
        assert!(queue.push("no room").is_none());
        drop(b);
        let d = queue.push("d").unwrap();
        assert!(!d.call_somebody, "the one who was called for b comes");
        assert_eq!([(); 4].map(|()| queue.take()), [Some("a"), Some("c"), Some("d"), None]);
        drop((a, c, d));
        assert!(queue.push("e").unwrap().call_somebody);
    }

    proptest! {
        #[test]
        fn somebody_is_on_the_way_for_every_entry_and_never_more_than_fit(steps: Vec<(u8, u8)>) {
            let queue = Queue::new(4);
            let (mut tickets, mut called) = (Vec::new(), 0_usize);
            for (what, which) in steps {
                match what % 3 {
                    0 => {
                        if let Some(enqueued) = queue.push(which) {
                            called += usize::from(enqueued.call_somebody);
                            tickets.push(enqueued.ticket);
                        }
                    }
                    1 if !tickets.is_empty() => drop(tickets.swap_remove(usize::from(which) % tickets.len())),
                    _ if called > 0 => {
                        called -= 1;
                        queue.take();
                    }
                    _ => {}
                }
                prop_assert!(called >= queue.waiting() && called <= 4, "{called} for {}", queue.waiting());
            }
        }
    }
}
