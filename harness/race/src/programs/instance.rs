//! One row's server, as a start has it: ready, on its CPUs, and built for speed where that is ours to ask.
//!
//! A server of this project says all of its ready line, and ends cleanly. Of a program that is not, what it does not say is not
//! known, and however it ends, it is ended.

use std::{
    ffi::OsString,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use host::{
    answering::{self, Listener},
    cpus::CpuSet,
    guard::{Ended, Usage},
    launch::{Exit, Heard, Launch, LaunchError, Process},
    ready::{Announced, Profile},
};
use serde::{Deserialize, Serialize};

use crate::{
    programs::{builder::Built, start_environment},
    registry::{Readiness, Row, Tier, placeholders::fill},
};

/// How long it may take to end once it was told to. Nothing is in flight then.
const STOP_DEADLINE: Duration = Duration::from_secs(10);
/// The same for a program that nobody promised to end: one that ignores the order costs every start so long.
const FOREIGN_STOP_DEADLINE: Duration = Duration::from_secs(5);
/// How often a program that says nothing is asked whether it answers.
const ASK_EVERY: Duration = Duration::from_millis(10);
/// How long one such question may take. A program that accepts and is not ready yet is asked again.
const ONE_QUESTION: Duration = Duration::from_secs(1);
/// Where a server listens whose load comes from this host.
pub(crate) const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// How many ports are tried, where somebody else takes one before the program does.
const PORTS_TRIED: usize = 5;

/// A server that accepts connections. Dropping it kills it and everything that it started.
#[derive(Debug)]
pub struct Instance {
    process: Process,
    said: Announced,
    is_foreign: bool,
}

/// Why a row cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// It did not start, or did not end.
    #[error("the server {0}")]
    Launch(#[from] LaunchError),
    /// It is a debug build.
    #[error("the server says that it is a debug build, which is never measured: build it with --release")]
    Debug,
    /// It is not on the CPUs that the plan gives it.
    #[error("the server says that it runs on CPUs {said}, not on {planned}: its --cpus does not hold")]
    WrongCpus {
        /// What its ready line says.
        said: CpuSet,
        /// What the plan says.
        planned: CpuSet,
    },
    /// It never answered.
    #[error("the server gave no HTTP answer on {address} within {within:?}{}", .last.as_ref().map(|last| format!(": {last}")).unwrap_or_default())]
    NeverAnswered {
        /// Where it was asked.
        address: SocketAddr,
        /// How long it was given.
        within: Duration,
        /// The last line of its stderr.
        last: Option<String>,
    },
    /// It put itself into the background.
    #[error(
        "the server ended with exit code 0 before it answered: run it in the foreground, since what it leaves in the background \
         is ended with it"
    )]
    Background,
    /// Each port was taken by somebody else before the program had it.
    #[error(
        "each of {PORTS_TRIED} ports that were free was taken by another program before the server listened there"
    )]
    NoPort,
    /// Where it listened before, somebody else does.
    #[error("{0} was taken by another program before the server listened there again")]
    Taken(SocketAddr),
    /// An answer is wrong.
    #[error("the server answers wrongly: {0}")]
    WrongAnswer(String),
    /// The generator could not do its work.
    #[error("the generator: {0}")]
    Generator(String),
    /// It ended badly.
    #[error("the server did not exit cleanly: {0}")]
    Unclean(String),
    /// What the other host says on which it was to run, or that this one says nothing any more.
    #[error("{0}")]
    There(String),
}

/// How a server ended when it was told to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// What its whole tree used in all its life.
    pub usage: Option<Usage>,
    /// What was not clean about it; only ever of a program that is not this project's.
    pub unclean: Option<String>,
}

impl Instance {
    /// Starts `row`'s program on `cpus` and waits until it accepts.
    ///
    /// # Errors
    /// It dies, is never ready, is a debug build of ours or says that it runs elsewhere.
    pub fn start(row: &Row, built: &Built, cpus: &CpuSet, guard: &[OsString]) -> Result<Self, InstanceError> {
        Self::start_with(row, built, cpus, guard, &[])
    }

    /// As [`Instance::start`], with `more` arguments before the row's own, for a server with a ready line.
    ///
    /// # Errors
    /// See [`Instance::start`].
    pub fn start_with(
        row: &Row,
        built: &Built,
        cpus: &CpuSet,
        guard: &[OsString],
        more: &[String],
    ) -> Result<Self, InstanceError> {
        Self::start_at(row, built, cpus, guard, more, None)
    }

    /// As [`Instance::start_with`], at an address where one like it listened before.
    ///
    /// # Errors
    /// See [`Instance::start`]; and somebody else has the address.
    pub fn start_at(
        row: &Row,
        built: &Built,
        cpus: &CpuSet,
        guard: &[OsString],
        more: &[String],
        address: Option<SocketAddr>,
    ) -> Result<Self, InstanceError> {
        Start { row, built, cpus, guard, ip: LOOPBACK }.begin(more, address)
    }

    /// As [`Instance::start`], listening on `ip` instead of on this host's loopback.
    ///
    /// # Errors
    /// See [`Instance::start`].
    pub fn start_on(
        ip: IpAddr,
        row: &Row,
        built: &Built,
        cpus: &CpuSet,
        guard: &[OsString],
    ) -> Result<Self, InstanceError> {
        Start { row, built, cpus, guard, ip }.begin(&[], None)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.said.address
    }

    /// Its name, if it said so: the origin of its answers.
    pub fn server(&self) -> Option<&str> {
        self.said.server.as_deref()
    }

    /// How many workers it has, if it said so.
    pub fn workers(&self) -> Option<usize> {
        self.said.workers
    }

    /// The process below which its whole tree is, whatever its parts do to their parents. It is none of them.
    pub fn guard_pid(&self) -> u32 {
        self.process.launched()
    }

    /// Ends it with SIGTERM.
    ///
    /// # Errors
    /// It had ended by itself before. If it is ours: it had to be killed, exited with another code than 0, or left processes
    /// behind.
    pub fn stop(mut self) -> Result<Stopped, InstanceError> {
        if !self.is_foreign {
            let exit = self.process.stop(STOP_DEADLINE)?;
            return match unclean(&exit, STOP_DEADLINE) {
                Some(reason) => Err(InstanceError::Unclean(reason)),
                None => Ok(Stopped { usage: exit.usage, unclean: None }),
            };
        }
        // Whatever it printed comes before how it ended, if it did.
        loop {
            match self.process.next_line(Instant::now())? {
                Heard::Line(_) => {}
                Heard::Nothing => break,
                Heard::End(exit) => {
                    let reason = with_last_words(format!("it ended by itself ({})", exit.ended), &exit);
                    return Err(InstanceError::Unclean(reason));
                }
            }
        }
        let exit = self.process.stop(FOREIGN_STOP_DEADLINE)?;
        let unclean = if is_end_by_sigterm(&exit) { None } else { unclean(&exit, FOREIGN_STOP_DEADLINE) };
        Ok(Stopped { usage: exit.usage, unclean })
    }
}

/// What it takes to start a row's program.
struct Start<'a> {
    row: &'a Row,
    built: &'a Built,
    cpus: &'a CpuSet,
    guard: &'a [OsString],
    /// Where it listens, on a port that is free.
    ip: IpAddr,
}

impl Start<'_> {
    fn begin(&self, more: &[String], address: Option<SocketAddr>) -> Result<Instance, InstanceError> {
        match self.row.ready {
            Readiness::Line => {
                self.by_ready_line(more, address.unwrap_or_else(|| SocketAddr::new(self.ip, 0)))
            }
            Readiness::Http => self.by_answer(more, address),
        }
    }

    fn launch(&self) -> Launch {
        let variables = start_environment::of(self.row, &start_environment::own());
        let launch = Launch::new(&self.built.program).cpus(self.cpus.clone()).guarded_by(self.guard);
        let launch = variables
            .into_iter()
            .fold(launch.inherits_nothing(), |launch, (name, value)| launch.env(name, value));
        match &self.built.folder {
            Some(folder) => launch.folder(folder),
            None => launch,
        }
    }

    fn by_ready_line(&self, more: &[String], listen: SocketAddr) -> Result<Instance, InstanceError> {
        let Self { row, built, cpus, .. } = self;
        let launch = self
            .launch()
            .args(&built.leading_args)
            .args(["--listen", &listen.to_string(), "--cpus", &cpus.to_string()])
            .args(more)
            .args(&built.args);
        let mut process = launch.spawn()?;
        let is_foreign = row.tier == Tier::Reference;
        let said = if is_foreign {
            process.announced(row.ready_within)?
        } else {
            process.ready(row.ready_within)?.into()
        };
        if !is_foreign && built.profile == Profile::Release && said.profile != Some(Profile::Release) {
            return Err(InstanceError::Debug);
        }
        match &said.cpus {
            Some(said) if said != *cpus => {
                Err(InstanceError::WrongCpus { said: said.clone(), planned: (*cpus).clone() })
            }
            _ => {
                process.stop_listening();
                Ok(Instance { process, said, is_foreign })
            }
        }
    }

    fn by_answer(&self, more: &[String], given: Option<SocketAddr>) -> Result<Instance, InstanceError> {
        for _ in 0..given.map_or(PORTS_TRIED, |_| 1) {
            let address = match given {
                Some(address) => address,
                None => (self.ip, answering::free_port(self.ip).map_err(LaunchError::Io)?).into(),
            };
            let port = address.port();
            let value = |name: &str| match name {
                "port" => Some(port.to_string()),
                "address" => Some(address.to_string()),
                "cpus" => Some(self.cpus.to_string()),
                "workers" => Some(self.cpus.len().to_string()),
                _ => None,
            };
            let arguments = self.built.leading_args.iter().chain(more).chain(&self.built.args);
            let mut process = self.launch().args(arguments.map(|argument| fill(argument, value))).spawn()?;
            if self.wait_for_answer(&mut process, address)? {
                process.stop_listening();
                let said = Announced { server: None, address, workers: None, cpus: None, profile: None };
                let is_foreign = self.row.tier == Tier::Reference;
                return Ok(Instance { process, said, is_foreign });
            }
        }
        Err(given.map_or(InstanceError::NoPort, InstanceError::Taken))
    }

    /// Whether it answers; not if somebody else has its port.
    fn wait_for_answer(&self, process: &mut Process, address: SocketAddr) -> Result<bool, InstanceError> {
        let within = self.row.ready_within;
        let deadline = Instant::now() + within;
        let listener = |process: &Process| answering::listener(address.port(), process.launched());
        loop {
            if let Heard::End(exit) = process.next_line((Instant::now() + ASK_EVERY).min(deadline))? {
                return match (listener(process), exit.ended) {
                    // Everything below the guard is gone: whoever listens there is somebody else.
                    (Listener::Foreign | Listener::Unknown, _) => Ok(false),
                    (_, Ended::Code(0)) => Err(InstanceError::Background),
                    (_, ended) => {
                        let ended = ended.to_string();
                        Err(LaunchError::Died { ended, stderr: exit.stderr }.into())
                    }
                };
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let last = process.stderr().pop();
                return Err(InstanceError::NeverAnswered { address, within, last });
            }
            if answering::answers(address, left.min(ONE_QUESTION)) {
                match listener(process) {
                    Listener::Own | Listener::Unknown => return Ok(true),
                    Listener::Foreign => return Ok(false),
                    Listener::Nobody => {}
                }
            }
        }
    }
}

/// A program that knows nothing of SIGTERM ends by it: the signal itself, or the code by which shells report it.
fn is_end_by_sigterm(exit: &Exit) -> bool {
    const SIGTERM: i32 = signal_hook::consts::SIGTERM;
    let by_signal = [Ended::Signal(SIGTERM), Ended::Code(128 + SIGTERM)].contains(&exit.ended);
    by_signal && !exit.forced && exit.left_behind == 0
}

fn unclean(exit: &Exit, deadline: Duration) -> Option<String> {
    if exit.is_clean() {
        return None;
    }
    let mut reason = exit.ended.to_string();
    if exit.forced {
        reason = format!("it outstayed SIGTERM by {deadline:?} and was killed");
    } else if exit.left_behind > 0 {
        reason.push_str(&format!(", leaving {} of its processes behind", exit.left_behind));
    }
    Some(with_last_words(reason, exit))
}

fn with_last_words(mut reason: String, exit: &Exit) -> String {
    if let Some(last) = exit.stderr.last() {
        reason.push_str(&format!(" ({last})"));
    }
    reason
}
