//! How evenly open loops send, as a server sees it: the same method for every tool, and nobody's own account.

use std::{ffi::OsString, fs, path::Path, time::Duration};

use serde::Serialize;

use super::{
    arrival_log,
    kept::{Kept, Measured},
    server::Server,
    spread::Spread,
    stand::Stand,
    tool::{Generator, Load, Tool},
    window_error::WindowError,
};

/// Requests per second that every tool is asked for.
pub const PER_SECOND: u32 = 2_000;
/// Connections of every tool.
pub const CONNECTIONS: u32 = 16;
/// What is left out at the start of every run: connections open, and wrk2 calibrates itself.
const SETTLE: Duration = Duration::from_secs(1);
/// Beyond the part that is looked at, so that no tool is seen winding down.
const TAIL: Duration = Duration::from_secs(1);

/// One tool's windows.
#[derive(Clone, Debug, Serialize)]
pub struct Series {
    /// Whose requests.
    pub tool: Generator,
    /// The windows; only those without any steal are sound.
    pub windows: Kept<Deviations>,
}

/// How far one window's arrivals were from an even schedule.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Deviations {
    /// Arrivals in the window.
    pub arrivals: usize,
    /// Arrivals per second, from the first to the last.
    pub per_second: f64,
    /// The median deviation, microseconds.
    pub p50_us: f64,
    /// The deviation that one request in a hundred exceeds, microseconds.
    pub p99_us: f64,
    /// The deviation that one request in a thousand exceeds, microseconds.
    pub p99_9_us: f64,
}

impl Series {
    /// Nothing measured yet.
    pub fn new(tool: Generator) -> Self {
        Self { tool, windows: Kept::default() }
    }

    /// One figure over the windows.
    pub fn spread(&self, figure: impl Fn(&Deviations) -> f64) -> Option<Spread> {
        Spread::of(self.windows.sound.iter().map(figure))
    }
}

/// Runs `tool` against a logging server and looks at when its requests arrived.
///
/// # Errors
/// The server or the tool failed, or too few requests arrived.
pub fn window(
    stand: &Stand,
    harness: &Path,
    tool: &Tool,
    length: Duration,
) -> Result<Measured<Deviations>, WindowError> {
    let log = stand.folder.path().join("arrivals.log");
    let server = Server::Ready {
        name: arrival_log::SERVER,
        program: harness.to_owned(),
        leading: vec!["arrival-log".into()],
        trailing: vec![OsString::from("--log"), log.clone().into()],
        needs_port: false,
    };
    let serving = server.start(stand, stand.server_cpu)?;
    let load = Load::Constant { per_second: PER_SECOND, dedicated: true };
    let seen = stand.window(tool, &serving, CONNECTIONS, SETTLE + length + TAIL, load)?;
    serving.stop()?;
    let file_error = |source| WindowError::File { path: log.clone(), source };
    let arrivals = arrival_log::read(&log).map_err(file_error)?;
    fs::remove_file(&log).map_err(file_error)?;
    let found = deviations(&arrivals, f64::from(PER_SECOND), length);
    let figures = found.ok_or_else(|| WindowError::Server {
        name: tool.generator.name().to_owned(),
        reason: format!("sent only {} requests, too few to judge", arrivals.len()),
    })?;
    Ok(Measured {
        figures,
        is_sound: seen.stolen == Some(0.0) && !seen.is_disturbed(),
        shown: format!("deviation p99 {:.0} us", figures.p99_us),
    })
}

/// How far arrivals are from an even schedule: that of the k-th in the window is its arrival less `k / per_second`,
/// and the schedule begins where the least delayed request puts it. So no deviation is negative, a tool that sends
/// at another rate than it was asked for drifts away from the schedule, and a constant delay counts for nothing.
///
/// The window begins one second after the first arrival. `None` if fewer than a thousand requests are in it, which is what
/// the last percentile takes.
pub fn deviations(arrivals_ns: &[u64], per_second: f64, length: Duration) -> Option<Deviations> {
    let begin = arrivals_ns.first()? + nanoseconds(SETTLE);
    let end = begin + nanoseconds(length);
    let kept: Vec<u64> = arrivals_ns.iter().copied().filter(|ns| (begin..end).contains(ns)).collect();
    let (first, last) = (*kept.first()?, *kept.last()?);
    if kept.len() < 1_000 || last == first {
        return None;
    }
    let gap_ns = 1e9 / per_second;
    let offsets = kept.iter().enumerate().map(|(k, ns)| (ns - first) as f64 - k as f64 * gap_ns);
    let mut delays_us: Vec<f64> = offsets.map(|ns| ns / 1e3).collect();
    delays_us.sort_by(f64::total_cmp);
    let least = delays_us[0];
    // The smallest value that the given part of all does not exceed.
    let quantile =
        |part: f64| delays_us[((part * delays_us.len() as f64).ceil() as usize).max(1) - 1] - least;
    Some(Deviations {
        arrivals: kept.len(),
        per_second: (kept.len() - 1) as f64 * 1e9 / (last - first) as f64,
        p50_us: quantile(0.5),
        p99_us: quantile(0.99),
        p99_9_us: quantile(0.999),
    })
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP_NS: u64 = 500_000;

    fn arrivals(delay_ns: impl Fn(u64) -> u64) -> Vec<u64> {
        (0..8_000).map(|k| 7_000_000 + k * GAP_NS + delay_ns(k)).collect()
    }

    fn of(arrivals: &[u64]) -> Deviations {
        deviations(arrivals, 2_000.0, Duration::from_secs(2)).unwrap()
    }

    #[test]
    fn an_even_sender_has_no_deviation_whatever_its_constant_delay() {
        let found = of(&arrivals(|_| 123_456));
        assert_eq!((found.arrivals, found.p50_us, found.p99_9_us), (4_000, 0.0, 0.0));
        assert!((found.per_second - 2_000.0).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn one_late_request_in_fifty_shows_in_the_99th_percentile_and_not_in_the_median() {
        let found = of(&arrivals(|k| if k % 50 == 0 { 80_000 } else { 0 }));
        assert_eq!((found.p50_us, found.p99_us, found.p99_9_us), (0.0, 80.0, 80.0));
    }

    #[test]
    fn a_timer_that_ticks_once_a_millisecond_spreads_over_half_of_it() {
        // Two requests a tick: the first of each pair is on time, the second leaves half a millisecond early.
        let ticks: Vec<u64> = (0..8_000).map(|k: u64| 7_000_000 + k / 2 * 2 * GAP_NS).collect();
        let found = of(&ticks);
        assert_eq!((found.p50_us, found.p99_us), (0.0, 500.0));
    }

    #[test]
    fn a_sender_at_another_rate_drifts_away() {
        let slow: Vec<u64> = (0..8_000).map(|k| 7_000_000 + k * (GAP_NS + 500)).collect();
        let found = of(&slow);
        // A thousandth slower: two milliseconds after two seconds.
        assert!((found.p99_9_us - 1_996.0).abs() < 4.0, "{found:?}");
        assert!((found.per_second - 1_998.0).abs() < 0.01, "{found:?}");
    }

    #[test]
    fn too_few_requests_are_not_judged() {
        assert_eq!(deviations(&arrivals(|_| 0)[..2_500], 2_000.0, Duration::from_secs(2)), None);
        assert_eq!(deviations(&[], 2_000.0, Duration::from_secs(2)), None);
    }
}
