//! What a closed loop does not see. While a server stops, each connection waits with one request, and those that
//! would have been due meanwhile are never sent: the stall counts a few times instead of for all whom it hit
//! (coordinated omission; G. Tene, "How NOT to measure latency", 2013).
//!
//! Expanding each recorded time by the times of the requests that would have followed at the usual interval shows
//! what was left out. It is an estimate for a warning, never a result.

use std::time::Duration;

use stats::Histogram;

/// A closed loop is warned about when what it hides makes a percentile this many times as long.
const WORTH_A_WARNING: f64 = 2.0;

/// What a closed loop hid.
#[derive(Clone, Debug, PartialEq)]
pub struct Hidden {
    /// The percentile that is meant, as a number from 0 to 1.
    pub quantile: f64,
    /// At which interval each connection usually sent, in nanoseconds: the median time.
    pub interval_ns: u64,
    /// What was recorded, in nanoseconds.
    pub recorded_ns: u64,
    /// What it would be, had every connection gone on sending at that interval, in nanoseconds.
    pub expanded_ns: u64,
    /// All times, with those that were left out.
    pub expanded: Histogram,
}

impl Hidden {
    /// Looks at the service times of a closed loop. `None` when nothing was recorded.
    pub fn at(quantile: f64, service: &Histogram) -> Option<Self> {
        let interval_ns = service.quantile_ns(0.5)?;
        let expanded = expand(service, interval_ns);
        let (recorded_ns, expanded_ns) = (service.quantile_ns(quantile)?, expanded.quantile_ns(quantile)?);
        Some(Self { quantile, interval_ns, recorded_ns, expanded_ns, expanded })
    }

    /// How many times as long as it was recorded the percentile would be.
    pub fn ratio(&self) -> f64 {
        self.expanded_ns as f64 / self.recorded_ns.max(1) as f64
    }

    /// The sentence that belongs beside the closed loop's figures, where there is reason for one.
    pub fn warning(&self) -> Option<String> {
        let Self { quantile, interval_ns, recorded_ns, expanded_ns, .. } = *self;
        let time = Duration::from_nanos;
        (self.ratio() >= WORTH_A_WARNING).then(|| {
            format!(
                "closed loop hides a stall: its p{} is {:.2?}, but requests due every {:.2?} on each connection would \
                 have had {:.2?}, {:.0} times as long; use an open loop (a rate) to measure it",
                quantile * 100.0,
                time(recorded_ns),
                time(interval_ns),
                time(expanded_ns),
                self.ratio()
            )
        })
    }
}

/// Adds to each time `t` the times `t - i`, `t - 2i`, ... of the requests due every `i` that waited behind it.
fn expand(service: &Histogram, interval_ns: u64) -> Histogram {
    let mut expanded = service.clone();
    for (time_ns, count) in service.recorded() {
        let mut rest_ns = time_ns.saturating_sub(interval_ns);
        while rest_ns >= interval_ns {
            (0..count).for_each(|_| expanded.record_ns(rest_ns));
            rest_ns -= interval_ns;
        }
    }
    expanded
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn one_stall_of_a_second_in_ten_is_a_tenth_of_the_time() {
        let mut service = Histogram::new();
        (0..9_000).for_each(|_| service.record_ns(MS));
        service.record_ns(1_000 * MS);
        let hidden = Hidden::at(0.99, &service).unwrap();
        assert!(hidden.recorded_ns < 2 * MS);
        // 10,000 requests, of which the worst hundred waited 900 ms or longer.
        assert!(hidden.expanded_ns.abs_diff(900 * MS) < 5 * MS, "{hidden:?}");
        assert!(hidden.warning().is_some_and(|text| text.contains("hides a stall")));
    }

    #[test]
    fn steady_times_hide_nothing() {
        let mut service = Histogram::new();
        (900..1_100).for_each(|us| service.record_ns(us * 1_000));
        assert_eq!(Hidden::at(0.99, &service).unwrap().warning(), None);
        assert_eq!(Hidden::at(0.99, &Histogram::new()), None);
    }
}
