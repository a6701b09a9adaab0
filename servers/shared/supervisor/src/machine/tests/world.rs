//! The world around a machine under test, which keeps its own account of what it was told to do, and says what must hold whatever happens.

use std::{collections::BTreeMap, time::Duration};

use crate::machine::{
    Machine,
    words::{Action, Command, End, Event, Life, Moment, Outcome, Policy, UNSERVED},
};

pub(super) const POLICY: Policy = Policy {
    ready_timeout: Duration::from_secs(10),
    drain_timeout: Duration::from_secs(8),
    hang_timeout: Some(Duration::from_secs(4)),
    max_crashes: 4,
    crash_window: Duration::from_secs(60),
    lends: true,
};

/// A process as the world knows it.
#[derive(Clone, Debug, Default)]
pub(super) struct Process {
    pub(super) place: usize,
    pub(super) side: usize,
    pub(super) renewed: bool,
    pub(super) ready: bool,
    pub(super) told_to_end: bool,
    pub(super) handed_over: bool,
    pub(super) killed: bool,
    pub(super) pings: usize,
    pub(super) serves: Vec<usize>,
}

/// The machine and the world around it.
pub(super) struct World {
    pub(super) machine: Machine,
    pub(super) now: Moment,
    pub(super) processes: BTreeMap<Life, Process>,
    pub(super) all_ready: usize,
    pub(super) reloads: Vec<Result<(), String>>,
    pub(super) restarts: usize,
    pub(super) outcome: Option<Outcome>,
}

impl World {
    pub(super) fn new(places: usize, policy: Policy) -> Self {
        let mut world = Self {
            machine: Machine::new(policy, places, 7),
            now: Moment::ZERO,
            processes: BTreeMap::new(),
            all_ready: 0,
            reloads: Vec::new(),
            restarts: 0,
            outcome: None,
        };
        world.happens(Event::Tick);
        world
    }

    /// One in which all are ready.
    pub(super) fn serving(places: usize) -> Self {
        let mut world = Self::new(places, POLICY);
        world.all_get_ready();
        assert_eq!(world.all_ready, 1);
        world
    }

    pub(super) fn happens(&mut self, event: Event) {
        let actions = self.machine.handle(self.now, event);
        for action in actions {
            self.does(action);
        }
        self.check();
    }

    pub(super) fn does(&mut self, action: Action) {
        assert!(self.outcome.is_none(), "{action:?} after the end");
        match action {
            Action::Start { life, place, side, renewed } => {
                assert!(self.machine.places()[place].wanted, "a start for p{place}, which nobody wants");
                let others = self.of(place);
                assert!(others.len() < 2, "a third process for p{place}");
                assert!(others.iter().all(|(_, other)| other.side != side), "two on one side");
                let process = Process { place, side, renewed, ..Process::default() };
                assert!(self.processes.insert(life, process).is_none());
            }
            Action::Drain { life, handed_over } => {
                let process = self.live(life);
                assert!(!process.told_to_end && !process.killed);
                (process.told_to_end, process.handed_over) = (true, handed_over);
            }
            Action::Kill(life) => self.live(life).killed = true,
            Action::Ping(life) => {
                assert!(self.live(life).ready);
                self.live(life).pings += 1;
            }
            Action::Serve(life, place) => {
                let process = self.live(life);
                assert!(
                    process.ready
                        && !process.told_to_end
                        && process.place != place
                        && !process.serves.contains(&place)
                );
                process.serves.push(place);
            }
            Action::Release(life, place) => {
                let process = self.live(life);
                assert!(process.serves.contains(&place));
                process.serves.retain(|served| *served != place);
            }
            Action::Crashed(_) => self.restarts += 1,
            Action::Say(_, text) => assert!(!text.is_empty()),
            Action::AllReady => self.all_ready += 1,
            Action::Reloading => assert!(self.machine.is_reloading() || self.reloads.is_empty()),
            Action::Reloaded(outcome) => self.reloads.push(outcome),
            Action::End(outcome) => {
                assert!(self.processes.is_empty() || self.processes.values().all(|process| process.killed));
                self.outcome = Some(outcome);
            }
        }
    }

    pub(super) fn live(&mut self, life: Life) -> &mut Process {
        self.processes.get_mut(&life).expect("an action is for a process that lives")
    }

    pub(super) fn of(&self, place: usize) -> Vec<(Life, Process)> {
        let all = self.processes.iter().filter(|(_, process)| process.place == place);
        all.map(|(life, process)| (*life, process.clone())).collect()
    }

    /// Those who serve: ready, and not told to end.
    pub(super) fn serving_now(&self) -> Vec<(Life, Process)> {
        let serves = |process: &Process| process.ready && !process.told_to_end && !process.killed;
        self.processes
            .iter()
            .filter(|(_, process)| serves(process))
            .map(|(life, process)| (*life, process.clone()))
            .collect()
    }

    /// What must hold whatever has happened.
    pub(super) fn check(&self) {
        if self.outcome.is_some() {
            return;
        }
        assert!(
            self.machine.is_renewing() || !self.machine.is_reload_wanted(),
            "a reload that was asked for does not begin"
        );
        if let Some(deadline) = self.machine.deadline() {
            assert!(
                deadline > self.now,
                "the primary would spin: {deadline:?} at {:?}: {:?}",
                self.now,
                self.machine.places()
            );
        }
        let serving = self.serving_now();
        let stopping = self.machine.is_stopping();
        for (index, place) in self.machine.places().iter().enumerate() {
            let of = self.of(index);
            assert!(of.len() <= 2);
            let active = |process: &Process| !process.told_to_end && !process.killed;
            let (ready, starting): (Vec<_>, Vec<_>) =
                of.iter().filter(|(_, process)| active(process)).partition(|(_, process)| process.ready);
            assert!(ready.len() <= 1 && starting.len() <= 1, "p{index}: {of:?}");
            if ready.len() + starting.len() == 2 {
                assert!(
                    self.machine.is_renewing() && starting[0].1.renewed,
                    "two in p{index} without a reload"
                );
            }
            for worker in place.workers() {
                let has_deadline = worker.deadline().is_some();
                assert!(has_deadline || worker.is_ready(), "{worker:?}");
            }
            if stopping {
                assert!(ready.is_empty() && starting.is_empty(), "p{index} was not told of the stop");
                continue;
            }
            if place.wanted && ready.is_empty() && starting.is_empty() {
                let waits = place.due().is_some() || place.has_failed() || place.awaits_an_end();
                assert!(waits, "p{index} is without an owner: {place:?}");
            }
            // Who could serve it does, at the latest after a while.
            if ready.is_empty() && self.all_ready == 1 {
                let since = place.unserved_since.expect("it is not served");
                let at_once = !place.wanted || place.has_failed();
                assert!(
                    place.lent || (self.now < since + UNSERVED && !at_once),
                    "p{index} is stranded: {place:?}"
                );
            }
            for (life, process) in &serving {
                let serves = process.serves.contains(&index);
                assert_eq!(serves, place.lent && process.place != index, "{life:?} and p{index}");
            }
        }
        for process in self.processes.values().filter(|process| process.handed_over && !process.killed) {
            // Somebody took over when it was told; that one may have gone since.
            assert!(process.told_to_end);
        }
    }

    pub(super) fn all_get_ready(&mut self) {
        let waiting: Vec<_> = self
            .processes
            .iter()
            .filter(|(_, process)| !process.ready && !process.killed)
            .map(|(life, _)| *life)
            .collect();
        for life in waiting {
            self.gets_ready(life);
        }
    }

    pub(super) fn gets_ready(&mut self, life: Life) {
        let process = self.live(life);
        // One that was told to end meanwhile may say it all the same.
        process.ready = !process.told_to_end && !process.killed;
        self.happens(Event::Ready(life));
    }

    pub(super) fn ends(&mut self, life: Life, clean: bool) {
        self.processes.remove(&life).expect("it lives");
        self.happens(Event::Ended(life, end(clean)));
    }

    pub(super) fn passes(&mut self, time: Duration) {
        self.now += time;
        self.happens(Event::Tick);
    }

    /// To the next deadline.
    pub(super) fn waits(&mut self) {
        if let Some(deadline) = self.machine.deadline() {
            self.now = self.now.max(deadline);
            self.happens(Event::Tick);
        }
    }

    /// Whoever comes to a place gets ready and ends, so many times.
    pub(super) fn crashes(&mut self, place: usize, times: usize) {
        for _ in 0..times {
            while self.of(place).is_empty() {
                self.waits();
            }
            let worker = self.only(place);
            self.gets_ready(worker);
            self.ends(worker, false);
        }
    }

    pub(super) fn only(&self, place: usize) -> Life {
        let of = self.of(place);
        assert_eq!(of.len(), 1, "{of:?}");
        of[0].0
    }

    /// One of those that live.
    pub(super) fn any(&self, choice: u8) -> Option<Life> {
        let lives: Vec<_> = self.processes.keys().copied().collect();
        (!lives.is_empty()).then(|| lives[usize::from(choice) % lives.len()])
    }

    /// What a random step does.
    pub(super) fn random_step(&mut self, (what, whom): (u8, u8)) {
        match what % 16 {
            0..=4 => {
                if let Some(life) = self.any(whom) {
                    self.gets_ready(life);
                }
            }
            5 => {
                if let Some(life) = self.any(whom) {
                    self.happens(Event::Pong(life));
                }
            }
            6..=7 => {
                if let Some(life) = self.any(whom) {
                    let told = self.processes[&life].told_to_end;
                    self.ends(life, told && whom % 2 == 0);
                }
            }
            8 => {
                if let Some(life) = self.any(whom).filter(|life| !self.processes[life].ready) {
                    self.processes.remove(&life);
                    self.happens(Event::NotStarted(life, "no memory".to_owned()));
                }
            }
            9 => self.happens(Event::Command(Command::Reload)),
            10 => self.happens(Event::Command(Command::Renew(usize::from(whom) % 5, "it is old".to_owned()))),
            11 => self.happens(Event::Command(Command::Scale(usize::from(whom) % 5))),
            12 => self.passes(Duration::from_millis(u64::from(whom) * 40)),
            // Rarely, or nothing else would be seen.
            13 if whom > 250 => self.happens(Event::Command(Command::Stop { graceful: whom % 2 == 0 })),
            _ => self.waits(),
        }
    }

    /// A stop ends, whoever takes no notice of it.
    pub(super) fn stops(&mut self, choices: &[(u8, u8)]) {
        self.happens(Event::Command(Command::Stop { graceful: choices.len().is_multiple_of(2) }));
        for choice in choices {
            if let Some(life) = self.any(choice.1).filter(|_| self.outcome.is_none() && choice.0 % 3 == 0) {
                self.ends(life, choice.0 % 2 == 0);
            }
        }
        for _ in 0..100 {
            if self.outcome.is_some() {
                return;
            }
            assert!(self.machine.deadline().is_some(), "a stop waits for ever");
            self.waits();
        }
        panic!("a stop does not end");
    }
}

pub(super) fn end(clean: bool) -> End {
    End {
        clean,
        how: if clean { "exited with code 0" } else { "was ended by signal 9" }.to_owned(),
        said: None,
    }
}
