//! From what the generator found, and what the kernel accounted over the same stretch, to the figures of a record.

use std::{collections::BTreeMap, sync::Arc};

use load::{OsErrors, Outcome, Rate, StreamOutcome};
use stats::Recorded;

use crate::{
    machine::edge::Accounts,
    measure::{
        parts::{Tallies, answers_by_worker, connections_by_worker},
        soundness,
        workers::Tally,
    },
    plan::resolve::{Resolved, ResolvedStream},
    records::window::{GeneratorRecord, Measured, SelfChecks, SlicesRecord, StreamRecord},
};

/// What the generator did.
#[derive(Debug)]
pub(crate) struct Driven<'a> {
    pub(crate) outcome: &'a Outcome,
    pub(crate) load: &'a Resolved,
    /// Who answered, stream by stream.
    pub(crate) tallies: &'a Tallies,
    pub(crate) spins: bool,
    pub(crate) raised: bool,
}

/// The figures of a window.
pub(crate) fn measured(driven: Driven<'_>, accounts: Accounts) -> Measured {
    let Driven { outcome, load, tallies, spins, raised } = driven;
    let right: u64 = outcome.streams.iter().map(|stream| stream.counts.ok_in_window).sum();
    let streams = outcome.streams.iter().zip(&load.streams).zip(&tallies.0);
    Measured {
        window_s: outcome.window_s,
        clock_step_ns: outcome.clock_step_ns,
        streams: streams.map(|((stream, wanted), tallies)| stream_record(stream, wanted, tallies)).collect(),
        answered_in_stretch: outcome.streams.iter().map(|stream| stream.counts.ok_in_all).sum(),
        accounts,
        generator: GeneratorRecord { spins, raised_priority: raised, ..generator_record(outcome, right) },
        closed_loop: outcome.closed_loop(),
        ports: None,
        idle: None,
        parts: Vec::new(),
    }
}

fn stream_record(stream: &StreamOutcome, wanted: &ResolvedStream, tallies: &[Arc<Tally>]) -> StreamRecord {
    let accounting = stream.accounting();
    StreamRecord {
        name: stream.name.clone(),
        connections: wanted.connections,
        offered_per_second: wanted.pacing.rate().map(Rate::mean_per_second),
        answered_in_window: stream.counts.ok_in_window,
        due: stream.counts.due,
        sent: stream.counts.sent,
        unsent: stream.counts.unsent_at_end,
        right: stream.counts.ok,
        late: stream.counts.late,
        overtaken: stream.counts.overtaken,
        censored: stream.censored(),
        errors: stream
            .errors
            .iter()
            .filter(|&(_, n)| n > 0)
            .map(|(kind, n)| (kind.name().to_owned(), n))
            .collect(),
        causes: stream.causes.iter().map(|(kind, errors)| (kind.name().to_owned(), named(errors))).collect(),
        first_wrong: stream.first_wrong.as_ref().map(|wrong| format!("{}: {}", wrong.reason, wrong.excerpt)),
        response: Recorded::of(&stream.response),
        observed: Recorded::of(&stream.observed),
        unanswered: Recorded::of(&stream.unanswered),
        loading: None,
        timed_by_stamp_and_by_read: [stream.clocked.by_stamp, stream.clocked.by_read],
        service: stream.service.digest(),
        queue_wait: stream.queue_wait.digest().filter(|_| stream.pacing.is_open()),
        // A closed loop has no schedule to be late for.
        lag: stream.lag.digest().filter(|_| stream.pacing.is_open()),
        littles_law_difference: accounting.littles_law_difference,
        accounts_agree: accounting.due_unaccounted == 0
            && accounting.sent_unaccounted == 0
            && accounting.observations_unaccounted == 0,
        reopened: stream.connections.reopened,
        answers_by_connection: [stream.connections.least_answers, stream.connections.most_answers],
        answers_by_worker: answers_by_worker(tallies),
        connections_by_worker: connections_by_worker(wanted, tallies),
        slices: SlicesRecord::of(&stream.slices),
        self_checks: self_checks(stream),
    }
}

fn named(errors: &OsErrors) -> BTreeMap<String, u64> {
    errors.iter().map(|(error, count)| (error.name().into_owned(), count)).collect()
}

fn self_checks(stream: &StreamOutcome) -> SelfChecks {
    SelfChecks {
        drawn_schedule: stream.drawn_schedule(),
        departures_distance: soundness::departures_of(stream).map(|(distance, _)| distance),
        stationarity: stream.stationarity(),
        serial: stream.serial.figures(),
    }
}

fn generator_record(outcome: &Outcome, right: u64) -> GeneratorRecord {
    let threads = &outcome.threads;
    let per_thread = |total: f64| total / threads.len().max(1) as f64;
    let per_request = |total: f64| total / right.max(1) as f64;
    let calls: u64 = threads.iter().map(|thread| thread.waits + thread.reads + thread.writes).sum();
    GeneratorRecord {
        threads: threads.len(),
        busy: per_thread(threads.iter().map(|thread| thread.busy_share).sum()),
        spins: false,
        cpu_per_request_us: per_request(threads.iter().map(|thread| thread.cpu_time_s * 1e6).sum()),
        involuntary_switches: threads.iter().map(|thread| thread.involuntary_switches).sum(),
        raised_priority: false,
        syscalls_per_request: per_request(calls as f64),
    }
}
