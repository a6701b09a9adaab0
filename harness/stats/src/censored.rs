//! Distributions in which some requests were never answered.
//!
//! A request that was abandoned after `x` took longer than `x`: that much is known, and leaving it out would reward
//! a server for not answering. It stays in the distribution as "more than `x`", and every quantile says whether it
//! is known exactly or only from below. Nothing is assumed about how long the request would have taken.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    cells::Cells,
    histogram::{HIGHEST_NS, Histogram, rank_of},
};

/// Durations of answered requests, and the ages at which the others were given up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Censored<C = Histogram> {
    answered: C,
    /// Ages of requests still unanswered when last looked at: lower bounds of durations.
    given_up: C,
}

/// A quantile, as far as the data tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Quantile {
    /// The value in nanoseconds, within the resolution of [`Histogram`].
    #[serde(rename = "exactly_ns")]
    Exactly(u64),
    /// The value in nanoseconds that the quantile is known to reach; a report prints `> x`.
    #[serde(rename = "at_least_ns")]
    AtLeast(u64),
}

/// A confidence interval for a quantile, between two of the recorded values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RankInterval {
    /// Lower end in nanoseconds; 0 when too few values lie below for the data to bound it.
    pub low_ns: u64,
    /// Upper end in nanoseconds; `None` when the data do not bound it: too few values lie above, or what lies there
    /// was never answered.
    pub high_ns: Option<u64>,
}

impl Quantile {
    /// The number in nanoseconds, whether it is the value or a bound of it. To compare rows by it favours the row
    /// with unanswered requests, so a row that still loses has lost.
    pub fn ns(self) -> u64 {
        match self {
            Self::Exactly(ns) | Self::AtLeast(ns) => ns,
        }
    }

    /// Whether this is only a lower bound.
    pub fn is_bound(self) -> bool {
        matches!(self, Self::AtLeast(_))
    }
}

/// The duration with its unit, led by `> ` when it is only a bound; a precision sets the decimals (`{:.2}`).
impl fmt::Display for Quantile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_bound() {
            f.write_str("> ")?;
        }
        fmt::Debug::fmt(&Duration::from_nanos(self.ns()), f)
    }
}

impl Censored {
    /// An empty distribution. This is the only place that allocates.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts an answered request. Never allocates or fails.
    #[inline]
    pub fn record(&mut self, duration: Duration) {
        self.answered.record(duration);
    }

    /// Counts an answered request, in nanoseconds. Never allocates or fails.
    #[inline]
    pub fn record_ns(&mut self, ns: u64) {
        self.answered.record_ns(ns);
    }

    /// Counts a request that was still unanswered at this age. Never allocates or fails.
    #[inline]
    pub fn give_up(&mut self, age: Duration) {
        self.given_up.record(age);
    }

    /// Counts a request that was still unanswered at this age in nanoseconds. Never allocates or fails.
    #[inline]
    pub fn give_up_ns(&mut self, age_ns: u64) {
        self.given_up.record_ns(age_ns);
    }
}

impl<C: Cells + Clone> Censored<C> {
    /// From the durations of what was answered, and the ages at which the rest was given up.
    pub fn from_parts(answered: C, given_up: C) -> Self {
        Self { answered, given_up }
    }

    /// Adds the counts of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.answered.merge(&other.answered);
        self.given_up.merge(&other.given_up);
    }

    /// Forgets everything recorded and keeps the memory.
    pub fn reset(&mut self) {
        self.answered.reset();
        self.given_up.reset();
    }

    /// The answered requests alone. Its quantiles leave out the worst requests: never report them as the row's.
    pub fn answered(&self) -> &C {
        &self.answered
    }

    /// The ages at which the unanswered requests were given up.
    pub fn given_up(&self) -> &C {
        &self.given_up
    }

    /// How many requests were recorded, answered or not.
    pub fn len(&self) -> u64 {
        self.answered.len() + self.given_up.len()
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many requests are only known to have taken longer than some age.
    pub fn censored(&self) -> u64 {
        self.given_up.len()
    }

    /// The `q`-quantile over all requests. `None` when empty or when `q` is not in `0..=1`.
    ///
    /// It is exact when it is the same whatever the unanswered requests would have taken. Otherwise it is the value
    /// reached even had each of them been answered the moment it was given up.
    pub fn quantile(&self, q: f64) -> Option<Quantile> {
        let rank = rank_of(q, self.len())?;
        self.value_at_rank(rank)
    }

    /// The value of rank `rank` among all requests, the shortest being 1.
    fn value_at_rank(&self, rank: u64) -> Option<Quantile> {
        if let Some((_, high)) = self.answered.cell_at_rank(rank)
            && self.given_up.min_ns().is_none_or(|earliest| earliest > high)
            && !self.is_clamped(high)
        {
            return Some(Quantile::Exactly(high));
        }
        let mut all = self.answered.clone();
        all.merge(&self.given_up);
        all.cell_at_rank(rank).map(|(low, _)| Quantile::AtLeast(low))
    }

    /// A confidence interval for the `q`-quantile within this one trial, with `z` the normal quantile of its level
    /// (1.96 for 95%): the values of ranks `floor(nq - z s)` and `ceil(nq + z s) + 1`, with `s = sqrt(nq(1 - q))`
    /// (Le Boudec, Performance Evaluation of Computer and Communication Systems, theorem 2.1).
    ///
    /// It supposes independent requests. Requests that meet in a queue are not, so it is too narrow as a statement
    /// about the server; the spread over trials is the honest one. It shows whether a trial was long enough to have
    /// the percentile at all. `None` when empty, when `q` is not in `0..=1`, or when `z` is negative or not finite.
    pub fn rank_interval(&self, q: f64, z: f64) -> Option<RankInterval> {
        let n = self.len();
        rank_of(q, n)?;
        if !(z.is_finite() && z >= 0.0) {
            return None;
        }
        let (low_rank, high_rank) = interval_ranks(n, q, z);
        let low_ns = low_rank.and_then(|rank| self.value_at_rank(rank)).map_or(0, Quantile::ns);
        let high_ns = high_rank.and_then(|rank| self.answered_by_rank(rank));
        Some(RankInterval { low_ns, high_ns })
    }

    /// An upper bound of the value of rank `rank`: the unanswered might all have come last.
    fn answered_by_rank(&self, rank: u64) -> Option<u64> {
        self.answered.cell_at_rank(rank).map(|(_, high)| high).filter(|&high| !self.is_clamped(high))
    }

    /// Whether the values of the cell that ends at `high` may be longer ones that were moved there.
    fn is_clamped(&self, high: u64) -> bool {
        high >= HIGHEST_NS && self.answered.clamped_above() > 0
    }
}

/// The two ranks, each `None` when it falls outside `1..=n`.
fn interval_ranks(n: u64, q: f64, z: f64) -> (Option<u64>, Option<u64>) {
    let expected = n as f64 * q;
    let half_width = z * (expected * (1.0 - q)).sqrt();
    let low = (expected - half_width).floor();
    let high = (expected + half_width).ceil() + 1.0;
    ((low >= 1.0).then_some(low as u64), (high <= n as f64).then_some(high as u64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn recorded(answered_ms: impl IntoIterator<Item = u64>, given_up_ms: &[u64]) -> Censored {
        let mut all = Censored::new();
        answered_ms.into_iter().for_each(|ms| all.record(Duration::from_millis(ms)));
        given_up_ms.iter().for_each(|&ms| all.give_up(Duration::from_millis(ms)));
        all
    }

    fn about(ns: u64, ms: u64) -> bool {
        (ns as f64 / (ms as f64 * 1e6) - 1.0).abs() <= 0.001
    }

    #[test]
    fn without_unanswered_requests_every_quantile_is_exact() {
        let all = recorded(1..=100, &[]);
        assert!(matches!(all.quantile(0.99), Some(Quantile::Exactly(ns)) if about(ns, 99)));
        assert!(matches!(all.quantile(1.0), Some(Quantile::Exactly(ns)) if about(ns, 100)));
    }

    #[test]
    fn a_quantile_among_unanswered_requests_is_a_lower_bound() {
        let all = recorded(1..=95, &[5_000; 5]);
        assert!(matches!(all.quantile(0.95), Some(Quantile::Exactly(ns)) if about(ns, 95)));
        assert!(matches!(all.quantile(0.96), Some(Quantile::AtLeast(ns)) if about(ns, 5_000)));
    }

    #[test]
    fn a_request_given_up_early_makes_later_quantiles_uncertain() {
        // The one given up at 10 ms may belong anywhere above: the median is then 50 ms or more.
        let all = recorded(1..=99, &[10]);
        assert!(matches!(all.quantile(0.09), Some(Quantile::Exactly(ns)) if about(ns, 9)));
        assert!(matches!(all.quantile(0.5), Some(Quantile::AtLeast(ns)) if about(ns, 49)));
    }

    #[test]
    fn a_server_that_never_answers_stays_in_the_distribution() {
        let all = recorded([], &[1_000; 3]);
        assert_eq!((all.len(), all.censored()), (3, 3));
        assert!(matches!(all.quantile(0.5), Some(Quantile::AtLeast(ns)) if about(ns, 1_000)));
    }

    #[test]
    fn an_answer_beyond_the_range_makes_its_quantile_a_lower_bound() {
        let all = recorded((1..=9).chain([90_000]), &[]);
        assert!(matches!(all.quantile(0.9), Some(Quantile::Exactly(ns)) if about(ns, 9)));
        assert!(matches!(all.quantile(1.0), Some(Quantile::AtLeast(ns)) if about(ns, 60_000)));
        assert_eq!(all.rank_interval(0.9, 0.0).and_then(|interval| interval.high_ns), None);
    }

    #[test]
    fn an_empty_distribution_has_no_quantile() {
        assert_eq!(Censored::new().quantile(0.5), None);
        assert_eq!(Censored::new().rank_interval(0.5, 1.96), None);
    }

    #[test]
    fn quantiles_print_with_their_unit_and_a_bound_as_more_than() {
        assert_eq!(format!("{:.1}", Quantile::Exactly(1_250_000)), "1.2ms");
        assert_eq!(format!("{}", Quantile::AtLeast(5_000_000_000)), "> 5s");
    }

    #[test]
    fn the_interval_of_the_median_of_a_hundred_is_between_ranks_40_and_61() {
        // The table of Le Boudec, appendix A: for n = 100 the 95% interval of the median is x(40) to x(61).
        assert_eq!(interval_ranks(100, 0.5, 1.96), (Some(40), Some(61)));
        let interval = recorded(1..=100, &[]).rank_interval(0.5, 1.96).expect("it is not empty");
        assert!(about(interval.low_ns, 40));
        assert!(interval.high_ns.is_some_and(|ns| about(ns, 61)));
    }

    #[test]
    fn too_few_values_above_a_percentile_leave_it_unbounded() {
        let interval = recorded(1..=100, &[]).rank_interval(0.99, 1.96).expect("it is not empty");
        assert!(about(interval.low_ns, 97));
        assert_eq!(interval.high_ns, None);
    }

    #[test]
    fn an_interval_that_reaches_the_unanswered_is_unbounded_above() {
        let interval = recorded(1..=55, &[5_000; 45]).rank_interval(0.5, 1.96).expect("it is not empty");
        assert!(about(interval.low_ns, 40));
        assert_eq!(interval.high_ns, None);
    }

    proptest! {
        #[test]
        fn no_outcome_of_the_unanswered_contradicts_a_quantile(
            answered in prop::collection::vec(1_u64..10_000, 1..60),
            given_up in prop::collection::vec((1_u64..10_000, 0_u64..20_000), 0..20),
            q in 0.0_f64..=1.0,
        ) {
            let ages: Vec<u64> = given_up.iter().map(|&(age, _)| age).collect();
            let all = recorded(answered.iter().copied(), &ages);
            let mut truth: Vec<u64> = answered;
            truth.extend(given_up.iter().map(|&(age, more)| age + more));
            truth.sort_unstable();
            let rank = rank_of(q, truth.len() as u64).expect("a valid q") as usize;
            let true_ms = truth[rank - 1];
            match all.quantile(q).expect("it is not empty") {
                Quantile::Exactly(ns) => prop_assert!(about(ns, true_ms), "{ns} ns against {true_ms} ms"),
                Quantile::AtLeast(ns) => prop_assert!(ns <= true_ms * 1_000_000, "{ns} ns above {true_ms} ms"),
            }
        }
    }
}
