//! When a row is itself again after an event: whether what is due is answered, and within the time that was usual before.
//!
//! An event has a course: from its instant until the last thing that it does was done, and a while more for what that leads to. Within its
//! course it may disturb the row more than once, as a reload does that takes one worker after the other. The row is back when the last
//! disturbance that began within the course is over.

use std::{
    ops::{Range, RangeInclusive},
    time::Duration,
};

use race::records::window::SlicesRecord;
use stats::Quantile;

/// The rate is back where so much of what is due is answered, as a part of what was before.
pub(crate) const RATE: f64 = 0.95;
/// For so long it must hold, or the gap between two batches of answers would be taken for an end.
pub(crate) const HOLDS: Duration = Duration::from_millis(50);
/// What an event leads to is looked for this long after its last part was done: connections are opened again by then.
const AFTER: Duration = Duration::from_millis(100);
/// The part of slices before events whose longest response is within what is usual.
pub(crate) const USUAL: f64 = 0.99;

/// The slices around one event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Around<'a> {
    slices: &'a SlicesRecord,
    /// How many there are of every figure.
    count: usize,
    /// The slice at whose beginning, or within which, it happened.
    event: usize,
    /// The last slice of its course.
    course: usize,
}

impl<'a> Around<'a> {
    /// The slices of an event that happened `before_ns` after the first began, and whose last part was done `lasted_ns` later; `None` where
    /// they do not reach it.
    pub(crate) fn of(slices: &'a SlicesRecord, before_ns: u64, lasted_ns: u64) -> Option<Self> {
        let SlicesRecord { width_ns, due, answered, errors, max_us, .. } = slices;
        let count = [due.len(), answered.len(), errors.len(), max_us.len()].into_iter().min()?;
        let slice = |ns: u64| usize::try_from(ns.checked_div(*width_ns)?).ok();
        let event = slice(before_ns).filter(|&event| event < count)?;
        let course = slice(before_ns.saturating_add(lasted_ns).saturating_add(AFTER.as_nanos() as u64));
        Some(Self { slices, count, event, course: course.unwrap_or(count).min(count - 1) })
    }

    /// The slices of its course.
    pub(crate) fn course(&self) -> RangeInclusive<usize> {
        self.event..=self.course
    }

    /// The longest response of each slice before it in which anything was due, microseconds.
    pub(crate) fn longest_before(self) -> impl Iterator<Item = u64> + 'a {
        let slices = self.slices;
        (0..self.event).filter(|&at| slices.due[at] > 0).map(|at| slices.max_us[at])
    }

    /// Requests due in a slice before it, on average; `None` where there were none.
    pub(crate) fn due_before(&self) -> Option<f64> {
        let due: u64 = self.slices.due[..self.event].iter().map(|&due| u64::from(due)).sum();
        (due > 0).then(|| due as f64 / self.event as f64)
    }

    /// Until the rate is back: the time from the event to the first slice from which on, for [`HOLDS`], [`RATE`] of what is due is
    /// answered, after the last in its course from which on it is not. Nothing where the rate never fell; a bound where the slices end
    /// before.
    pub(crate) fn rate_back(&self) -> Option<Quantile> {
        let usual = self.share_answered(0..self.event).unwrap_or(1.0);
        let is_back = |share: f64| share >= RATE * usual;
        self.back(|from| self.share_answered(from..from + self.span()).is_none_or(is_back))
    }

    /// What part of what is due in these slices is answered; `None` where nothing is due.
    ///
    /// What a slice answers beyond what is due in it makes up for nothing that another lacks: or a gap would not be seen that ends in a
    /// heap of late answers. What is due at a slice's end and answered in the next is lacking as well, before the event and after it.
    fn share_answered(&self, slices: Range<usize>) -> Option<f64> {
        let SlicesRecord { due, answered, .. } = self.slices;
        let sum = |of: &dyn Fn(usize) -> u32| slices.clone().map(|at| u64::from(of(at))).sum::<u64>() as f64;
        let all = sum(&|at| due[at]);
        (all > 0.0).then(|| sum(&|at| answered[at].min(due[at])) / all)
    }

    /// Until the latency is back: the same for slices whose longest response is not above `usual_us`, in which nothing fails and something
    /// of what is due is answered.
    pub(crate) fn latency_back(&self, usual_us: u64) -> Option<Quantile> {
        let SlicesRecord { due, errors, max_us, .. } = self.slices;
        // What was due and is not answered has no response time, and is not fast.
        let is_usual =
            |at: usize| errors[at] == 0 && (due[at] == 0 || (max_us[at] > 0 && max_us[at] <= usual_us));
        self.back(|from| (from..from + self.span()).all(is_usual))
    }

    /// The longest response to what was due in its course and was answered, microseconds; `None` where nothing was.
    pub(crate) fn longest_us(&self) -> Option<u64> {
        let longest = self.slices.max_us[self.course()].iter().copied().max();
        longest.filter(|&us| us > 0)
    }

    /// What a slice has, `from_event` slices after that of the event; `None` where there is none.
    pub(crate) fn slice(&self, from_event: isize) -> Option<Slice> {
        let at = self.event.checked_add_signed(from_event).filter(|&at| at < self.count)?;
        let SlicesRecord { due, answered, errors, max_us, .. } = self.slices;
        let has_longest = due[at] > 0 && max_us[at] > 0;
        let longest_us = has_longest.then_some(max_us[at]);
        Some(Slice { answered: answered[at], failed: errors[at], longest_us })
    }

    /// How many slices [`HOLDS`] is.
    fn span(&self) -> usize {
        (HOLDS.as_nanos() as u64).div_ceil(self.slices.width_ns.max(1)) as usize
    }

    /// The time to the first slice from which on it `holds`, after the last in the course from which on it does not.
    fn back(&self, holds: impl Fn(usize) -> bool) -> Option<Quantile> {
        let last = self.count.checked_sub(self.span()).filter(|&last| last >= self.event)?;
        let time = |at: usize| (at - self.event) as u64 * self.slices.width_ns;
        let Some(failing) = (self.event..=self.course.min(last)).rev().find(|&at| !holds(at)) else {
            return Some(Quantile::Exactly(0));
        };
        Some(match (failing + 1..=last).find(|&at| holds(at)) {
            Some(at) => Quantile::Exactly(time(at)),
            None => Quantile::AtLeast(time(last + 1)),
        })
    }
}

/// What there was in a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    /// Right answers.
    pub(crate) answered: u32,
    /// Requests and attempts to connect that failed.
    pub(crate) failed: u32,
    /// The longest response, microseconds; none where nothing that was due was answered.
    pub(crate) longest_us: Option<u64>,
}

/// What is usual of these longest responses: [`USUAL`] of them are not above it. `None` of nothing.
pub(crate) fn usual_us(longest: impl Iterator<Item = u64>) -> Option<u64> {
    let mut longest: Vec<u64> = longest.collect();
    longest.sort_unstable();
    let rank = (USUAL * longest.len() as f64).ceil() as usize;
    longest.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use stats::Quantile::{AtLeast, Exactly};

    use super::*;

    const MS: u64 = 1_000_000;

    /// Slices of 10 ms with 10 requests each, all answered within 1 ms; half a second before the event and so many after it.
    fn steady(after: usize) -> SlicesRecord {
        let count = 50 + after;
        SlicesRecord {
            width_ns: 10 * MS,
            due: vec![10; count],
            answered: vec![10; count],
            errors: vec![0; count],
            mean_us: vec![500; count],
            max_us: vec![1000; count],
        }
    }

    /// As [`steady`], with nothing answered in these slices after the event.
    fn dead(after: usize, stretches: &[std::ops::Range<usize>]) -> SlicesRecord {
        let mut slices = steady(after);
        for at in stretches.iter().cloned().flatten().map(|at| 50 + at) {
            (slices.answered[at], slices.max_us[at], slices.mean_us[at]) = (0, 0, 0);
        }
        slices
    }

    fn back(slices: &SlicesRecord, lasted_ms: u64) -> [Option<Quantile>; 2] {
        let around = Around::of(slices, 500 * MS, lasted_ms * MS).unwrap();
        [around.rate_back(), around.latency_back(1000)]
    }

    #[test]
    fn what_never_fell_is_back_at_once() {
        assert_eq!(back(&steady(150), 20), [Some(Exactly(0)); 2]);
    }

    #[test]
    fn a_gap_that_is_known_is_measured_to_the_slice() {
        assert_eq!(back(&dead(150, std::slice::from_ref(&(0..7))), 20), [Some(Exactly(70 * MS)); 2]);
    }

    #[test]
    fn answers_that_come_late_are_a_rate_that_is_back_before_the_latency_is() {
        let mut slices = dead(150, std::slice::from_ref(&(0..4)));
        // What was due in the gap is answered after it, and what is due then waits for that.
        (slices.answered[54], slices.max_us[54]) = (50, 9_000);
        for at in 50..54 {
            slices.max_us[at] = 40_000 - 10_000 * (at as u64 - 50);
        }
        let [rate, latency] = back(&slices, 20);
        assert_eq!((rate, latency), (Some(Exactly(40 * MS)), Some(Exactly(50 * MS))));
        assert_eq!(Around::of(&slices, 500 * MS, 20 * MS).unwrap().longest_us(), Some(40_000));
    }

    #[test]
    fn what_always_was_answered_in_the_next_slice_is_no_loss_of_rate() {
        let mut slices = steady(150);
        // A tenth of every second slice's.
        (0..200).for_each(|at| slices.answered[at] = if at % 2 == 0 { 9 } else { 11 });
        assert_eq!(back(&slices, 20)[0], Some(Exactly(0)));
        slices.answered[52] = 5;
        assert_eq!(back(&slices, 20)[0], Some(Exactly(30 * MS)));
    }

    #[test]
    fn the_last_of_several_gaps_in_the_course_counts_and_none_beyond_it() {
        let gaps = [2..4, 30..33, 100..110];
        assert_eq!(back(&dead(200, &gaps), 20)[1], Some(Exactly(40 * MS)));
        assert_eq!(back(&dead(200, &gaps), 300)[1], Some(Exactly(330 * MS)));
    }

    #[test]
    fn what_is_not_back_at_the_end_is_a_bound() {
        let until_the_end = dead(150, std::slice::from_ref(&(10..150)));
        assert_eq!(back(&until_the_end, 20), [Some(AtLeast(1460 * MS)); 2]);
    }

    #[test]
    fn errors_are_not_fast() {
        let mut slices = steady(150);
        slices.errors[53] = 2;
        assert_eq!(back(&slices, 20), [Some(Exactly(0)), Some(Exactly(40 * MS))]);
    }

    #[test]
    fn slices_that_do_not_reach_the_event_or_have_no_width_say_nothing() {
        let slices = steady(0);
        assert!(Around::of(&slices, 500 * MS, 0).is_none());
        assert!(Around::of(&SlicesRecord { width_ns: 0, ..steady(10) }, 500 * MS, 0).is_none());
        assert!(Around::of(&SlicesRecord::default(), 0, 0).is_none());
        // One that is reached, but not for as long as it would have to hold.
        assert_eq!(back(&steady(3), 0), [None, None]);
    }

    #[test]
    fn what_is_usual_is_what_ninety_nine_of_a_hundred_slices_keep_to() {
        assert_eq!(usual_us((1..=200).rev()), Some(198));
        assert_eq!(usual_us([7].into_iter()), Some(7));
        assert_eq!(usual_us(std::iter::empty()), None);
    }
}
