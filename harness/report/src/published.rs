//! Whether a results folder is whole, and its report what its records say.

use std::collections::BTreeSet;

use anyhow::bail;

use crate::conclusions::Report;
use race::records::{folder::Folder, record::label};

/// Checks one folder.
///
/// # Errors
/// It is not what its records say; the message names the first thing.
pub fn check_folder(folder: &Folder) -> anyhow::Result<()> {
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
    if folder.report()? != crate::markdown::whole(&Report::new(&contents)) {
        bail!("{path}/report.md is not what the records say: run `cargo harness report {path}`");
    }
    anstream::println!("{path}: {} trials, and the report is what they say", contents.trials.len());
    Ok(())
}
