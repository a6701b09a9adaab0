//! What is kept of an experiment: a row's pass under load, and each event in it.
//!
//! Instants are nanoseconds since the pass's window opened. What an event did is what happened in its stretch: from the event to the next
//! one, or to the end of the window.

use std::collections::BTreeMap;

use host::guard::Usage;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    plan::{cpu_plan::CpuPlan, experiment::EventKind},
    records::window::{Measured, SlicesRecord, Verdict},
    registry::Tier,
    schema,
};

/// One pass and its events, in the order of time.
#[derive(Clone, Debug, PartialEq)]
pub struct ExperimentRecord {
    /// The pass.
    pub pass: PassRecord,
    /// What happened in it.
    pub events: Vec<EventRecord>,
}

/// Which pass: one row under one scenario, for the first time or again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct PassName {
    /// The scenario's name.
    pub scenario: String,
    /// The row's name.
    pub row: String,
    /// Which of the row's passes, from 0.
    pub start: usize,
}

/// One crash or one reload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EventRecord {
    /// The pass in which it happened.
    #[serde(flatten)]
    pub of: PassName,
    /// The row's tier.
    pub tier: Tier,
    /// Its number in the pass, from 0.
    pub number: usize,
    /// What happened.
    pub kind: EventKind,
    /// When, RFC 3339.
    pub at: String,
    /// When, since the window opened.
    pub at_ns: u64,
    /// From then to the next event, or to the end of the window.
    pub stretch_ns: u64,
    /// The processes that it struck: the one that was killed or failed, or all that a reload was to replace.
    pub hit: Vec<u32>,
    /// The processes that were there at the event's end in their place.
    pub new: Vec<u32>,
    /// What whoever asked for the fault was answered: a status such as `500`, or what became of the connection; absent where nobody asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// Until the process that was struck was gone; absent for a reload, and where it lives on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_ns: Option<u64>,
    /// Until a process that was not there before answered a request on a new connection; absent where none did before the deadline, and
    /// where the row does not say who answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_ns: Option<u64>,
    /// Until every worker process that was there before a reload was gone and as many others were there; absent where that took longer
    /// than the deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_ns: Option<u64>,
    /// Who put another process in the place of the one that ended; absent where none ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarted_by: Option<RestartedBy>,
    /// What went otherwise than it should, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Requests that failed within the stretch, by kind; attempts to connect are no requests.
    pub failed: BTreeMap<String, u64>,
    /// Attempts to connect that failed within it. What was due meanwhile waited.
    pub connects_failed: u64,
    /// Connections that were reset within it, idle ones included.
    pub reset: u64,
    /// Connections that the server closed within it without a word, while nothing was asked on them.
    pub closed_idle: u64,
    /// When the first of the slices begins: half a second before the event, on the slices' own edge. Less than that where the window opened
    /// later.
    pub slices_from_ns: u64,
    /// The stretch in slices of 10 ms, and the half second before it.
    pub slices: SlicesRecord,
    /// The 99th percentile of the response times of right answers to what was due in each slice, microseconds, to 6%; 0 where there were
    /// none.
    pub p99_us: Vec<u64>,
}

/// Who put a process in the place of one that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RestartedBy {
    /// The server itself: a process of it that outlived the other.
    Server,
    /// The harness, as an init system would have: the process that it had started was gone.
    Harness,
    /// Nobody, before the deadline.
    Nobody,
}

/// One row's pass: its server alone, under one open loop, with events in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PassRecord {
    /// Which.
    #[serde(flatten)]
    pub of: PassName,
    /// The row's tier.
    pub tier: Tier,
    /// When it began, RFC 3339.
    pub began: String,
    /// Seed of the arrivals.
    pub seed: u64,
    /// Where server and generator ran.
    pub cpus: CpuPlan,
    /// What the server carried in a closed loop just before, right answers per second; absent where it failed before that was known. The
    /// rate of the pass is a part of it.
    pub capacity_per_second: Option<f64>,
    /// Workers that the server said it has; absent if it did not say so.
    pub workers: Option<usize>,
    /// Events that were planned.
    pub planned: usize,
    /// Events that happened.
    pub events: usize,
    /// Why it ended before its last event, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_short: Option<String>,
    /// Whether the figures count. What the server could not do is part of the result.
    pub verdict: Verdict,
    /// The figures of the whole window; absent if the server failed before it opened.
    pub measured: Option<Measured>,
    /// Connections that were reset in the window, idle ones included.
    pub reset: u64,
    /// Connections that the server closed in the window without a word, while nothing was asked on them.
    pub closed_idle: u64,
    /// The process that watches over the workers; absent where the registry names no workers, or it ended within the pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary: Option<PrimaryRecord>,
    /// What the tree of the last server used in all its life; absent if it did not end by itself.
    #[schemars(with = "Option<schema::Life>")]
    pub life: Option<Usage>,
    /// How the last server ended, where that was not clean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unclean_end: Option<String>,
}

/// What watching over workers cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PrimaryRecord {
    /// Which process.
    pub pid: u32,
    /// Over which time, from just before the load to just after it.
    pub stretch_ns: u64,
    /// CPU time that it used by its own clock; that of its children is not in it.
    pub cpu_ns: u64,
    /// Its resident set at the end, KiB.
    pub rss_kib: u64,
    /// The largest that its resident set ever was, KiB.
    pub peak_rss_kib: u64,
}

impl PrimaryRecord {
    /// The share of one CPU that it took.
    pub fn cpu_share(&self) -> f64 {
        self.cpu_ns as f64 / (self.stretch_ns as f64).max(1.0)
    }
}

impl EventRecord {
    /// Requests that failed within its stretch, of all kinds.
    pub fn requests_failed(&self) -> u64 {
        self.failed.values().sum()
    }
}

impl PassRecord {
    /// The figures, if nothing was wrong with the pass itself.
    pub fn valid(&self) -> Option<&Measured> {
        matches!(self.verdict, Verdict::Valid { .. }).then_some(self.measured.as_ref()).flatten()
    }
}
