//! The server of an experiment: started, started again where it ended by what happened to it, and stopped.

use std::{net::SocketAddr, thread, time::Duration};

use host::cpus::CpuSet;

use super::{tree::Tree, watched::Watched};
use crate::{
    programs::{
        context::Context,
        instance::{Instance, InstanceError, Stopped},
    },
    registry::Row,
};

/// How long an init system waits before it starts a service again that has ended at its start (systemd's `RestartSec`), and how often this one
/// tries.
const RESTART_AFTER: Duration = Duration::from_millis(100);
const RESTARTS: usize = 30;

/// The server, on its CPUs, at an address that it keeps.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    context: &'a Context,
    row: &'a Row,
    cpus: &'a CpuSet,
    more: Vec<String>,
    address: SocketAddr,
    alive: Option<Alive>,
}

/// One life of it.
#[derive(Debug)]
pub(super) struct Alive {
    pub(super) instance: Instance,
    pub(super) tree: Tree,
    /// The process that the harness started.
    pub(super) server: Watched,
}

impl<'a> Subject<'a> {
    /// Starts it, with `more` arguments before its row's own.
    ///
    /// # Errors
    /// See [`Instance::start`].
    pub(super) fn start(
        context: &'a Context,
        row: &'a Row,
        cpus: &'a CpuSet,
        more: &[String],
    ) -> Result<Self, InstanceError> {
        let alive = Alive::begin(context.start_at(row, cpus, more, None)?, row)?;
        let address = alive.instance.address();
        Ok(Self { context, row, cpus, more: more.to_vec(), address, alive: Some(alive) })
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
        self.alive.as_ref().ok_or_else(|| InstanceError::Unclean("it was not started again".to_owned()))
    }

    /// Starts it again where it listened before, as an init system would. What is left of its last life is ended first; where the kernel has
    /// not let go of all of that yet (io_uring keeps a listener for a while after its process is gone), it is tried again.
    ///
    /// # Errors
    /// See [`Instance::start`]; the last that was tried.
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
        self.alive = Some(Alive::begin(instance, self.row)?);
        Ok(())
    }

    /// Ends it.
    ///
    /// # Errors
    /// See [`Instance::stop`].
    pub(super) fn stop(self) -> Result<Option<Stopped>, InstanceError> {
        self.alive.map(|alive| alive.instance.stop()).transpose()
    }
}

impl Alive {
    fn begin(instance: Instance, row: &Row) -> Result<Self, InstanceError> {
        let unseen = |error: &dyn std::fmt::Display| {
            InstanceError::Generator(format!("cannot see the server's processes: {error}"))
        };
        let tree = Tree::of(instance.guard_pid(), row.workers.as_ref()).map_err(|error| unseen(&error))?;
        let server = Watched::open(tree.server()).map_err(|error| unseen(&error))?;
        Ok(Self { instance, tree, server })
    }
}
