//! How surely a percentile of one run is known, when its requests are not independent of each other.
//!
//! The interval lies between two order statistics and supposes no distribution. Dependence is taken into account by
//! one number, how often over the requests tell the same thing: see [`crate::Serial`]. An interval that the run cannot
//! give is refused, with how many requests it would take.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::censored::Censored;

/// The normal quantile of a two-sided interval at 99%.
pub const Z_99: f64 = 2.575_829_303_548_901;

/// A confidence interval for a percentile, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PercentileInterval {
    /// Between two of the recorded values.
    Between {
        /// Lower end in nanoseconds.
        low_ns: u64,
        /// Upper end in nanoseconds.
        high_ns: u64,
    },
    /// The upper end lies among requests that were never answered.
    AtLeast {
        /// Lower end in nanoseconds.
        low_ns: u64,
    },
    /// An end lies beyond the values of the run.
    CannotTell {
        /// How many requests with the same dependence would do. `None` where no number does: for the extremes, which
        /// have no such interval, and for a dependence that is no number.
        needs: Option<u64>,
    },
}

impl PercentileInterval {
    /// The interval for the `q`-quantile of `all`, with `z` the normal quantile of its level ([`Z_99`], or 1.96 for
    /// 95%) and `inflation` the variance inflation of the run: 1 for independent requests, and 1 where it is less. The
    /// ends are the values of ranks `floor(nq - h)` and `ceil(nq + h) + 1`, with `h = z sqrt(inflation n q (1 - q))`: the
    /// ranks of [`Censored::rank_interval`] for as many requests as were really independent.
    ///
    /// The inflation that belongs here is that of the indicator "took longer than the percentile". That of the times
    /// themselves stands in for it, and is mostly the larger one. `None` when `all` is empty, `q` is not in `0..=1`, or
    /// `z` is negative or not finite.
    pub fn new(all: &Censored, q: f64, z: f64, inflation: f64) -> Option<Self> {
        if !inflation.is_finite() {
            return all.rank_interval(q, z).map(|_| Self::CannotTell { needs: None });
        }
        let z = z * inflation.max(1.0).sqrt();
        let interval = all.rank_interval(q, z)?;
        let needs = requests_needed(q, z);
        // Both ranks exist from this number on, whether or not what has them was answered.
        if needs.is_none_or(|needs| all.len() < needs) {
            return Some(Self::CannotTell { needs });
        }
        Some(match interval.high_ns {
            Some(high_ns) => Self::Between { low_ns: interval.low_ns, high_ns },
            None => Self::AtLeast { low_ns: interval.low_ns },
        })
    }
}

/// The least number of requests from which on both ranks lie within them. `None` when none does.
fn requests_needed(q: f64, z: f64) -> Option<u64> {
    if q <= 0.0 || q >= 1.0 {
        return None;
    }
    let spread = z * (q * (1.0 - q)).sqrt();
    // nq - spread sqrt(n) >= 1 below, and n(1 - q) - spread sqrt(n) >= 2 above, whatever is rounded: both are
    // quadratics in sqrt(n).
    let least = |share: f64, room: f64| {
        let root = (spread + (spread * spread + 4.0 * share * room).sqrt()) / (2.0 * share);
        (root * root).ceil()
    };
    let needed = least(q, 1.0).max(least(1.0 - q, 2.0));
    // Beyond 2^53 a count is no longer exact, and nobody waits for it.
    (needed <= 9e15).then_some(needed as u64)
}

/// Both ends with their unit, `> x` where the upper one was never answered, or how many requests it would take; a
/// precision sets the decimals (`{:.2}`).
impl fmt::Display for PercentileInterval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let print = |ns: u64, f: &mut fmt::Formatter<'_>| fmt::Debug::fmt(&Duration::from_nanos(ns), f);
        match *self {
            Self::Between { low_ns, high_ns } => {
                print(low_ns, f)?;
                f.write_str(" to ")?;
                print(high_ns, f)
            }
            Self::AtLeast { low_ns } => {
                f.write_str("> ")?;
                print(low_ns, f)
            }
            Self::CannotTell { needs: Some(needs) } => write!(f, "needs {needs} requests"),
            Self::CannotTell { needs: None } => f.write_str("cannot tell"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lcg::Lcg;

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
    fn independent_requests_have_the_ranks_of_the_printed_table() {
        // Le Boudec's table: x(40) to x(61) for the median of 100 at 95%.
        let interval = PercentileInterval::new(&recorded(1..=100, &[]), 0.5, 1.96, 1.0).expect("requests");
        let PercentileInterval::Between { low_ns, high_ns } = interval else { panic!("{interval}") };
        assert!(about(low_ns, 40) && about(high_ns, 61));
    }

    #[test]
    fn requests_that_tell_the_same_four_times_have_twice_the_width() {
        let all = recorded(1..=100, &[]);
        let interval = PercentileInterval::new(&all, 0.5, 1.96, 4.0).expect("requests");
        let PercentileInterval::Between { low_ns, high_ns } = interval else { panic!("{interval}") };
        // 50 +- 1.96 sqrt(4 x 25) = 30.4 to 69.6: ranks 30 and 71.
        assert!(about(low_ns, 30) && about(high_ns, 71), "{interval}");
        assert_eq!(
            PercentileInterval::new(&all, 0.5, 1.96, 0.1),
            PercentileInterval::new(&all, 0.5, 1.96, 1.0)
        );
    }

    #[test]
    fn a_percentile_that_the_run_is_too_short_for_is_refused_with_what_it_takes() {
        let interval = PercentileInterval::new(&recorded(1..=100, &[]), 0.99, 1.96, 1.0).expect("requests");
        let PercentileInterval::CannotTell { needs: Some(needs) } = interval else { panic!("{interval}") };
        assert!((600..800).contains(&needs), "{needs}");
        let enough = PercentileInterval::new(&recorded(1..=needs, &[]), 0.99, 1.96, 1.0).expect("requests");
        assert!(matches!(enough, PercentileInterval::Between { .. }), "{enough}");
    }

    #[test]
    fn the_unanswered_leave_a_percentile_with_a_lower_end_alone() {
        let all = recorded((1..=960).map(|_| 10), &[5_000; 200]);
        let interval = PercentileInterval::new(&all, 0.8, Z_99, 1.0).expect("requests");
        assert!(
            matches!(interval, PercentileInterval::AtLeast { low_ns } if about(low_ns, 10)),
            "{interval}"
        );
    }

    #[test]
    fn the_extremes_and_an_endless_dependence_have_no_interval() {
        let all = recorded(1..=1_000, &[]);
        let refused = Some(PercentileInterval::CannotTell { needs: None });
        assert_eq!(PercentileInterval::new(&all, 1.0, Z_99, 1.0), refused);
        assert_eq!(PercentileInterval::new(&all, 0.5, Z_99, f64::INFINITY), refused);
        assert_eq!(PercentileInterval::new(&all, 0.5, Z_99, f64::NAN), refused);
        assert_eq!(PercentileInterval::new(&Censored::new(), 0.5, Z_99, 1.0), None);
        assert_eq!(PercentileInterval::new(&all, f64::NAN, Z_99, 1.0), None);
    }

    #[test]
    fn intervals_print_as_they_are_read() {
        let between = PercentileInterval::Between { low_ns: 1_250_000, high_ns: 2_000_000 };
        assert_eq!(format!("{between:.2}"), "1.25ms to 2.00ms");
        assert_eq!(PercentileInterval::AtLeast { low_ns: 5_000_000_000 }.to_string(), "> 5s");
        assert_eq!(PercentileInterval::CannotTell { needs: Some(1_200) }.to_string(), "needs 1200 requests");
        assert_eq!(PercentileInterval::CannotTell { needs: None }.to_string(), "cannot tell");
    }

    #[test]
    fn intervals_cover_the_true_percentile_as_often_as_they_say_under_dependence_too() {
        // Runs in which every value comes ten times: the inflation is 10. The true p90 of an exponential is ln 10.
        let (mut lcg, runs) = (Lcg::new(17), 300);
        let truth_ns = (10.0_f64.ln() * 1e6) as u64;
        let mut covered = |inflation: f64| {
            let covers = (0..runs).filter(|_| {
                let mut all = Censored::new();
                for _ in 0..300 {
                    let ns = (-lcg.uniform().ln() * 1e6) as u64;
                    (0..10).for_each(|_| all.record_ns(ns));
                }
                let interval = PercentileInterval::new(&all, 0.9, Z_99, inflation).expect("requests");
                let PercentileInterval::Between { low_ns, high_ns } = interval else { panic!("{interval}") };
                (low_ns..=high_ns).contains(&truth_ns)
            });
            covers.count()
        };
        // Binomial(300, 0.99): 297 and a standard deviation of 1.7. As if independent, about 60% would.
        assert!(covered(10.0) >= 291);
        assert!(covered(1.0) < 240);
    }

    proptest! {
        #[test]
        fn from_the_number_that_it_needs_on_an_interval_is_always_given(
            q in 0.01_f64..0.995, inflation in 1.0_f64..20.0, more in 0_u64..500,
        ) {
            let needed = requests_needed(q, Z_99 * inflation.sqrt()).expect("a finite number");
            let n = needed + more;
            let mut all = Censored::new();
            for ns in 0..n.min(300_000) {
                all.record_ns(1_000_000 + ns);
            }
            if n < 300_000 {
                let interval = PercentileInterval::new(&all, q, Z_99, inflation).expect("requests");
                let is_between = matches!(interval, PercentileInterval::Between { low_ns, .. } if low_ns > 0);
                prop_assert!(is_between, "{interval} for {n}");
            }
        }
    }
}
