//! All servers of one start of a group of scenarios.

use std::time::Duration;

use host::cpus::Pinned;

use crate::{
    measure::drive::{Wanted, drive},
    plan::{
        budget::FIRST_WARM_UP, cpu_plan::CpuPlan, resolve::Resolved, run_plan::Entry, scenario::Scenario,
    },
    programs::context::Context,
    records::{log::ServerRecord, window::Measured},
    start::server::Server,
};

/// The servers, all of which stand still but for the one that is measured.
#[derive(Debug)]
pub struct Group<'a> {
    servers: Vec<Server<'a>>,
    scenarios: Vec<String>,
    start: usize,
    cpus: CpuPlan,
    /// The calling thread is where the generator is: nothing of the harness runs on the server's CPUs.
    _pinned: Option<Pinned>,
}

impl<'a> Group<'a> {
    /// No server yet, on the CPUs `cpus`.
    pub fn new(scenarios: &[&Scenario], start: usize, cpus: CpuPlan) -> Self {
        // Where it is not allowed, the accounts show what the harness took.
        let pinned = cpus.generator.pin_current_thread().ok();
        let scenarios = scenarios.iter().map(|scenario| scenario.name.clone()).collect();
        Self { servers: Vec::new(), scenarios, start, cpus, _pinned: pinned }
    }

    /// Starts one more, warms it by `load`, which `warms` is told when it begins, and freezes it. Returns its fault, if it has one.
    pub fn add(
        &mut self,
        context: &Context,
        entry: Entry<'a>,
        load: &Resolved,
        warms: impl FnOnce(),
    ) -> Option<String> {
        let mut server = Server::start(context, entry, &self.cpus);
        if server.fault().is_none() {
            warms();
            server.while_thawed(|running| {
                let load = warming(load, entry.row.warm_up);
                drive(context, running, &Wanted { load: &load, cpus: &self.cpus, seed: 0 })
            });
        }
        let fault = server.fault().map(str::to_owned);
        self.servers.push(server);
        fault
    }

    /// Where they and the generator run.
    pub fn cpus(&self) -> &CpuPlan {
        &self.cpus
    }

    /// Measures one window of `entry`; `None` where it is measured no further: its fault is known then.
    pub fn window(
        &mut self,
        context: &Context,
        entry: Entry<'a>,
        load: &Resolved,
        seed: u64,
    ) -> Option<Measured> {
        let cpus = &self.cpus;
        let server = self.servers.iter_mut().find(|server| server.entry() == entry)?;
        if server.fault().is_some() {
            return None;
        }
        server.while_thawed(|running| drive(context, running, &Wanted { load, cpus, seed }))
    }

    /// Whether `entry` is here and without a fault.
    pub fn measures(&self, entry: Entry<'_>) -> bool {
        self.servers.iter().any(|server| server.entry() == entry && server.fault().is_none())
    }

    /// Why `entry` is measured no further.
    pub fn fault(&self, entry: Entry<'_>) -> Option<&str> {
        self.servers.iter().find(|server| server.entry() == entry)?.fault()
    }

    /// Ends all of them.
    pub fn stop(self) -> impl Iterator<Item = ServerRecord> {
        let Self { servers, scenarios, start, .. } = self;
        servers.into_iter().map(move |server| server.stop(start, scenarios.clone()))
    }
}

/// The load that a server meets first: as long as its row needs to become itself, which it needs once.
fn warming(load: &Resolved, warm_up: Duration) -> Resolved {
    let whole = warm_up.max(FIRST_WARM_UP);
    let window = whole.min(FIRST_WARM_UP);
    // Weighed before it has held any, a server shows what they take.
    Resolved { warm_up: whole - window, window, ..load.clone() }.without_idle_connections()
}
