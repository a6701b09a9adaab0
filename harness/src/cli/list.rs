//! What there is to be raced, by default and on request, and what cannot run here; and the runs that were made.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use race::{
    plan::{budget::cost, cpu_plan::Topology, scenario::Scenario, scenarios::Scenarios},
    programs::{prerequisites, workspace::Workspace},
    registry::{Factors, Registry, Row, Tier},
};
use report::{
    published::Published,
    render::text,
    runs::{self, Listed},
};
use serde::Serialize;
use terminal::{errln, out, outcome::Outcome, outln, progress::about, shell::quoted};

use super::show::{look, print_json};

/// Shown below the help of `list`.
pub(super) const EXAMPLES: &str = "\
Examples:
  harness list rows         what can be raced, and what would have to be installed for it
  harness list scenarios    under which loads, the question that each answers, and how long it takes
  harness list runs         what is in results/, oldest first; `harness show NAME` shows one
  harness list runs --format json | jq -r '.[] | select(.is_published) | .name'
  harness list rows --format json | jq -r '.[] | select(.tier == \"native\") | .name'

A run that is damaged is listed with what is wrong with it, and hides no other.";

/// Arguments of `list`.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// What to list
    #[arg(value_name = "WHAT", value_enum)]
    pub what: What,
    /// How
    #[arg(long, value_enum, default_value_t = ListFormat::Text)]
    pub format: ListFormat,
    /// Registry of rows, instead of harness/servers.toml
    #[arg(long, value_name = "FILE")]
    pub registry: Option<PathBuf>,
    /// Folder of scenarios, instead of harness/scenarios
    #[arg(long, value_name = "DIR")]
    pub scenarios: Option<PathBuf>,
}

/// What there are lists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// Rows of the registry
    Rows,
    /// Scenarios
    Scenarios,
    /// Runs in results/
    Runs,
}

/// How a list is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// For people
    Text,
    /// For programs: an array, with an object for each
    Json,
}

/// A row for programs.
#[derive(Debug, Serialize)]
struct ListedRow<'a> {
    name: &'a str,
    tier: Tier,
    about: &'a str,
    on_request: bool,
    factors: Option<Factors>,
    /// What has to be installed for it.
    missing: Option<String>,
    /// The command that does.
    install: Option<&'a str>,
}

/// A scenario for programs.
#[derive(Debug, Serialize)]
struct ListedScenario<'a> {
    name: &'a str,
    question: &'a str,
    on_request: bool,
    min_server_cpus: usize,
    /// What it takes with the usual rows: six starts of them, or a pass of each.
    seconds: f64,
}

/// Runs `harness list`.
///
/// # Errors
/// It is given outside of a checkout, or what it lists cannot be read.
pub(crate) fn list(args: &ListArgs) -> anyhow::Result<Outcome> {
    let workspace = Workspace::at_or_above(&std::env::current_dir()?)?;
    let root = workspace.root();
    let registry = || Registry::read(&args.registry.clone().unwrap_or_else(|| workspace.registry()));
    let all_scenarios = || Scenarios::read(&args.scenarios.clone().unwrap_or_else(|| workspace.scenarios()));
    match (args.what, args.format) {
        (What::Rows, ListFormat::Text) => rows(&registry()?, root, 0),
        (What::Scenarios, ListFormat::Text) => scenarios(&registry()?, &all_scenarios()?, 0)?,
        (What::Runs, ListFormat::Text) => {
            show_runs(&runs::listed(&workspace, &Published::read(&workspace)?), &workspace.results());
        }
        (What::Rows, ListFormat::Json) => {
            let registry = registry()?;
            print_json(&registry.rows().iter().map(|row| listed_row(row, root)).collect::<Vec<_>>())?;
        }
        (What::Scenarios, ListFormat::Json) => {
            let (registry, topology) = (registry()?, Topology::of_this_host()?);
            let listed = |scenario| listed_scenario(&registry, scenario, &topology);
            print_json(&all_scenarios()?.all().iter().map(listed).collect::<Vec<_>>())?;
        }
        (What::Runs, ListFormat::Json) => {
            print_json(&runs::listed(&workspace, &Published::read(&workspace)?))?;
        }
    }
    Ok(Outcome::Done)
}

/// Prints all rows and scenarios; `root` is the checkout.
///
/// # Errors
/// The CPUs of this host cannot be told, by which the cost of scenarios is known.
pub(super) fn print(registry: &Registry, all: &Scenarios, root: &Path) -> anyhow::Result<()> {
    let names = registry.rows().iter().map(|row| &row.name).chain(all.all().iter().map(|s| &s.name));
    let widest = names.map(String::len).max().unwrap_or(0);
    rows(registry, root, widest);
    scenarios(registry, all, widest)
}

/// Rows, with their names in at least `widest` columns.
fn rows(registry: &Registry, root: &Path, widest: usize) {
    let widest = registry.rows().iter().map(|row| row.name.len()).max().unwrap_or(0).max(widest);
    let line = |row: &Row| {
        outln!("  {:widest$}  {}: {}", row.name, row.tier, row.about);
        if let Some(missing) = prerequisites::missing(row, root) {
            outln!(
                "  {:widest$}  cannot run here: no {missing}; install it with `{}`",
                "",
                missing.requirement.install
            );
        }
    };
    let (on_request, by_default): (Vec<&Row>, _) = registry.rows().iter().partition(|row| row.on_request);
    outln!("Rows (--only)");
    by_default.into_iter().for_each(line);
    if !on_request.is_empty() {
        outln!("Rows on request alone (--only, or --all)");
        on_request.into_iter().for_each(line);
    }
}

/// Scenarios, with their names in at least `widest` columns, and what each takes.
fn scenarios(registry: &Registry, all: &Scenarios, widest: usize) -> anyhow::Result<()> {
    let topology = Topology::of_this_host()?;
    let widest = all.all().iter().map(|scenario| scenario.name.len()).max().unwrap_or(0).max(widest);
    let line = |scenario: &Scenario| {
        outln!("  {:widest$}  {}", scenario.name, scenario.question);
        let what = match scenario.experiment {
            Some(_) => "a pass of each of the usual rows",
            None => "six starts of the usual rows",
        };
        outln!(
            "  {:widest$}  takes about {} ({what})",
            "",
            about(cost(registry.rows(), scenario, &topology))
        );
    };
    let (on_request, by_default): (Vec<&Scenario>, _) = all.all().iter().partition(|s| s.on_request);
    outln!("Scenarios (--scenario)");
    by_default.into_iter().for_each(line);
    if !on_request.is_empty() {
        outln!("Scenarios on request alone (--scenario, or --all)");
        on_request.into_iter().for_each(line);
    }
    Ok(())
}

fn show_runs(runs: &[Listed], results: &Path) {
    if runs.is_empty() {
        outln!("results/ holds no run yet: `cargo bench-all` makes one");
        return;
    }
    out!("{}", text::table(&runs::table(runs), look(false)));
    for run in runs {
        if let Some(damage) = &run.damage {
            errln!("warning: {} is damaged: {damage}", quoted(results.join(&run.name)));
        }
    }
}

fn listed_row<'a>(row: &'a Row, root: &Path) -> ListedRow<'a> {
    let Row { name, tier, about, on_request, factors, .. } = row;
    let missing = prerequisites::missing(row, root);
    ListedRow {
        name,
        tier: *tier,
        about,
        on_request: *on_request,
        factors: *factors,
        missing: missing.as_ref().map(ToString::to_string),
        install: missing.map(|missing| missing.requirement.install.as_str()),
    }
}

fn listed_scenario<'a>(
    registry: &Registry,
    scenario: &'a Scenario,
    topology: &Topology,
) -> ListedScenario<'a> {
    let seconds = cost(registry.rows(), scenario, topology).as_secs_f64().round();
    let Scenario { name, question, on_request, min_server_cpus, .. } = scenario;
    ListedScenario { name, question, on_request: *on_request, min_server_cpus: *min_server_cpus, seconds }
}
