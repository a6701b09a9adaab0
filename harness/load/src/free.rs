//! Which connections are free, and since when.
//!
//! Connections of an open loop are alike: a request that is due takes one at random, and what it could have been sent on
//! is whichever was free first. So the instants at which connections became free are kept apart from the connections,
//! and each request uses up the earliest. A generator that was always on time would have used them in that order.

use std::collections::VecDeque;

#[derive(Debug)]
pub(crate) struct Free {
    /// Each with the instant at which it became free.
    connections: Vec<(u32, u64)>,
    /// The instants in their order, as many as connections. `None` where each connection keeps its own.
    instants: Option<VecDeque<u64>>,
}

impl Free {
    /// With room for `slots`. Where connections are not alike (`own`), each request waited for the very one it is sent on.
    pub(crate) fn with_capacity(slots: usize, own: bool) -> Self {
        Self {
            connections: Vec::with_capacity(slots),
            instants: (!own).then(|| VecDeque::with_capacity(slots)),
        }
    }

    /// For how many there is room.
    pub(crate) fn slots(&self) -> usize {
        self.connections.capacity()
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.connections.len()
    }

    /// A connection became free at `at_ns`, which need not be later than what was told before.
    #[inline]
    pub(crate) fn add(&mut self, connection: u32, at_ns: u64) {
        self.connections.push((connection, at_ns));
        if let Some(instants) = &mut self.instants {
            // Nearly in order already: only those of one batch may come crosswise.
            let later = instants.iter().rev().take_while(|instant| **instant > at_ns).count();
            instants.insert(instants.len() - later, at_ns);
        }
    }

    /// Takes the `index`-th connection, and the instant since which one was free.
    #[inline]
    pub(crate) fn take(&mut self, index: usize) -> (u32, u64) {
        let (connection, own_ns) = self.connections.swap_remove(index);
        let earliest_ns = self.instants.as_mut().and_then(VecDeque::pop_front);
        (connection, earliest_ns.unwrap_or(own_ns))
    }

    /// A free connection was lost. Rare, so it may be looked for.
    pub(crate) fn lose(&mut self, connection: u32) {
        self.connections.retain(|(free, _)| *free != connection);
        if let Some(instants) = &mut self.instants {
            instants.truncate(self.connections.len());
        }
    }

    /// All that are free have been so since `at_ns`.
    pub(crate) fn restart(&mut self, at_ns: u64) {
        self.connections.iter_mut().for_each(|(_, since_ns)| *since_ns = at_ns);
        self.instants.iter_mut().flatten().for_each(|since_ns| *since_ns = at_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_instant_goes_with_whichever_connection_is_taken() {
        let mut free = Free::with_capacity(4, false);
        [(0, 30), (1, 10), (2, 20), (3, 40)].into_iter().for_each(|(one, at_ns)| free.add(one, at_ns));
        assert_eq!(free.take(3), (3, 10));
        assert_eq!(free.take(0), (0, 20));
        free.add(7, 25);
        assert_eq!((free.take(0).1, free.take(0).1, free.take(0).1), (25, 30, 40));
        assert!(free.is_empty());
    }

    #[test]
    fn connections_of_a_closed_loop_keep_their_own_instants() {
        let mut free = Free::with_capacity(2, true);
        free.add(0, 30);
        free.add(1, 10);
        assert_eq!((free.take(0), free.take(0)), ((0, 30), (1, 10)));
    }

    #[test]
    fn a_lost_connection_takes_an_instant_along() {
        let mut free = Free::with_capacity(2, false);
        free.add(0, 10);
        free.add(1, 20);
        free.lose(0);
        assert_eq!((free.len(), free.take(0)), (1, (1, 10)));
        assert!(free.instants.is_some_and(|instants| instants.is_empty()));
    }

    #[test]
    fn a_restart_makes_all_free_at_one_instant() {
        for own in [false, true] {
            let mut free = Free::with_capacity(2, own);
            free.add(0, 30);
            free.add(1, 10);
            free.restart(5);
            assert_eq!((free.take(0).1, free.take(0).1), (5, 5));
        }
    }
}
