//! In which starts a row's server failed, and whether that was too often. From records alone, as what is in [`kept`](super::kept).

use std::collections::{BTreeSet, HashMap};

use crate::records::{
    log::StartRecord,
    window::{Verdict, WindowRecord},
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
            for row in windows.chain(servers) {
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
