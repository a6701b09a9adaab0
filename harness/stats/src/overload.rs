//! Whether a row carries the load that it is offered.
//!
//! Overloaded is a verdict and not a latency: where a backlog grows for as long as one looks, response times are those of
//! the window's length. Both must hold, since either happens to sound rows: a burst that falls into the end of a start
//! leaves answers out, and a queue that is longer at the end of a window is the ordinary half of all windows.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A row answers at least so much of what is due, or does not carry it.
pub const CARRIED: f64 = 0.98;

/// One window of an open loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offered {
    /// Requests that were due in the window.
    pub due: u64,
    /// Right answers received in the window, whenever they were due.
    pub answered: u64,
    /// Its length.
    pub window: Duration,
    /// Requests due and not answered when the window opened.
    pub backlog_before: u64,
    /// Requests due and not answered when it closed.
    pub backlog_after: u64,
}

/// Windows of one row added up: those of a start, or of all starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Carried {
    /// How many windows.
    pub windows: usize,
    /// In how many of them the backlog grew.
    pub growing: usize,
    /// Requests due.
    pub due: u64,
    /// Right answers within the windows.
    pub answered: u64,
    /// The windows' length together.
    pub measured: Duration,
}

/// What is said of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Load {
    /// It carried the load in every start.
    Carried,
    /// It was overloaded in some starts, no more than half. Its response times stand, these starts' included: to leave
    /// them out would be to choose by result.
    AtTheEdge {
        /// Overloaded starts.
        overloaded: usize,
        /// Starts.
        starts: usize,
    },
    /// It was overloaded in most starts: it has no response time at this rate, and is last by rule.
    Overloaded,
}

impl Carried {
    /// Adds up windows.
    pub fn of(windows: &[Offered]) -> Self {
        let mut carried = Self::default();
        for window in windows {
            carried.windows += 1;
            carried.growing += usize::from(window.backlog_after > window.backlog_before);
            carried.due += window.due;
            carried.answered += window.answered;
            carried.measured += window.window;
        }
        carried
    }

    /// Whether less than [`CARRIED`] of what was due was answered *and* the backlog grew in most windows.
    pub fn is_overloaded(&self) -> bool {
        (self.answered as f64) < CARRIED * self.due as f64 && 2 * self.growing > self.windows
    }

    /// Answers a second within the windows: the one meaning of "achieved". `None` without any time.
    pub fn answered_per_second(&self) -> Option<f64> {
        self.per_second(self.answered)
    }

    /// Requests due a second. `None` without any time.
    pub fn due_per_second(&self) -> Option<f64> {
        self.per_second(self.due)
    }

    fn per_second(&self, count: u64) -> Option<f64> {
        (!self.measured.is_zero()).then(|| count as f64 / self.measured.as_secs_f64())
    }
}

/// What is said of a row by its starts, each its kept windows. Starts without a window say nothing; a row without any
/// carried nothing and failed at nothing: the caller has it unplaced.
pub fn over_starts(starts: &[Vec<Offered>]) -> Load {
    let judged: Vec<bool> = starts
        .iter()
        .filter(|windows| !windows.is_empty())
        .map(|windows| Carried::of(windows).is_overloaded())
        .collect();
    match judged.iter().filter(|overloaded| **overloaded).count() {
        0 => Load::Carried,
        overloaded if 2 * overloaded > judged.len() => Load::Overloaded,
        overloaded => Load::AtTheEdge { overloaded, starts: judged.len() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(answered: u64, before: u64, after: u64) -> Offered {
        let window = Duration::from_secs(1);
        Offered { due: 1_000, answered, window, backlog_before: before, backlog_after: after }
    }

    #[test]
    fn a_row_that_answers_130_of_1000_is_overloaded_and_says_what_it_carries() {
        let windows = vec![window(130, 200, 1_070), window(128, 210, 1_082), window(132, 190, 1_058)];
        let carried = Carried::of(&windows);
        assert!(carried.is_overloaded());
        assert_eq!((carried.answered_per_second(), carried.due_per_second()), (Some(130.0), Some(1_000.0)));
        assert_eq!(over_starts(&[windows.clone(), windows]), Load::Overloaded);
    }

    #[test]
    fn one_of_the_two_signs_is_not_enough() {
        // A burst at the end: 95% answered, but the backlog shrank in two of three windows.
        let burst = [window(1_000, 9, 9), window(1_000, 30, 30), window(850, 0, 150)];
        assert!(!Carried::of(&burst).is_overloaded());
        // A queue that happens to be longer at each window's end.
        assert!(!Carried::of(&[window(999, 3, 4), window(998, 2, 4)]).is_overloaded());
        // Half of the windows are not most.
        assert!(!Carried::of(&[window(900, 0, 100), window(900, 100, 90)]).is_overloaded());
    }

    #[test]
    fn the_threshold_itself_is_carried() {
        assert!(!Carried::of(&[window(980, 0, 20)]).is_overloaded());
        assert!(Carried::of(&[window(979, 0, 21)]).is_overloaded());
    }

    #[test]
    fn some_starts_are_the_edge_and_most_are_the_verdict() {
        let (bad, good) = (vec![window(500, 0, 500)], vec![window(1_000, 5, 5)]);
        assert_eq!(over_starts(&[good.clone(), good.clone()]), Load::Carried);
        let half = [bad.clone(), good.clone(), vec![]];
        assert_eq!(over_starts(&half), Load::AtTheEdge { overloaded: 1, starts: 2 });
        assert_eq!(over_starts(&[bad.clone(), good, bad]), Load::Overloaded);
    }

    #[test]
    fn nothing_measured_is_no_overload_and_no_rate() {
        assert_eq!(over_starts(&[]), Load::Carried);
        let nothing = Carried::of(&[]);
        assert!(!nothing.is_overloaded());
        assert_eq!((nothing.answered_per_second(), nothing.due_per_second()), (None, None));
    }
}
