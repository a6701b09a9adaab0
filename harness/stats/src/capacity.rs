//! The highest rate at which a row holds an objective, such as a p99 below 10 ms: from what it took at the steps of a ladder of rates.
//!
//! Between two steps the reciprocal of the percentile is taken for a straight line in the rate. In an M/M/1 queue it is one, for every
//! percentile: response times are exponential with the rate mu - lambda (Kleinrock, Queueing Systems I, section 5.1), so that 1/T is
//! (mu - lambda) / ln(1 / (1 - q)). Near saturation, where objectives break, other queues are as steep; a straight line through the
//! percentiles themselves would be far above them there. A row that is overloaded at a step has no percentile, and its reciprocal is zero at
//! the rate that it carried.
//!
//! A row that answers sooner at a higher step than at a lower one did not become faster: it was disturbed, or woke up. Steps that so contradict
//! each other are pooled (the pool-adjacent-violators algorithm: Barlow et al., Statistical Inference under Order Restrictions, 1972),
//! so that one stall at a low rate does not decide alone.
//!
//! The unit of replication is the start: each gives one capacity, and the interval is that of the median over starts
//! ([`crate::summary::median_interval`]). What lies outside of the ladder keeps its place in the order, and is said as such.

use serde::{Deserialize, Serialize};

use crate::summary::median_interval;

/// What a row did at one step of the ladder in one start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The rate that was offered.
    pub rate: f64,
    /// The rate that was answered, in the same unit.
    pub carried: f64,
    /// The percentile, in any unit of time; `None` where the row was overloaded.
    pub time: Option<f64>,
}

/// The highest rate at which an objective holds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capacity {
    /// It does not hold at the lowest step.
    NotAtAnyRate,
    /// Up to this rate.
    UpTo(f64),
    /// It holds at the highest step.
    BeyondTheLadder,
}

/// A capacity over starts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Capacities {
    /// The median; of two in the middle of which one is outside of the ladder, the lower one.
    pub median: Capacity,
    /// The lower end of its interval.
    pub low: Capacity,
    /// The upper end.
    pub high: Capacity,
    /// Over how many starts.
    pub starts: usize,
    /// Whether the interval has the coverage of [`crate::summary::LEVEL`].
    pub is_confident: bool,
}

/// The capacity of one start, whose `steps` are in the order of their rates, at a percentile below `limit`, which is in their unit of time.
/// `None` without any step, or where a rate, a time or the limit is not finite and above zero.
///
/// ```
/// use stats::capacity::{Capacity, Step, of_start};
///
/// // M/M/1 at mu = 100/s: the p99 at lambda is ln(100) / (100 - lambda) seconds.
/// let step = |rate: f64| Step { rate, carried: rate, time: Some(100_f64.ln() / (100.0 - rate)) };
/// let Some(Capacity::UpTo(rate)) = of_start(&[10.0, 40.0, 90.0].map(step), 0.1) else { panic!() };
/// assert!((rate - (100.0 - 10.0 * 100_f64.ln())).abs() < 1e-9);
/// ```
pub fn of_start(steps: &[Step], limit: f64) -> Option<Capacity> {
    let is_sound = |value: f64| value.is_finite() && value > 0.0;
    let are_sound = steps.iter().all(|step| is_sound(step.rate) && step.time.is_none_or(is_sound));
    if steps.is_empty() || !is_sound(limit) || !are_sound {
        return None;
    }
    let points = falling(&reciprocals(steps));
    let wanted = 1.0 / limit;
    let Some(first) = points.iter().position(|point| point.reciprocal < wanted) else {
        return Some(Capacity::BeyondTheLadder);
    };
    let Some(holds) = first.checked_sub(1).map(|before| points[before]) else {
        return Some(Capacity::NotAtAnyRate);
    };
    let breaks = points[first];
    let part = (holds.reciprocal - wanted) / (holds.reciprocal - breaks.reciprocal);
    Some(Capacity::UpTo(holds.rate + part * (breaks.rate - holds.rate)))
}

/// Over starts; `None` without any.
pub fn over_starts(starts: &[Capacity]) -> Option<Capacities> {
    let mut sorted = starts.to_vec();
    sorted.sort_by(|a, b| a.order().total_cmp(&b.order()));
    // Of their places: which of them an interval ends at does not depend on their values.
    let places: Vec<f64> = (0..sorted.len()).map(|place| place as f64).collect();
    let interval = median_interval(&places)?;
    let at = |place: f64| sorted[place as usize];
    let median = match (at(interval.median.floor()), at(interval.median.ceil())) {
        (Capacity::UpTo(low), Capacity::UpTo(high)) => Capacity::UpTo(low.midpoint(high)),
        (lower, _) => lower,
    };
    let (low, high) = (at(interval.low), at(interval.high));
    Some(Capacities { median, low, high, starts: sorted.len(), is_confident: interval.is_confident() })
}

impl Capacity {
    /// By which capacities are ordered.
    fn order(self) -> f64 {
        match self {
            Self::NotAtAnyRate => f64::NEG_INFINITY,
            Self::UpTo(rate) => rate,
            Self::BeyondTheLadder => f64::INFINITY,
        }
    }

    /// The rate, where it lies on the ladder.
    pub fn rate(self) -> Option<f64> {
        match self {
            Self::UpTo(rate) => Some(rate),
            Self::NotAtAnyRate | Self::BeyondTheLadder => None,
        }
    }
}

/// A step by the reciprocal of its percentile.
#[derive(Clone, Copy, Debug)]
struct Point {
    rate: f64,
    reciprocal: f64,
}

fn reciprocals(steps: &[Step]) -> Vec<Point> {
    let mut points: Vec<Point> = Vec::with_capacity(steps.len());
    for step in steps {
        let below = points.last().map_or(0.0, |point| point.rate);
        points.push(match step.time {
            Some(time) => Point { rate: step.rate, reciprocal: 1.0 / time },
            // Saturated at what it carried, which lies between the steps: a row that collapses under a load carries less than it could.
            None => Point { rate: step.carried.clamp(below, step.rate.max(below)), reciprocal: 0.0 },
        });
    }
    points
}

/// The closest reciprocals that fall with the rate, each at the rate that it had.
fn falling(points: &[Point]) -> Vec<Point> {
    // The sum and the number of each pool.
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for point in points {
        let mut pool = (point.reciprocal, 1);
        while let Some(&(sum, count)) = pools.last()
            && sum / count as f64 <= pool.0 / pool.1 as f64
        {
            pools.pop();
            pool = (pool.0 + sum, pool.1 + count);
        }
        pools.push(pool);
    }
    let pooled = pools.into_iter().flat_map(|(sum, count)| std::iter::repeat_n(sum / count as f64, count));
    points.iter().zip(pooled).map(|(point, reciprocal)| Point { rate: point.rate, reciprocal }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MU: f64 = 1_000.0;

    /// The percentile `q` of response times in an M/M/1 queue, seconds.
    fn mm1(rate: f64, q: f64) -> f64 {
        (1.0 / (1.0 - q)).ln() / (MU - rate)
    }

    /// The same as a step; overloaded from the service rate up, which is what is carried then.
    fn step(rate: f64, q: f64) -> Step {
        Step { rate, carried: rate.min(MU), time: (rate < MU).then(|| mm1(rate, q)) }
    }

    fn geometric(from: f64, to: f64, steps: i32) -> Vec<f64> {
        (0..steps).map(|step| from * (to / from).powf(f64::from(step) / f64::from(steps - 1))).collect()
    }

    fn up_to(capacity: Option<Capacity>) -> f64 {
        capacity.and_then(Capacity::rate).unwrap_or_else(|| panic!("{capacity:?} is on the ladder"))
    }

    #[test]
    fn a_queue_of_exponential_service_has_the_capacity_of_its_closed_form() {
        for q in [0.5, 0.99, 0.999] {
            let steps: Vec<Step> = geometric(100.0, 950.0, 8).iter().map(|&rate| step(rate, q)).collect();
            for rate in [101.0, 250.0, 700.0, 940.0] {
                let found = up_to(of_start(&steps, mm1(rate, q)));
                assert!((found - rate).abs() < 1e-6, "{q}: {found}, not {rate}");
            }
        }
    }

    #[test]
    fn what_an_overloaded_step_carried_is_where_the_percentile_has_no_end() {
        // From 770 to 1,300: the service rate lies between.
        let steps: Vec<Step> = geometric(100.0, 1_300.0, 6).iter().map(|&rate| step(rate, 0.99)).collect();
        let found = up_to(of_start(&steps, mm1(930.0, 0.99)));
        assert!((found - 930.0).abs() < 1e-6, "{found}");
    }

    #[test]
    fn a_row_that_collapses_under_a_load_has_a_capacity_between_the_steps() {
        let mut steps = vec![step(500.0, 0.99), step(800.0, 0.99), step(1_300.0, 0.99)];
        steps[2].carried = 90.0;
        assert_eq!(of_start(&steps, 1.0), Some(Capacity::UpTo(800.0)));
    }

    #[test]
    fn deterministic_service_is_found_within_two_percent_on_eight_steps() {
        // The mean response time of M/D/1 at load r, in service times: 1 + r / 2 (1 - r) (Pollaczek and Khinchine).
        let mean = |load: f64| (1.0 + load / (2.0 * (1.0 - load))) / MU;
        let steps: Vec<Step> = geometric(100.0, 980.0, 8)
            .iter()
            .map(|&rate| Step { rate, carried: rate, time: Some(mean(rate / MU)) })
            .collect();
        for rate in [300.0, 600.0, 800.0, 900.0, 960.0] {
            let found = up_to(of_start(&steps, mean(rate / MU)));
            assert!((found / rate - 1.0).abs() < 0.02, "{found}, not {rate}");
        }
    }

    #[test]
    fn what_lies_outside_of_the_ladder_is_said_as_such() {
        let steps = [step(200.0, 0.99), step(400.0, 0.99)];
        assert_eq!(of_start(&steps, mm1(150.0, 0.99)), Some(Capacity::NotAtAnyRate));
        assert_eq!(of_start(&steps, mm1(500.0, 0.99)), Some(Capacity::BeyondTheLadder));
        let overloaded = [Step { rate: 200.0, carried: 20.0, time: None }];
        assert_eq!(of_start(&overloaded, 1.0), Some(Capacity::NotAtAnyRate));
    }

    #[test]
    fn one_stall_at_a_low_rate_does_not_decide_alone() {
        let mut steps: Vec<Step> = geometric(100.0, 950.0, 8).iter().map(|&rate| step(rate, 0.99)).collect();
        steps[1].time = Some(1.0);
        let found = up_to(of_start(&steps, mm1(930.0, 0.99)));
        assert!((found - 930.0).abs() < 1e-6, "{found}");
    }

    #[test]
    fn nothing_is_said_of_nothing_or_of_what_is_no_rate_and_no_time() {
        assert_eq!(of_start(&[], 1.0), None);
        assert_eq!(of_start(&[step(100.0, 0.5)], f64::NAN), None);
        let no_time = Step { rate: 1.0, carried: 1.0, time: Some(0.0) };
        assert_eq!(of_start(&[no_time], 1.0), None);
        assert_eq!(over_starts(&[]), None);
    }

    #[test]
    fn starts_outside_of_the_ladder_keep_their_place_in_the_order() {
        use Capacity::{BeyondTheLadder, NotAtAnyRate, UpTo};
        let found = over_starts(&[UpTo(3.0), BeyondTheLadder, UpTo(1.0), UpTo(2.0), UpTo(4.0), NotAtAnyRate]);
        let expected = Capacities {
            median: UpTo(2.5),
            low: NotAtAnyRate,
            high: BeyondTheLadder,
            starts: 6,
            is_confident: true,
        };
        assert_eq!(found, Some(expected));
        let edge = over_starts(&[UpTo(3.0), BeyondTheLadder]).map(|found| (found.median, found.is_confident));
        assert_eq!(edge, Some((UpTo(3.0), false)));
    }

    proptest! {
        #[test]
        fn a_capacity_rises_with_its_limit_and_lies_on_the_ladder(
            times in prop::collection::vec(prop::option::weighted(0.8, 0.001_f64..10.0), 1..12),
            limit in 0.001_f64..10.0,
        ) {
            let steps: Vec<Step> = times
                .iter()
                .enumerate()
                .map(|(at, &time)| Step { rate: 100.0 * (at + 1) as f64, carried: 70.0, time })
                .collect();
            let [tight, loose] = [limit, 2.0 * limit].map(|limit| of_start(&steps, limit).map(Capacity::order));
            prop_assert!(tight <= loose, "{tight:?} {loose:?}");
            if let Some(Capacity::UpTo(rate)) = of_start(&steps, limit) {
                prop_assert!(rate >= 100.0 && rate <= 100.0 * times.len() as f64, "{rate}");
            }
        }
    }
}
