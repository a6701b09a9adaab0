//! A plan as a person reads it before the run begins.

use std::fmt;

use crate::plan::{
    budget::{expected_duration, resolves},
    cpu_plan::{TooFewCpus, Topology},
    run_plan::{RunPlan, STARTS_FOR_PLACES},
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
    for row in &plan.rows {
        line(format_args!("  {:widest$}  {}: {}", row.name, row.tier, row.about));
    }
    line(format_args!("Scenarios"));
    let widest = plan.scenarios.iter().map(|scenario| scenario.name.len()).max().unwrap_or(0);
    for scenario in &plan.scenarios {
        let cpus = topology.plan(scenario, 0)?;
        line(format_args!("  {:widest$}  {}", scenario.name, scenario.question));
        line(format_args!(
            "  {:widest$}  {cpus}; in each start {} rounds of {} windows of {:?}, each after {:?} of the same load",
            "",
            scenario.rounds,
            plan.entries(scenario).len(),
            scenario.window,
            scenario.warm_up,
        ));
        if let Some(resolves) = resolves(plan, scenario) {
            line(format_args!("  {:widest$}  {resolves}", ""));
        }
    }
    let (starts, seed) = (plan.starts, plan.seed);
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
