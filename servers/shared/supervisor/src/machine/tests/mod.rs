//! The machine over random sequences of events, against a world that keeps its own account; and the cases that have a name.
//!
//! `PROPTEST_CASES=1000000 cargo test --release -p supervisor machine` plays a million sequences.

mod world;

use std::time::Duration;

use proptest::{prelude::*, test_runner::Config};

use super::{
    Stage, Vacancy,
    words::{Command, Event, Outcome},
};
use world::{POLICY, World};

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
    world.crashes(0, POLICY.max_crashes);
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
    world.crashes(0, POLICY.max_crashes);
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
    // Its end decides when it is replaced.
    world.happens(Event::Tick);
    assert_eq!(world.of(0).len(), 1);
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
