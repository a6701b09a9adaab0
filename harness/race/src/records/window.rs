//! What is kept of a window: one stretch of recorded load on one row.

use std::{collections::BTreeMap, time::Duration};

use load::{ClosedLoop, Slices};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stats::{
    AndersonDarling, Censored, Digest, Quantile, Recorded, SerialFigures, Sparse, Stationarity,
    gate::Disturbance, hdr_log::TimeRange,
};

use crate::{
    machine::edge::Accounts,
    plan::{cpu_plan::CpuPlan, run_plan::label},
    registry::Tier,
};

/// One row under one scenario in one round of one start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WindowRecord {
    /// The scenario's name.
    pub scenario: String,
    /// The row's name.
    pub row: String,
    /// Whether this is the second server of the row that is compared with itself.
    pub twin: bool,
    /// The row's tier.
    pub tier: Tier,
    /// The start: one life of all servers.
    pub start: usize,
    /// The round: every row once, in random order.
    pub round: usize,
    /// The place within the round.
    pub position: usize,
    /// 0, or 1 where the window was repeated at its round's end because the gate dropped it.
    pub attempt: u32,
    /// Seed of the arrivals, the same for all rows of a round.
    pub seed: u64,
    /// When it began, RFC 3339.
    pub began: String,
    /// Where server and generator ran.
    pub cpus: CpuPlan,
    /// Whether the figures count, as far as the window itself tells; the gate is another matter.
    pub verdict: Verdict,
    /// The figures; absent if the server failed before the window ended.
    pub measured: Option<Measured>,
}

/// Whether a window's figures count, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Verdict {
    /// They do. What the server could not do is part of the result.
    Valid {
        /// The generator was the bottleneck: a throughput is a lower bound.
        generator_bound: bool,
    },
    /// The instrument failed: the window counts for nothing.
    Invalid {
        /// Every rule that it broke.
        reasons: Vec<String>,
    },
    /// The server failed: the row has no score.
    Failed {
        /// What happened.
        reason: String,
    },
}

/// The figures of a window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measured {
    /// Length of the window, seconds.
    pub window_s: f64,
    /// By how much the clock of the kernel's stamps was set within the window, nanoseconds; absent where there are no stamps.
    pub clock_step_ns: Option<i64>,
    /// Its streams, in the scenario's order.
    pub streams: Vec<StreamRecord>,
    /// Right answers of all streams over the whole stretch: before the window, in it and after it.
    pub answered_in_stretch: u64,
    /// What the kernel accounted over the same stretch.
    pub accounts: Accounts,
    /// The generator's own account.
    pub generator: GeneratorRecord,
    /// Both sides of N = X (R + Z); absent for an open loop.
    pub closed_loop: Option<ClosedLoop>,
    /// The local ports when the load began; absent where connections are opened only once, or the system does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<PortsRecord>,
    /// Connections on which nothing happened; absent where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<IdleRecord>,
    /// What each generator found, where several on hosts of their own made the load: the figures above are of all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartRecord>,
}

/// What one of several generators found, each on a host of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PartRecord {
    /// Its host, as a person named it.
    pub host: String,
    /// Whether its times are those of the window. Those of the others, whose generators had more to do, are in none of its distributions.
    pub measures: bool,
    /// How far its window may lie from where it was to be, nanoseconds: its clock was known within so much.
    pub clock_within_ns: i64,
    /// The generator's own account.
    pub generator: GeneratorRecord,
    /// Its streams, in the scenario's order.
    pub streams: Vec<PartStreamRecord>,
}

/// The part of a stream that one of several generators made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PartStreamRecord {
    /// Its name.
    pub name: String,
    /// Its connections.
    pub connections: usize,
    /// Requests that were due within the window.
    pub due: u64,
    /// Those of them that were answered rightly.
    pub right: u64,
    /// The median response time; absent where nothing was due.
    pub p50: Option<Quantile>,
    /// Its 99th percentile.
    pub p99: Option<Quantile>,
    /// The generator's own lateness, 99th percentile, nanoseconds; absent for a closed loop.
    pub lag_p99_ns: Option<u64>,
}

/// The local ports from which connections to the server may be opened, when the load began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PortsRecord {
    /// How many there are.
    pub range: u64,
    /// How many of them were taken: by connections, and by those in TIME_WAIT that could not be used again.
    pub taken: u64,
}

/// Connections on which nothing happened while others were loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IdleRecord {
    /// How many.
    pub connections: usize,
    /// Memory of the row's processes before any were opened in the server's life, KiB.
    pub before_kib: u64,
    /// The same once one request was answered on each of them, and before the load.
    pub after_kib: u64,
}

impl IdleRecord {
    /// What each of them takes, bytes; none where they took nothing that can be told.
    pub fn bytes_each(&self) -> Option<f64> {
        let more = self.after_kib.checked_sub(self.before_kib).filter(|more| *more > 0)?;
        Some(1024.0 * more as f64 / self.connections.max(1) as f64)
    }
}

/// The figures of one endpoint of a mix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StreamRecord {
    /// Its name.
    pub name: String,
    /// Its connections.
    pub connections: usize,
    /// Requests per second that were meant to be due, in the mean; absent for a closed loop.
    pub offered_per_second: Option<f64>,
    /// Right answers that arrived within the window, whenever their requests were due.
    pub answered_in_window: u64,
    /// Requests that were due within the window. What follows is about these, unless it says otherwise.
    pub due: u64,
    /// Those that were sent.
    pub sent: u64,
    /// Those that were never sent, because no connection became free until the end.
    pub unsent: u64,
    /// Those that were answered rightly, however late.
    pub right: u64,
    /// Those that were sent more than 100 us late by the generator's own fault.
    pub late: u64,
    /// Those that were sent only when the next was due already.
    pub overtaken: u64,
    /// Those that were never answered: their response times are only known to be longer than their age.
    pub censored: u64,
    /// Errors by kind.
    pub errors: BTreeMap<String, u64>,
    /// What the system said of them, by kind and by the names of errno(3); absent where it said nothing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub causes: BTreeMap<String, BTreeMap<String, u64>>,
    /// The first answer that was not the expected one.
    pub first_wrong: Option<String>,
    /// From the due time to the last byte, less the generator's own lateness.
    pub response: Recorded,
    /// The same with it, as an observer at the socket would have it.
    pub observed: Recorded,
    /// The ages of those that were never answered.
    pub unanswered: Recorded,
    /// Response times of right answers to generators that loaded while others measured; absent where all measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loading: Option<Recorded>,
    /// Answers that were timed by the kernel's stamp of their last byte, and those timed when the generator had read them.
    pub timed_by_stamp_and_by_read: [u64; 2],
    /// From the actual send to the last byte.
    pub service: Option<Digest>,
    /// Waits for a free connection; absent for a closed loop.
    pub queue_wait: Option<Digest>,
    /// The generator's own lateness; absent for a closed loop.
    pub lag: Option<Digest>,
    /// How far the two sides of Little's law are apart, relative to the larger.
    pub littles_law_difference: f64,
    /// Whether due = sent + unsent, and every request has exactly one fate.
    pub accounts_agree: bool,
    /// Connections that had to be opened again within the window.
    pub reopened: u64,
    /// Right answers on the connection that got fewest, and on the one that got most.
    pub answers_by_connection: [u64; 2],
    /// Right answers by who gave them (the answer's `worker`), over the whole stretch; empty where answers do not say.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub answers_by_worker: BTreeMap<String, u64>,
    /// Connections by the worker that gave most of the answers on each, over the whole stretch; empty where that is not known: of streams whose
    /// connections carry a number of requests, or have a schedule each, it is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub connections_by_worker: BTreeMap<String, u64>,
    /// The window in slices of 10 ms.
    pub slices: SlicesRecord,
    /// What the generator found of its own schedule and of the window.
    pub self_checks: SelfChecks,
}

/// The window in slices, each figure of all slices in the order of time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SlicesRecord {
    /// How long each is, nanoseconds.
    pub width_ns: u64,
    /// Requests due in it.
    pub due: Vec<u32>,
    /// Right answers received in it, whenever they were due.
    pub answered: Vec<u32>,
    /// Requests that failed in it, and attempts to connect.
    pub errors: Vec<u32>,
    /// The mean response time of right answers to what was due in it, microseconds.
    pub mean_us: Vec<u64>,
    /// The longest, microseconds, rounded down.
    pub max_us: Vec<u64>,
}

impl SlicesRecord {
    /// The mean response time of right answers to what was due in the window; zero where nothing was answered.
    pub fn mean(&self) -> Duration {
        let answered = || self.due.iter().zip(&self.mean_us).filter(|(_, mean_us)| **mean_us > 0);
        let due: u64 = answered().map(|(due, _)| u64::from(*due)).sum();
        let sum_us: u64 = answered().map(|(due, mean_us)| u64::from(*due) * mean_us).sum();
        Duration::from_micros(sum_us.checked_div(due).unwrap_or_default())
    }
}

/// What the generator found of its own schedule and of the window, beside its accounts and its lag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SelfChecks {
    /// Anderson and Darling's test of the drawn schedule; absent where arrivals are not random.
    pub drawn_schedule: Option<AndersonDarling>,
    /// The largest distance between the distributions of gaps, scheduled and real, from 0 to 1. Absent where gaps are too few,
    /// too short beside the lag, or not random.
    pub departures_distance: Option<f64>,
    /// Whether response times changed over the window.
    pub stationarity: Stationarity,
    /// How far successive answers depend on each other; absent for fewer than two answers.
    pub serial: Option<SerialFigures>,
}

/// What the generator says of itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GeneratorRecord {
    /// Its threads.
    pub threads: usize,
    /// Part of the window in which its threads had a CPU, on average.
    pub busy: f64,
    /// Whether it polls without sleeping, so that `busy` says nothing of its load.
    pub spins: bool,
    /// CPU time per completed request, microseconds.
    pub cpu_per_request_us: f64,
    /// Involuntary context switches of its threads.
    pub involuntary_switches: u64,
    /// Whether it runs at raised priority.
    pub raised_priority: bool,
    /// System calls of its threads per completed request: waits, reads and writes.
    pub syscalls_per_request: f64,
}

impl SlicesRecord {
    /// The columns of `slices`.
    pub fn of(slices: &Slices) -> Self {
        let mean_us = |latency: load::SliceLatency| latency.sum_ns / u64::from(latency.count.max(1)) / 1000;
        Self {
            width_ns: slices.width_ns(),
            due: slices.iter().map(|slice| slice.due).collect(),
            answered: slices.iter().map(|slice| slice.answered).collect(),
            errors: slices.iter().map(|slice| slice.errors).collect(),
            mean_us: slices.iter().map(|slice| mean_us(slice.latency)).collect(),
            max_us: slices.iter().map(|slice| slice.latency.max_ns / 1000).collect(),
        }
    }
}

impl StreamRecord {
    /// The distribution of response times, those that were never answered in it.
    ///
    /// # Panics
    /// If the record was changed by hand: what a log holds is decoded when it is read.
    pub fn response_times(&self) -> Censored<Sparse> {
        Censored::from_parts(decoded(&self.response), decoded(&self.unanswered))
    }

    /// The same as observed, with the generator's own lateness in it.
    ///
    /// # Panics
    /// As [`StreamRecord::response_times`].
    pub fn observed_times(&self) -> Censored<Sparse> {
        Censored::from_parts(decoded(&self.observed), decoded(&self.unanswered))
    }

    /// The response times of right answers to those that only loaded, where others measured.
    ///
    /// # Panics
    /// As [`StreamRecord::response_times`].
    pub fn loading_times(&self) -> Option<Sparse> {
        self.loading.as_ref().map(decoded)
    }
}

fn decoded(recorded: &Recorded) -> Sparse {
    recorded.sparse().expect("a log's histograms are decoded when it is read")
}

impl Measured {
    /// The stream called `name`.
    pub fn stream(&self, name: &str) -> Option<&StreamRecord> {
        self.streams.iter().find(|stream| stream.name == name)
    }

    /// Right answers of a stream per second of the window.
    pub fn answered_per_second(&self, stream: &StreamRecord) -> f64 {
        stream.answered_in_window as f64 / self.window_s.max(f64::MIN_POSITIVE)
    }

    /// CPU time of the row's tree per right answer, microseconds, over the whole stretch and all streams.
    pub fn cpu_per_request_us(&self) -> f64 {
        self.accounts.row.total_cpu_ns() as f64 / 1000.0 / self.answered_in_stretch.max(1) as f64
    }

    /// Errors of all streams.
    pub fn errors(&self) -> u64 {
        self.streams.iter().flat_map(|stream| stream.errors.values()).sum()
    }

    /// What the gate sees of the window.
    pub fn disturbance(&self) -> Disturbance {
        self.accounts.disturbance(self.clock_step_ns)
    }
}

impl WindowRecord {
    /// The figures, if nothing was wrong with the window itself.
    pub fn valid(&self) -> Option<&Measured> {
        matches!(self.verdict, Verdict::Valid { .. }).then_some(self.measured.as_ref()).flatten()
    }

    /// From when to when it lasted; `None` where it has no figures, or its beginning is no date.
    pub fn range(&self) -> Option<TimeRange> {
        let began: jiff::Timestamp = self.began.parse().ok()?;
        let start_s = began.as_millisecond() as f64 / 1e3;
        Some(TimeRange { start_s, end_s: start_s + self.measured.as_ref()?.window_s.max(0.0) })
    }

    /// How tables call the row: the twin is told apart from the row itself.
    pub fn label(&self) -> String {
        label(&self.row, self.twin)
    }
}
