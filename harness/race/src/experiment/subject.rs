//! The server of an experiment: started, started again where it ended by what happened to it, and stopped.

use std::{net::SocketAddr, thread, time::Duration};

use host::cpus::CpuSet;

use super::{tree::Tree, watched::Watched};
use crate::{
    programs::{
        context::Context,
        instance::{InstanceError, Stopped},
    },
    registry::Row,
    server_host::{
        running::Running,
        this_host::{RunningHere, ThisHost},
    },
};

/// How long an init system waits before it starts a service again that has ended at its start (systemd's `RestartSec`), and how often this one
/// tries.
const RESTART_AFTER: Duration = Duration::from_millis(100);
const RESTARTS: usize = 30;

/// The server, on its CPUs, at an address that it keeps.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    context: &'a Context,
    host: &'a ThisHost,
    row: &'a Row,
    cpus: &'a CpuSet,
    more: Vec<String>,
    address: SocketAddr,
    alive: Option<Alive>,
}

/// One life of it.
#[derive(Debug)]
pub(super) struct Alive {
    pub(super) running: Box<RunningHere>,
    pub(super) tree: Tree,
    /// The process that the harness started.
    pub(super) server: Watched,
}

impl<'a> Subject<'a> {
    /// Starts it, with `more` arguments before its row's own.
    ///
    /// # Errors
    /// See [`Instance::start`](crate::programs::instance::Instance::start).
    pub(super) fn start(
        context: &'a Context,
        host: &'a ThisHost,
        row: &'a Row,
        cpus: &'a CpuSet,
        more: &[String],
    ) -> Result<Self, InstanceError> {
        let alive = Alive::begin(host.take(context.start_at(row, cpus, more, None)?), row)?;
        let address = alive.running.address();
        Ok(Self { context, host, row, cpus, more: more.to_vec(), address, alive: Some(alive) })
    }

    /// Its row.
    pub(super) fn row(&self) -> &'a Row {
        self.row
    }

    /// Where it listens, in all its lives.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its present life.
    ///
    /// # Errors
    /// It could not be started again.
    pub(super) fn alive(&self) -> Result<&Alive, InstanceError> {
        self.alive.as_ref().ok_or_else(not_started)
    }

    /// The same, to be loaded.
    ///
    /// # Errors
    /// As [`Subject::alive`].
    pub(super) fn alive_mut(&mut self) -> Result<&mut Alive, InstanceError> {
        self.alive.as_mut().ok_or_else(not_started)
    }

    /// Starts it again where it listened before, as an init system would. What is left of its last life is ended first; where the kernel has
    /// not let go of all of that yet (io_uring keeps a listener for a while after its process is gone), it is tried again.
    ///
    /// # Errors
    /// See [`Instance::start`](crate::programs::instance::Instance::start); the last that was tried.
    pub(super) fn restart(&mut self) -> Result<(), InstanceError> {
        self.alive = None;
        let mut tries = 1;
        let instance = loop {
            match self.context.start_at(self.row, self.cpus, &self.more, Some(self.address)) {
                Err(InstanceError::Launch(_) | InstanceError::Taken(_)) if tries < RESTARTS => {
                    tries += 1;
                    thread::sleep(RESTART_AFTER);
                }
                started => break started?,
            }
        };
        self.alive = Some(Alive::begin(self.host.take(instance), self.row)?);
        Ok(())
    }

    /// Ends it.
    ///
    /// # Errors
    /// See [`Instance::stop`](crate::programs::instance::Instance::stop).
    pub(super) fn stop(self) -> Result<Option<Stopped>, InstanceError> {
        self.alive.map(|alive| alive.running.stop()).transpose()
    }
}

impl Alive {
    fn begin(running: RunningHere, row: &Row) -> Result<Self, InstanceError> {
        let unseen = |error: &dyn std::fmt::Display| {
            InstanceError::Generator(format!("cannot see the server's processes: {error}"))
        };
        let tree = Tree::of(running.guard_pid(), row.workers.as_ref()).map_err(|error| unseen(&error))?;
        let server = Watched::open(tree.server()).map_err(|error| unseen(&error))?;
        Ok(Self { running: Box::new(running), tree, server })
    }
}

fn not_started() -> InstanceError {
    InstanceError::Unclean("it was not started again".to_owned())
}
