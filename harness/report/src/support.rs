//! Percentiles that are not printed, since too little is behind them, and how much longer a run would have to be.

use std::time::Duration;

use stats::exceedances::Support;

use super::times::StreamTimes;

/// What stands in the place of a percentile; `None` where it may be printed. `whole` is how long the run measured.
///
/// What is missing is known as time in windows of this row. A run spends in them the same part of its time however long it is, so
/// that the run takes as many times longer as these windows do.
pub(super) fn instead_of(times: &StreamTimes, q: f64, whole: Duration) -> Option<String> {
    match times.support(q) {
        Support::Enough => None,
        Support::Nothing => Some("-".to_owned()),
        Support::Needs { more } => {
            let part = more.as_secs_f64() / times.measured().as_secs_f64().max(f64::MIN_POSITIVE);
            Some(Support::Needs { more: whole.max(times.measured()).mul_f64(part) }.to_string())
        }
    }
}
