//! Percentiles that are not printed, since too little is behind them, and how much longer a run would have to be.

use std::time::Duration;

use stats::exceedances::Support;

use crate::counts::times::StreamTimes;

/// What stands in the place of a percentile, `(+7 min)`; `None` where it may be printed. `whole` is how long the run measured.
///
/// What is missing is known as time in windows of this row. A run spends in them the same part of its time however long it is, so
/// that the run takes as many times longer as these windows do.
pub(crate) fn instead_of(times: &StreamTimes, q: f64, whole: Duration) -> Option<String> {
    match times.support(q) {
        Support::Enough => None,
        Support::Nothing => Some("-".to_owned()),
        Support::Needs { more } => {
            let part = more.as_secs_f64() / times.measured().as_secs_f64().max(f64::MIN_POSITIVE);
            Some(format!("(+{})", longer(whole.max(times.measured()).mul_f64(part))))
        }
    }
}

/// What it means, for the caption of a table that has it.
pub(crate) const MEANING: &str =
    "(+7 min): too little is behind it, and so much longer the run would have to be";

/// How much longer a run would have to be, rounded up.
pub(crate) fn longer(time: Duration) -> String {
    let minutes = time.as_millis().div_ceil(60_000).max(1);
    match minutes {
        minutes if minutes < 90 => format!("{minutes} min"),
        minutes if minutes < 48 * 60 => format!("{} h", minutes.div_ceil(60)),
        minutes => format!("{} days", minutes.div_ceil(24 * 60)),
    }
}

#[cfg(test)]
mod tests {
    use race::{
        fixtures::{of_streams, spread, stream},
        records::window::Measured,
    };

    use crate::made_up::{cell, raced, section};

    /// A window in which ten requests in a row took 30 ms, if any: 2% of all.
    fn stalled(is_stalled: bool) -> Measured {
        let mut times = spread(800, 500);
        if is_stalled {
            times[100..110].fill(30_000);
        }
        of_streams(1.0, vec![stream("simple", 1.0, &times)])
    }

    #[test]
    fn a_percentile_with_too_little_behind_it_says_how_much_longer_the_run_would_have_to_be() {
        let rows = ["work-stealing", "rayon-offload"];
        let contents = raced("mixed", &rows, (6, 2), |wanted| {
            let is_stalled = wanted.entry.row.name == "work-stealing" && wanted.round == 0;
            stalled(is_stalled)
        });
        let section = section(&contents);
        // p99.9 of 6,000 requests is the stall itself, which nothing exceeds. p99 is the longest time outside of stalls, and six stalls
        // exceed it: that takes 4 / 6 of this run's ten minutes more.
        assert_eq!(cell(&section, "work-stealing", "p99.9, us"), "-");
        assert_eq!(cell(&section, "work-stealing", "p99, us"), "(+7 min)");
        assert!(section.notes.iter().any(|note| note.contains("compared by a p99 that is not printed")));
        assert_eq!(cell(&section, "work-stealing", "simple p99, us"), "(+7 min)");
        assert_eq!(cell(&section, "rayon-offload", "p99, us"), "1,195 [1,195, 1,195]");
    }

    #[test]
    fn requests_that_were_never_answered_are_behind_a_bound() {
        let lost = |start: usize| {
            let mut measured = stalled(false);
            let simple = &mut measured.streams[0];
            let mut given_up = stats::Histogram::new();
            (0..10 + start as u64).for_each(|ms| given_up.record_ns(1_000_000_000 + ms * 1_000_000));
            (simple.unanswered, simple.censored) = (stats::Recorded::of(&given_up), 10 + start as u64);
            measured
        };
        let rows = ["work-stealing", "rayon-offload"];
        let contents = raced("mixed", &rows, (6, 2), |wanted| match wanted.entry.row.name.as_str() {
            "rayon-offload" => lost(wanted.start),
            _ => stalled(false),
        });
        let section = section(&contents);
        let p99 = cell(&section, "rayon-offload", "p99, ms");
        assert!(p99.starts_with("> 1,00") && p99.contains("[> 1,00"), "{p99}");
        assert_eq!(cell(&section, "rayon-offload", "place"), "2");
    }
}
