//! How far another host's clock is from one's own, from four timestamps.
//!
//! One host asks and the other answers: asked (own clock), received and answered (the other's), heard (own). What went on between
//! asked and heard beside the other's own work is the round trip. However it was divided between the way there and the way back, the
//! other clock is ahead by half of the sum of its differences, within half of the round trip (D. L. Mills, RFC 5905, section 8).
//! Of many exchanges the one counts whose round trip was least; the others say whether a clock was set meanwhile.

use serde::{Deserialize, Serialize};

/// What two clocks may run apart while they are compared, as a part of the time that passes: adjtimex(2) slews by at most this.
const DRIFT: f64 = 500e-6;
/// What timestamps are read to, in nanoseconds, beside that.
const READ_TO_NS: i64 = 1_000;

/// One exchange: instants in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// When it was asked, by one's own clock.
    pub asked_ns: i64,
    /// When the other received that, by its own.
    pub received_ns: i64,
    /// When the other answered, by its own.
    pub answered_ns: i64,
    /// When the answer came, by one's own clock.
    pub heard_ns: i64,
}

/// How far the other clock is ahead of one's own: what it says is this much later. Negative where it is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offset {
    /// The middle of what it may be, in nanoseconds.
    pub offset_ns: i64,
    /// How far from that it may be at most, in nanoseconds.
    pub bound_ns: i64,
}

/// Why exchanges tell no offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OffsetError {
    /// There was none.
    #[error("no exchange was made")]
    None,
    /// A clock went backwards within an exchange, or the offset was another in each of two.
    #[error("a clock was set meanwhile, by {:.3} ms or more; ask again when it is not", *.by_ns as f64 / 1e6)]
    Set {
        /// By how much at least, in nanoseconds.
        by_ns: i64,
    },
}

impl Exchange {
    /// How long the ways there and back took together, in nanoseconds. Negative only where a clock went backwards.
    pub fn round_trip_ns(&self) -> i64 {
        self.heard_ns
            .saturating_sub(self.asked_ns)
            .saturating_sub(self.answered_ns.saturating_sub(self.received_ns))
    }

    /// What this exchange alone says.
    pub fn offset(&self) -> Offset {
        let ahead = i128::from(self.received_ns) - i128::from(self.asked_ns) + i128::from(self.answered_ns)
            - i128::from(self.heard_ns);
        // Half a nanosecond that is rounded away is within the bound all the same.
        Offset { offset_ns: whole(ahead.div_euclid(2)), bound_ns: half(self.round_trip_ns()) }
    }
}

impl Offset {
    /// No difference: both are one clock.
    pub const NONE: Offset = Offset { offset_ns: 0, bound_ns: 0 };

    /// The least that includes all that both may be: of a clock that was compared twice, and went its way in between.
    pub fn including(self, other: Self) -> Self {
        let low = self.low_ns().min(other.low_ns());
        let high = self.high_ns().max(other.high_ns());
        let middle = low + (high - low).div_euclid(2);
        Self { offset_ns: whole(middle), bound_ns: whole(high - middle) }
    }

    /// How far apart the two are at least, in nanoseconds; 0 where they may be the same.
    pub fn apart_ns(self, other: Self) -> i64 {
        let gap = self.low_ns().max(other.low_ns()) - self.high_ns().min(other.high_ns());
        whole(gap.max(0))
    }

    fn low_ns(self) -> i128 {
        i128::from(self.offset_ns) - i128::from(self.bound_ns)
    }

    fn high_ns(self) -> i128 {
        i128::from(self.offset_ns) + i128::from(self.bound_ns)
    }
}

/// The offset by the exchange whose round trip was least.
///
/// # Errors
/// There is no exchange, or a clock was set between the first and the last.
pub fn of_exchanges(exchanges: &[Exchange]) -> Result<Offset, OffsetError> {
    let best = exchanges.iter().min_by_key(|exchange| exchange.round_trip_ns()).ok_or(OffsetError::None)?;
    let backwards = |exchange: &Exchange| {
        [
            exchange.round_trip_ns(),
            exchange.heard_ns.saturating_sub(exchange.asked_ns),
            exchange.answered_ns.saturating_sub(exchange.received_ns),
        ]
        .into_iter()
        .min()
        .filter(|least| *least < 0)
    };
    if let Some(by_ns) = exchanges.iter().filter_map(backwards).min() {
        return Err(OffsetError::Set { by_ns: by_ns.saturating_neg() });
    }
    let offset = best.offset();
    let beyond = |exchange: &Exchange| {
        let passed_ns = exchange.asked_ns.abs_diff(best.asked_ns);
        let allowed_ns = (passed_ns as f64 * DRIFT) as i64 + READ_TO_NS;
        offset.apart_ns(exchange.offset()).saturating_sub(allowed_ns)
    };
    match exchanges.iter().map(beyond).max() {
        Some(by_ns) if by_ns > 0 => Err(OffsetError::Set { by_ns }),
        _ => Ok(offset),
    }
}

/// Half of it, rounded up.
fn half(ns: i64) -> i64 {
    ns.div_euclid(2) + ns.rem_euclid(2)
}

fn whole(ns: i128) -> i64 {
    i64::try_from(ns).unwrap_or(if ns < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: i64 = 1_000_000;

    /// An exchange with a clock that is `ahead_ns` of ours, asked at `at_ns`; the way there, the work and the way back take so long.
    fn exchange(at_ns: i64, ahead_ns: i64, [there, work, back]: [i64; 3]) -> Exchange {
        let received = at_ns + there;
        Exchange {
            asked_ns: at_ns,
            received_ns: received + ahead_ns,
            answered_ns: received + work + ahead_ns,
            heard_ns: received + work + back,
        }
    }

    #[test]
    fn where_both_ways_take_as_long_the_offset_is_exact() {
        let exchange = exchange(1_700_000_000_000 * MS, -3_000 * MS, [2 * MS, 50 * MS, 2 * MS]);
        assert_eq!(exchange.round_trip_ns(), 4 * MS);
        assert_eq!(exchange.offset(), Offset { offset_ns: -3_000 * MS, bound_ns: 2 * MS });
    }

    #[test]
    fn the_exchange_of_the_least_round_trip_is_the_one_that_counts() {
        let slow_there = exchange(0, 7 * MS, [40 * MS, MS, MS]);
        let fast = exchange(100 * MS, 7 * MS, [MS, MS, 2 * MS]);
        let slow_back = exchange(200 * MS, 7 * MS, [MS, MS, 30 * MS]);
        let offset = of_exchanges(&[slow_there, fast, slow_back]);
        assert_eq!(offset, Ok(Offset { offset_ns: 13 * MS / 2, bound_ns: 3 * MS / 2 }));
        assert_eq!(of_exchanges(&[]), Err(OffsetError::None));
    }

    #[test]
    fn a_clock_that_is_set_between_two_exchanges_is_found() {
        let before = exchange(0, 0, [MS, 0, MS]);
        let after = exchange(100 * MS, 3_000 * MS, [MS, 0, MS]);
        // Either may be off by a millisecond.
        let by = |exchanges: &[Exchange]| match of_exchanges(exchanges) {
            Err(OffsetError::Set { by_ns }) => by_ns as f64 / MS as f64,
            other => panic!("{other:?}"),
        };
        assert!((by(&[before, after]) - 2_998.0).abs() < 0.1, "{}", by(&[before, after]));
        let message = of_exchanges(&[before, after]).unwrap_err().to_string();
        assert!(message.starts_with("a clock was set meanwhile, by 2997.9"), "{message}");
    }

    #[test]
    fn a_clock_that_goes_backwards_within_an_exchange_is_found() {
        let good = exchange(0, 0, [MS, 0, MS]);
        let own = Exchange { heard_ns: -3_000 * MS, ..good };
        let others = Exchange { answered_ns: good.received_ns - 5 * MS, ..good };
        assert_eq!(of_exchanges(&[good, own]), Err(OffsetError::Set { by_ns: 3_000 * MS }));
        assert_eq!(of_exchanges(&[good, others]), Err(OffsetError::Set { by_ns: 5 * MS }));
    }

    #[test]
    fn a_clock_that_is_slewed_is_not_one_that_was_set() {
        let exchanges: Vec<Exchange> =
            (0..100).map(|i| exchange(i * 10 * MS, i * 4_000, [20_000, 0, 20_000])).collect();
        assert_eq!(of_exchanges(&exchanges).map(|offset| offset.bound_ns), Ok(20_000));
    }

    #[test]
    fn what_was_compared_twice_includes_both() {
        let [before, after] = [(10, 4), (20, 2)].map(|(offset_ns, bound_ns)| Offset { offset_ns, bound_ns });
        assert_eq!(before.including(after), Offset { offset_ns: 14, bound_ns: 8 });
        assert_eq!((before.apart_ns(after), after.apart_ns(before)), (4, 4));
        assert_eq!(before.apart_ns(Offset { offset_ns: 13, bound_ns: 0 }), 0);
    }

    proptest! {
        #[test]
        fn the_truth_is_within_the_bound_whatever_the_ways_take(
            ahead in -1_i64 << 50..1_i64 << 50,
            ways in prop::collection::vec((0_i64..1 << 40, 0_i64..1 << 40, 0_i64..1 << 40), 1..20),
        ) {
            let mut at = 1_700_000_000_000_000_000;
            let mut exchanges = Vec::new();
            for (there, work, back) in ways {
                exchanges.push(exchange(at, ahead, [there, work, back]));
                at = exchanges.last().map_or(at, |last| last.heard_ns);
            }
            let offset = of_exchanges(&exchanges).expect("nobody sets a clock");
            prop_assert!((offset.offset_ns - ahead).abs() <= offset.bound_ns, "{offset:?}, not {ahead}");
            let least = exchanges.iter().map(Exchange::round_trip_ns).min().expect("one or more");
            prop_assert!(offset.bound_ns <= least / 2 + 1);
        }
    }
}
