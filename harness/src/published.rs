//! `harness report` and `harness check`: tables from records, again, and whether the published ones are true.

use std::collections::BTreeSet;

use anyhow::bail;

use crate::{
    bench::Outcome,
    cli::{CheckArgs, ReportArgs},
    folder::{Folder, runs_below},
    record::label,
    report,
    workspace::Workspace,
};

fn workspace() -> anyhow::Result<Workspace> {
    Ok(Workspace::at_or_above(&std::env::current_dir()?)?)
}

/// Renders a folder's report again and prints it.
///
/// # Errors
/// The folder is no results folder, or cannot be written.
pub fn report(arguments: &ReportArgs) -> anyhow::Result<Outcome> {
    let folder = match &arguments.folder {
        Some(path) => Folder::open(path),
        None => match runs_below(&workspace()?.results()).pop() {
            Some(newest) => newest,
            None => bail!("results/ holds no run yet: `cargo bench-all` makes one"),
        },
    };
    let markdown = report::write(&folder)?;
    if arguments.publish {
        report::publish(&workspace()?)?;
    }
    anstream::println!("{}", report::for_terminal(&markdown));
    Ok(Outcome::Done)
}

/// Checks one folder, or all published ones and the pages that are made from them.
///
/// # Errors
/// A folder or page is not what its records say; the message names the first one.
pub fn check(arguments: &CheckArgs) -> anyhow::Result<Outcome> {
    if let Some(path) = &arguments.folder {
        check_folder(&Folder::open(path))?;
        return Ok(Outcome::Done);
    }
    let workspace = workspace()?;
    let runs = runs_below(&workspace.results());
    for run in &runs {
        check_folder(run)?;
    }
    for page in report::pages(&workspace)? {
        if std::fs::read_to_string(&page.path).ok().as_ref() != Some(&page.content) {
            bail!(
                "{} is not what the records say: run `cargo harness report --publish`",
                page.path.display()
            );
        }
    }
    anstream::println!(
        "published runs: {}; they and the pages made from them are what their records say",
        runs.len()
    );
    Ok(Outcome::Done)
}

fn check_folder(folder: &Folder) -> anyhow::Result<()> {
    let contents = folder.contents()?;
    let path = folder.path().display();
    let plan = &contents.run.plan;
    let failed = |name: &str| contents.run.failures.iter().any(|failure| failure.what == name);
    for scenario in plan.scenarios.iter().filter(|scenario| !failed(&scenario.name)) {
        for entry in plan.entries(scenario).iter().filter(|entry| !failed(&entry.row.name)) {
            let label = label(&entry.row.name, entry.twin);
            let trials = contents.trials.iter().filter(|t| t.scenario == scenario.name && t.label() == label);
            let blocks: BTreeSet<usize> = trials.map(|trial| trial.block).collect();
            let expected = plan.trials as usize;
            let given_up = failed(&format!("{} under {}", entry.row.name, scenario.name));
            if blocks.len() < expected && !given_up && !contents.run.interrupted {
                bail!(
                    "{path}: {label} has {} of {expected} trials under {}, and nothing says why",
                    blocks.len(),
                    scenario.name
                );
            }
        }
    }
    if folder.report()? != report::markdown(&contents) {
        bail!("{path}/report.md is not what the records say: run `cargo harness report {path}`");
    }
    anstream::println!("{path}: {} trials, and the report is what they say", contents.trials.len());
    Ok(())
}
