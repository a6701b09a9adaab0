//! The primary: one thread that waits for what happens, asks the machine what is to be done about it, and does it.

mod act;
mod bell;
mod commands;
mod desk;
mod give;
mod giving;
mod shown;
mod sources;
mod state;
mod upkeep;

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
    net::SocketAddr,
    time::{Duration, Instant},
};

use kit::{cluster::Cluster, shutdown::Shutdown, signals::Hangups, start::Error};

use crate::{
    clock::Clock,
    machine::{
        Machine,
        words::{Command, Event, Level},
    },
    offers::{Handed, Offers},
    program::Program,
    rules::Rules,
};
use bell::Bell;
use desk::Desk;
use giving::Giving;
use sources::Source;
use state::Primary;
use upkeep::Upkeep;

/// Who is to be supervised.
#[derive(Debug)]
pub struct Crew<Hand> {
    /// By which name workers go in lists of processes (`argv[0]`).
    pub name: &'static str,
    /// How many there are at first.
    pub workers: usize,
    /// Where what they do is to be had, for whoever asks.
    pub address: SocketAddr,
    /// How long a worker may drain. It keeps this deadline itself; one that does not is killed a little later.
    pub drain_timeout: Duration,
    /// The other rules.
    pub rules: Rules,
    /// Whether what one worker was handed another can serve as well.
    pub lends: bool,
    /// What to hand the worker of a place, if anything; asked again for each replacement, and for others that serve the place meanwhile. Dropped
    /// when the stop begins, before the workers are told: what it alone keeps open is then open in the workers only.
    pub hand: Hand,
    /// What is given to workers later, if anything. When the stop begins what is left of it is given, and this is dropped as well.
    pub offers: Option<Box<dyn Offers>>,
}

/// Runs the crew until `stopping` is raised and all workers have ended. Calls `all_ready` when every worker is ready for
/// the first time.
///
/// Must be called on a thread that lives as long as the workers are to, since the kernel ties their lives to it.
///
/// # Errors
/// A worker cannot be started, or is not ready in time, or `all_ready` failed, or all places have failed: no worker is left
/// then, either. [`Error::Degraded`] where all else went well, but some places had failed by the time of the stop.
pub fn supervise<Hand>(
    crew: Crew<Hand>,
    stopping: &Shutdown,
    all_ready: impl FnOnce() -> Result<(), Error>,
) -> Result<(), Error>
where
    Hand: FnMut(usize) -> Handed,
{
    let bell = Bell::new(stopping).map_err(Error::system("wait for a stop"))?;
    let hangups = Hangups::install().map_err(Error::system("wait for SIGHUP"))?;
    let (cluster, memory) = match Cluster::new() {
        Ok((cluster, memory)) => (cluster, Some(memory)),
        // Service goes on: only what is counted is then each worker's own.
        Err(error) => {
            tracing::warn!(
                "cannot share memory with the workers, so each answers for itself alone what it is asked about all: {error}"
            );
            (Cluster::unshared().map_err(Error::system("make memory to count in"))?, None)
        }
    };
    let program = Program::of_this_process().map_err(Error::system("find this program's own file"))?;
    let Crew { name, workers, address, drain_timeout, rules, lends, hand, offers } = crew;
    let desk = Desk::new(&rules, address)?;
    let policy = rules.policy(drain_timeout, lends);
    let shortest = policy.hang_timeout.unwrap_or(policy.ready_timeout).min(policy.ready_timeout);
    // A hasher with random keys is the randomness that std has.
    let seed = RandomState::new().hash_one(name);
    let primary = Primary {
        name,
        heartbeat: Clock::heartbeat(shortest),
        machine: Machine::new(policy, workers, seed),
        clock: Clock::new(),
        hand: Some(hand),
        upkeep: Upkeep::new(&rules),
        desk,
        giving: Giving::new(offers),
        program,
        images: Vec::new(),
        processes: HashMap::new(),
        cluster,
        memory,
        bell,
        hangups,
        events: VecDeque::from([Event::Tick]),
        all_ready: Some(all_ready),
        failure: None,
        outcome: None,
    };
    primary.run()
}

impl<Hand, AllReady> Primary<Hand, AllReady>
where
    Hand: FnMut(usize) -> Handed,
    AllReady: FnOnce() -> Result<(), Error>,
{
    fn run(mut self) -> Result<(), Error> {
        loop {
            while let Some(event) = self.events.pop_front() {
                let now = self.clock.now();
                let actions = self.machine.handle(now, event);
                self.tell_states();
                actions.into_iter().for_each(|action| self.act(action));
                self.desk.scaled(self.machine.places());
            }
            if let Some(outcome) = self.outcome.take() {
                return outcome;
            }
            self.wait()?;
        }
    }

    /// Waits for what happens next, and takes it in.
    fn wait(&mut self) -> Result<(), Error> {
        let now = self.clock.now();
        let deadline =
            self.machine.deadline().map(|deadline| deadline.saturating_sub(now).min(self.heartbeat));
        let others = [self.upkeep.next(), self.desk.next_deadline(), self.giving.next_deadline()];
        let others = others.into_iter().flatten().map(|at| at.saturating_duration_since(Instant::now()));
        let wait = deadline.into_iter().chain(others).min();
        self.clock.plan(wait);
        let sources = self.ready_sources(wait).map_err(Error::system("watch the workers"))?;
        for source in sources {
            self.take_in(source);
        }
        self.give_what_was_not_taken();
        if self.desk.pass(Instant::now()) {
            self.reload("what is watched has changed");
        }
        self.renew_the_old();
        self.upkeep.reap_orphans(&self.processes);
        self.events.push_back(Event::Tick);
        Ok(())
    }

    /// For this reason, unless it is too late.
    fn reload(&mut self, why: &str) {
        let stops = |event: &Event| matches!(event, Event::Command(Command::Stop { .. }));
        if !self.machine.is_stopping() && !self.events.iter().any(stops) {
            self.desk.say(Level::Info, &format!("{why}: reloading"));
            self.events.push_back(Event::Command(Command::Reload));
        }
    }

    fn take_in(&mut self, source: Source) {
        match source {
            Source::Stop => {
                self.bell.silence();
                self.events.push_back(Event::Command(Command::Stop { graceful: true }));
            }
            Source::Hangup => {
                if self.hangups.take() {
                    self.reload("SIGHUP");
                }
            }
            Source::Says(life) => self.listen(life),
            Source::Logs(life) => self.read_log(life),
            Source::Ends(life) => self.bury(life),
            Source::Offers => self.give(),
            Source::Control(source) => {
                let asked =
                    self.desk.control.as_mut().and_then(|control| control.ready(source, Instant::now()));
                if let Some(asked) = asked {
                    self.obey(asked);
                }
            }
            Source::Watch => {
                if let Some(watch) = &mut self.desk.watch {
                    watch.ready(Instant::now());
                }
            }
        }
    }
}
