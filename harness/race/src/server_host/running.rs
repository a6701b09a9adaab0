//! A server that runs, whichever host it is on.

use std::{ffi::OsString, fmt, io, net::SocketAddr};

use host::{
    cpus::CpuSet,
    freeze::FreezeFault,
    members::{Changes, Member},
};
use load::ThreadOutcome;

use crate::{
    machine::edge::Accounts,
    plan::cpu_plan::CpuPlan,
    programs::{
        builder::Built,
        instance::{InstanceError, Stopped},
    },
    registry::Row,
};

/// A host on which servers are started.
pub trait ServerHost: fmt::Debug + Send + Sync {
    /// Starts the program of `row`, which is `built`, on the CPUs `cpus` of that host, and waits until it accepts. `guard` is the command
    /// that guards a process here.
    ///
    /// # Errors
    /// See [`Instance::start`](crate::programs::instance::Instance::start).
    fn start(
        &self,
        row: &Row,
        built: &Built,
        cpus: &CpuSet,
        guard: &[OsString],
    ) -> Result<Box<dyn Running>, InstanceError>;

    /// Process `harness` of this machine has servers started here, and measures them: it is no foreign one.
    fn is_asked_by(&self, _harness: u32) {}

    /// Why it cannot be asked for anything any more, if it cannot: then no server of it has failed.
    fn lost(&self) -> Option<String> {
        None
    }
}

/// A server that accepts connections. Dropping it ends it and everything that it started.
pub trait Running: fmt::Debug {
    /// Where it listens.
    fn address(&self) -> SocketAddr;

    /// Its name, if it said so: the origin of its answers.
    fn server(&self) -> Option<&str>;

    /// How many workers it has, if it said so.
    fn workers(&self) -> Option<usize>;

    /// The process below which its whole tree is, by its number on the host where it runs. It is none of them.
    fn guard_pid(&self) -> u32;

    /// The memory of its tree, KiB.
    ///
    /// # Errors
    /// The kernel does not tell.
    fn memory_kib(&self) -> io::Result<u64>;

    /// The same as it was when this was asked first: before it held idle connections, for what it used once it need not give back.
    ///
    /// # Errors
    /// The kernel does not tell.
    fn first_memory_kib(&mut self) -> io::Result<u64>;

    /// Reads what everybody on its host has used, before a load on it begins.
    ///
    /// # Errors
    /// The kernel does not tell.
    fn load_begins(&mut self) -> io::Result<()>;

    /// Reads that again, after the load has ended, and says what happened in between. The server's CPUs are those of `cpus`; `threads` were
    /// the generator's, on this host.
    ///
    /// # Errors
    /// The kernel does not tell; or no load has begun.
    fn load_ended(&mut self, cpus: &CpuPlan, threads: &[ThreadOutcome]) -> io::Result<Accounts>;

    /// Waits until its tree is idle, and has all of it stand still.
    ///
    /// # Errors
    /// It does not, or it is another tree than when it stood still first. It runs then.
    fn freeze(&mut self) -> Result<(), ServerFault>;

    /// Lets it go on, where it stands still.
    ///
    /// # Errors
    /// Something happened to it meanwhile. It runs then all the same.
    fn thaw(&mut self) -> Result<(), ServerFault>;

    /// Ends it, whether it stands still or not.
    ///
    /// # Errors
    /// See [`Instance::stop`](crate::programs::instance::Instance::stop).
    fn stop(self: Box<Self>) -> Result<Stopped, InstanceError>;
}

/// Why a server is measured no further in this start.
#[derive(Debug, thiserror::Error)]
pub enum ServerFault {
    /// It did not stand still when it was to, or did not go on.
    #[error("the server's tree: {0}")]
    Freeze(#[from] FreezeFault),
    /// It started or lost processes while it was measured, so that its windows are of different trees.
    #[error("the server's tree changed while it was measured: {}", changed(.0))]
    Changed(Changes),
    /// It could not be measured.
    #[error(transparent)]
    Instance(#[from] InstanceError),
}

fn changed(changes: &Changes) -> String {
    let each = |members: &[Member], what: &str| {
        members.iter().map(|member| format!("process {member} {what}")).collect::<Vec<_>>()
    };
    [each(&changes.gone, "ended"), each(&changes.come, "came")].concat().join(", ")
}
