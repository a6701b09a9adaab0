//! What every step of a run needs to know, gathered once.

use std::{collections::HashMap, ffi::OsString, net::SocketAddr};

use host::{class::SchedulingClass, cpus::CpuSet, ready::Profile};

use crate::{
    generators::hosts::GeneratorHosts,
    plan::cpu_plan::Topology,
    programs::{
        builder::Built,
        instance::{Instance, InstanceError},
    },
    registry::Row,
    server_host::{
        running::{Running, ServerHost},
        this_host::ThisHost,
    },
};
use terminal::interrupt::Interrupt;

/// The surroundings of a start.
#[derive(Debug)]
pub struct Context {
    /// The CPUs.
    pub topology: Topology,
    /// The programs of the rows, by the row's name.
    pub programs: HashMap<String, Built>,
    /// The command that guards a process: this program, under a hidden name.
    pub guard: Vec<OsString>,
    /// How this workspace's programs are built: for speed, but for a rehearsal, whose figures mean nothing.
    pub profile: Profile,
    /// Whether a person wants to stop.
    pub interrupt: Interrupt,
    /// Where servers run.
    pub server_host: Box<dyn ServerHost>,
    /// Where its load is made, where that is not here.
    pub generator_hosts: Option<GeneratorHosts>,
    /// Whether this process may raise the priority of its generator threads.
    pub may_raise_priority: bool,
}

impl Context {
    /// Nothing is built yet.
    ///
    /// # Errors
    /// This process cannot tell its own program or CPUs.
    pub fn new(interrupt: Interrupt) -> std::io::Result<Self> {
        Ok(Self {
            topology: Topology::of_this_host()?,
            programs: HashMap::new(),
            guard: guard_command()?,
            profile: Profile::Release,
            interrupt,
            server_host: Box::new(ThisHost::default()),
            generator_hosts: None,
            may_raise_priority: may_raise_priority(),
        })
    }

    /// Whether nothing more is to be begun: a person wants to stop, or another host that is needed cannot be asked any more.
    pub fn is_over(&self) -> bool {
        self.interrupt.asked() || self.lost().is_some()
    }

    /// Whether the other hosts that are needed can still be asked.
    ///
    /// # Errors
    /// One cannot, and why.
    pub fn reachable(&self) -> Result<(), InstanceError> {
        self.lost().map_or(Ok(()), |lost| Err(InstanceError::There(lost)))
    }

    fn lost(&self) -> Option<String> {
        let generators = || self.generator_hosts.as_ref().and_then(GeneratorHosts::lost);
        self.server_host.lost().or_else(generators)
    }

    /// Starts the program of `row` on `cpus` of the host that servers run on.
    ///
    /// # Errors
    /// See [`Instance::start`].
    ///
    /// # Panics
    /// If the row was not built.
    pub fn start(&self, row: &Row, cpus: &CpuSet) -> Result<Box<dyn Running>, InstanceError> {
        self.server_host.start(row, &self.programs[&row.name], cpus, &self.guard)
    }

    /// The same on this host, with `more` arguments before the row's own, and at an address where one like it listened before.
    ///
    /// # Errors
    /// See [`Instance::start_at`].
    ///
    /// # Panics
    /// If the row was not built.
    pub fn start_at(
        &self,
        row: &Row,
        cpus: &CpuSet,
        more: &[String],
        address: Option<SocketAddr>,
    ) -> Result<Instance, InstanceError> {
        Instance::start_at(row, &self.programs[&row.name], cpus, &self.guard, more, address)
    }
}

/// The command that guards a process.
///
/// # Errors
/// This process cannot tell its own program.
pub fn guard_command() -> std::io::Result<Vec<OsString>> {
    Ok(vec![std::env::current_exe()?.into_os_string(), "guard".into(), "--".into()])
}

/// Tried on a thread of its own, which then ends.
fn may_raise_priority() -> bool {
    std::thread::spawn(|| SchedulingClass::Fifo.apply_to_current_thread().is_ok()).join().unwrap_or(false)
}
