//! Playing the suite against one row's server, started as a trial starts it.

use std::time::{Duration, Instant};

use conformance::{Level, Options, Verdict, run_cases, suite};
use host::cpus::CpuSet;
use serde::{Deserialize, Serialize};

use crate::{
    context::Context,
    instance::{Instance, InstanceError},
    registry::{Program, Row, Tier},
};

/// Short enough to wait for, long enough for a busy machine to send a head within it.
const HEADER_TIMEOUT: Duration = Duration::from_secs(2);
/// Small enough to overstep quickly, beyond every body that a case expects to be accepted.
const MAX_BODY: usize = 100_000;
/// The suite takes seconds. A row that makes it wait so long would wait for hours.
const TIME_LIMIT: Duration = Duration::from_secs(300);
/// So many cases are played before an interrupt and the time are looked at.
const AT_A_TIME: usize = 16;

/// One case with what was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlayedCase {
    /// The case's name.
    pub name: String,
    /// How binding it is.
    pub level: Level,
    /// Who requires it.
    pub source: String,
    /// What the suite says of it.
    pub verdict: Verdict,
    /// What was found; empty for a pass.
    pub detail: String,
    /// What the server said, with what may differ between rows masked; empty where that cannot be compared.
    #[serde(skip)]
    pub said: String,
}

impl PlayedCase {
    /// Whether the server answered bytes that were a body, which nobody may do, whatever the case.
    pub fn is_desync(&self) -> bool {
        self.verdict == Verdict::Fail && self.detail.to_ascii_lowercase().contains("desync")
    }
}

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// The server did not start, or did not end well.
    #[error(transparent)]
    Server(#[from] InstanceError),
    /// The server makes the suite wait.
    #[error(
        "only {played} of {all} cases were played within {TIME_LIMIT:?}: it leaves most of them without an answer"
    )]
    TooSlow {
        /// Cases that were played.
        played: usize,
        /// Cases that there are.
        all: usize,
    },
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// This process cannot tell its CPUs.
    #[error("cannot read which CPUs this process may use: {0}")]
    Cpus(std::io::Error),
    /// The binary cannot be told from another.
    #[error("cannot read its program: {0}")]
    Program(std::io::Error),
}

/// How a row is started to be verified, and what the suite is told of it.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    cpus: CpuSet,
    limits: bool,
    /// What is added to the row's own arguments.
    pub(crate) more: Vec<String>,
}

impl Setting {
    /// On all CPUs of this process; with limits that can be overstepped, where the row's program knows kit's arguments.
    ///
    /// # Errors
    /// The CPUs cannot be read.
    pub(crate) fn of(row: &Row) -> Result<Self, PlayError> {
        let limits = matches!(row.program, Program::Package(_)) || row.tier == Tier::Controlled;
        let timeout = format!("{}s", HEADER_TIMEOUT.as_secs());
        let arguments = ["--header-timeout", &timeout, "--max-body", &MAX_BODY.to_string()];
        let more = if limits { arguments.map(str::to_owned).to_vec() } else { Vec::new() };
        Ok(Self { cpus: CpuSet::allowed().map_err(PlayError::Cpus)?, limits, more })
    }

    /// All that the server is started with, but where it listens.
    pub(crate) fn arguments(&self, row: &Row) -> Vec<String> {
        let cpus = ["--cpus".to_owned(), self.cpus.to_string()];
        cpus.into_iter().chain(self.more.iter().cloned()).chain(row.args.iter().cloned()).collect()
    }
}

/// Starts the server of `row`, plays every case, and ends it. `heard` is told how many cases were played, of how many.
///
/// # Errors
/// See [`PlayError`]. A case that fails is no error.
///
/// # Panics
/// If the row was not built.
pub(crate) fn play(
    row: &Row,
    setting: &Setting,
    context: &Context,
    mut heard: impl FnMut(usize, usize),
) -> Result<Vec<PlayedCase>, PlayError> {
    let built = &context.programs[&row.name];
    let instance = Instance::start_with(row, built, &setting.cpus, &context.guard, &setting.more)?;
    let options = Options {
        header_timeout: setting.limits.then_some(HEADER_TIMEOUT),
        max_body: setting.limits.then_some(MAX_BODY),
        origin: Some(instance.said().server.clone()),
        ..Options::default()
    };
    let began = Instant::now();
    let mut cases = suite().into_iter().peekable();
    let all = cases.len();
    let mut played: Vec<PlayedCase> = Vec::with_capacity(all);
    while cases.peek().is_some() {
        if context.interrupt.asked() {
            return Err(PlayError::Interrupted);
        }
        if began.elapsed() > TIME_LIMIT {
            return Err(PlayError::TooSlow { played: played.len(), all });
        }
        let report = run_cases(cases.by_ref().take(AT_A_TIME), instance.address(), &options);
        played.extend(report.outcomes.into_iter().map(|outcome| PlayedCase {
            name: outcome.name.to_owned(),
            level: outcome.level,
            source: outcome.source.to_owned(),
            verdict: outcome.verdict,
            detail: outcome.detail,
            said: outcome.said,
        }));
        heard(played.len(), all);
    }
    // A server that crashed on the way, or that cannot end, is no row that holds.
    instance.stop()?;
    Ok(played)
}
