//! From a budget to a number of starts, before anything is measured; and what that can resolve.

use std::time::Duration;

use crate::{
    plan::{
        cpu_plan::Topology,
        run_plan::{Pass, RunPlan, STARTS_FOR_PLACES},
        scenario::{Metric, Scenario},
        variants::with_variants,
    },
    registry::Row,
};

/// What starting a server, checking its answers and stopping it take beside its warm-up.
const SERVER: Duration = Duration::from_millis(250);
/// The load before a server is frozen for the first time, where its row says nothing else.
pub(crate) const FIRST_WARM_UP: Duration = Duration::from_millis(100);
/// How long the closed loop lasts by which a row's own capacity is known, before a pass of an experiment.
pub(crate) const CAPACITY_WINDOW: Duration = Duration::from_secs(1);
/// The load before that, where the row needs no longer.
pub(crate) const CAPACITY_WARM_UP: Duration = Duration::from_millis(300);
/// What a window takes beside its load: thawing, reading counters, connecting, draining, freezing.
const AROUND_A_WINDOW: Duration = Duration::from_millis(25);
/// The part of all windows that is repeated because something disturbed them.
const REPEATED: f64 = 0.05;
/// With fewer starts there is nothing to estimate the spread between them from.
const FEWEST: u32 = 2;
/// More starts than a budget divides into: beyond, it is more rounds that a person should ask for.
const MOST: u32 = 1_000;
/// The chance with which a difference is to be found.
const POWER: f64 = 0.9;

/// A budget in which a run says nothing.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("a budget of {budget:?} is too short: one start of these rows and scenarios takes about {start:.0?}, and a run has {FEWEST} at least; give --budget {}s or fewer rows", (start.as_secs_f64() * f64::from(FEWEST)).ceil())]
pub struct TooShort {
    budget: Duration,
    start: Duration,
}

/// `plan` with as many starts as come nearest to `budget`. Where these are fewer than places need, scenarios have fewer rounds, down to one, unless
/// rounds are fixed: a further start says more than a further round of one.
///
/// # Errors
/// Fewer than two starts come near it.
pub fn fitted(plan: &RunPlan, budget: Duration, rounds_are_fixed: bool) -> Result<RunPlan, TooShort> {
    let most = plan.compared().map(|scenario| scenario.rounds).max().unwrap_or(1);
    let least = if rounds_are_fixed { most } else { 1 };
    let with_at_most = |rounds: usize| {
        let mut plan = plan.clone();
        plan.scenarios.iter_mut().for_each(|scenario| scenario.rounds = scenario.rounds.min(rounds));
        starts_within(&plan, budget).map(|starts| RunPlan { starts, ..plan })
    };
    let enough = (least + 1..=most)
        .rev()
        .filter_map(|rounds| with_at_most(rounds).ok())
        .find(|plan| plan.starts >= STARTS_FOR_PLACES);
    enough.map_or_else(|| with_at_most(least), Ok)
}

/// How many starts of `plan`, whose own number of them is not looked at, come nearest to `budget`.
///
/// # Errors
/// Fewer than two do.
fn starts_within(plan: &RunPlan, budget: Duration) -> Result<u32, TooShort> {
    if plan.compared().next().is_none() {
        return Ok(0);
    }
    // The twin is entered where places are to be given: first as if they were.
    let with = |starts: u32| {
        let start = start_time(&RunPlan { starts, ..plan.clone() });
        ((budget.as_secs_f64() / start.as_secs_f64()).round() as u32).min(MOST)
    };
    let starts = match with(STARTS_FOR_PLACES) {
        enough if enough >= STARTS_FOR_PLACES => enough,
        _ => with(FEWEST).min(STARTS_FOR_PLACES - 1),
    };
    match starts >= FEWEST {
        true => Ok(starts),
        false => Err(TooShort { budget, start: start_time(&RunPlan { starts: FEWEST, ..plan.clone() }) }),
    }
}

/// How long all starts take.
pub fn expected_duration(plan: &RunPlan) -> Duration {
    start_time(plan) * plan.starts
}

/// How long the passes of experiments take, if each event is over before the next is due. They come in addition to the starts, and no budget
/// makes them fewer.
pub fn expected_of_passes(plan: &RunPlan) -> Duration {
    let of = |pass: &Pass<'_>| {
        SERVER
            + pass.row.warm_up.max(CAPACITY_WARM_UP)
            + CAPACITY_WINDOW
            + pass.scenario.warm_up
            + pass.experiment.expected_length(pass.events.len())
    };
    plan.passes().iter().map(of).sum()
}

/// How long opening many connections takes, and closing them: of one on which a request is answered some 0.15 ms here, of another a third.
fn opening(scenario: &Scenario) -> Duration {
    let (all, idle) = (scenario.open_connections(), scenario.idle_connections());
    Duration::from_micros(150 * idle as u64 + 50 * (all - idle) as u64)
}

/// How long `scenario` alone takes with those of `rows` that are not on request: the starts that places need, or a pass of each row.
pub fn cost(rows: &[Row], scenario: &Scenario, topology: &Topology) -> Duration {
    let usual = rows.iter().filter(|row| !row.on_request).cloned().collect();
    let mut scenarios = vec![scenario.clone()];
    let rows = with_variants(usual, &mut scenarios, topology);
    let starts = STARTS_FOR_PLACES;
    let plan = RunPlan { rows, with: Vec::new(), scenarios, starts, seed: 0 };
    match scenario.experiment {
        Some(_) => expected_of_passes(&plan),
        None => expected_duration(&plan),
    }
}

/// How long one start takes.
fn start_time(plan: &RunPlan) -> Duration {
    let servers: Duration = plan
        .groups()
        .iter()
        .flat_map(|group| plan.servers(group, 0))
        .map(|entry| SERVER + entry.row.warm_up.max(FIRST_WARM_UP))
        .sum();
    let windows: Duration = plan
        .compared()
        .map(|scenario| {
            let count = (plan.entries(scenario).len() * scenario.all_rounds()) as u32;
            (scenario.stretch() + AROUND_A_WINDOW + opening(scenario)) * count
        })
        .sum();
    servers + windows.mul_f64(1.0 + REPEATED)
}

/// What the plan can resolve of the figure that the scenario compares by, in one clause; nothing where it gives no places.
///
/// The spread between starts that this supposes is what was found where the method was worked out (METHODOLOGY.md, "Starts, rounds
/// and windows"); the report prints what was found.
pub(super) fn resolves(plan: &RunPlan, scenario: &Scenario) -> Option<String> {
    if plan.starts < STARTS_FOR_PLACES || !scenario.has_own_step() {
        return None;
    }
    let (figure, spread) = match scenario.rank.by {
        Metric::Throughput => ("throughput", 0.01),
        Metric::P95 => ("p95", 0.06),
        Metric::P99 => ("p99", 0.12),
        Metric::IdleMemory => ("bytes a connection", 0.02),
    };
    let rows = plan.entries(scenario).iter().filter(|entry| !entry.twin).count();
    let pairs = (rows * rows.saturating_sub(1) / 2).max(1);
    let alpha = stats::decide::FAMILY_ALPHA / pairs as f64;
    let log = stats::power::detectable_log(spread, plan.starts as usize, alpha, POWER)?;
    Some(format!(
        "finds {figure}s that differ by {:.0}% nine times in ten, where starts differ by {:.0}%",
        100.0 * log.exp_m1(),
        100.0 * spread
    ))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{
        plan::scenarios::Scenarios,
        registry::{Asked, Registry},
    };

    fn default_field() -> RunPlan {
        let here = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        RunPlan {
            rows: Registry::read(&here.join("servers.toml")).unwrap().select(Asked::Default).unwrap(),
            with: Vec::new(),
            scenarios: Scenarios::read(&here.join("scenarios")).unwrap().select(Asked::Default).unwrap(),
            starts: 0,
            seed: 1,
        }
    }

    #[test]
    fn as_many_starts_are_planned_as_come_nearest_to_the_budget() {
        let plan = default_field();
        for minutes in [4, 12, 30, 90] {
            let budget = Duration::from_secs(60 * minutes);
            let starts = starts_within(&plan, budget).unwrap();
            let planned = RunPlan { starts, ..plan.clone() };
            let (expected, start) = (expected_duration(&planned), start_time(&planned));
            assert!(expected <= budget + start / 2 && expected + start / 2 >= budget, "{minutes}: {starts}");
        }
    }

    #[test]
    fn a_budget_of_less_than_two_starts_is_refused_with_one_that_is_enough() {
        let plan = default_field();
        let error = starts_within(&plan, Duration::from_secs(60)).unwrap_err();
        let enough = error.to_string();
        let enough = enough.split("--budget ").nth(1).unwrap().split('s').next().unwrap();
        let enough = Duration::from_secs(enough.parse().unwrap());
        assert_eq!(starts_within(&plan, enough), Ok(2));
    }

    #[test]
    fn a_budget_that_is_short_takes_rounds_before_it_takes_places_and_none_that_are_fixed() {
        let plan = default_field();
        let rounds = |plan: &RunPlan| plan.scenarios.iter().map(|one| one.rounds).max().unwrap();
        let minutes =
            |minutes: u64, are_fixed| fitted(&plan, Duration::from_secs(60 * minutes), are_fixed).unwrap();
        let usual = minutes(12, false);
        assert_eq!((usual.starts, rounds(&usual)), (7, rounds(&plan)));
        let short = minutes(8, false);
        assert!(short.starts >= STARTS_FOR_PLACES && rounds(&short) < rounds(&plan), "{}", short.starts);
        let fixed = minutes(8, true);
        assert!(fixed.starts < STARTS_FOR_PLACES && rounds(&fixed) == rounds(&plan), "{}", fixed.starts);
        let quick = minutes(3, false);
        assert!(quick.starts < STARTS_FOR_PLACES && rounds(&quick) == 1, "{}", quick.starts);
    }

    #[test]
    fn the_usual_budget_gives_the_default_field_seven_starts() {
        assert_eq!(starts_within(&default_field(), Duration::from_secs(12 * 60)), Ok(7));
    }

    #[test]
    fn what_a_scenario_costs_is_told_of_each_and_grows_with_its_connections_and_variants() {
        let here = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let rows = Registry::read(&here.join("servers.toml")).unwrap();
        let scenarios = Scenarios::read(&here.join("scenarios")).unwrap();
        let Ok(topology) = Topology::of_this_host() else { return };
        let of = |name: &str| {
            let scenario = scenarios.all().iter().find(|scenario| scenario.name == name).unwrap();
            cost(rows.rows(), scenario, &topology)
        };
        for scenario in scenarios.all() {
            let cost = of(&scenario.name);
            assert!((30..5400).contains(&cost.as_secs()), "{}: {cost:?}", scenario.name);
        }
        assert!(of("many-connections") > of("burst") && of("oversubscription") > of("mixed"));
    }

    #[test]
    fn more_starts_resolve_more_and_too_few_say_nothing() {
        let plan = default_field();
        let said = |starts| resolves(&RunPlan { starts, ..plan.clone() }, &plan.scenarios[0]);
        let percent = |said: Option<String>| -> f64 {
            let said = said.unwrap();
            said.split("by ").nth(1).unwrap().split('%').next().unwrap().parse().unwrap()
        };
        assert_eq!(said(5), None);
        assert!(percent(said(6)) > percent(said(20)));
    }
}
