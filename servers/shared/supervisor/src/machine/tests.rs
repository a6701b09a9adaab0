//! The machine over random sequences of events, against a world that keeps its own account; and the cases that have a name.
//!
//! `PROPTEST_CASES=1000000 cargo test --release -p supervisor machine` plays a million sequences.

use std::{collections::BTreeMap, time::Duration};

use proptest::{prelude::*, test_runner::Config};

use super::{
    Machine, Stage, Vacancy,
    words::{Action, Command, End, Event, Life, Moment, Outcome, Policy, UNSERVED},
};

const POLICY: Policy = Policy {
    ready_timeout: Duration::from_secs(10),
    drain_timeout: Duration::from_secs(8),
    hang_timeout: Some(Duration::from_secs(4)),
    max_crashes: 4,
    crash_window: Duration::from_secs(60),
    lends: true,
};

/// A process as the world knows it.
#[derive(Clone, Debug, Default)]
struct Process {
    place: usize,
    side: usize,
    renewed: bool,
    ready: bool,
    told_to_end: bool,
    handed_over: bool,
    killed: bool,
    pings: usize,
    serves: Vec<usize>,
}

/// The machine and the world around it.
struct World {
    machine: Machine,
    now: Moment,
    processes: BTreeMap<Life, Process>,
    all_ready: usize,
    reloads: Vec<Result<(), String>>,
    restarts: usize,
    outcome: Option<Outcome>,
}

impl World {
    fn new(places: usize, policy: Policy) -> Self {
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
    fn serving(places: usize) -> Self {
        let mut world = Self::new(places, POLICY);
        world.all_get_ready();
        assert_eq!(world.all_ready, 1);
        world
    }

    fn happens(&mut self, event: Event) {
        let actions = self.machine.handle(self.now, event);
        for action in actions {
            self.does(action);
        }
        self.check();
    }

    fn does(&mut self, action: Action) {
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

    fn live(&mut self, life: Life) -> &mut Process {
        self.processes.get_mut(&life).expect("an action is for a process that lives")
    }

    fn of(&self, place: usize) -> Vec<(Life, Process)> {
        let all = self.processes.iter().filter(|(_, process)| process.place == place);
        all.map(|(life, process)| (*life, process.clone())).collect()
    }

    /// Those who serve: ready, and not told to end.
    fn serving_now(&self) -> Vec<(Life, Process)> {
        let serves = |process: &Process| process.ready && !process.told_to_end && !process.killed;
        self.processes
            .iter()
            .filter(|(_, process)| serves(process))
            .map(|(life, process)| (*life, process.clone()))
            .collect()
    }

    /// What must hold whatever has happened.
    fn check(&self) {
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

    fn all_get_ready(&mut self) {
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

    fn gets_ready(&mut self, life: Life) {
        let process = self.live(life);
        // One that was told to end meanwhile may say it all the same.
        process.ready = !process.told_to_end && !process.killed;
        self.happens(Event::Ready(life));
    }

    fn ends(&mut self, life: Life, clean: bool) {
        self.processes.remove(&life).expect("it lives");
        self.happens(Event::Ended(life, end(clean)));
    }

    fn passes(&mut self, time: Duration) {
        self.now += time;
        self.happens(Event::Tick);
    }

    /// To the next deadline.
    fn waits(&mut self) {
        if let Some(deadline) = self.machine.deadline() {
            self.now = self.now.max(deadline);
            self.happens(Event::Tick);
        }
    }

    fn only(&self, place: usize) -> Life {
        let of = self.of(place);
        assert_eq!(of.len(), 1, "{of:?}");
        of[0].0
    }

    /// One of those that live.
    fn any(&self, choice: u8) -> Option<Life> {
        let lives: Vec<_> = self.processes.keys().copied().collect();
        (!lives.is_empty()).then(|| lives[usize::from(choice) % lives.len()])
    }

    /// What a random step does.
    fn random_step(&mut self, (what, whom): (u8, u8)) {
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
    fn stops(&mut self, choices: &[(u8, u8)]) {
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

fn end(clean: bool) -> End {
    End {
        clean,
        how: if clean { "exited with code 0" } else { "was ended by signal 9" }.to_owned(),
        said: None,
    }
}

fn cases() -> Config {
    let asked = std::env::var("PROPTEST_CASES").is_ok();
    if asked { Config::default() } else { Config::with_cases(3_000) }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn whatever_happens_every_place_has_an_owner_and_a_deadline_and_a_stop_ends(
        places in 1_usize..4,
        steps in prop::collection::vec(any::<(u8, u8)>(), 0..120),
    ) {
        let mut world = World::new(places, POLICY);
        // Half of the sequences begin where all are ready.
        if steps.len() % 2 == 0 {
            world.all_get_ready();
        }
        for &step in &steps {
            if world.outcome.is_none() {
                world.random_step(step);
            }
        }
        if world.outcome.is_none() {
            world.stops(&steps[..steps.len().min(8)]);
        }
        prop_assert!(world.outcome.is_some());
    }
}

#[test]
fn a_crashed_worker_is_replaced_at_once_and_the_second_time_after_a_wait() {
    let mut world = World::serving(2);
    let first = world.only(0);
    world.ends(first, false);
    let second = world.only(0);
    assert_ne!(first, second);
    world.gets_ready(second);
    world.ends(second, false);
    assert!(world.of(0).is_empty());
    world.waits();
    let third = world.only(0);
    world.gets_ready(third);
    assert_eq!(world.restarts, 2);
}

#[test]
fn a_place_that_waits_long_is_served_by_the_others_until_its_own_worker_is_ready() {
    let mut world = World::serving(3);
    for _ in 0..3 {
        let worker = loop {
            match world.of(0).first() {
                Some((life, _)) => break *life,
                None => world.waits(),
            }
        };
        world.gets_ready(worker);
        world.ends(worker, false);
    }
    while !world.machine.places()[0].lent {
        assert!(world.machine.places()[0].ready().is_none());
        world.passes(Duration::from_millis(50));
    }
    assert!(world.machine.places()[0].lent);
    assert_eq!(world.processes[&world.only(1)].serves, [0]);
    assert_eq!(world.processes[&world.only(2)].serves, [0]);
    while world.of(0).is_empty() {
        world.waits();
    }
    let worker = world.only(0);
    world.gets_ready(worker);
    assert!(world.processes[&world.only(1)].serves.is_empty());
}

#[test]
fn a_place_whose_budget_is_spent_fails_and_a_reload_tries_it_anew() {
    let mut world = World::serving(2);
    for _ in 0..POLICY.max_crashes {
        while world.of(0).is_empty() {
            world.waits();
        }
        let worker = world.only(0);
        world.gets_ready(worker);
        world.ends(worker, false);
    }
    assert!(world.machine.places()[0].has_failed());
    world.passes(Duration::from_secs(600));
    assert!(world.of(0).is_empty(), "nobody comes by himself");
    world.happens(Event::Command(Command::Reload));
    let worker = world.only(0);
    world.gets_ready(worker);
    assert!(!world.machine.places()[0].has_failed());
}

#[test]
fn where_all_places_have_failed_it_is_over() {
    let mut world = World::serving(1);
    for _ in 0..POLICY.max_crashes {
        while world.of(0).is_empty() {
            world.waits();
        }
        let worker = world.only(0);
        world.gets_ready(worker);
        world.ends(worker, false);
    }
    assert_eq!(world.outcome, Some(Outcome::AllFailed(vec!["worker p0 was ended by signal 9".to_owned()])));
}

#[test]
fn a_reload_goes_place_by_place_and_drains_only_who_was_replaced() {
    let mut world = World::serving(2);
    let old = [world.only(0), world.only(1)];
    world.happens(Event::Command(Command::Reload));
    assert_eq!((world.of(0).len(), world.of(1).len()), (2, 1));
    let successor = world.of(0)[1].0;
    world.gets_ready(successor);
    assert!(world.processes[&old[0]].handed_over);
    assert!(!world.processes[&old[1]].told_to_end);
    let successor = world.of(1)[1].0;
    world.gets_ready(successor);
    assert!(world.processes[&old[1]].handed_over && world.reloads.is_empty());
    world.ends(old[0], true);
    world.ends(old[1], true);
    assert_eq!(world.reloads, [Ok(())]);
}

#[test]
fn a_successor_that_is_never_ready_leaves_the_old_worker_alone() {
    let mut world = World::serving(2);
    let old = world.only(0);
    world.happens(Event::Command(Command::Reload));
    let successor = world.of(0)[1].0;
    // The others are alive: what passes is only the successor's time.
    for _ in 0..40 {
        if !world.reloads.is_empty() {
            break;
        }
        for life in [old, world.only(1)] {
            world.happens(Event::Pong(life));
        }
        world.passes(Duration::from_millis(500));
    }
    assert!(
        world.reloads[0].as_ref().is_err_and(|why| why.contains("was not ready within 10s")),
        "{:?}",
        world.reloads
    );
    assert!(world.processes[&successor].killed);
    world.ends(successor, false);
    let old = &world.processes[&old];
    assert!(old.ready && !old.told_to_end && !old.killed);
    assert!(world.machine.places()[0].ready().is_some());
}

#[test]
fn an_old_worker_that_does_not_drain_is_killed_so_that_they_cannot_pile_up() {
    let mut world = World::serving(1);
    for _ in 0..3 {
        let (old, _) = world.serving_now()[0].clone();
        world.happens(Event::Command(Command::Reload));
        let successor = world.of(0).into_iter().find(|(_, process)| !process.ready).unwrap().0;
        world.gets_ready(successor);
        // Another reload meanwhile waits for the side.
        world.happens(Event::Command(Command::Reload));
        assert_eq!(world.of(0).len(), 2);
        while !world.processes[&old].killed {
            world.happens(Event::Pong(successor));
            world.passes(Duration::from_secs(1));
        }
        world.ends(old, false);
        let third = world.of(0).into_iter().find(|(_, process)| !process.ready).unwrap().0;
        world.gets_ready(third);
        world.ends(successor, true);
    }
    assert_eq!(world.reloads.len(), 6);
}

#[test]
fn a_stop_comes_before_a_reload() {
    let mut world = World::serving(2);
    world.happens(Event::Command(Command::Reload));
    world.happens(Event::Command(Command::Stop { graceful: true }));
    assert!(world.reloads[0].is_err());
    for life in world.processes.keys().copied().collect::<Vec<_>>() {
        world.ends(life, true);
    }
    assert_eq!(world.outcome, Some(Outcome::Stopped { failed: vec![] }));
}

#[test]
fn a_worker_that_does_not_answer_is_killed_and_one_that_does_is_not() {
    let mut world = World::serving(2);
    let [hung, sound] = [world.only(0), world.only(1)];
    for _ in 0..16 {
        world.passes(Duration::from_millis(500));
        if world.processes[&hung].killed {
            break;
        }
        world.happens(Event::Pong(sound));
    }
    assert!(world.processes[&hung].killed && world.processes[&hung].pings >= 3);
    assert!(!world.processes[&sound].killed);
    world.ends(hung, false);
    assert_eq!(world.of(0).len(), 1, "it is replaced");
}

#[test]
fn a_worker_is_pinged_during_a_reload_too() {
    let mut world = World::serving(2);
    world.happens(Event::Command(Command::Reload));
    let waiting = world.only(1);
    let before = world.processes[&waiting].pings;
    world.passes(Duration::from_secs(1));
    assert!(world.machine.is_reloading() && world.processes[&waiting].pings > before);
}

#[test]
fn a_place_that_is_no_longer_wanted_is_served_by_the_others_before_its_worker_goes() {
    let mut world = World::serving(3);
    let leaving = world.only(2);
    world.happens(Event::Command(Command::Scale(2)));
    assert!(world.processes[&leaving].handed_over);
    assert_eq!(world.processes[&world.only(0)].serves, [2]);
    world.ends(leaving, true);
    world.happens(Event::Command(Command::Scale(3)));
    let new = world.only(2);
    world.gets_ready(new);
    assert!(world.processes[&world.only(0)].serves.is_empty());
}

#[test]
fn the_last_worker_stays_until_another_is_ready() {
    let mut world = World::serving(2);
    let [first, second] = [world.only(0), world.only(1)];
    world.ends(first, false);
    world.happens(Event::Command(Command::Scale(1)));
    assert!(!world.processes[&second].told_to_end);
    let first = world.only(0);
    world.gets_ready(first);
    assert!(world.processes[&second].handed_over);
}

#[test]
fn a_worker_that_ends_before_all_are_ready_fails_the_start_and_is_called_what_it_is() {
    let mut world = World::new(2, POLICY);
    let [first, second] = [world.only(0), world.only(1)];
    world.gets_ready(first);
    world.ends(first, false);
    world.ends(second, false);
    let Some(Outcome::NotStarted(why)) = &world.outcome else { panic!("{:?}", world.outcome) };
    assert_eq!(why, "worker p0 was ended by signal 9 after it was ready and before all workers accepted");
}

#[test]
fn who_cannot_be_started_is_tried_again_and_costs_no_budget() {
    let mut world = World::serving(2);
    let worker = world.only(0);
    world.ends(worker, false);
    for _ in 0..50 {
        while world.of(0).is_empty() {
            let other = world.only(1);
            world.happens(Event::Pong(other));
            world.waits();
        }
        let worker = world.only(0);
        world.processes.remove(&worker);
        world.happens(Event::NotStarted(worker, "out of memory".to_owned()));
    }
    assert!(matches!(world.machine.places()[0].vacancy, Vacancy::Due(_)));
    assert!(world.machine.places()[0].workers().all(|worker| !matches!(worker.stage, Stage::Ready { .. })));
}
