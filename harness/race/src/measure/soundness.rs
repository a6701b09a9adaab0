//! What makes a measurement sound, as thresholds and questions that every command shares.
//!
//! Figures in, yes or no out: what is printed about them is the caller's business. METHODOLOGY.md, "Which windows count", gives the reasons.

use load::{LITTLES_LAW_TOLERANCE, Pacing, StreamOutcome};
use stats::Histogram;

/// The generator's own lag may be this part of the 99th percentile that it reports...
const LAG_SHARE: f64 = 0.1;
/// ... or this long, whichever is larger, microseconds.
const LAG_FLOOR_US: f64 = 100.0;
/// A generator that waited for a CPU for more than this part of the window was starved.
const STARVED: f64 = 0.05;
/// Below this part of the offered rate, the server did not keep up.
const KEPT_UP: f64 = 0.99;
/// Other processes of the machine may take this part of the CPUs of a pair that is compared.
pub const DISTURBED: f64 = 0.05;
/// Busy for this part of the time is as good as always.
const BUSY: f64 = 0.95;
/// The distributions of gaps between scheduled and real departures may be this far apart...
const DEPARTURES_DISTANCE: f64 = 0.02;
/// ... where gaps are at least so many times as long as the lag: otherwise lag alone is judged.
const GAP_OVER_LAG: f64 = 10.0;
/// Fewer gaps than this have no shape: one gap in fifty would be the whole distance allowed.
const LEAST_GAPS: u64 = 500;
/// A tail that would be so many times as long had requests kept coming was hidden by the closed loop.
const HIDDEN: f64 = 2.0;

/// How large the generator's own lag may be at its 99th percentile beside the 99th percentile of the response time,
/// both in microseconds.
pub fn allowed_lag_us(response_p99_us: f64) -> f64 {
    (response_p99_us * LAG_SHARE).max(LAG_FLOOR_US)
}

/// Whether the two sides of Little's law are near enough; `difference` is relative to the larger.
pub fn littles_law_holds(difference: f64) -> bool {
    difference <= LITTLES_LAW_TOLERANCE
}

/// Whether a generator that was runnable without a CPU for this part of the window lacked one.
pub fn is_starved(share: f64) -> bool {
    share > STARVED
}

/// Whether a thread or CPU that was busy for this part of the time had no room left.
pub fn is_busy(share: f64) -> bool {
    share >= BUSY
}

/// Whether requests left as scheduled: `None` where gaps are too few, or too short beside the lag, to tell.
/// `mean_gap_us` is the scheduled one; meaningful for random arrivals only.
pub fn departures_follow(distance: f64, gaps: u64, mean_gap_us: f64, mean_lag_us: f64) -> Option<bool> {
    (gaps >= LEAST_GAPS && mean_gap_us >= GAP_OVER_LAG * mean_lag_us)
        .then_some(distance <= DEPARTURES_DISTANCE)
}

/// What an open loop offered and what became of it.
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    /// Requests due in the window.
    pub due: u64,
    /// Of these, answered at any time before the end of the drain.
    pub answered: u64,
    /// Of these, never sent.
    pub unsent: u64,
    /// Of these, never answered.
    pub censored: u64,
}

/// Whether the server kept up with an open loop.
pub fn kept_up(flow: Flow) -> bool {
    flow.answered as f64 >= KEPT_UP * flow.due as f64 && flow.unsent == 0 && flow.censored == 0
}

/// Whether a backlog grew through the window although the drain may have worked it off: fewer answers within the
/// window than requests due in it, while most requests found every connection busy.
pub fn fell_behind(due: u64, answered_in_window: u64, waited_share: f64) -> bool {
    (answered_in_window as f64) < KEPT_UP * due as f64 && waited_share > 0.5
}

/// What a closed loop did not show, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HiddenStall {
    /// The longest service time: how long a connection, and all that would have come to it, stood still.
    pub longest_ns: u64,
    /// The 99th percentile as recorded...
    pub p99_ns: u64,
    /// ... and as it would have been, had requests kept coming at the mean rate.
    pub open_loop_p99_ns: u64,
}

/// The service times of a closed loop with those that it left out by waiting.
#[derive(Clone, Debug, PartialEq)]
pub struct WithoutOmission {
    /// The mean time between two requests that one slot sent, in nanoseconds.
    pub between_ns: u64,
    /// All times, in nanoseconds.
    pub times: Histogram,
}

/// Adds what a closed loop left out: while an answer is late, its slot (a connection, as often as it pipelines) sends
/// nothing, so that the requests which would have met the same delay are not recorded. `slots` sent the requests of
/// `service` within `window_s`.
///
/// The correction is HdrHistogram's for coordinated omission (G. Tene, `copyCorrectedForCoordinatedOmission`): a
/// service time `v` longer than the mean time `e` between two requests of a slot stands for `v - e`, `v - 2e` and so on
/// as well. It supposes that the slot would have gone on at its mean rate: an estimate for a warning, never a result.
pub fn without_omission(service: &Histogram, slots: u64, window_s: f64) -> WithoutOmission {
    let between_ns = slots as f64 * window_s * 1e9 / service.len() as f64;
    // Recording is in whole nanoseconds; a shorter time between requests than one is no closed loop over sockets.
    let between_ns = (between_ns as u64).max(1);
    let mut times = service.clone();
    for (value_ns, count) in service.recorded() {
        let mut missing_ns = value_ns.saturating_sub(between_ns);
        while missing_ns >= between_ns {
            (0..count).for_each(|_| times.record_ns(missing_ns));
            missing_ns -= between_ns;
        }
    }
    WithoutOmission { between_ns, times }
}

/// What a closed loop hid by waiting, see [`without_omission`]. `None` when the tail would be less than twice as long, or
/// nothing was recorded.
pub fn hidden_stall(service: &Histogram, slots: u64, window_s: f64) -> Option<HiddenStall> {
    let (longest_ns, p99_ns) = (service.max_ns()?, service.quantile_ns(0.99)?);
    let open_loop_p99_ns = without_omission(service, slots, window_s).times.quantile_ns(0.99)?;
    (open_loop_p99_ns as f64 >= HIDDEN * p99_ns as f64).then_some(HiddenStall {
        longest_ns,
        p99_ns,
        open_loop_p99_ns,
    })
}

/// How far the gaps between real departures are from the schedule's, from 0 to 1, and whether that is near enough.
/// `None` where arrivals are not random (equal gaps differ from nearly equal ones by the full distance), or
/// [`departures_follow`] cannot tell.
pub fn departures_of(stream: &StreamOutcome) -> Option<(f64, bool)> {
    let random = matches!(stream.pacing, Pacing::Poisson { .. });
    let departures = stream.departures.summary().filter(|_| random)?;
    let (gap_us, lag_us) = (departures.scheduled_mean_ns / 1e3, stream.lag.mean_ns()? / 1e3);
    departures_follow(departures.distance, departures.gaps, gap_us, lag_us)
        .map(|follow| (departures.distance, follow))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_is_allowed_a_tenth_of_the_tail_and_at_least_a_hundred_microseconds() {
        assert_eq!([500.0, 1_000.0, 4_000.0].map(allowed_lag_us), [100.0, 100.0, 400.0]);
    }

    #[test]
    fn departures_are_judged_only_where_gaps_are_long_beside_the_lag() {
        assert_eq!(departures_follow(0.03, 1_000, 500.0, 50.0), Some(false));
        assert_eq!(departures_follow(0.02, 1_000, 500.0, 50.0), Some(true));
        assert_eq!(departures_follow(0.03, 1_000, 500.0, 51.0), None);
        assert_eq!(departures_follow(0.03, 499, 500.0, 50.0), None);
    }

    #[test]
    fn a_server_that_leaves_work_undone_did_not_keep_up() {
        let flow = Flow { due: 1_000, answered: 990, unsent: 0, censored: 0 };
        assert!(kept_up(flow));
        assert!(!kept_up(Flow { answered: 989, ..flow }));
        assert!(!kept_up(Flow { unsent: 1, ..flow }));
        assert!(!kept_up(Flow { censored: 1, ..flow }));
    }

    #[test]
    fn a_backlog_that_the_drain_worked_off_is_still_one() {
        assert!(fell_behind(4_000, 2_100, 0.9));
        assert!(!fell_behind(4_000, 2_100, 0.1), "a slow answer at the end of the window is no backlog");
        assert!(!fell_behind(4_000, 3_990, 0.9));
    }

    #[test]
    fn a_stall_of_a_second_that_one_request_met_would_have_met_hundreds() {
        // One connection, answered in 1 ms each, but once in a second: 9 s hold 9,000 answers, one more takes 1 s.
        let mut service = Histogram::new();
        (0..9_000).for_each(|_| service.record_ns(1_000_000));
        service.record_ns(1_000_000_000);
        let hidden = hidden_stall(&service, 1, 10.0).unwrap();
        let ms = |ns: u64| ns as f64 / 1e6;
        assert!((ms(hidden.p99_ns) - 1.0).abs() < 0.01 && (ms(hidden.longest_ns) - 1_000.0).abs() < 2.0);
        // Every 1.11 ms for 10 s: 9,001 recorded and some 899 missing, evenly between 1 ms and 1 s. The 99th percentile is
        // the value that 1% of all 9,900 exceed: 1 s less 99 of the 900 steps, 890 ms.
        assert!((ms(hidden.open_loop_p99_ns) - 890.0).abs() < 5.0, "{hidden:?}");
    }

    #[test]
    fn a_loop_without_stalls_hides_nothing() {
        let mut service = Histogram::new();
        // Exponential service with a mean of 1 ms, by its quantiles.
        (0..10_000).for_each(|k| {
            let left = 1.0 - (f64::from(k) + 0.5) / 10_000.0;
            service.record_ns((-left.ln() * 1e6) as u64);
        });
        assert_eq!(hidden_stall(&service, 1, 10.0), None);
        assert_eq!(hidden_stall(&Histogram::new(), 1, 10.0), None);
    }
}
