//! One server of a start, which stands still but while it is measured.

use host::{
    freeze::{FreezeFault, Freezer, Frozen},
    members::{Changes, Member},
};

use crate::{
    measure::drive::check_answers,
    plan::{cpu_plan::CpuPlan, run_plan::Entry},
    programs::{
        context::Context,
        instance::{Instance, InstanceError, Stopped},
    },
    records::log::ServerRecord,
};

/// A server, from its start to its end. Dropping it thaws and kills it.
#[derive(Debug)]
pub struct Server<'a> {
    entry: Entry<'a>,
    // In this order: what is frozen must be thawed before it can be told to end.
    frozen: Option<Frozen>,
    instance: Option<Instance>,
    /// Who was in its tree when it was frozen first.
    members: Vec<Member>,
    workers: Option<usize>,
    fault: Option<String>,
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

impl<'a> Server<'a> {
    /// Starts the server on the plan's CPUs and checks its answers. One that fails is here all the same, with its fault.
    pub fn start(context: &Context, entry: Entry<'a>, cpus: &CpuPlan) -> Self {
        let mut server =
            Self { entry, frozen: None, instance: None, members: Vec::new(), workers: None, fault: None };
        let started = context.start(entry.row, &cpus.server).and_then(|instance| {
            check_answers(&instance, entry.row)?;
            Ok(instance)
        });
        match started {
            Ok(instance) => {
                server.workers = instance.workers();
                server.instance = Some(instance);
            }
            Err(error) => server.fault = Some(error.to_string()),
        }
        server
    }

    /// Whose it is.
    pub fn entry(&self) -> Entry<'a> {
        self.entry
    }

    /// Why it is measured no further, if it is not.
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// The guard above it, while it lives.
    pub fn guard(&self) -> Option<u32> {
        self.instance.as_ref().map(Instance::guard_pid)
    }

    /// Lets it go on, does `what` with it, and freezes it again. A fault, of either, is kept, and returned as `None`: from then on it is
    /// measured no further.
    pub fn while_thawed<T>(&mut self, what: impl FnOnce(&Instance) -> Result<T, InstanceError>) -> Option<T> {
        if self.fault.is_some() {
            return None;
        }
        match self.thawed(what) {
            Ok(done) => Some(done),
            Err(fault) => {
                self.give_up(fault.to_string());
                None
            }
        }
    }

    fn thawed<T>(
        &mut self,
        what: impl FnOnce(&Instance) -> Result<T, InstanceError>,
    ) -> Result<T, ServerFault> {
        let instance = self.instance.as_ref().ok_or(FreezeFault::Nothing { root: 0 })?;
        if let Some(frozen) = self.frozen.take() {
            frozen.thaw()?;
        }
        let done = what(instance);
        let freezer = Freezer::below(instance.guard_pid()).listening_on(instance.address().port());
        let frozen = freezer.freeze();
        // What it failed at comes before what that led to.
        let done = done?;
        let frozen = frozen?;
        let changes = match self.members.is_empty() {
            true => Changes::default(),
            false => Changes::between(&self.members, frozen.members()),
        };
        if !changes.is_none() {
            return Err(ServerFault::Changed(changes));
        }
        self.members = frozen.members().to_vec();
        self.frozen = Some(frozen);
        Ok(done)
    }

    /// It is measured no further, and ends now.
    fn give_up(&mut self, mut reason: String) {
        self.frozen = None;
        // One that had ended by itself says how.
        if let Some(Err(error)) = self.instance.take().map(Instance::stop) {
            reason = format!("{reason}: {error}");
        }
        self.fault = Some(reason);
    }

    /// Ends it. How it ended is a fault where it is this project's and did not end cleanly.
    pub fn stop(mut self, start: usize, scenarios: Vec<String>) -> ServerRecord {
        let thawed = self.frozen.take().map(Frozen::thaw);
        let (mut life, mut unclean_end) = (None, None);
        match self.instance.take().map(Instance::stop) {
            Some(Ok(Stopped { usage, unclean })) => (life, unclean_end) = (usage, unclean),
            Some(Err(error)) => self.fault = Some(error.to_string()),
            None => {}
        }
        if let Some(Err(fault)) = thawed {
            self.fault = Some(ServerFault::from(fault).to_string());
        }
        let Entry { row, twin } = self.entry;
        let (row, workers, fault) = (row.name.clone(), self.workers, self.fault);
        ServerRecord { start, scenarios, row, twin, workers, life, unclean_end, fault }
    }
}
