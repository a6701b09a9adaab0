//! What a primary looks after now and then: workers that have grown old or large, and, as process 1, orphans.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    time::{Duration, Instant},
};

use kit::cluster::PlaceNow;
use rustix::process::getpid;

use crate::{machine::words::Life, process::Process, rules::Rules};

/// How often.
const EVERY: Duration = Duration::from_secs(1);

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Upkeep {
    max_requests: Option<u64>,
    max_rss: Option<u64>,
    /// How many requests each place had answered when its worker began, and by how much that worker's limits are raised: workers that
    /// were started together are not to be replaced together.
    began: HashMap<Life, (u64, f64)>,
    is_init: bool,
    next: Instant,
}

impl Upkeep {
    pub(super) fn new(rules: &Rules) -> Self {
        Self {
            max_requests: rules.max_requests,
            max_rss: rules.max_rss,
            began: HashMap::new(),
            is_init: getpid().is_init(),
            next: Instant::now(),
        }
    }

    /// When it is time to look, if there is anything to look for.
    pub(super) fn next(&self) -> Option<Instant> {
        let looks = self.max_requests.is_some() || self.max_rss.is_some() || self.is_init;
        looks.then_some(self.next)
    }

    /// Whether it is time to look, which it then is not for a while.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let is_due = self.next().is_some_and(|next| next <= now);
        if is_due {
            self.next = now + EVERY;
        }
        is_due
    }

    pub(super) fn begins(&mut self, life: Life, place: &PlaceNow) {
        // A hasher with random keys is the randomness that std has.
        let raised = 1.0 + 0.1 * RandomState::new().hash_one(life) as f64 / u64::MAX as f64;
        self.began.insert(life, (place.requests, raised));
    }

    pub(super) fn ends(&mut self, life: Life) {
        self.began.remove(&life);
    }

    /// Why a worker is to be replaced, if it is.
    pub(super) fn too_much(
        &self,
        life: Life,
        place: &PlaceNow,
        rss: impl FnOnce() -> Option<u64>,
    ) -> Option<String> {
        let (before, raised) = *self.began.get(&life)?;
        let limit = |limit: u64| (limit as f64 * raised) as u64;
        let answered = place.requests.saturating_sub(before);
        if self.max_requests.is_some_and(|most| answered >= limit(most)) {
            return Some(format!("it has answered {answered} requests (--max-requests)"));
        }
        let most = self.max_rss.map(limit)?;
        let rss = rss().filter(|rss| *rss >= most)?;
        Some(format!("{rss} bytes of it are resident (--max-rss)"))
    }

    /// As process 1 of a PID namespace every orphan is this process's to reap. Workers are left to who waits for them.
    pub(super) fn reap_orphans(&self, workers: &HashMap<Life, Process>) {
        if !self.is_init {
            return;
        }
        let reaped = host::orphans::reap(|pid| workers.values().any(|worker| worker.pid() == pid));
        if reaped > 0 {
            tracing::debug!("reaped {reaped} orphans, as process 1");
        }
    }
}
