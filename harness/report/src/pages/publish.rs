//! Publishing a run: on purpose, by name, and only what says as much as a reader takes it to say.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use race::{programs::workspace::Workspace, records::folder::Folder};

use crate::{
    counts::planned::Planned,
    pages::{
        check, files,
        generated::write_pages,
        published::{Published, PublishedRun},
        reservation::Reservation,
    },
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
    #[error(
        "{0} is published already; `cargo harness report --publish` makes the files of all published runs again"
    )]
    Already(String),
    /// Its servers are debug builds.
    #[error("{0} is a rehearsal with debug builds: its figures mean nothing")]
    Rehearsal(String),
    /// It was not finished.
    #[error(
        "{run} was ended after {complete} of {planned} {what}: a part of a run is not published; --resume goes on from there"
    )]
    Partial {
        /// The run.
        run: String,
        /// Starts that were finished, or passes.
        complete: usize,
        /// Those that were planned.
        planned: usize,
        /// Which of the two.
        what: &'static str,
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
    let contents = match folder.contents() {
        Err(error) if error.is_of_another_schema() => {
            return Err(error).with_context(|| format!("{name} is not published"));
        }
        contents => contents.with_context(|| format!("{name} is damaged and not published"))?,
    };
    check::undamaged(&folder, &contents).with_context(|| format!("{name} is damaged and not published"))?;
    if contents.environment.rehearsal {
        return Err(Refused::Rehearsal(name).into());
    }
    let Planned { starts, starts_finished, passes, passes_finished } = Planned::of(&contents);
    let starts = starts as usize;
    let (complete, planned, what) = match starts_finished < starts || passes == 0 {
        true => (starts_finished, starts, "starts"),
        false => (passes_finished, passes, "passes"),
    };
    // A pass that is missing without an interruption may have its reason in the records.
    if contents.run.interrupted || starts_finished < starts {
        return Err(Refused::Partial { run: name, complete, planned, what }.into());
    }
    check::whole(&folder, &contents).context("a part of a run is not published")?;
    let against = Reservation::of(&contents);
    let left: BTreeSet<Reservation> = against.iter().filter(|one| !despite.contains(one)).copied().collect();
    if !left.is_empty() {
        let reasons = left.iter().map(|reservation| reservation.explain(&contents)).collect();
        let names: Vec<&str> = against.iter().map(|reservation| reservation.name()).collect();
        return Err(Refused::Reserved { run: name, reasons, names: names.join(",") }.into());
    }
    files::write(&folder, &contents, &whole::of(&contents)).context("nothing is published")?;
    published.add(PublishedRun::of(name, &contents, against.into_iter().collect()));
    published.write()?;
    write_pages(workspace, &published)?;
    Ok(())
}

/// Makes the files of all published runs anew, and the pages that show them: after a change of how they are made. What becomes of the
/// published ones is for the reader of the difference to judge. Returns what was done, a line a run.
///
/// # Errors
/// A run is damaged, or a file cannot be written.
pub fn again(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let mut published = Published::read(workspace)?;
    let mut said = Vec::new();
    let folders: Vec<Folder> = published.runs.iter().map(|run| published.folder(run)).collect();
    for (run, folder) in published.runs.iter_mut().zip(&folders) {
        let contents = match folder.contents() {
            Err(error) if error.is_of_another_schema() && run.is_kept() => {
                said.push(format!(
                    "{}: its pages stay as they are, since its records are of another schema",
                    run.folder
                ));
                continue;
            }
            contents => contents?,
        };
        check::undamaged(folder, &contents)?;
        files::write(folder, &contents, &whole::of(&contents))?;
        (run.report_sha256, run.summary_sha256) = (None, None);
        said.push(format!("{}: its files are made again from its records", run.folder));
    }
    if !published.runs.is_empty() {
        published.write()?;
    }
    write_pages(workspace, &published)?;
    Ok(said)
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
