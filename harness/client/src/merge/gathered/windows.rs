//! When parts on several hosts were at work, by one clock, and how long all of them were at once.
//!
//! A window is written down by the clock of its host. What was measured of that clock moves it to the clock that all go by; what that
//! is not known to is its bound.

use stats::hdr_log::TimeRange;

use super::error::GatheredError;
use crate::clock::{ClockRecord, HostId};

/// The window of one part, as it wrote it down.
pub(super) struct Written<'a> {
    pub(super) part: u32,
    pub(super) host: &'a HostId,
    pub(super) clock: Option<&'a ClockRecord>,
    pub(super) range: TimeRange,
}

/// The same by the clock that all go by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window {
    pub(super) part: u32,
    pub(super) range: TimeRange,
    /// How far it may be off, in seconds; `None` where the clock was not compared.
    pub(super) bound_s: Option<f64>,
}

/// How long all parts were at work at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Overlap {
    /// In seconds; negative where some had ended before others began.
    pub(super) together_s: f64,
    /// The longest window, in seconds.
    pub(super) longest_s: f64,
    /// What they were at once even if every clock is as far off as it may be; `None` where one was not compared.
    pub(super) surely_s: Option<f64>,
    /// The part that ended first, and the one that began last.
    pub(super) early: u32,
    pub(super) late: u32,
}

/// Moves all windows to one clock: that of the host with which parts compared theirs, or else that of the first part.
pub(super) fn by_one_clock(all: &[Written<'_>]) -> Result<Vec<Window>, GatheredError> {
    let compared = || all.iter().filter_map(|written| Some((written.part, written.clock?.against.as_ref()?)));
    let reference = compared().next();
    if let Some((part, by)) = reference
        && let Some((other, others)) = compared().find(|(_, host)| host.boot != by.boot)
    {
        let (by, others) = (by.name.clone(), others.name.clone());
        return Err(GatheredError::TwoClocks { part, by, other, others });
    }
    let first = all.first().map(|written| written.part);
    let has_that_clock = |written: &Written<'_>| match (reference, all.first()) {
        (Some((_, host)), _) => written.host.is(host),
        (None, Some(first_host)) => Some(written.part) == first || written.host.is(first_host.host),
        (None, None) => false,
    };
    let moved = |written: &Written<'_>| {
        let (by_s, bound_s) = match written.clock {
            Some(clock) => (seconds(clock.offset.offset_ns), Some(seconds(clock.offset.bound_ns))),
            None => (0.0, has_that_clock(written).then_some(0.0)),
        };
        let TimeRange { start_s, end_s } = written.range;
        let range = TimeRange { start_s: start_s + by_s, end_s: end_s + by_s };
        Window { part: written.part, range, bound_s }
    };
    Ok(all.iter().map(moved).collect())
}

fn seconds(ns: i64) -> f64 {
    ns as f64 / 1e9
}

/// How long all were at work at once; `None` of no windows.
pub(super) fn overlap(windows: &[Window]) -> Option<Overlap> {
    let early = windows.iter().min_by(|a, b| a.range.end_s.total_cmp(&b.range.end_s))?;
    let late = windows.iter().max_by(|a, b| a.range.start_s.total_cmp(&b.range.start_s))?;
    let longest_s = windows.iter().map(|window| window.range.length_s()).fold(0.0, f64::max);
    // Each clock may be off for itself, but for all of its own window alike.
    let surely = |one: &Window, other: &Window| {
        let apart_s = one.range.end_s - other.range.start_s;
        if one.part == other.part { Some(apart_s) } else { Some(apart_s - one.bound_s? - other.bound_s?) }
    };
    let pairs = windows.iter().flat_map(|one| windows.iter().map(move |other| surely(one, other)));
    let surely_s =
        pairs.collect::<Option<Vec<f64>>>().map(|all| all.into_iter().fold(f64::INFINITY, f64::min));
    Some(Overlap {
        together_s: early.range.end_s - late.range.start_s,
        longest_s,
        surely_s,
        early: early.part,
        late: late.part,
    })
}

impl Overlap {
    /// The part of the longest window in which all were at work.
    pub(super) fn share(&self) -> f64 {
        self.together_s.max(0.0) / self.longest_s.max(f64::MIN_POSITIVE)
    }

    /// The same at least; `None` where a clock was not compared.
    pub(super) fn sure_share(&self) -> Option<f64> {
        self.surely_s.map(|surely_s| surely_s.max(0.0) / self.longest_s.max(f64::MIN_POSITIVE))
    }
}

#[cfg(test)]
mod tests {
    use stats::clock_offset::Offset;

    use super::*;

    fn host(name: &str) -> HostId {
        HostId { name: name.to_owned(), boot: format!("boot of {name}") }
    }

    fn compared(with: Option<&str>, offset_ms: i64, bound_ms: i64) -> ClockRecord {
        let offset = Offset { offset_ns: offset_ms * 1_000_000, bound_ns: bound_ms * 1_000_000 };
        ClockRecord { against: with.map(host), offset }
    }

    /// Windows of 10 s of parts on hosts, each begun at that second by its own clock.
    fn windows(parts: &[(&str, Option<ClockRecord>, f64)]) -> Result<Vec<Window>, GatheredError> {
        let hosts: Vec<HostId> = parts.iter().map(|(name, ..)| host(name)).collect();
        let written: Vec<Written<'_>> = (0..)
            .zip(parts.iter().zip(&hosts))
            .map(|(part, ((_, clock, start_s), host))| {
                let range = TimeRange { start_s: *start_s, end_s: start_s + 10.0 };
                Written { part, host, clock: clock.as_ref(), range }
            })
            .collect();
        by_one_clock(&written)
    }

    fn shown(windows: &[Window]) -> Vec<(f64, Option<f64>)> {
        windows.iter().map(|window| (window.range.start_s, window.bound_s)).collect()
    }

    #[test]
    fn a_window_is_moved_by_what_its_clock_was_behind() {
        // The clock of node2 is 3 s behind: it opened its window at the same instant and wrote down 97.
        let all =
            windows(&[("node1", None, 100.0), ("node2", Some(compared(Some("node1"), 3_000, 2)), 97.0)])
                .unwrap();
        assert_eq!(shown(&all), [(100.0, Some(0.0)), (100.0, Some(0.002))]);
        let overlap = overlap(&all).unwrap();
        assert_eq!((overlap.share(), overlap.surely_s.map(|s| (s * 1e3).round())), (1.0, Some(9_998.0)));
    }

    #[test]
    fn a_part_that_was_3_s_late_is_found_by_the_clocks_and_hidden_without_them() {
        // It began 3 s later and its clock is 3 s behind: both wrote down 100.
        let late = Some(compared(Some("node1"), 3_000, 2));
        let seen = overlap(&windows(&[("node1", None, 100.0), ("node2", late, 100.0)]).unwrap()).unwrap();
        assert_eq!((seen.share(), seen.early, seen.late), (0.7, 0, 1));
        let hidden = overlap(&windows(&[("node1", None, 100.0), ("node2", None, 100.0)]).unwrap()).unwrap();
        assert_eq!((hidden.share(), hidden.sure_share()), (1.0, None));
    }

    #[test]
    fn parts_that_did_not_meet_are_told_with_the_gap() {
        let apart = overlap(&windows(&[("a", None, 100.0), ("a", None, 112.5), ("a", None, 105.0)]).unwrap());
        let apart = apart.unwrap();
        assert_eq!((apart.together_s, apart.early, apart.late, apart.share()), (-2.5, 0, 1, 0.0));
    }

    #[test]
    fn parts_on_one_host_have_one_clock_and_others_are_not_known_until_they_are_compared() {
        let all = windows(&[("a", None, 1.0), ("a", None, 1.0), ("b", None, 1.0)]).unwrap();
        assert_eq!(shown(&all), [(1.0, Some(0.0)), (1.0, Some(0.0)), (1.0, None)]);
        // Compared with a third host, that is the one whose clock counts.
        let with_c = || Some(compared(Some("c"), 0, 1));
        let all = windows(&[("a", None, 1.0), ("b", with_c(), 1.0), ("c", None, 1.0)]).unwrap();
        assert_eq!(shown(&all), [(1.0, None), (1.0, Some(0.001)), (1.0, Some(0.0))]);
        // An offset that a person said is against the first part.
        let all = windows(&[("a", None, 1.0), ("b", Some(compared(None, 500, 1)), 0.5)]).unwrap();
        assert_eq!(shown(&all), [(1.0, Some(0.0)), (1.0, Some(0.001))]);
    }

    #[test]
    fn two_clocks_to_go_by_are_one_too_many() {
        let parts =
            [("a", Some(compared(Some("c"), 0, 1)), 1.0), ("b", Some(compared(Some("d"), 0, 1)), 1.0)];
        let error = windows(&parts).unwrap_err().to_string();
        assert!(error.starts_with("part 0 went by the clock of c and part 1 by that of d"), "{error}");
    }
}
