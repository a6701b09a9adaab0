//! How many independent slow moments stand behind a percentile.
//!
//! A stall of a millisecond makes twenty requests slow at once, and is one event: the p99 of a million requests can rest on
//! three of them. So requests above the percentile are counted in clusters, which are parted by a time without any (runs
//! declustering, Smith and Weissman, Journal of the Royal Statistical Society B 56, 1994). A percentile with fewer than
//! about ten behind it is not printed; what is printed is how much more measuring it takes.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Requests above a percentile belong to one cluster unless so much time without another lies between them: longer than
/// any stall that this project's servers share, and than the 10 ms of a scheduler's tick.
pub const PARTED_BY: Duration = Duration::from_millis(20);

/// Clusters that a percentile needs. The count of ten independent events has a relative error of `1 / sqrt(10)`, a third.
pub const ENOUGH: u64 = 10;

/// Clusters of exceedances over a time measured. Windows are added up: what happened in one has nothing to do with the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clusters {
    /// How many clusters there were.
    pub count: u64,
    /// How long was looked.
    pub measured: Duration,
}

/// Whether a percentile may be printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Support {
    /// It may.
    Enough,
    /// It needs about so much more time in windows, at the rate at which clusters came.
    Needs {
        /// The time in windows; the time of a run is longer by what lies between them.
        more: Duration,
    },
    /// Nothing exceeded it, so that nothing says how long it would take.
    Nothing,
}

impl Clusters {
    /// From one window: the times, from any one origin, at which requests that exceed the percentile were due, ascending.
    pub fn of_times(times: impl IntoIterator<Item = Duration>, window: Duration) -> Self {
        let mut last: Option<Duration> = None;
        let mut count = 0;
        for time in times {
            count += u64::from(last.is_none_or(|last| time.saturating_sub(last) >= PARTED_BY));
            last = Some(time);
        }
        Self { count, measured: window }
    }

    /// From one window that was recorded in slices: how many requests of each slice exceed the percentile. Two slices are
    /// parted only if all their requests must be, so that there are never more clusters than the times would give.
    pub fn of_slices(exceeding: &[u64], slice: Duration, window: Duration) -> Self {
        let mut last: Option<usize> = None;
        let mut count = 0;
        for (at, _) in exceeding.iter().enumerate().filter(|(_, requests)| **requests > 0) {
            // Between a request late in one slice and one early in another lie the slices between them.
            let parted = |last: usize| slice * (at - last - 1) as u32 >= PARTED_BY;
            count += u64::from(last.is_none_or(parted));
            last = Some(at);
        }
        Self { count, measured: window }
    }

    /// Adds another window's.
    pub fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.measured += other.measured;
    }

    /// Whether that is [`ENOUGH`].
    pub fn support(&self) -> Support {
        match self.count {
            0 => Support::Nothing,
            count if count >= ENOUGH => Support::Enough,
            count => Support::Needs { more: self.measured.mul_f64((ENOUGH - count) as f64 / count as f64) },
        }
    }
}

impl std::iter::Sum for Clusters {
    fn sum<I: Iterator<Item = Self>>(windows: I) -> Self {
        windows.fold(Self::default(), |mut all, window| {
            all.add(&window);
            all
        })
    }
}

/// In minutes, rounded up: `needs 3 more minutes`.
impl fmt::Display for Support {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enough => f.write_str("enough"),
            Self::Nothing => f.write_str("nothing exceeded it"),
            Self::Needs { more } => {
                let minutes = more.as_millis().div_ceil(60_000).max(1);
                write!(f, "needs {minutes} more minute{}", if minutes == 1 { "" } else { "s" })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SLICE: Duration = Duration::from_millis(10);
    const WINDOW: Duration = Duration::from_millis(250);

    fn times(ms: &[u64]) -> u64 {
        Clusters::of_times(ms.iter().copied().map(Duration::from_millis), WINDOW).count
    }

    #[test]
    fn a_cluster_goes_on_for_as_long_as_its_requests_follow_each_other() {
        assert_eq!(times(&[]), 0);
        assert_eq!(times(&[5, 6, 6, 7]), 1);
        assert_eq!(times(&[0, 19, 38, 57, 76]), 1);
        assert_eq!(times(&[0, 20, 39, 60]), 3);
    }

    #[test]
    fn slices_are_parted_by_two_empty_ones() {
        let slices = |exceeding: &[u64]| Clusters::of_slices(exceeding, SLICE, WINDOW).count;
        assert_eq!(slices(&[]), 0);
        assert_eq!(slices(&[3, 0, 9, 1]), 1);
        assert_eq!(slices(&[3, 0, 0, 9]), 2);
        assert_eq!(slices(&[0, 1, 0, 1, 0, 0, 0, 1]), 2);
    }

    #[test]
    fn ten_are_enough_and_fewer_say_how_much_longer() {
        let of =
            |count: u64, seconds: u64| Clusters { count, measured: Duration::from_secs(seconds) }.support();
        assert_eq!(of(10, 1), Support::Enough);
        assert_eq!(of(4, 60), Support::Needs { more: Duration::from_secs(90) });
        assert_eq!(of(0, 600), Support::Nothing);
        let shown: Vec<_> = [of(4, 60), of(9, 1), of(1, 60)].iter().map(Support::to_string).collect();
        assert_eq!(shown, ["needs 2 more minutes", "needs 1 more minute", "needs 9 more minutes"]);
    }

    #[test]
    fn windows_are_added_up() {
        let window = |count| Clusters { count, measured: WINDOW };
        let all: Clusters = (0..4).map(window).sum();
        assert_eq!(all, Clusters { count: 6, measured: Duration::from_secs(1) });
    }

    proptest! {
        #[test]
        fn slices_never_give_more_clusters_than_times(mut us in prop::collection::vec(0_u64..250_000, 0..40)) {
            us.sort_unstable();
            let mut slices = vec![0; 25];
            us.iter().for_each(|us| slices[(us / 10_000) as usize] += 1);
            let by_time = Clusters::of_times(us.iter().copied().map(Duration::from_micros), WINDOW).count;
            let by_slice = Clusters::of_slices(&slices, SLICE, WINDOW).count;
            prop_assert!(by_slice <= by_time && (by_slice > 0) == (by_time > 0), "{by_slice} of {by_time}");
        }
    }
}
