//! One row's server, started for one trial: ready, built for speed, and giving right answers.

use std::{ffi::OsString, net::SocketAddr, time::Duration};

use host::{
    cpus::CpuSet,
    launch::{Exit, Launch, LaunchError, Process},
    ready::{Profile, Ready},
};

use crate::{builder::Built, registry::Row};

/// How long it may take to end once it was told to. Nothing is in flight then.
const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// A server that accepts connections. Dropping it kills it and everything that it started.
#[derive(Debug)]
pub struct Instance {
    process: Process,
    ready: Ready,
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
    /// An answer is wrong.
    #[error("the server answers wrongly: {0}")]
    WrongAnswer(String),
    /// The generator could not do its work.
    #[error("the generator: {0}")]
    Generator(String),
    /// It ended badly.
    #[error("the server did not exit cleanly: {0}")]
    Unclean(String),
}

impl Instance {
    /// Starts `row`'s program on `cpus` and waits for its ready line.
    ///
    /// # Errors
    /// It dies, is never ready, is a debug build or says that it runs elsewhere.
    pub fn start(row: &Row, built: &Built, cpus: &CpuSet, guard: &[OsString]) -> Result<Self, InstanceError> {
        Self::start_with(row, built, cpus, guard, &[])
    }

    /// As [`Instance::start`], with `more` arguments before the row's own.
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
        let mut process = Launch::new(&built.program)
            .args(&built.leading_args)
            .args(["--listen", "127.0.0.1:0", "--cpus", &cpus.to_string()])
            .args(more)
            .args(&row.args)
            .cpus(cpus.clone())
            .guarded_by(guard)
            .spawn()?;
        let ready = process.ready(row.ready_within)?;
        if ready.profile != Profile::Release {
            return Err(InstanceError::Debug);
        }
        if ready.cpus != *cpus {
            return Err(InstanceError::WrongCpus { said: ready.cpus, planned: cpus.clone() });
        }
        Ok(Self { process, ready })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.ready.address
    }

    /// What it said of itself.
    pub fn said(&self) -> &Ready {
        &self.ready
    }

    /// The root of its process tree.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Ends it with SIGTERM.
    ///
    /// # Errors
    /// It had to be killed, exited with another code than 0, or left processes behind.
    pub fn stop(self) -> Result<Exit, InstanceError> {
        let exit = self.process.stop(STOP_DEADLINE)?;
        if exit.is_clean() {
            return Ok(exit);
        }
        let mut reason = exit.ended.to_string();
        if exit.forced {
            reason = format!("it outstayed SIGTERM by {STOP_DEADLINE:?} and was killed");
        } else if exit.left_behind > 0 {
            reason.push_str(&format!(", leaving {} of its processes behind", exit.left_behind));
        }
        if let Some(last) = exit.stderr.last() {
            reason.push_str(&format!(" ({last})"));
        }
        Err(InstanceError::Unclean(reason))
    }
}
