//! What is recorded of the clock by which a window was written down.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use stats::clock_offset::Offset;

use super::host::HostId;

/// How far the clock that others go by is ahead of the one here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockRecord {
    /// Whose clock that is; nothing where a person said the offset.
    pub against: Option<HostId>,
    /// How far it is ahead.
    #[serde(flatten)]
    pub offset: Offset,
}

impl ClockRecord {
    /// When it is that instant here, where the other clock says it.
    pub fn here(&self, there: SystemTime) -> SystemTime {
        let by = Duration::from_nanos(self.offset.offset_ns.unsigned_abs());
        let moved = if self.offset.offset_ns < 0 { there.checked_add(by) } else { there.checked_sub(by) };
        moved.unwrap_or(there)
    }

    /// What the other clock says at that instant here.
    pub fn there(&self, here: SystemTime) -> SystemTime {
        let by = Duration::from_nanos(self.offset.offset_ns.unsigned_abs());
        let moved = if self.offset.offset_ns < 0 { here.checked_sub(by) } else { here.checked_add(by) };
        moved.unwrap_or(here)
    }

    /// The same with what was found when it was asked again.
    ///
    /// # Errors
    /// The host that answers now is another.
    pub fn and_later(&self, later: &Self) -> Result<Self, String> {
        match (&self.against, &later.against) {
            (Some(before), Some(now)) if before.boot != now.boot => Err(format!(
                "{} answered for the clock before the load and {} after it: it was restarted, or is another host",
                before.name, now.name
            )),
            _ => Ok(Self { against: self.against.clone(), offset: self.offset.including(later.offset) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(boot: &str, offset_ns: i64) -> ClockRecord {
        let against = Some(HostId { name: "node1".to_owned(), boot: boot.to_owned() });
        ClockRecord { against, offset: Offset { offset_ns, bound_ns: 10 } }
    }

    #[test]
    fn an_instant_there_is_earlier_here_where_that_clock_is_ahead() {
        let there = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
        let here = |offset_ns| record("a", offset_ns).here(there);
        assert_eq!(here(3_000_000_000), SystemTime::UNIX_EPOCH + Duration::from_secs(97));
        assert_eq!(here(-3_000_000_000), SystemTime::UNIX_EPOCH + Duration::from_secs(103));
        for offset_ns in [3_000_000_000, -3_000_000_000] {
            assert_eq!(record("a", offset_ns).there(here(offset_ns)), there);
        }
    }

    #[test]
    fn what_was_asked_twice_includes_both_and_is_of_one_host() {
        let twice = record("a", 0).and_later(&record("a", 100)).unwrap();
        assert_eq!(twice.offset, Offset { offset_ns: 50, bound_ns: 60 });
        let other = record("a", 0).and_later(&record("b", 0)).unwrap_err();
        assert!(other.contains("restarted"), "{other}");
    }

    #[test]
    fn a_record_reads_back_as_it_was_written() {
        for record in [record("a", -5), ClockRecord { against: None, offset: Offset::NONE }] {
            let text = serde_json::to_string(&record).unwrap();
            assert_eq!(serde_json::from_str::<ClockRecord>(&text).unwrap(), record);
        }
    }
}
