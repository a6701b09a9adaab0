//! From what happened, and what the generator's timeline says of the same time, to the records of events.

use load::{ErrorKind, Timeline, TimelineSlice};

use super::event::Happened;
use crate::{
    plan::experiment::BEFORE_AN_EVENT,
    records::{
        experiment::{EventRecord, PassName},
        window::SlicesRecord,
    },
    registry::Tier,
};

/// An event on the pass's axis.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) happened: Happened,
    /// Since the window opened.
    pub(super) at_ns: u64,
}

/// The records of `events`, which are in the order of time, of a window of `window_ns`. What failed in the slice in which an event lies is
/// the event's: events are due at the edges of slices.
pub(super) fn events(
    of: &PassName,
    tier: Tier,
    events: Vec<Placed>,
    timeline: &Timeline,
    window_ns: u64,
) -> Vec<EventRecord> {
    let slices: Vec<&TimelineSlice> = timeline.slices().collect();
    let width_ns = timeline.width_ns();
    let ends: Vec<u64> = events
        .iter()
        .skip(1)
        .map(|event| event.at_ns)
        .chain([window_ns])
        .map(|ns| ns.min(window_ns))
        .collect();
    let numbered = events.into_iter().zip(ends).enumerate();
    numbered
        .map(|(number, (Placed { happened, at_ns }, ends_ns))| {
            // The last one goes on to the end of the window, and so to the end of its last slice.
            let until = if ends_ns == window_ns { slices.len() } else { (ends_ns / width_ns) as usize };
            let until = until.min(slices.len());
            let from = ((at_ns / width_ns) as usize).min(until);
            let before = (BEFORE_AN_EVENT.as_nanos() as u64 / width_ns) as usize;
            let first = from.saturating_sub(before);
            let stretch = &slices[from..until];
            let sum = |of: &dyn Fn(&TimelineSlice) -> u64| stretch.iter().map(|slice| of(slice)).sum::<u64>();
            let failed = ErrorKind::ALL.into_iter().filter(|kind| *kind != ErrorKind::Connect);
            let failed = failed.map(|kind| (kind.name().to_owned(), sum(&|slice| slice.errors.of(kind))));
            let shown = &slices[first..until];
            let ns = |time: std::time::Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
            EventRecord {
                of: of.clone(),
                tier,
                number,
                kind: happened.kind,
                at: happened.wall,
                at_ns,
                stretch_ns: ends_ns.saturating_sub(at_ns),
                hit: happened.hit,
                new: happened.new,
                answer: happened.answer,
                ended_ns: happened.ended.map(ns),
                replaced_ns: happened.replaced.map(ns),
                done_ns: happened.done.map(ns),
                restarted_by: happened.restarted_by,
                problem: happened.problem,
                failed: failed.filter(|(_, count)| *count > 0).collect(),
                connects_failed: sum(&|slice| slice.errors.of(ErrorKind::Connect)),
                reset: sum(&|slice| u64::from(slice.reset)),
                closed_idle: sum(&|slice| u64::from(slice.closed_idle)),
                slices_from_ns: first as u64 * width_ns,
                slices: columns(width_ns, shown),
                p99_us: shown.iter().map(|slice| slice.quantile_ns(0.99).unwrap_or(0) / 1000).collect(),
            }
        })
        .collect()
}

fn columns(width_ns: u64, slices: &[&TimelineSlice]) -> SlicesRecord {
    let mean_us = |slice: &TimelineSlice| slice.latency.sum_ns / u64::from(slice.latency.count.max(1)) / 1000;
    SlicesRecord {
        width_ns,
        due: slices.iter().map(|slice| slice.due).collect(),
        answered: slices.iter().map(|slice| slice.answered).collect(),
        errors: slices.iter().map(|slice| u32::try_from(slice.errors.total()).unwrap_or(u32::MAX)).collect(),
        mean_us: slices.iter().map(|slice| mean_us(slice)).collect(),
        max_us: slices.iter().map(|slice| slice.latency.max_ns / 1000).collect(),
    }
}
