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
use terminal::shell;

use crate::{
    pages::{
        generated::pages,
        published::{Published, PublishedRun},
    },
    render::markdown,
    whole,
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
    if folder.report()? != markdown::report(&whole::of(&contents)) {
        bail!(
            "{path}/report.md is not what the records say: run `cargo harness report {}`",
            shell::quoted(folder.path())
        );
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

#[cfg(test)]
mod tests {
    use race::{fixtures::run::write, records::folder::Failure};

    use super::*;
    use crate::made_up::{around, raced, windows};

    fn run() -> Contents {
        raced("mixed", &["work-stealing", "rayon-offload"], (6, 2), |_| around(800))
    }

    fn judged(contents: &Contents) -> Result<(), String> {
        whole(&Folder::open("run".as_ref()), contents).map_err(|error| error.to_string())
    }

    fn lose(contents: &mut Contents, row: &str, (start, round): (usize, usize)) {
        let windows = &mut contents.measurements.complete[start].windows;
        windows.retain(|window| window.row != row || window.round != round);
    }

    #[test]
    fn a_run_is_whole_where_every_row_was_measured_in_every_round() {
        let mut contents = run();
        assert_eq!(judged(&contents), Ok(()));
        lose(&mut contents, "rayon-offload", (2, 1));
        let said = "run: start 3 has no window of rayon-offload under mixed in round 2, and nothing says why";
        assert_eq!(judged(&contents), Err(said.to_owned()));
    }

    #[test]
    fn what_the_records_say_of_a_row_excuses_it() {
        let mut faulty = run();
        lose(&mut faulty, "rayon-offload", (2, 1));
        let server = |server: &&mut race::records::log::ServerRecord| server.row == "rayon-offload";
        faulty.measurements.complete[2].servers.iter_mut().find(server).unwrap().fault =
            Some("died".to_owned());
        assert_eq!(judged(&faulty), Ok(()));
        for what in ["rayon-offload", "mixed"] {
            let mut failed = run();
            lose(&mut failed, "rayon-offload", (2, 1));
            failed.run.failures.push(Failure {
                what: what.to_owned(),
                reason: "out".to_owned(),
                start: None,
            });
            assert_eq!(judged(&failed), Ok(()), "{what}");
        }
    }

    #[test]
    fn a_row_that_was_overloaded_before_may_be_measured_once_a_start() {
        let mut contents = run();
        for window in windows(&mut contents).filter(|window| window.row == "rayon-offload") {
            window.measured.as_mut().unwrap().streams[0].answered_in_window = 65;
        }
        (1..6).for_each(|start| lose(&mut contents, "rayon-offload", (start, 1)));
        assert_eq!(judged(&contents), Ok(()));
        lose(&mut contents, "rayon-offload", (0, 1));
        assert!(judged(&contents).unwrap_err().contains("start 1 has no window of rayon-offload"));
    }

    #[test]
    fn starts_that_are_missing_are_said_unless_a_person_ended_the_run() {
        let mut contents = run();
        contents.measurements.complete.pop();
        let said = judged(&contents).unwrap_err();
        assert_eq!(
            said,
            "run: 5 of 6 starts were finished, and nothing says why: --resume goes on from there"
        );
        contents.run.interrupted = true;
        assert_eq!(judged(&contents), Ok(()));
    }

    #[test]
    fn a_report_that_is_not_what_its_records_say_is_found() {
        let parent = tempfile::tempdir().unwrap();
        let folder = write(&run(), &parent.path().join("run")).unwrap();
        crate::write(&folder).unwrap();
        assert!(alone(&folder).unwrap().ends_with("6 starts, 36 windows, and the report is what they say"));
        let report = folder.report().unwrap();
        folder.write_report(&report.replace("1,195", "1,194")).unwrap();
        assert!(alone(&folder).unwrap_err().to_string().contains("is not what the records say"));
    }
}
