//! Publishing a run: on purpose, by name, and only what says as much as a reader takes it to say.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use race::{programs::workspace::Workspace, records::folder::Folder};

use crate::{
    pages::{
        check,
        generated::write_pages,
        published::{Published, PublishedRun},
        reservation::Reservation,
    },
    render::{markdown, summary},
    whole,
};

/// Why a run is not published: the command line would have to be another.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It is no folder of a run directly below results/.
    #[error("{} is no run below {}; name one, such as results/2026-11-21-host", given.display(), results.display())]
    NoRun {
        /// What was named.
        given: PathBuf,
        /// Where published runs are.
        results: PathBuf,
    },
    /// It is published already.
    #[error("{0} is published already; its report stays as it is")]
    Already(String),
    /// Its servers are debug builds.
    #[error("{0} is a rehearsal with debug builds: its figures mean nothing")]
    Rehearsal(String),
    /// It was not finished.
    #[error(
        "{run} was ended after {complete} of {planned} starts: a part of a run is not published; --resume goes on from there"
    )]
    Partial {
        /// The run.
        run: String,
        /// Starts that were finished.
        complete: usize,
        /// Starts that were planned.
        planned: u32,
    },
    /// Something speaks against it that was not overruled.
    #[error("{run} is not published: {}; publish it all the same with --despite {names}", .reasons.join("; "))]
    Reserved {
        /// The run.
        run: String,
        /// Why, each in a clause.
        reasons: Vec<String>,
        /// The names that overrule all of them.
        names: String,
    },
}

/// Adds the run in `folder` to the published ones and makes the pages anew. `despite` are the reservations that a person
/// overrules by name.
///
/// # Errors
/// It is refused ([`Refused`]), is damaged, or the pages cannot be written.
pub fn publish(workspace: &Workspace, given: &Path, despite: &[Reservation]) -> anyhow::Result<()> {
    let mut published = Published::read(workspace)?;
    let (name, folder) = below_results(workspace, given)?;
    if published.runs.iter().any(|run| run.folder == name) {
        return Err(Refused::Already(name).into());
    }
    let contents = folder.contents().with_context(|| format!("{name} is damaged and not published"))?;
    if contents.environment.rehearsal {
        return Err(Refused::Rehearsal(name).into());
    }
    let (complete, planned) = (contents.measurements.complete.len(), contents.run.plan.starts);
    if contents.run.interrupted || complete < planned as usize {
        return Err(Refused::Partial { run: name, complete, planned }.into());
    }
    check::whole(&folder, &contents).context("a part of a run is not published")?;
    let against = Reservation::of(&contents);
    let left: BTreeSet<Reservation> = against.iter().filter(|one| !despite.contains(one)).copied().collect();
    if !left.is_empty() {
        let reasons = left.iter().map(|reservation| reservation.explain(&contents)).collect();
        let names: Vec<&str> = against.iter().map(|reservation| reservation.name()).collect();
        return Err(Refused::Reserved { run: name, reasons, names: names.join(",") }.into());
    }
    let report = whole::of(&contents);
    folder.write_report(&markdown::report(&report))?;
    folder.write_summary(&summary::of(&report))?;
    published.add(PublishedRun::of(name, &folder, &contents, against.into_iter().collect())?);
    published.write()?;
    write_pages(workspace, &published)?;
    Ok(())
}

/// The folder that was named, by its path or by its name in results/.
fn below_results(workspace: &Workspace, given: &Path) -> Result<(String, Folder), Refused> {
    let results = workspace.results();
    let refused = || Refused::NoRun { given: given.to_owned(), results: results.clone() };
    let path = if given.is_dir() { given.to_owned() } else { results.join(given) };
    let path = path.canonicalize().map_err(|_| refused())?;
    let is_below = results.canonicalize().is_ok_and(|results| path.parent() == Some(&results));
    let name = path.file_name().and_then(|name| name.to_str()).filter(|_| is_below && path.is_dir());
    Ok((name.ok_or_else(refused)?.to_owned(), Folder::open(&path)))
}
