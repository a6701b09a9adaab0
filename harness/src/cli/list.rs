//! What there is to be raced, by default and on request, and what cannot run here.

use std::path::Path;

use race::{
    plan::scenario::{Scenario, Scenarios},
    programs::prerequisites,
    registry::{Registry, Row},
};
use terminal::outln;

/// Prints all rows and scenarios; `root` is the checkout.
pub(super) fn print(registry: &Registry, scenarios: &Scenarios, root: &Path) {
    let names = registry.rows().iter().map(|row| &row.name).chain(scenarios.all().iter().map(|s| &s.name));
    let widest = names.map(String::len).max().unwrap_or(0);
    let row = |row: &Row| {
        outln!("  {:widest$}  {}: {}", row.name, row.tier, row.about);
        if let Some(missing) = prerequisites::missing(row, root) {
            outln!("  {:widest$}  cannot run here: no {missing}; install it with `{}`", "", missing.install);
        }
    };
    let scenario = |scenario: &Scenario| {
        outln!("  {:widest$}  {}", scenario.name, scenario.question);
    };
    let (on_request, by_default): (Vec<&Row>, _) = registry.rows().iter().partition(|row| row.on_request);
    outln!("Rows (--only)");
    by_default.into_iter().for_each(row);
    if !on_request.is_empty() {
        outln!("Rows on request alone (--only, or --all)");
        on_request.into_iter().for_each(row);
    }
    let (on_request, by_default): (Vec<&Scenario>, _) = scenarios.all().iter().partition(|s| s.on_request);
    outln!("Scenarios (--scenario)");
    by_default.into_iter().for_each(scenario);
    if !on_request.is_empty() {
        outln!("Scenarios on request alone (--scenario, or --all)");
        on_request.into_iter().for_each(scenario);
    }
}
