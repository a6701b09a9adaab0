//! In which starts a row's server failed, and whether that was too often. From records alone, as what is in [`kept`](super::kept).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::{
    measure::validity::silence,
    records::{
        log::StartRecord,
        window::{Verdict, WindowRecord},
    },
};

/// After this many starts in which its server failed, a row is out of the race.
pub const FAILURES_ALLOWED: usize = 2;

/// Starts in which a server failed, by row: the second server of a row is the row's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailedStarts(HashMap<String, BTreeSet<usize>>);

impl FailedStarts {
    /// Those among `complete`.
    pub fn of(complete: &[StartRecord]) -> Self {
        let mut failed = Self::default();
        for start in complete {
            let has_failed = |window: &&WindowRecord| matches!(window.verdict, Verdict::Failed { .. });
            let windows = start.windows.iter().filter(has_failed).map(|window| &window.row);
            let servers =
                start.servers.iter().filter(|server| server.fault.is_some()).map(|server| &server.row);
            let silent = fell_silent(start).into_iter().map(|(window, _)| &window.row);
            for row in windows.chain(servers).chain(silent) {
                failed.count(row, start.start);
            }
        }
        failed
    }

    /// Counts a failure. False where one of that row in that start was counted already.
    pub fn count(&mut self, row: &str, start: usize) -> bool {
        self.0.entry(row.to_owned()).or_default().insert(start)
    }

    /// Whether the row failed too often.
    pub fn is_out(&self, row: &str) -> bool {
        self.0.get(row).is_some_and(|starts| starts.len() >= FAILURES_ALLOWED)
    }
}

/// Servers that fell silent: the last windows of a scenario, two at least, have no answer, whatever others did to each of these. No
/// disturbance meets one row alone in a window and in that window's repetition. The last window of each, and what is said of it.
pub fn fell_silent(start: &StartRecord) -> Vec<(&WindowRecord, String)> {
    let mut trailing: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for window in &start.windows {
        let Some(measured) = &window.measured else { continue };
        let silent = trailing.entry((&window.scenario, &window.row, window.twin)).or_default();
        match silence(measured) {
            Some(said) => silent.push((window, said)),
            None => silent.clear(),
        }
    }
    trailing.into_values().filter(|silent| silent.len() > 1).filter_map(|mut silent| silent.pop()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{sound, window};

    fn start(answered: &[u64]) -> StartRecord {
        let of_window = |(round, &answered): (usize, &u64)| {
            let mut measured = sound();
            (measured.streams[0].right, measured.streams[0].answered_in_window) = (answered, answered);
            window("simple-latency", "a", 0, round, measured)
        };
        StartRecord {
            windows: answered.iter().enumerate().map(of_window).collect(),
            ..StartRecord::default()
        }
    }

    #[test]
    fn a_server_that_fell_silent_has_failed_in_its_start_and_one_that_answers_again_has_not() {
        for (answered, fails) in [
            (&[0, 0][..], true),
            (&[5, 0, 0], true),
            (&[0, 0, 5], false),
            (&[5, 0, 5, 0], false),
            (&[0], false),
        ] {
            let start = start(answered);
            assert_eq!(!fell_silent(&start).is_empty(), fails, "{answered:?}");
            let mut failed = FailedStarts::of(std::slice::from_ref(&start));
            assert_eq!(!failed.count("a", start.start), fails, "{answered:?}");
        }
    }
}
