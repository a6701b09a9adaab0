//! What a row's events of one kind come to.

use std::{collections::BTreeMap, time::Duration};

use race::{
    plan::experiment::EventKind,
    records::experiment::{EventRecord, RestartedBy},
};
use stats::Quantile;

use super::{
    recovery::{Around, usual_us},
    rows::OfRow,
};

/// What failed of what: what an attempt to connect is counted under, which is no request.
const CONNECT: &str = "connect";
/// What failed without an error of its own: what was never sent or never answered.
const UNANSWERED: &str = "unanswered";
/// Where nobody knows when a new process answered, an event's effects are looked for in this time.
const UNKNOWN_COURSE: Duration = Duration::from_secs(1);

/// What a row's events of one kind come to.
#[derive(Clone, Debug)]
pub(super) struct Figures<'a> {
    pub(super) of: &'a OfRow<'a>,
    pub(super) kind: EventKind,
    pub(super) events: Vec<&'a EventRecord>,
    /// Requests: all of the passes where nothing else happened in them, else those due from these events to the next.
    pub(super) requests: u64,
    /// How many of them were not answered rightly.
    pub(super) failed: u64,
    /// The same by kind.
    pub(super) failed_by_kind: BTreeMap<String, u64>,
    /// Events in whose stretch any request failed.
    pub(super) events_with_failures: u64,
    /// Connections that were reset.
    pub(super) reset: u64,
    /// Attempts to connect that failed.
    pub(super) connects_failed: u64,
    /// Until a new process answered, of each event in which one had to and the row says who answers.
    pub(super) replaced: Vec<Quantile>,
    /// Until a reload was done.
    pub(super) done: Vec<Quantile>,
    /// Until the rate was back.
    pub(super) rate_back: Vec<Quantile>,
    /// Until the latency was back.
    pub(super) latency_back: Vec<Quantile>,
    /// The longest response to what was due in an event's course, microseconds.
    pub(super) longest_us: Vec<f64>,
    /// The highest p99 of a slice there, microseconds.
    pub(super) p99_us: Vec<f64>,
    /// What the longest response of a slice was before events, 99 of 100 times, microseconds.
    pub(super) usual_us: Option<u64>,
}

impl<'a> Figures<'a> {
    /// Of each row and each kind of event that was to happen to it, in the order of tables.
    pub(super) fn all(rows: &'a [OfRow<'a>]) -> Vec<Self> {
        rows.iter().flat_map(|of| of.kinds().into_iter().map(|kind| Self::of(of, kind))).collect()
    }

    fn of(of: &'a OfRow<'a>, kind: EventKind) -> Self {
        let events: Vec<&EventRecord> = of.events(kind).collect();
        let arounds: Vec<Around<'_>> = events.iter().copied().filter_map(|event| around(of, event)).collect();
        // Over all events of the row: what is usual does not hang on what happens next.
        let all = of.passes.iter().flat_map(|pass| pass.events).filter_map(|event| around(of, event));
        let usual_us = usual_us(all.flat_map(|around| around.longest_before()));
        let is_alone = of.kinds().len() == 1;
        let (requests, failed_by_kind) = match is_alone {
            true => of_passes(of),
            false => of_stretches(&events),
        };
        let latency_back = |around: &Around<'_>| around.latency_back(usual_us?);
        let sum = |of: fn(&EventRecord) -> u64| events.iter().map(|event| of(event)).sum();
        let reset_in_passes = || of.passes.iter().map(|pass| pass.record.reset).sum();
        Self {
            of,
            kind,
            requests,
            failed: failed_by_kind.values().sum(),
            failed_by_kind,
            events_with_failures: events.iter().filter(|event| event.requests_failed() > 0).count() as u64,
            reset: if is_alone { reset_in_passes() } else { sum(|event| event.reset) },
            connects_failed: sum(|event| event.connects_failed),
            replaced: events.iter().filter_map(|event| replaced(of, event)).collect(),
            done: events.iter().filter_map(|event| done(of, event)).collect(),
            rate_back: arounds.iter().filter_map(Around::rate_back).collect(),
            latency_back: arounds.iter().filter_map(latency_back).collect(),
            longest_us: arounds.iter().filter_map(Around::longest_us).map(|us| us as f64).collect(),
            p99_us: events.iter().filter_map(|event| highest_p99(of, event)).collect(),
            usual_us,
            events,
        }
    }

    /// How many events there were in which `is_it`.
    pub(super) fn count(&self, is_it: impl Fn(&EventRecord) -> bool) -> usize {
        self.events.iter().filter(|event| is_it(event)).count()
    }

    /// How many put it right whom `by` is.
    pub(super) fn restarted_by(&self, by: RestartedBy) -> usize {
        self.count(|event| event.restarted_by == Some(by))
    }

    /// The slices around each event.
    pub(super) fn arounds(&self) -> Vec<Around<'a>> {
        self.events.iter().filter_map(|event| around(self.of, event)).collect()
    }
}

/// Whether a process ended in an event, so that another had to take its place.
pub(super) fn is_ended(event: &EventRecord) -> bool {
    event.ended_ns.is_some() || event.kind == EventKind::Reload || event.restarted_by.is_some()
}

/// What is not known took longer than it was waited for.
fn known_or_more(of: &OfRow<'_>, event: &EventRecord, ns: Option<u64>) -> Quantile {
    let waited = event.stretch_ns.min(u64::try_from(of.deadline.as_nanos()).unwrap_or(u64::MAX));
    ns.map_or(Quantile::AtLeast(waited), Quantile::Exactly)
}

fn replaced(of: &OfRow<'_>, event: &EventRecord) -> Option<Quantile> {
    let is_told = of.row.pid_path().is_some() || event.replaced_ns.is_some();
    (is_told && is_ended(event)).then(|| known_or_more(of, event, event.replaced_ns))
}

fn done(of: &OfRow<'_>, event: &EventRecord) -> Option<Quantile> {
    (event.kind == EventKind::Reload).then(|| known_or_more(of, event, event.done_ns))
}

/// How long an event took: until the last of what is known of it was done.
fn lasted_ns(of: &OfRow<'_>, event: &EventRecord) -> u64 {
    let known = [event.ended_ns, event.replaced_ns, event.done_ns].into_iter().flatten().max().unwrap_or(0);
    let is_open = match event.kind {
        EventKind::Reload => event.done_ns.is_none(),
        _ => is_ended(event) && event.replaced_ns.is_none() && of.row.pid_path().is_some(),
    };
    match () {
        () if is_open => event.stretch_ns,
        () if is_ended(event) && event.replaced_ns.is_none() && event.done_ns.is_none() => {
            known.max(UNKNOWN_COURSE.as_nanos() as u64)
        }
        () => known,
    }
}

fn around<'a>(of: &OfRow<'_>, event: &'a EventRecord) -> Option<Around<'a>> {
    Around::of(&event.slices, event.at_ns.checked_sub(event.slices_from_ns)?, lasted_ns(of, event))
}

fn highest_p99(of: &OfRow<'_>, event: &EventRecord) -> Option<f64> {
    let course = around(of, event)?.course();
    let highest = event.p99_us.get(course)?.iter().copied().max().filter(|&us| us > 0);
    highest.map(|us| us as f64)
}

/// All requests of a row's passes, and what of them failed by kind.
fn of_passes(of: &OfRow<'_>) -> (u64, BTreeMap<String, u64>) {
    let mut by_kind: BTreeMap<String, u64> = BTreeMap::new();
    for stream in of.passes.iter().flat_map(|pass| &pass.measured.streams) {
        let errors = stream.errors.iter().filter(|(kind, _)| *kind != CONNECT);
        errors.clone().for_each(|(kind, count)| *by_kind.entry(kind.clone()).or_default() += count);
        let named: u64 = errors.map(|(_, count)| count).sum();
        let rest = stream.due.saturating_sub(stream.right).saturating_sub(named);
        if rest > 0 {
            *by_kind.entry(UNANSWERED.to_owned()).or_default() += rest;
        }
    }
    (of.passes.iter().map(|pass| pass.due()).sum(), by_kind)
}

/// The requests that were due from each event to the next, and what of them failed.
fn of_stretches(events: &[&EventRecord]) -> (u64, BTreeMap<String, u64>) {
    let mut by_kind: BTreeMap<String, u64> = BTreeMap::new();
    for (kind, count) in events.iter().flat_map(|event| &event.failed) {
        *by_kind.entry(kind.clone()).or_default() += count;
    }
    let due_from = |event: &&EventRecord| -> u64 {
        let before = event.at_ns.saturating_sub(event.slices_from_ns) / event.slices.width_ns.max(1);
        let slices = event.slices.due.iter().skip(usize::try_from(before).unwrap_or(usize::MAX));
        slices.map(|&due| u64::from(due)).sum()
    };
    (events.iter().map(due_from).sum(), by_kind)
}
