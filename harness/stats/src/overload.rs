//! Whether a row carries the load that it is offered.
//!
//! Overloaded is a verdict and not a latency: where a backlog grows for as long as one looks, response times are those of
//! the window's length. Three signs must be there together, since each happens to sound rows: a burst that falls into the end of a start
//! leaves answers out, a queue that is longer at the end of a window is the ordinary half of all windows, and where requests take long
//! their number under way comes and goes by chance.
//!
//! How far by chance: in a window as many answers are missing as there are more requests under way at its end than at its beginning. With
//! random arrivals and no queue both numbers are Poisson's (M/G/infinity: Kleinrock, Queueing Systems I, section 3.4), with the mean
//! L = lambda T that Little's law gives, so that their difference has a variance of 2 L at most.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A row answers at least so much of what is due, or does not carry it.
pub const CARRIED: f64 = 0.98;
/// Standard deviations beyond which missing answers are no chance: one start in 740 would be called overloaded that is not.
const CHANCE: f64 = 3.0;

/// One window of an open loop.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Offered {
    /// Requests that were due in the window.
    pub due: u64,
    /// Right answers received in the window, whenever they were due.
    pub answered: u64,
    /// Its length.
    pub window: Duration,
    /// Requests under way at an instant, in the mean: those due a second times the mean response time (Little's law); zero where it is
    /// not known.
    pub under_way: f64,
}

/// Windows of one row added up: those of a start, or of all starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Carried {
    /// How many windows.
    pub windows: usize,
    /// In how many of them the backlog grew: less was answered than was due.
    pub growing: usize,
    /// Requests due.
    pub due: u64,
    /// Right answers within the windows.
    pub answered: u64,
    /// The windows' length together.
    pub measured: Duration,
    /// Requests under way at an instant, in the mean of each window, added up.
    pub under_way: f64,
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
            carried.growing += usize::from(window.answered < window.due);
            carried.due += window.due;
            carried.answered += window.answered;
            carried.measured += window.window;
            carried.under_way += window.under_way;
        }
        carried
    }

    /// Whether less than [`CARRIED`] of what was due was answered *and* the backlog grew in most windows: by chance, maybe.
    pub fn is_behind(&self) -> bool {
        (self.answered as f64) < CARRIED * self.due as f64 && 2 * self.growing > self.windows
    }

    /// Whether it [is behind](Self::is_behind), and by more than chance.
    pub fn is_overloaded(&self) -> bool {
        let missing = self.due as f64 - self.answered as f64;
        self.is_behind() && missing > CHANCE * (2.0 * self.under_way).sqrt()
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
    use crate::lcg::Lcg;
    use proptest::prelude::*;

    fn window(due: u64, answered: u64) -> Offered {
        Offered { due, answered, window: Duration::from_secs(1), under_way: 0.0 }
    }

    #[test]
    fn a_row_that_answers_130_of_1000_is_overloaded_and_says_what_it_carries() {
        let windows: Vec<Offered> =
            [130, 128, 132].map(|answered| Offered { under_way: 435.0, ..window(1_000, answered) }).to_vec();
        let carried = Carried::of(&windows);
        assert!(carried.is_overloaded());
        assert_eq!((carried.answered_per_second(), carried.due_per_second()), (Some(130.0), Some(1_000.0)));
        assert_eq!(over_starts(&[windows.clone(), windows]), Load::Overloaded);
    }

    #[test]
    fn a_backlog_that_grows_by_a_tenth_of_what_is_due_is_no_chance() {
        // From nothing to 100, so that 50 are under way in the mean.
        assert!(Carried::of(&[Offered { under_way: 50.0, ..window(1_000, 900) }]).is_overloaded());
    }

    #[test]
    fn one_of_the_signs_is_not_enough() {
        // A burst at the end: 95% answered, but all of it in two of three windows.
        let burst = [window(1_000, 1_000), window(1_000, 1_000), window(1_000, 850)];
        assert!(!Carried::of(&burst).is_overloaded());
        // A queue that happens to be longer at each window's end.
        assert!(!Carried::of(&[window(1_000, 999), window(1_000, 998)]).is_overloaded());
        // Half of the windows are not most.
        assert!(!Carried::of(&[window(1_000, 900), window(1_000, 1_010)]).is_overloaded());
        // 240 are under way by chance: 22 more or fewer at an instant.
        assert!(!Carried::of(&[Offered { under_way: 240.0, ..window(1_000, 940) }]).is_overloaded());
    }

    #[test]
    fn the_threshold_itself_is_carried() {
        assert!(!Carried::of(&[window(1_000, 980)]).is_overloaded());
        assert!(Carried::of(&[window(1_000, 979)]).is_overloaded());
    }

    #[test]
    fn some_starts_are_the_edge_and_most_are_the_verdict() {
        let (bad, good) = (vec![window(1_000, 500)], vec![window(1_000, 1_000)]);
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

    /// A window of a second of a server that answers everything `time` seconds after it was due, with random arrivals since long before.
    fn without_a_queue(per_second: f64, time: f64, random: &mut Lcg) -> Offered {
        let (mut at, mut due, mut answered) = (-2.0 * time, 0, 0);
        while at < 1.0 {
            at -= random.uniform().ln() / per_second;
            due += u64::from((0.0..1.0).contains(&at));
            answered += u64::from((0.0..1.0).contains(&(at + time)));
        }
        Offered { due, answered, window: Duration::from_secs(1), under_way: due as f64 * time }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn a_server_without_a_queue_is_not_overloaded_however_long_its_answers_take(
            seed: u64, per_second in 20.0..2_000.0, time in 0.001..2.0
        ) {
            let mut random = Lcg::new(seed);
            let starts = 200;
            let overloaded = (0..starts)
                .filter(|_| {
                    let windows = [(); 2].map(|()| without_a_queue(per_second, time, &mut random));
                    Carried::of(&windows).is_overloaded()
                })
                .count();
            prop_assert!(overloaded <= 3, "{overloaded} of {starts} starts");
        }
    }
}
