//! One server of a start, which stands still but while it is measured.

use host::freeze::FreezeFault;

use crate::{
    measure::drive::check_answers,
    plan::{cpu_plan::CpuPlan, run_plan::Entry},
    programs::{
        context::Context,
        instance::{InstanceError, Stopped},
    },
    records::log::ServerRecord,
    server_host::running::{Running, ServerFault},
};

/// A server, from its start to its end. Dropping it thaws and kills it.
#[derive(Debug)]
pub struct Server<'a> {
    entry: Entry<'a>,
    running: Option<Box<dyn Running>>,
    workers: Option<usize>,
    fault: Option<String>,
}

impl<'a> Server<'a> {
    /// Starts the server on the plan's CPUs and checks its answers. One that fails is here all the same, with its fault.
    pub fn start(context: &Context, entry: Entry<'a>, cpus: &CpuPlan) -> Self {
        let mut server = Self { entry, running: None, workers: None, fault: None };
        let started = context.start(entry.row, &cpus.server).and_then(|running| {
            check_answers(running.address(), running.server(), entry.row)?;
            Ok(running)
        });
        match started {
            Ok(running) => {
                server.workers = running.workers();
                server.running = Some(running);
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

    /// The guard above it, while it lives, by its number on the server's host.
    pub fn guard(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.guard_pid())
    }

    /// Lets it go on, does `what` with it, and freezes it again. A fault, of either, is kept, and returned as `None`: from then on it is
    /// measured no further.
    pub fn while_thawed<T>(
        &mut self,
        what: impl FnOnce(&mut dyn Running) -> Result<T, InstanceError>,
    ) -> Option<T> {
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
        what: impl FnOnce(&mut dyn Running) -> Result<T, InstanceError>,
    ) -> Result<T, ServerFault> {
        let running = self.running.as_mut().ok_or(FreezeFault::Nothing { root: 0 })?;
        running.thaw()?;
        let done = what(running.as_mut());
        let frozen = running.freeze();
        // What it failed at comes before what that led to.
        let done = done?;
        frozen?;
        Ok(done)
    }

    /// It is measured no further, and ends now.
    fn give_up(&mut self, mut reason: String) {
        // One that had ended by itself says how.
        if let Some(Err(error)) = self.running.take().map(|running| running.stop()) {
            reason = format!("{reason}: {error}");
        }
        self.fault = Some(reason);
    }

    /// Ends it. How it ended is a fault where it is this project's and did not end cleanly.
    pub fn stop(mut self, start: usize, scenarios: Vec<String>) -> ServerRecord {
        let thawed = self.running.as_mut().map(|running| running.thaw());
        let (mut life, mut unclean_end) = (None, None);
        match self.running.take().map(|running| running.stop()) {
            Some(Ok(Stopped { usage, unclean })) => (life, unclean_end) = (usage, unclean),
            Some(Err(error)) => self.fault = Some(error.to_string()),
            None => {}
        }
        if let Some(Err(fault)) = thawed {
            self.fault = Some(fault.to_string());
        }
        let Entry { row, twin } = self.entry;
        let (row, workers, fault) = (row.name.clone(), self.workers, self.fault);
        ServerRecord { start, scenarios, row, twin, workers, life, unclean_end, fault }
    }
}
