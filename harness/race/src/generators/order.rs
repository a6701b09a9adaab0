//! What one generator is told to do, whichever host it is on.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use host::{class::SchedulingClass, cpus::CpuSet};
use load::{Plan, Request, Share, Stream, Wait};
use serde::{Deserialize, Serialize};

use crate::{
    measure::{
        answers::RightAnswer,
        parts::{Tallies, part_of},
        workers::Counted,
    },
    plan::{cpu_plan::CpuPlan, resolve::Resolved, scenario::Placement, target},
    programs::instance::InstanceError,
};

/// How long opening all connections may take.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// How often the generator's controlling thread wakes to report progress. It shares CPUs with what is measured.
const PROGRESS_EVERY: Duration = Duration::from_secs(3600);

/// What one generator is told to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// Where the server listens.
    pub address: SocketAddr,
    /// The load of all that have a share of it.
    pub load: Resolved,
    /// Which of the equal parts of that load this is, from 0...
    pub part: u32,
    /// ... of how many.
    pub parts: u32,
    /// The generator's CPUs: one thread each.
    pub cpus: CpuSet,
    /// Whether nobody else needs these.
    pub alone: bool,
    /// Whether its threads run at raised priority.
    pub raised: bool,
    /// Seed of the arrivals, the same for all parts.
    pub seed: u64,
    /// When it begins, by the clock of the generator's host; at once where nothing is said.
    pub start_at: Option<SystemTime>,
}

impl Order {
    /// All of `load`, made by one generator on the CPUs that `cpus` has for it.
    pub fn whole(address: SocketAddr, load: &Resolved, cpus: &CpuPlan, raised: bool, seed: u64) -> Self {
        let alone = cpus.placement == Placement::Split;
        let (load, cpus) = (load.clone(), cpus.generator.clone());
        Self { address, load, part: 0, parts: 1, cpus, alone, raised, seed, start_at: None }
    }

    /// How the generator waits. An open loop must be on time, and a closed loop awake for answers that come at once: both poll where no
    /// other needs the CPU.
    pub(crate) fn wait(&self) -> Wait {
        let open_loop = self.load.streams.iter().any(|stream| stream.pacing.is_open());
        match (self.alone, open_loop) {
            (true, true) => Wait::Spin,
            (true, false) => Wait::Linger,
            (false, _) => Wait::Sleep,
        }
    }

    /// How long it takes at most once it has begun.
    pub(crate) fn longest(&self) -> Duration {
        self.load.warm_up + 2 * self.load.window + self.load.timeout
    }

    /// The same for the generator itself. Who answers goes to `tallies`.
    ///
    /// # Errors
    /// The request is none.
    pub(crate) fn plan(&self, tallies: &Tallies) -> Result<Plan, InstanceError> {
        let host = self.address.to_string();
        let mut streams = Vec::new();
        for (stream, tallies) in self.load.streams.iter().zip(&tallies.0) {
            let request = Request::get(&target::of(stream.operation), &host);
            let request = request.map_err(|error| InstanceError::Generator(error.to_string()))?;
            let right = RightAnswer::to(&stream.operation);
            for (part, tally) in tallies.iter().enumerate() {
                let (pacing, connections) = part_of(stream, part);
                let check = Counted { check: right.clone(), tally: Arc::clone(tally) };
                let mut part =
                    Stream::new(stream.name.clone(), request.clone(), Arc::new(check), pacing, connections);
                part.policy.requests_each = stream.shape.requests_per_connection;
                part.policy.send_bytes_per_second = stream.shape.send_bytes_per_second;
                part.policy.read_bytes_per_second = stream.shape.read_bytes_per_second;
                streams.push(part);
            }
        }
        let mut plan = Plan::new(self.address, streams);
        plan.cpus = self.cpus.iter().collect();
        plan.wait = self.wait();
        plan.warm_up = self.load.warm_up;
        plan.window = self.load.window;
        plan.timeout = self.load.timeout;
        // As long as the window is enough for whoever carries the load. Whoever does not is not waited for.
        plan.drain_within = Some(self.load.window);
        plan.connect_within = CONNECT_DEADLINE;
        plan.progress_every = PROGRESS_EVERY;
        plan.seed = self.seed;
        plan.part = Share { index: self.part, of: self.parts };
        plan.start_at = self.start_at;
        if self.raised {
            // Tried beforehand on another thread; if it fails here, the lag that follows shows.
            plan.on_thread_start = Some(Arc::new(|_| drop(SchedulingClass::Fifo.apply_to_current_thread())));
        }
        Ok(plan)
    }
}
