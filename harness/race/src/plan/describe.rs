//! A plan as a person reads it before the run begins.

use std::fmt;

use crate::plan::{
    budget::{expected_duration, expected_of_passes, resolves},
    cpu_plan::{CpuPlan, TooFewCpus, Topology},
    experiment::Experiment,
    ladder::Ladder,
    run_plan::{RunPlan, STARTS_FOR_PLACES},
    scenario::Scenario,
};
use terminal::progress::about;

/// `plan` as a person reads it, with the CPU sets of `topology`.
///
/// # Errors
/// A scenario needs more CPUs than there are.
pub fn describe(plan: &RunPlan, topology: &Topology) -> Result<String, TooFewCpus> {
    let mut text = String::new();
    let mut line = |line: fmt::Arguments<'_>| {
        text.push_str(&line.to_string());
        text.push('\n');
    };
    line(format_args!("Rows"));
    let widest = plan.rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    for row in plan.rows.iter().filter(|row| row.variant.is_none()) {
        line(format_args!("  {:widest$}  {}: {}", row.name, row.tier, row.about));
    }
    line(format_args!("Scenarios"));
    let widest = plan.scenarios.iter().map(|scenario| scenario.name.len()).max().unwrap_or(0);
    for scenario in &plan.scenarios {
        let cpus = topology.plan(scenario, 0)?;
        line(format_args!("  {:widest$}  {}", scenario.name, scenario.question));
        if let Some(experiment) = &scenario.experiment {
            describe_experiment(&mut line, plan, scenario, experiment, (widest, &cpus));
            continue;
        }
        line(format_args!(
            "  {:widest$}  {cpus}; in each start {} rounds of {} windows of {:?}, each after {:?} of the same load",
            "",
            scenario.all_rounds(),
            plan.entries(scenario).len(),
            scenario.window,
            scenario.warm_up,
        ));
        for stream in &scenario.streams {
            let said = stream.particulars();
            if !said.is_empty() {
                line(format_args!(
                    "  {:widest$}  {} on {} connections{said}",
                    "", stream.name, stream.connections
                ));
            }
        }
        for (row, reason) in plan.left_out(scenario) {
            line(format_args!("  {:widest$}  {}: left out: {reason}", "", row.name));
        }
        if let Some(said) = ladder(scenario) {
            line(format_args!("  {:widest$}  {said}", ""));
        }
        if let Some(objective) = &scenario.objective {
            line(format_args!("  {:widest$}  objective: {objective}", ""));
        }
        if let Some(resolves) = resolves(plan, scenario) {
            line(format_args!("  {:widest$}  {resolves}", ""));
        }
    }
    let (starts, seed) = (plan.starts, plan.seed);
    let passes = plan.passes().len();
    if passes > 0 {
        let plural = if passes == 1 { "pass" } else { "passes" };
        let after = if starts > 0 { ", after the starts" } else { "" };
        let time = about(expected_of_passes(plan));
        line(format_args!("{passes} {plural} of experiments{after}, seed {seed}; about {time}"));
    }
    if plan.compared().next().is_none() {
        return Ok(text);
    }
    let plural = if starts == 1 { "start" } else { "starts" };
    let places = match starts < STARTS_FOR_PLACES {
        true => format!(", too few for places (which need {STARTS_FOR_PLACES})"),
        false => String::new(),
    };
    line(format_args!(
        "{starts} {plural} of all servers{places}, everything in random order, seed {seed}; about {} of measuring",
        about(expected_duration(plan))
    ));
    Ok(text)
}

/// The steps of its ladder; nothing where it has none.
fn ladder(scenario: &Scenario) -> Option<String> {
    match scenario.ladder.as_ref()? {
        Ladder::Times(times) => {
            let mut steps: Vec<String> = times.iter().map(f64::to_string).collect();
            steps.dedup();
            Some(format!("at {} times this load, in random order", steps.join(", ")))
        }
        Ladder::ToFastestCapacity { part, steps } => Some(format!(
            "at {steps} rates, the same for all rows, up to {part} of what the fastest of them serves, in random order"
        )),
    }
}

/// What each row goes through, and which rows have nothing to go through.
fn describe_experiment(
    line: &mut impl FnMut(fmt::Arguments<'_>),
    plan: &RunPlan,
    scenario: &Scenario,
    experiment: &Experiment,
    (widest, cpus): (usize, &CpuPlan),
) {
    let passes = match experiment.starts {
        1 => String::new(),
        starts => format!(", {starts} passes of each row"),
    };
    line(format_args!(
        "  {:widest$}  {cpus}; one row alive alone, in turn{passes}, an event every {:?}",
        "", experiment.every
    ));
    for pass in plan.passes().iter().filter(|pass| pass.start == 0 && pass.scenario.name == scenario.name) {
        let each = pass.events.chunk_by(|a, b| a == b);
        let events: Vec<String> = each.map(|kind| format!("{} of {}", kind.len(), kind[0])).collect();
        let time = about(experiment.expected_length(pass.events.len()));
        line(format_args!("  {:widest$}  {}: {}; about {time}", "", pass.row.name, events.join(", ")));
    }
    for (row, reason) in plan.left_out(scenario) {
        line(format_args!("  {:widest$}  {}: left out: {reason}", "", row.name));
    }
}
