//! Whether a results folder is whole, its report what its records say, and the published pages what the published runs say.

use std::collections::BTreeSet;

use anyhow::{Context as _, bail};
use race::{
    plan::{run_plan::Entry, scenario::Scenario},
    programs::workspace::Workspace,
    records::{
        environment::sha256_of,
        folder::{Contents, Folder},
        log::StartRecord,
    },
    start::kept::rounds_of,
};

use crate::{
    conclusions::Report,
    markdown,
    pages::pages,
    published::{Published, PublishedRun},
};

/// Checks one folder: as a published run if it is one. Returns what was found, in one line.
///
/// # Errors
/// It is not what its records say; the message names the first thing.
pub fn folder(folder: &Folder, published: &Published) -> anyhow::Result<String> {
    if let Some(run) = published.find(folder.path()) {
        return self::published(folder, run);
    }
    alone(folder)
}

/// Checks one folder that is not published.
///
/// # Errors
/// It is not what its records say; the message names the first thing.
pub fn alone(folder: &Folder) -> anyhow::Result<String> {
    let contents = folder.contents()?;
    whole(folder, &contents)?;
    let path = folder.path().display();
    if folder.report()? != markdown::whole(&Report::new(&contents)) {
        bail!("{path}/report.md is not what the records say: run `cargo harness report {path}`");
    }
    let complete = &contents.measurements.complete;
    let windows: usize = complete.iter().map(|start| start.windows.len()).sum();
    Ok(format!("{path}: {} starts, {windows} windows, and the report is what they say", complete.len()))
}

/// Checks all published runs and the pages that are made from them. Returns what was found, a line a run.
///
/// # Errors
/// A run or page is not what it should be; the message names the first one.
pub fn all(workspace: &Workspace, published: &Published) -> anyhow::Result<Vec<String>> {
    let mut said = Vec::new();
    for run in &published.runs {
        said.push(self::published(&published.folder(run), run)?);
    }
    for page in pages(workspace, published)? {
        if std::fs::read_to_string(&page.path).ok().as_ref() != Some(&page.content) {
            bail!(
                "{} is not what the published runs say: run `cargo harness report --publish`",
                page.path.display()
            );
        }
    }
    said.push(format!(
        "published runs: {}; the pages made from them are what they say",
        published.runs.len()
    ));
    Ok(said)
}

/// A published run's report is held to by its hash: the tables are those that were published, whatever is drawn today.
fn published(folder: &Folder, run: &PublishedRun) -> anyhow::Result<String> {
    let path = folder.path().display();
    for (file, expected) in
        [(folder.report_path(), &run.report_sha256), (folder.summary_path(), &run.summary_sha256)]
    {
        let file_shown = file.display();
        let found = sha256_of(&file)
            .with_context(|| format!("{path} is published and {file_shown} cannot be read"))?;
        if found != *expected {
            bail!(
                "{file_shown} is not the one that was published: its SHA-256 is {found}, and results/published.toml says \
                 {expected}"
            );
        }
    }
    Ok(format!("{path}: the report is the one that was published"))
}

/// Whether everything that the plan asks for is there, or said to be missing.
///
/// # Errors
/// The first thing that is not.
pub fn whole(folder: &Folder, contents: &Contents) -> anyhow::Result<()> {
    let path = folder.path().display();
    let plan = &contents.run.plan;
    let complete = &contents.measurements.complete;
    if complete.len() < plan.starts as usize && !contents.run.interrupted {
        bail!(
            "{path}: {} of {} starts were finished, and nothing says why: --resume goes on from there",
            complete.len(),
            plan.starts
        );
    }
    let failed = |name: &str| contents.run.failures.iter().any(|failure| failure.what == name);
    for scenario in plan.scenarios.iter().filter(|scenario| !failed(&scenario.name)) {
        for entry in plan.entries(scenario).iter().filter(|entry| !failed(&entry.row.name)) {
            for (at, start) in complete.iter().enumerate() {
                // One that is known to be overloaded is measured once a start.
                let rounds = rounds_of(&complete[..at], scenario, &entry.row.name, entry.twin);
                if let Some(round) = first_missing(start, scenario, *entry, rounds) {
                    bail!(
                        "{path}: start {} has no window of {} under {} in round {}, and nothing says why",
                        start.start + 1,
                        entry.label(),
                        scenario.name,
                        round + 1
                    );
                }
            }
        }
    }
    Ok(())
}

/// The first round of a start in which `entry` was not measured, unless its server says why.
fn first_missing(start: &StartRecord, scenario: &Scenario, entry: Entry<'_>, rounds: usize) -> Option<usize> {
    let is_of = |row: &str, twin: bool| row == entry.row.name && twin == entry.twin;
    let has_fault = start.servers.iter().any(|server| {
        is_of(&server.row, server.twin) && server.scenarios.contains(&scenario.name) && server.fault.is_some()
    });
    let own = start.windows.iter().filter(|it| it.scenario == scenario.name && is_of(&it.row, it.twin));
    let measured: BTreeSet<usize> = own.map(|window| window.round).collect();
    (0..rounds).find(|round| !has_fault && !measured.contains(round))
}
