//! A tree of processes that stands still, and goes on later as if nothing had been.
//!
//! Frozen servers cost no CPU, so that many can be alive while one is measured. How:
//!
//! 1. A tree is frozen only when it is [idle](Limits::idle_below): what it still had to do would be done at the next thaw,
//!    within somebody's measurement.
//! 2. Parents are stopped before their children and go on after them, so that none of them runs while one that it watches over
//!    is stopped. Each process is waited for until all its threads are stopped; then the tree is looked at again, until nothing
//!    new is in it: a process that is stopped starts none, so that it is whole then.
//! 3. When it is thawed it must be the same tree, its processes' clocks must stand where they stood, and whoever listened must
//!    still listen. If not, that is a [`FreezeFault`], and the tree is thawed all the same, so that it can be told to end.
//!
//! By SIGSTOP as a rule, which a parent can see that waits with WUNTRACED. Where one does and acts on it, a cgroup freezes the tree
//! unseen ([`Group`]). Either way SIGKILL ends it, so that a [guard](crate::guard) does what it promises; the guard itself is not
//! part of the tree and never frozen. SIGTERM waits for the thaw.
//!
//! A tree of two processes had stopped 0.4 ms after it was idle with 8 threads, and after 5 ms with 256; to be sure that it was idle took
//! 10 ms, and thawing 0.1 and 1 ms (medians: `freezing` in this crate's examples).

mod fault;
mod group;
mod signals;

use std::{
    collections::BTreeSet,
    io,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_getres};

pub use self::{
    fault::FreezeFault,
    group::{Group, GroupError},
};
use crate::{
    answering, cpu_clock,
    members::{self, Changes, Member},
    processes,
};

/// How long the account of a tree must stand still before it counts: a thread is said to be stopped a few microseconds before it
/// has left its CPU.
const SETTLED: Duration = Duration::from_millis(1);

/// What a tree must keep to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The CPU time that an idle tree uses less than, as a share of one CPU; and none of its threads waits for one.
    pub idle_below: f64,
    /// Over how long that is looked at; two ticks of the kernel at least, in which the time of a thread that runs is accounted.
    pub idle_over: Duration,
    /// How long to wait for that.
    pub idle_within: Duration,
    /// How long it may take until every thread is stopped. 256 threads took up to 105 ms.
    pub stopped_within: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            idle_below: 0.05,
            idle_over: Duration::from_millis(10),
            idle_within: Duration::from_secs(2),
            stopped_within: Duration::from_secs(2),
        }
    }
}

/// A tree that can be frozen again and again: everything below one process.
#[derive(Clone, Debug)]
pub struct Freezer {
    root: u32,
    port: Option<u16>,
    limits: Limits,
    group: Option<Arc<Group>>,
}

/// A tree that stands still. Dropping it thaws it.
#[derive(Debug)]
pub struct Frozen {
    freezer: Freezer,
    members: Vec<Member>,
    /// Of each, in their order.
    clocks: Vec<Duration>,
    /// The sockets that listen on the port.
    listening: BTreeSet<u64>,
    took: Took,
    thawed: bool,
}

/// A tree at one instant.
struct Look {
    living: Vec<Member>,
    used: Duration,
    at: Instant,
}

/// How long freezing took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Took {
    /// Until the tree was idle.
    pub until_idle: Duration,
    /// From then, until every thread of it had stopped.
    pub until_stopped: Duration,
}

impl Freezer {
    /// Everything below process `root`: [`Process::launched`](crate::launch::Process::launched) of one with a guard.
    pub fn below(root: u32) -> Self {
        Self { root, port: None, limits: Limits::default(), group: None }
    }

    /// Whether somebody in the tree still listens on TCP port `port` is asked at each thaw.
    #[must_use]
    pub fn listening_on(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Other limits than the usual.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Freezes by `group`, into which the tree is moved, instead of by signals.
    #[must_use]
    pub fn by_group(mut self, group: Group) -> Self {
        self.group = Some(Arc::new(group));
        self
    }

    /// Waits until the tree is idle and stops all of it.
    ///
    /// # Errors
    /// It did not become idle or did not stop in time, or a part of it may not be stopped; then nothing stays stopped.
    pub fn freeze(&self) -> Result<Frozen, FreezeFault> {
        let began = Instant::now();
        self.wait_until_idle()?;
        let idle = Instant::now();
        let within = self.limits.stopped_within;
        let members = match &self.group {
            None => signals::stop(self.root, within)?,
            Some(group) => group.stop(self.root, within)?,
        };
        if members.is_empty() {
            return Err(FreezeFault::Nothing { root: self.root });
        }
        let took = Took { until_idle: idle - began, until_stopped: idle.elapsed() };
        let mut frozen = Frozen {
            freezer: self.clone(),
            members,
            clocks: Vec::new(),
            listening: BTreeSet::new(),
            took,
            thawed: false,
        };
        frozen.clocks = frozen.settled_clocks()?;
        frozen.listening = self.listening(&frozen.members)?;
        Ok(frozen)
    }

    fn wait_until_idle(&self) -> Result<(), FreezeFault> {
        let Limits { idle_below, idle_over, idle_within, .. } = self.limits;
        let deadline = Instant::now() + idle_within;
        let over = idle_over.max(2 * tick());
        let mut before = self.look()?;
        loop {
            thread::sleep(over);
            let now = self.look()?;
            let used = now.used.saturating_sub(before.used);
            let share = used.as_secs_f64() / (now.at - before.at).as_secs_f64();
            // One that starts and ends processes is at work, and so is one that others keep from its CPU.
            let is_same = Changes::between(&before.living, &now.living).is_none();
            if share < idle_below && is_same && !wants_to_run(&now.living)? {
                return Ok(());
            }
            if now.at > deadline {
                return Err(FreezeFault::NotIdle { share, within: idle_within });
            }
            before = now;
        }
    }

    fn look(&self) -> Result<Look, FreezeFault> {
        let living = members::below(self.root)?.living;
        if living.is_empty() {
            return Err(FreezeFault::Nothing { root: self.root });
        }
        let used = living.iter().filter_map(|member| cpu_clock::of_process(member.pid)).sum();
        Ok(Look { living, used, at: Instant::now() })
    }

    /// The sockets that listen on the port, as whoever is in the tree sees it: it may be in a network of its own.
    fn listening(&self, living: &[Member]) -> Result<BTreeSet<u64>, FreezeFault> {
        let (Some(port), [one, ..]) = (self.port, living) else { return Ok(BTreeSet::new()) };
        let listening = answering::listening(port, one.pid)?;
        if listening.is_empty() { Err(FreezeFault::ClosedListener { port }) } else { Ok(listening) }
    }
}

impl Frozen {
    /// Who stands still, parents before their children.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// How long freezing took.
    pub fn took(&self) -> Took {
        self.took
    }

    /// Whether it is the same tree, and stood still.
    ///
    /// # Errors
    /// What happened to it.
    pub fn check(&self) -> Result<(), FreezeFault> {
        let Changes { gone, come } =
            Changes::between(&self.members, &members::below(self.freezer.root)?.living);
        if !come.is_empty() {
            return Err(FreezeFault::ForkedAnew(Changes { gone, come }));
        }
        if !gone.is_empty() {
            return Err(FreezeFault::Died { gone });
        }
        let listening = match self.freezer.listening(&self.members) {
            // It died between two looks.
            Err(FreezeFault::Unseen(error)) if error.kind() == io::ErrorKind::NotFound => {
                return Err(FreezeFault::Died { gone: self.members.clone() });
            }
            listening => listening?,
        };
        let still_listening = listening.is_superset(&self.listening);
        if let Some(port) = self.freezer.port.filter(|_| !still_listening) {
            return Err(FreezeFault::ClosedListener { port });
        }
        let clocks = self.clocks()?;
        let mut both = self.members.iter().zip(self.clocks.iter().zip(&clocks));
        if let Some((member, (then, now))) = both.find(|(_, (then, now))| then != now) {
            return Err(FreezeFault::Ran { member: member.clone(), used: now.saturating_sub(*then) });
        }
        Ok(())
    }

    /// Checks it, and lets all of it go on, whatever was found.
    ///
    /// # Errors
    /// As [`Frozen::check`]. What is left of the tree runs then too.
    pub fn thaw(mut self) -> Result<Vec<Member>, FreezeFault> {
        let checked = self.check();
        let resumed = self.resume();
        checked.and(resumed)?;
        Ok(std::mem::take(&mut self.members))
    }

    fn resume(&mut self) -> Result<(), FreezeFault> {
        self.thawed = true;
        match &self.freezer.group {
            None => {
                signals::resume(&self.members);
                Ok(())
            }
            Some(group) => group.resume(),
        }
    }

    /// The clocks of all, once they stand.
    fn settled_clocks(&self) -> Result<Vec<Duration>, FreezeFault> {
        let within = self.freezer.limits.stopped_within;
        let deadline = Instant::now() + within;
        let mut before = self.clocks()?;
        loop {
            thread::sleep(SETTLED);
            let now = self.clocks()?;
            let Some(runs) = now.iter().zip(&before).position(|(now, before)| now != before) else {
                return Ok(now);
            };
            if Instant::now() > deadline {
                return Err(FreezeFault::NotStopped { member: self.members[runs].clone(), within });
            }
            before = now;
        }
    }

    fn clocks(&self) -> Result<Vec<Duration>, FreezeFault> {
        let clock = |member: &Member| {
            cpu_clock::of_process(member.pid).ok_or_else(|| FreezeFault::Died { gone: vec![member.clone()] })
        };
        self.members.iter().map(clock).collect()
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        if !self.thawed {
            // Whoever drops it gives the tree up: it must be able to obey SIGTERM.
            drop(self.resume());
        }
    }
}

fn wants_to_run(living: &[Member]) -> io::Result<bool> {
    for member in living {
        if processes::any_thread(member.pid, |state| state == 'R')? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// How often the kernel accounts for a thread that runs: what its coarse clocks advance by.
fn tick() -> Duration {
    Duration::try_from(clock_getres(ClockId::MonotonicCoarse)).unwrap_or_default()
}
