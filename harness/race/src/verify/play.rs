//! Playing the suite against one row's server, started as for a race.

use std::{
    net::SocketAddr,
    panic::resume_unwind,
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use conformance::{
    DESYNC, HEADER_TIMEOUT, Level, MAX_BODY, Options, Outcome, PARALLEL, Report, Verdict, run,
};
use host::cpus::CpuSet;
use serde::{Deserialize, Serialize};

use crate::{
    measure::drive,
    programs::{
        context::Context,
        instance::{Instance, InstanceError},
    },
    registry::{Readiness, Row, Tier},
};

/// The suite takes seconds. A row that makes it wait so long would wait for hours.
const TIME_LIMIT: Duration = Duration::from_secs(300);
/// How often an interrupt is looked for meanwhile.
const GLANCE: Duration = Duration::from_millis(100);

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
        self.verdict == Verdict::Fail && self.detail.starts_with(DESYNC)
    }
}

impl From<Outcome> for PlayedCase {
    fn from(outcome: Outcome) -> Self {
        let Outcome { name, level, source, verdict, detail, said } = outcome;
        Self { name: name.to_owned(), level, source: source.to_owned(), verdict, detail, said }
    }
}

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// The server did not start.
    #[error(transparent)]
    Server(#[from] InstanceError),
    /// The server crashed, or did not end well.
    #[error("{error}; the first case that failed: {after}")]
    Ended {
        /// How it ended.
        error: InstanceError,
        /// The first case that failed; where it crashed, about there.
        after: &'static str,
    },
    /// The server makes the suite wait.
    #[error(
        "the suite did not end within {TIME_LIMIT:?}: the server leaves too many requests without an answer"
    )]
    TooSlow,
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
    /// On all CPUs of this process; with limits that can be overstepped, where the row's program is this project's.
    ///
    /// # Errors
    /// The CPUs cannot be read.
    pub(crate) fn of(row: &Row) -> Result<Self, PlayError> {
        let is_ours = matches!(row.tier, Tier::Controlled | Tier::Native);
        let limits = is_ours && row.ready == Readiness::Line;
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

/// Starts the server of `row`, plays every case, and ends it.
///
/// # Errors
/// See [`PlayError`]. A case that fails is no error.
///
/// # Panics
/// If the row was not built, or if the suite panics.
pub(crate) fn play(row: &Row, setting: &Setting, context: &Context) -> Result<Vec<PlayedCase>, PlayError> {
    let built = &context.programs[&row.name];
    let instance = Instance::start_with(row, built, &setting.cpus, &context.guard, &setting.more)?;
    if row.is_given {
        // Nothing is listed of it that a wrong answer could contradict.
        drive::check_answers(instance.address(), instance.server(), row)?;
    }
    let options = Options {
        header_timeout: setting.limits.then_some(HEADER_TIMEOUT),
        max_body: setting.limits.then_some(MAX_BODY),
        origin: instance.server().filter(|_| row.tier != Tier::Reference).map(str::to_owned),
        parallel: PARALLEL,
        ..Options::default()
    };
    let report = run_within(TIME_LIMIT, instance.address(), options, context)?;
    // A server that crashed on the way, or that cannot end, is no row that holds.
    if let Err(error) = instance.stop() {
        let first = report.outcomes.iter().find(|outcome| outcome.verdict == Verdict::Fail);
        let after = first.map_or("none", |outcome| outcome.name);
        return Err(PlayError::Ended { error, after });
    }
    Ok(report.outcomes.into_iter().map(PlayedCase::from).collect())
}

/// Plays the suite on a thread of its own. Where it is given up, the caller's server goes away, at which the thread soon
/// ends.
fn run_within(
    limit: Duration,
    address: SocketAddr,
    options: Options,
    context: &Context,
) -> Result<Report, PlayError> {
    let (sender, receiver) = channel();
    let player = thread::spawn(move || {
        // Nobody waits any more where it cannot be sent.
        drop(sender.send(run(address, &options)));
    });
    let deadline = Instant::now() + limit;
    loop {
        match receiver.recv_timeout(GLANCE) {
            Ok(report) => return Ok(report),
            Err(RecvTimeoutError::Timeout) if context.interrupt.asked() => {
                return Err(PlayError::Interrupted);
            }
            Err(RecvTimeoutError::Timeout) if Instant::now() > deadline => return Err(PlayError::TooSlow),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => match player.join() {
                Ok(()) => return Err(PlayError::Interrupted),
                Err(panic) => resume_unwind(panic),
            },
        }
    }
}
