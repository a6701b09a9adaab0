//! The plan of a run, from what it is told: which rows and scenarios, and how often.

use std::time::Duration;

use anyhow::bail;
use client::load_command::values;
use host::cpus::CpuSet;
use race::{
    plan::{
        budget::fitted,
        cpu_plan::Topology,
        host_limits::HostLimits,
        objective::Objective,
        own_load::{OwnLoad, OwnLoadError},
        run_plan::{RunPlan, STARTS_FOR_PLACES},
        scenario::{Scenario, Unsuited},
        scenarios::{ScenarioError, Scenarios},
        stream,
        variants::with_variants,
    },
    registry::{Asked, Row},
};

use super::{
    bench_args::{BenchArgs, Thoroughness},
    server_host::There,
};

/// So many reasons are enough where nothing can be raced.
const MOST_REASONS: usize = 8;
/// What `--profile quick` has.
const QUICK_STARTS: u32 = 2;
const QUICK_EVENTS: usize = 6;
/// What `--profile publish` has.
const PUBLISHED_STARTS: u32 = 10;
const PUBLISHED_ROUNDS: usize = 6;
/// What a run takes where nothing is said.
const USUAL_BUDGET: Duration = Duration::from_secs(12 * 60);
/// What is to be had of every row and every scenario in less has hardly two starts.
const WHOLE_BUDGET: Duration = Duration::from_secs(60 * 60);

/// An objective that no scenario of the run can answer.
#[derive(Debug, thiserror::Error)]
#[error("no scenario of this run can answer that: {0}; try --scenario curve, or --load")]
pub(crate) struct ObjectiveRefused(String);

/// The plan.
///
/// # Errors
/// What is asked for contradicts itself, does not fit this host or the budget, or leaves nothing to race.
pub(super) fn plan(
    args: &BenchArgs,
    rows: Vec<Row>,
    scenarios: &Scenarios,
    there: Option<&There>,
    topology: &Topology,
) -> anyhow::Result<RunPlan> {
    let cpus = match there {
        Some(there) => there.cpus_of_one_host(),
        None => CpuSet::allowed()?.len(),
    };
    let mut scenarios = match scenario_of_load(args, cpus)? {
        Some(own) => {
            HostLimits::of_this_host().check(&own, &topology.plan(&own, 0)?)?;
            vec![own]
        }
        None => scenarios.select(Asked::of(&args.scenario, args.all))?,
    };
    let is_everything = args.all && args.scenario.is_empty() && args.load.is_none();
    if is_everything {
        // They take their own time, more than all others together, and are of another kind: asked for by name.
        scenarios.retain(|scenario| scenario.experiment.is_none());
    }
    if there.is_some() {
        There::only_loads(&scenarios)?;
    }
    if let (Some(objective), None) = (&args.objective, &args.load) {
        want(objective, &mut scenarios)?;
    }
    if let Some(window) = args.duration {
        for scenario in &mut scenarios {
            scenario.window = window;
            // What a file says of bursts holds for the windows that it says.
            let path = format!("{} with windows of {window:?}", scenario.name);
            scenario.check().map_err(|reason| ScenarioError::Parse { path, reason })?;
        }
    }
    let publish = args.profile == Some(Thoroughness::Publish);
    for scenario in &mut scenarios {
        match args.rounds {
            Some(rounds) => scenario.rounds = rounds as usize,
            // A ladder has as many rounds as it has steps.
            None if publish && scenario.ladder.is_none() => {
                scenario.rounds = scenario.rounds.max(PUBLISHED_ROUNDS);
            }
            None => {}
        }
    }
    let only_experiments = scenarios.iter().all(|scenario| scenario.experiment.is_some());
    for experiment in scenarios.iter_mut().filter_map(|scenario| scenario.experiment.as_mut()) {
        if args.profile == Some(Thoroughness::Quick) {
            experiment.at_most(QUICK_EVENTS);
        }
        // Beside starts of all servers, of which there may be many, each pass of an experiment would be as many.
        if let Some(starts) = args.starts.filter(|_| only_experiments) {
            experiment.starts = starts;
        }
    }
    let rows = with_variants(rows, &mut scenarios, topology);
    let asked = scenarios.clone();
    scenarios.retain(|scenario| rows.iter().any(|row| scenario.suits(row)));
    if scenarios.is_empty() {
        let because = |row: &Row, scenario: &Scenario| match scenario.unsuited(row) {
            Some(Unsuited::Because(reason)) => Some(format!("{} in {}: {reason}", row.name, scenario.name)),
            _ => None,
        };
        let all = asked.iter().flat_map(|scenario| rows.iter().filter_map(move |row| because(row, scenario)));
        let why: Vec<String> = all.take(MOST_REASONS).collect();
        bail!("none of these rows can do what these scenarios ask for ({})", why.join("; "));
    }
    let seed = args.seed.unwrap_or_else(|| jiff::Timestamp::now().as_nanosecond().unsigned_abs() as u64);
    let with = rows.iter().filter(|row| row.is_given).map(|row| row.name.clone()).collect();
    let plan = RunPlan { rows, with, scenarios, starts: 0, seed };
    let usual = if is_everything { WHOLE_BUDGET } else { USUAL_BUDGET };
    let starts = match (args.starts, args.profile) {
        _ if plan.compared().next().is_none() => Some(0),
        (Some(starts), _) => Some(starts),
        (None, Some(Thoroughness::Publish)) => Some(PUBLISHED_STARTS),
        (None, Some(Thoroughness::Quick)) => Some(QUICK_STARTS),
        // What one asks for oneself is to be there soon, and a budget that is given divides as ever.
        (None, None) if args.load.is_some() && args.budget.is_none() => Some(STARTS_FOR_PLACES),
        (None, None) => None,
    };
    let plan = match starts {
        Some(starts) => RunPlan { starts, ..plan },
        None => fitted(&plan, args.budget.unwrap_or(usual), args.rounds.is_some())?,
    };
    if plan.starts == 0 && plan.passes().is_empty() {
        let why: Vec<String> = plan
            .scenarios
            .iter()
            .flat_map(|scenario| {
                plan.left_out(scenario).into_iter().map(move |left_out| (scenario, left_out))
            })
            .map(|(scenario, (row, reason))| format!("{} in {}: {reason}", row.name, scenario.name))
            .collect();
        bail!("none of these rows has an event in these experiments ({})", why.join("; "));
    }
    Ok(plan)
}

/// Has `objective` asked of every scenario that can answer it.
fn want(objective: &Objective, scenarios: &mut [Scenario]) -> Result<(), ObjectiveRefused> {
    let mut refused = Vec::new();
    let mut is_asked = false;
    for scenario in scenarios {
        match scenario.want(objective) {
            Ok(()) => is_asked = true,
            Err(reason) => refused.push(format!("{}: {reason}", scenario.name)),
        }
    }
    if is_asked { Ok(()) } else { Err(ObjectiveRefused(refused.join("; "))) }
}

/// The scenario of a load of one's own, on a host of which `cpus` may be used; none where no load is given.
pub(super) fn scenario_of_load(args: &BenchArgs, cpus: usize) -> Result<Option<Scenario>, OwnLoadError> {
    let Some(line) = args.load.clone() else { return Ok(None) };
    let own = OwnLoad {
        line,
        objective: args.objective.clone(),
        connections: args.connections.map(|connections| connections as usize),
        requests_per_connection: args.churn,
        bursts: args.burst.map(|values::Bursts { on, off }| stream::Bursts { on, off }),
    };
    own.scenario(cpus).map(Some)
}
