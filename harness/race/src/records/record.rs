//! What is kept of a trial: one JSON object a line in `trials.jsonl`, appended and flushed as each trial ends.
//!
//! A crash or Ctrl-C loses at most the trial under way; a line that a crash cut short is the last one, and is
//! dropped when the file is read.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    path::Path,
};

use host::guard::Usage;
use serde::{Deserialize, Serialize};
use stats::{AndersonDarling, Digest, Quantile, SerialFigures, Stationarity};

use crate::{
    plan::cpu_plan::CpuPlan,
    registry::Tier,
    sample::{MachineUse, TreeUse},
};

/// Raised when a field changes its meaning.
pub const SCHEMA: u32 = 2;

/// One row under one scenario once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialRecord {
    /// Version of this format.
    pub schema: u32,
    /// The scenario's name.
    pub scenario: String,
    /// The row's name.
    pub row: String,
    /// Whether this is the second entry of the row that is compared with itself.
    pub twin: bool,
    /// The row's tier.
    pub tier: Tier,
    /// The block: all rows once each, in random order.
    pub block: usize,
    /// The place within the block.
    pub position: usize,
    /// 0, or how often this trial was repeated because it was invalid.
    pub attempt: u32,
    /// Seed of the arrivals, the same for all rows of a block.
    pub seed: u64,
    /// When it began, RFC 3339.
    pub started: String,
    /// Where server and generator ran.
    pub cpus: CpuPlan,
    /// Whether the figures count.
    pub verdict: Verdict,
    /// The figures; absent if the trial failed before its window ended.
    pub measured: Option<Measured>,
}

/// Whether a trial's figures count, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Verdict {
    /// They do. What the server could not do is part of the result.
    Valid {
        /// The generator was the bottleneck: a throughput is a lower bound.
        generator_bound: bool,
    },
    /// The instrument failed: the trial is repeated, and never averaged in.
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

/// The figures of a trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Length of the window, seconds.
    pub window_s: f64,
    /// By how much the clock of the kernel's stamps was set meanwhile, nanoseconds; absent where there are no stamps.
    pub clock_step_ns: Option<i64>,
    /// Its streams, in the scenario's order.
    pub streams: Vec<StreamRecord>,
    /// What the server's process tree used within the window.
    pub server: TreeUse,
    /// CPU time of the server's tree per right answer, microseconds, over all streams.
    pub server_cpu_per_request_us: f64,
    /// What the server's tree used in all its life, as `wait4` accounts for it.
    pub server_life: Option<Usage>,
    /// Workers that the server said it has; absent if it did not say so.
    pub workers: Option<usize>,
    /// How a program that is not this project's ended, where that was not clean. It was ended all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unclean_end: Option<String>,
    /// The generator's own account.
    pub generator: GeneratorRecord,
    /// The machine's.
    pub machine: Option<MachineUse>,
    /// Load average over the minute before.
    pub load_average_before: Option<f64>,
}

/// The figures of one endpoint of a mix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamRecord {
    /// Its name.
    pub name: String,
    /// Its connections.
    pub connections: usize,
    /// Requests per second that were meant to be due; absent for a closed loop.
    pub offered_per_second: Option<f64>,
    /// Right answers that arrived per second of the window.
    pub achieved_per_second: f64,
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
    /// Those that were never answered: their response times are only known to be longer than their age.
    pub censored: u64,
    /// Errors by kind.
    pub errors: BTreeMap<String, u64>,
    /// The first answer that was not the expected one.
    pub first_wrong: Option<String>,
    /// From the due time to the last byte, less the generator's own lateness.
    pub response: Option<Digest>,
    /// The same with it, as an observer at the socket would have it.
    pub observed: Option<Digest>,
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
    /// What the generator found of its own schedule and of the window; absent in records of before it looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub self_checks: Option<SelfChecks>,
}

/// What the generator found of its own schedule and of the window, beside its accounts and its lag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GeneratorRecord {
    /// Its threads.
    pub threads: usize,
    /// Part of the window in which its threads had a CPU, on average.
    pub busy: f64,
    /// Whether it polls without sleeping, so that `busy` says nothing of its load.
    pub spins: bool,
    /// Part of the window in which its threads were runnable but had no CPU, on average.
    pub starved: f64,
    /// CPU time per completed request, microseconds.
    pub cpu_per_request_us: f64,
    /// Involuntary context switches of its threads.
    pub involuntary_switches: u64,
    /// Whether it runs at raised priority.
    pub raised_priority: bool,
    /// System calls of its threads per completed request: waits, reads and writes.
    pub syscalls_per_request: f64,
}

impl StreamRecord {
    /// The 99th percentile of the response time; absent if there was no request.
    pub fn p99(&self) -> Option<Quantile> {
        self.response.as_ref().map(|response| response.p99)
    }
}

impl Measured {
    /// The stream called `name`.
    pub fn stream(&self, name: &str) -> Option<&StreamRecord> {
        self.streams.iter().find(|stream| stream.name == name)
    }

    /// Errors of all streams.
    pub fn errors(&self) -> u64 {
        self.streams.iter().flat_map(|stream| stream.errors.values()).sum()
    }
}

impl TrialRecord {
    /// The figures, if they count.
    pub fn valid(&self) -> Option<&Measured> {
        matches!(self.verdict, Verdict::Valid { .. }).then_some(self.measured.as_ref()).flatten()
    }

    /// How tables call the row: the twin is told apart from the row itself.
    pub fn label(&self) -> String {
        label(&self.row, self.twin)
    }
}

/// How tables call a row, or the second entry of one that is compared with itself.
pub fn label(row: &str, twin: bool) -> String {
    if twin { format!("{row} (again)") } else { row.to_owned() }
}

/// Where trials are appended.
#[derive(Debug)]
pub struct TrialLog {
    file: File,
}

impl TrialLog {
    /// Opens, or begins, the log at `path`.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn append_to(path: &Path) -> io::Result<Self> {
        Ok(Self { file: OpenOptions::new().create(true).append(true).open(path)? })
    }

    /// Appends one trial in one write, and has it on disk before returning.
    ///
    /// # Errors
    /// The disk is full, or the file went away.
    pub fn append(&mut self, trial: &TrialRecord) -> io::Result<()> {
        let mut line = serde_json::to_vec(trial)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.file.sync_data()
    }
}

/// Reads all trials of a log.
///
/// # Errors
/// The file cannot be read, or a line other than an unfinished last one is no trial of this version.
pub fn read_trials(path: &Path) -> io::Result<Vec<TrialRecord>> {
    let mut trials = Vec::new();
    let mut reader = BufReader::new(File::open(path)?);
    let mut line = String::new();
    for number in 1.. {
        line.clear();
        if reader.read_line(&mut line)? == 0 || !line.ends_with('\n') {
            break;
        }
        let trial: TrialRecord = serde_json::from_str(&line)
            .map_err(|error| io::Error::other(format!("line {number} is no trial: {error}")))?;
        if trial.schema != SCHEMA {
            let message =
                format!("line {number} has schema {}, and this harness reads {SCHEMA}", trial.schema);
            return Err(io::Error::other(message));
        }
        trials.push(trial);
    }
    Ok(trials)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::failed;

    #[test]
    fn appended_trials_read_back_and_a_line_cut_short_by_a_crash_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trials.jsonl");
        let trials = [failed("mixed", "a", 0), failed("mixed", "b", 0)];
        let mut log = TrialLog::append_to(&path).unwrap();
        for trial in &trials {
            log.append(trial).unwrap();
        }
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(br#"{"schema":1,"scenar"#).unwrap();
        assert_eq!(read_trials(&path).unwrap(), trials);
    }

    #[test]
    fn a_line_that_is_no_trial_is_reported_by_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trials.jsonl");
        TrialLog::append_to(&path).unwrap().append(&failed("mixed", "a", 0)).unwrap();
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{}\n").unwrap();
        assert!(read_trials(&path).unwrap_err().to_string().contains("line 2"));
    }
}
