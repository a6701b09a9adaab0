//! Whether a results folder is whole, its report what its records say, and the published pages what the published runs say.

use std::collections::BTreeSet;

use anyhow::{Context as _, bail};
use race::{
    plan::{run_plan::Entry, scenario::Scenario},
    programs::workspace::Workspace,
    records::{
        environment::sha256_of,
        folder::{Contents, Folder, FolderError},
        log::StartRecord,
        made::Difference,
        reading::Damage,
    },
    start::kept::rounds_of,
};
use terminal::shell;

use crate::{
    counts::planned::{Planned, missing},
    pages::{
        files,
        generated::pages,
        published::{Published, PublishedRun},
    },
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
    as_recorded(
        folder,
        &folder.contents()?,
        &format!("cargo harness report {}", shell::quoted(folder.path())),
    )
}

/// Whether a folder is whole and its files are what its records say; `again` is the command that makes them so.
fn as_recorded(folder: &Folder, contents: &Contents, again: &str) -> anyhow::Result<String> {
    undamaged(folder, contents)?;
    whole(folder, contents)?;
    let files = files::of(contents, &whole::of(contents));
    if let Some((path, difference)) = folder.difference(&files) {
        let path = path.display();
        match difference {
            Difference::Differs => bail!("{path} is not what the records say: run `{again}`"),
            Difference::Missing => {
                bail!("{path} is missing, and the records say what it holds: run `{again}`")
            }
            Difference::Foreign => {
                bail!("{path} does not belong there: no record leads to it, and `{again}` removes it")
            }
        }
    }
    let complete = &contents.measurements.complete;
    let windows: usize = complete.iter().map(|start| start.windows.len()).sum();
    let passes = contents.measurements.experiments.len();
    let events: usize = contents.measurements.experiments.iter().map(|record| record.events.len()).sum();
    let starts =
        (Planned::of(contents).starts > 0).then(|| format!("{} starts, {windows} windows, ", complete.len()));
    let passes = (passes > 0).then(|| format!("{passes} passes with {events} events, "));
    Ok(format!(
        "{}: {}{}and all {} files are what they say",
        folder.path().display(),
        starts.unwrap_or_default(),
        passes.unwrap_or_default(),
        files.len()
    ))
}

/// Whether every line of the records can be read.
///
/// # Errors
/// The first that cannot.
pub fn undamaged(folder: &Folder, contents: &Contents) -> anyhow::Result<()> {
    match contents.damage.first() {
        Some(Damage { file, line, why }) => {
            bail!("{}: line {line} {why}", folder.path().join(file).display())
        }
        None => Ok(()),
    }
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

/// A published run is held to its records, whatever is drawn today, and to its hashes where no version of today reads them.
fn published(folder: &Folder, run: &PublishedRun) -> anyhow::Result<String> {
    match folder.contents() {
        Err(error) if error.is_of_another_schema() => kept(folder, run, error),
        contents => as_recorded(folder, &contents?, "cargo harness report --publish"),
    }
}

/// Whether the pages that nothing can make again are those that were published.
fn kept(folder: &Folder, run: &PublishedRun, reason: FolderError) -> anyhow::Result<String> {
    let path = folder.path().display();
    let (Some(report), Some(summary)) = (&run.report_sha256, &run.summary_sha256) else {
        return Err(reason)
            .context(format!("{path} is published, and results/published.toml has no hashes of its pages"));
    };
    for (file, expected) in [(folder.report_path(), report), (folder.summary_path(), summary)] {
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
    let planned = Planned::of(contents).starts;
    if complete.len() < planned as usize && !contents.run.interrupted {
        bail!(
            "{path}: {} of {planned} starts were finished, and nothing says why: --resume goes on from there",
            complete.len(),
        );
    }
    let failed = |name: &str| contents.run.failures.iter().any(|failure| failure.what == name);
    let passes = missing(contents);
    let unexplained = passes.iter().find(|pass| !failed(&pass.scenario.name) && !failed(&pass.row.name));
    if let Some(pass) = unexplained.filter(|_| !contents.run.interrupted) {
        bail!(
            "{path}: pass {} of {} under {} was not finished, and nothing says why: --resume goes on from there",
            pass.start + 1,
            pass.row.name,
            pass.scenario.name
        );
    }
    for scenario in plan.compared().filter(|scenario| !failed(&scenario.name)) {
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
    use std::fs;

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
        let said = alone(&folder).unwrap();
        assert!(
            said.contains("6 starts, 36 windows, and all ") && said.ends_with(" files are what they say"),
            "{said}"
        );
        let path = |name: &str| folder.path().join(name);
        let refused = || alone(&folder).unwrap_err().to_string();
        for (file, from, to) in [
            ("report.md", "work-stealing", "work-staeling"),
            ("tables/mixed.figures.csv", "work-stealing", "work-staeling"),
            ("hdr/mixed.work-stealing.hlog", "count", "cuont"),
            ("schema/run.json", "RunRecord", "Run"),
        ] {
            let right = fs::read_to_string(path(file)).unwrap();
            fs::write(path(file), right.replacen(from, to, 1)).unwrap();
            let said = refused();
            assert!(
                said.contains(file) && said.contains("is not what the records say: run `cargo"),
                "{said}"
            );
            fs::remove_file(path(file)).unwrap();
            assert!(refused().contains(&format!("{file} is missing")), "{}", refused());
            fs::write(path(file), right).unwrap();
        }
        for foreign in ["tables/mixed.old.csv", "hdr/x.hlog"] {
            fs::write(path(foreign), "").unwrap();
            assert!(refused().contains(&format!("{foreign} does not belong there")), "{}", refused());
            fs::remove_file(path(foreign)).unwrap();
        }
        fs::write(path("notes.txt"), "mine").unwrap();
        alone(&folder).unwrap();
    }

    #[test]
    fn a_folder_with_a_damaged_line_is_not_whole_and_is_reported_on_all_the_same() {
        let parent = tempfile::tempdir().unwrap();
        let folder = write(&run(), &parent.path().join("run")).unwrap();
        let log = folder.path().join("windows.jsonl");
        let text = fs::read_to_string(&log).unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        lines[4] = "half a li";
        fs::write(&log, lines.join("\n") + "\n").unwrap();
        let report = crate::write(&folder).unwrap();
        let left_out = "line 5 of windows.jsonl is left out: it is no entry: ";
        assert!(report.warnings.iter().any(|warning| warning.starts_with(left_out)), "{:?}", report.warnings);
        let said = alone(&folder).unwrap_err().to_string();
        assert!(said.contains("run/windows.jsonl: line 5 is no entry: "), "{said}");
    }
}
