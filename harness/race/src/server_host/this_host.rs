//! This host, with the servers that run on it.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use host::{
    cpus::CpuSet,
    freeze::{Freezer, Frozen},
    members::{self, Changes, Member},
};
use load::ThreadOutcome;

use super::running::{Running, ServerFault, ServerHost};
use crate::{
    machine::{
        edge::{Accounts, Edge, Edges},
        memory,
    },
    plan::cpu_plan::CpuPlan,
    programs::{
        builder::Built,
        instance::{Instance, InstanceError, LOOPBACK, Stopped},
    },
    registry::Row,
};

/// This host. Its servers share one reader of accounts, and none of their guards is foreign.
#[derive(Clone, Debug)]
pub struct ThisHost {
    /// Where servers listen.
    ip: IpAddr,
    books: Arc<Mutex<Books>>,
}

/// Servers listen on its loopback.
impl Default for ThisHost {
    fn default() -> Self {
        Self::listening_on(LOOPBACK)
    }
}

#[derive(Debug, Default)]
struct Books {
    edges: Edges,
    /// The guards above the servers that are there.
    guards: BTreeSet<u32>,
    /// Whoever has them started from another namespace of this machine.
    asked_by: Option<u32>,
}

/// A server on this host.
#[derive(Debug)]
pub struct RunningHere {
    // In this order: what is frozen must be thawed before it can be told to end.
    frozen: Option<Frozen>,
    instance: Instance,
    /// Who was in its tree when it was frozen first.
    members: Vec<Member>,
    first_memory_kib: Option<u64>,
    /// Where its load began.
    began: Option<Edge>,
    entered: Entered,
}

/// A guard that is in the books until this is dropped.
#[derive(Debug)]
struct Entered {
    host: ThisHost,
    guard: u32,
}

impl ThisHost {
    /// Servers listen on its address `ip`.
    pub fn listening_on(ip: IpAddr) -> Self {
        Self { ip, books: Arc::default() }
    }

    /// Takes a server that was started here.
    pub fn take(&self, instance: Instance) -> RunningHere {
        let guard = instance.guard_pid();
        self.books().guards.insert(guard);
        RunningHere {
            frozen: None,
            instance,
            members: Vec::new(),
            first_memory_kib: None,
            began: None,
            entered: Entered { host: self.clone(), guard },
        }
    }

    /// What everybody here has used so far, where the row is everything below process `guard`.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn edge(&self, guard: u32) -> io::Result<Edge> {
        let mut books = self.books();
        let others: Vec<u32> = books.guards.iter().copied().chain(books.asked_by).collect();
        books.edges.read(guard, &others)
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ServerHost for ThisHost {
    fn is_asked_by(&self, harness: u32) {
        self.books().asked_by = Some(harness);
    }

    fn start(
        &self,
        row: &Row,
        built: &Built,
        cpus: &CpuSet,
        guard: &[OsString],
    ) -> Result<Box<dyn Running>, InstanceError> {
        Ok(Box::new(self.take(Instance::start_on(self.ip, row, built, cpus, guard)?)))
    }
}

impl Running for RunningHere {
    fn address(&self) -> SocketAddr {
        self.instance.address()
    }

    fn server(&self) -> Option<&str> {
        self.instance.server()
    }

    fn workers(&self) -> Option<usize> {
        self.instance.workers()
    }

    fn guard_pid(&self) -> u32 {
        self.instance.guard_pid()
    }

    fn memory_kib(&self) -> io::Result<u64> {
        let members = members::below(self.instance.guard_pid())?;
        Ok(memory::of(members.living.iter().map(|member| member.pid))?.kib)
    }

    fn first_memory_kib(&mut self) -> io::Result<u64> {
        let kib = match self.first_memory_kib {
            Some(kib) => kib,
            None => self.memory_kib()?,
        };
        Ok(*self.first_memory_kib.insert(kib))
    }

    fn load_begins(&mut self) -> io::Result<()> {
        self.began = Some(self.entered.host.edge(self.guard_pid())?);
        Ok(())
    }

    fn load_ended(&mut self, cpus: &CpuPlan, threads: &[ThreadOutcome]) -> io::Result<Accounts> {
        let ended = self.entered.host.edge(self.guard_pid())?;
        let began = self.began.take().ok_or_else(|| io::Error::other("no load has begun"))?;
        let CpuPlan { server, generator, .. } = cpus;
        Ok(Accounts::between(&began, &ended, server, generator, threads))
    }

    fn freeze(&mut self) -> Result<(), ServerFault> {
        let freezer = Freezer::below(self.guard_pid()).listening_on(self.address().port());
        let frozen = freezer.freeze()?;
        let changes = match self.members.is_empty() {
            true => Changes::default(),
            false => Changes::between(&self.members, frozen.members()),
        };
        if !changes.is_none() {
            return Err(ServerFault::Changed(changes));
        }
        self.members = frozen.members().to_vec();
        self.frozen = Some(frozen);
        Ok(())
    }

    fn thaw(&mut self) -> Result<(), ServerFault> {
        if let Some(frozen) = self.frozen.take() {
            frozen.thaw()?;
        }
        Ok(())
    }

    fn stop(self: Box<Self>) -> Result<Stopped, InstanceError> {
        let Self { frozen, instance, entered: _entered, .. } = *self;
        drop(frozen);
        instance.stop()
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.host.books().guards.remove(&self.guard);
    }
}
