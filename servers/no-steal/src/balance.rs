//! Which worker gets the next connection.

use std::cell::Cell;

/// How the acceptor chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balance {
    /// Each worker in turn.
    RoundRobin,
    /// The worker with the fewest operations in flight, and of those the one with the fewest connections; in turn where they are equal.
    LeastLoaded,
}

/// The acceptor's choice, and whose turn it is.
#[derive(Debug)]
pub(crate) struct Balancer {
    balance: Balance,
    workers: usize,
    turn: Cell<usize>,
}

impl Balancer {
    pub(crate) fn new(balance: Balance, workers: usize) -> Self {
        Self { balance, workers: workers.max(1), turn: Cell::new(0) }
    }

    /// The worker for the next connection. `load` says what a worker has to do: operations, then connections.
    pub(crate) fn choose(&self, load: impl Fn(usize) -> (u64, usize)) -> usize {
        let first = self.turn.get();
        let chosen = match self.balance {
            Balance::RoundRobin => first,
            Balance::LeastLoaded => {
                let in_turn = (0..self.workers).map(|step| (first + step) % self.workers);
                // The first of several.
                in_turn.min_by_key(|&worker| load(worker)).unwrap_or(first)
            }
        };
        self.turn.set((chosen + 1) % self.workers);
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choices(balance: Balance, loads: [(u64, usize); 3]) -> [usize; 4] {
        let balancer = Balancer::new(balance, 3);
        [(); 4].map(|()| balancer.choose(|worker| loads[worker]))
    }

    #[test]
    fn in_turn_asks_for_no_load() {
        assert_eq!(choices(Balance::RoundRobin, [(9, 9), (0, 0), (5, 5)]), [0, 1, 2, 0]);
    }

    #[test]
    fn the_least_loaded_has_the_fewest_operations_then_the_fewest_connections() {
        assert_eq!(choices(Balance::LeastLoaded, [(1, 0), (0, 9), (0, 8)]), [2; 4]);
        assert_eq!(choices(Balance::LeastLoaded, [(2, 1), (1, 7), (2, 0)]), [1; 4]);
    }

    #[test]
    fn workers_with_equal_loads_take_turns() {
        assert_eq!(choices(Balance::LeastLoaded, [(0, 3); 3]), [0, 1, 2, 0]);
        assert_eq!(choices(Balance::LeastLoaded, [(0, 3), (1, 0), (0, 3)]), [0, 2, 0, 2]);
    }
}
