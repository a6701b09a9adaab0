//! How fast an open loop is, as time goes by.
//!
//! One mechanism serves every shape. Arrivals are drawn at a steady *nominal* rate, on a nominal time axis; a shape says
//! when on the run's axis a nominal instant is. A Poisson process so stretched is the inhomogeneous Poisson process of
//! the shape's rate, and the other way round its due times, brought back by [`Rate::expected`], are again
//! a steady process (the time-rescaling theorem, for instance Brown et al., "The time-rescaling theorem and its
//! application to neural spike train data analysis", 2002): that is how a drawn schedule is tested.

use serde::{Deserialize, Serialize};

/// Requests per second over all connections and threads of a stream, as a function of the time since the run's start
/// (its warm-up included).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Rate {
    /// The same all the time, in requests per second.
    Steady(f64),
    /// A straight line from one rate to another, and the latter from then on.
    Ramp {
        /// Requests per second at the run's start.
        from: f64,
        /// Requests per second at the ramp's end.
        to: f64,
        /// The ramp's length in seconds.
        over_s: f64,
    },
    /// Requests for a while, none for a while, and again.
    Bursts {
        /// Requests per second while there are any.
        per_second: f64,
        /// How long they come, in seconds.
        on_s: f64,
        /// How long they do not, in seconds.
        off_s: f64,
    },
}

impl From<f64> for Rate {
    fn from(per_second: f64) -> Self {
        Rate::Steady(per_second)
    }
}

impl Rate {
    /// The lowest rate, in requests per second: one in eleven days.
    pub const LEAST_PER_SECOND: f64 = 1e-6;

    /// The highest rate, in requests per second. What is due is counted one by one, whether or not it can be sent; a thread
    /// counts so many in 0.05 to 0.15 s here (`harness load -q 1e7`, with and without `--poisson`), and sends a hundredth.
    pub const MOST_PER_SECOND: f64 = 1e7;

    /// Whether requests can be drawn at it.
    pub(crate) fn is_sound(self) -> bool {
        let rate = |per_second: f64| (Self::LEAST_PER_SECOND..=Self::MOST_PER_SECOND).contains(&per_second);
        let end = |per_second: f64| per_second == 0.0 || rate(per_second);
        let length = |seconds: f64| seconds.is_finite() && seconds > 0.0;
        match self {
            Rate::Steady(per_second) => rate(per_second),
            Rate::Ramp { from, to, over_s } => end(from) && end(to) && from.max(to) > 0.0 && length(over_s),
            Rate::Bursts { per_second, on_s, off_s } => {
                rate(per_second) && length(on_s) && off_s.is_finite() && off_s >= 0.0
            }
        }
    }

    /// The highest rate it ever has, in requests per second.
    pub fn peak_per_second(self) -> f64 {
        match self {
            Rate::Steady(per_second) | Rate::Bursts { per_second, .. } => per_second,
            Rate::Ramp { from, to, .. } => from.max(to),
        }
    }

    /// The rate over all the time that a shape repeats itself in, in requests per second: of bursts that of a burst with its pause, of a ramp
    /// the mean of its two ends.
    pub fn mean_per_second(self) -> f64 {
        match self {
            Rate::Steady(per_second) => per_second,
            Rate::Bursts { per_second, on_s, off_s } => per_second * on_s / (on_s + off_s),
            Rate::Ramp { from, to, .. } => (from + to) / 2.0,
        }
    }

    /// The same shape at this part of its rate.
    pub fn times(self, part: f64) -> Self {
        match self {
            Rate::Steady(per_second) => Rate::Steady(per_second * part),
            Rate::Bursts { per_second, on_s, off_s } => {
                Rate::Bursts { per_second: per_second * part, on_s, off_s }
            }
            Rate::Ramp { from, to, over_s } => Rate::Ramp { from: from * part, to: to * part, over_s },
        }
    }

    /// When on the run's axis the nominal instant is, both in nanoseconds; infinite when it never comes.
    #[inline]
    pub(crate) fn due_ns(self, nominal_ns: f64) -> f64 {
        match self {
            Rate::Steady(_) => nominal_ns,
            Rate::Ramp { from, to, over_s } => {
                let expected = nominal_ns * 1e-9 * self.peak_per_second();
                1e9 * ramp_reaches(from, to, over_s, expected)
            }
            Rate::Bursts { on_s, off_s, .. } => {
                let on_ns = on_s * 1e9;
                let bursts = (nominal_ns / on_ns).floor();
                nominal_ns + bursts * off_s * 1e9
            }
        }
    }

    /// How many requests are expected to be due until `at_ns`: the integral of the rate since the run's start.
    pub fn expected(self, at_ns: u64) -> f64 {
        let at_s = at_ns as f64 * 1e-9;
        match self {
            Rate::Steady(per_second) => per_second * at_s,
            Rate::Ramp { from, to, over_s } => {
                let on_ramp_s = at_s.min(over_s);
                let on_ramp = on_ramp_s * (from + (to - from) * on_ramp_s / (2.0 * over_s));
                on_ramp + to * (at_s - on_ramp_s)
            }
            Rate::Bursts { per_second, on_s, off_s } => {
                let periods = (at_s / (on_s + off_s)).floor();
                let within_s = (at_s - periods * (on_s + off_s)).min(on_s);
                per_second * (periods * on_s + within_s)
            }
        }
    }
}

/// The instant in seconds at which a ramp has brought `expected` requests.
///
/// On the ramp, `expected = from t + a t^2` with `a = (to - from) / (2 over)`; this form of the quadratic's root
/// subtracts nothing, so it is as good for flat ramps as for steep ones.
fn ramp_reaches(from: f64, to: f64, over_s: f64, expected: f64) -> f64 {
    let whole = over_s * (from + to) / 2.0;
    if expected > whole {
        return over_s + (expected - whole) / to;
    }
    if expected <= 0.0 {
        return 0.0;
    }
    let a = (to - from) / (2.0 * over_s);
    2.0 * expected / (from + (from * from + 4.0 * a * expected).max(0.0).sqrt())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_rates_that_bring_requests_are_sound() {
        for bad in [0.0, -1.0, 1e-300, 9e-7, 2e7, 1e300, f64::NAN, f64::INFINITY] {
            assert!(!Rate::Steady(bad).is_sound(), "{bad}");
            assert!(!Rate::Ramp { from: 1.0, to: bad, over_s: 0.0 }.is_sound(), "{bad}");
            assert!(!Rate::Bursts { per_second: bad, on_s: 1.0, off_s: 1.0 }.is_sound(), "{bad}");
        }
        for at_the_edge in [Rate::LEAST_PER_SECOND, Rate::MOST_PER_SECOND] {
            assert!(Rate::Steady(at_the_edge).is_sound());
        }
        assert!(!Rate::Ramp { from: 0.0, to: 0.0, over_s: 1.0 }.is_sound());
        assert!(!Rate::Bursts { per_second: 1.0, on_s: 0.0, off_s: 1.0 }.is_sound());
        assert!(Rate::Ramp { from: 0.0, to: 5.0, over_s: 1.0 }.is_sound());
        assert!(Rate::Bursts { per_second: 1.0, on_s: 0.1, off_s: 0.0 }.is_sound());
    }

    #[test]
    fn a_shape_at_a_part_of_its_rate_has_that_part_of_its_mean() {
        for rate in [
            Rate::Steady(100.0),
            Rate::Ramp { from: 50.0, to: 150.0, over_s: 2.0 },
            Rate::Bursts { per_second: 400.0, on_s: 0.05, off_s: 0.15 },
        ] {
            assert!((rate.mean_per_second() - 100.0).abs() < 1e-9, "{rate:?}");
            assert!((rate.times(0.25).mean_per_second() - 25.0).abs() < 1e-9, "{rate:?}");
        }
    }

    #[test]
    fn a_ramp_from_nothing_brings_the_area_of_its_triangle() {
        let ramp = Rate::Ramp { from: 0.0, to: 100.0, over_s: 10.0 };
        assert_eq!(ramp.expected(10_000_000_000), 500.0);
        assert_eq!(ramp.expected(12_000_000_000), 700.0);
        // A quarter of the triangle's area lies below half of its height.
        assert_eq!(ramp.expected(5_000_000_000), 125.0);
    }

    #[test]
    fn a_ramp_down_to_nothing_ends() {
        let ramp = Rate::Ramp { from: 10.0, to: 0.0, over_s: 2.0 };
        assert_eq!(ramp.due_ns(1e9), 2e9);
        assert_eq!(ramp.due_ns(1.1e9), f64::INFINITY);
    }

    #[test]
    fn between_bursts_nothing_is_due() {
        let bursts = Rate::Bursts { per_second: 10.0, on_s: 0.5, off_s: 2.0 };
        assert_eq!([0.0, 0.4e9, 0.5e9, 1.0e9].map(|at| bursts.due_ns(at)), [0.0, 0.4e9, 2.5e9, 5.0e9]);
        assert_eq!(bursts.expected(2_400_000_000), 5.0);
        assert!((bursts.expected(2_600_000_000) - 6.0).abs() < 1e-9);
    }

    fn rates() -> impl Strategy<Value = Rate> {
        let rate = 1.0_f64..1e5;
        prop_oneof![
            rate.clone().prop_map(Rate::Steady),
            (rate.clone(), rate.clone(), 0.1_f64..100.0).prop_map(|(from, to, over_s)| Rate::Ramp {
                from,
                to,
                over_s
            }),
            (rate, 0.01_f64..5.0, 0.0_f64..5.0).prop_map(|(per_second, on_s, off_s)| Rate::Bursts {
                per_second,
                on_s,
                off_s
            }),
        ]
    }

    proptest! {
        #[test]
        fn as_many_are_due_until_an_instant_as_are_expected_until_then(rate in rates(), nominal_s in 0.0_f64..200.0) {
            let due_ns = rate.due_ns(nominal_s * 1e9);
            let expected = rate.expected(due_ns as u64);
            let drawn = nominal_s * rate.peak_per_second();
            prop_assert!((expected - drawn).abs() < 1e-3 + 1e-6 * drawn, "{rate:?}: {expected}, not {drawn}");
        }

        #[test]
        fn later_is_never_due_earlier(rate in rates(), nominal_s in 0.0_f64..200.0, step_s in 0.0_f64..1.0) {
            prop_assert!(rate.due_ns(nominal_s * 1e9) <= rate.due_ns((nominal_s + step_s) * 1e9));
        }
    }

    #[test]
    fn a_rate_reads_back_as_it_was_written() {
        for (rate, text) in [
            (Rate::Steady(1.5), "1.5"),
            (Rate::Ramp { from: 1.0, to: 2.5, over_s: 10.0 }, r#"{"from":1.0,"to":2.5,"over_s":10.0}"#),
            (
                Rate::Bursts { per_second: 8.0, on_s: 0.25, off_s: 2.0 },
                r#"{"per_second":8.0,"on_s":0.25,"off_s":2.0}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&rate).expect("it serialises"), text);
            assert_eq!(serde_json::from_str::<Rate>(text).expect("it reads back"), rate);
        }
    }
}
