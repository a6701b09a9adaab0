//! `harness report` and `harness check`: tables from records, again, and whether the published ones are true.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use race::{
    programs::workspace::Workspace,
    records::{
        folder::{Folder, FolderError},
        reading::Damage,
    },
};
use report::{files, published::Published, reservation::Reservation};
use terminal::{errln, out, outcome::Outcome, outln};

use super::show;

/// Shown below the help of `report`.
pub(super) const EXAMPLES: &str = "\
Examples:
  harness report                                       the files of the newest run again: pages, tables, plots
  harness report results/2026-11-21-host               those of another
  harness report --publish results/2026-11-21-host     add it to results/published.toml, README.md and results/README.md
  harness report --publish                             the files of all published runs again, and those pages

Everything in a run's folder but its records is made from them, and is the same bytes each time. Records that are damaged are
left out with a warning that names their line. Records of an earlier schema cannot be read: their pages stay as they are.

A run is published on purpose: one that was narrowed (--only and the like), has fewer starts than places need, was not
verified or was made from a tree with local changes is refused, unless that is overruled by name (--despite).";

/// Arguments of `report`.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// The results folder; the newest one of results/ where nothing is said
    #[arg(value_name = "RUN")]
    pub folder: Option<PathBuf>,
    /// Publish the run: add it to results/published.toml, and make README.md and results/README.md anew; where none is named, make
    /// the files of all published runs again
    #[arg(long)]
    pub publish: bool,
    /// What may speak against publishing it all the same, separated by commas
    #[arg(long, value_name = "REASON,...", value_delimiter = ',', requires = "publish", value_parser = reservation())]
    pub despite: Vec<Reservation>,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The results folder; where nothing is said, every published one and the pages made from them
    #[arg(value_name = "RUN")]
    pub folder: Option<PathBuf>,
}

fn reservation() -> impl TypedValueParser<Value = Reservation> {
    PossibleValuesParser::new(Reservation::ALL.map(Reservation::name)).try_map(|name| {
        Reservation::ALL.into_iter().find(|reservation| reservation.name() == name).ok_or("no such reason")
    })
}

fn workspace() -> anyhow::Result<Workspace> {
    Ok(Workspace::at_or_above(&std::env::current_dir()?)?)
}

/// The list of published runs of the checkout around, if there is one.
fn published() -> anyhow::Result<Option<Published>> {
    match workspace() {
        Ok(workspace) => Ok(Some(Published::read(&workspace)?)),
        Err(_) => Ok(None),
    }
}

/// Makes a folder's files again and prints its report, or publishes it.
///
/// # Errors
/// The folder is no results folder, is not to be published, or cannot be written.
pub(crate) fn report(arguments: &ReportArgs) -> anyhow::Result<Outcome> {
    if arguments.publish {
        return publish(arguments);
    }
    let folder = match &arguments.folder {
        Some(path) => Folder::open(path),
        None => show::newest()?,
    };
    let contents = match folder.contents() {
        Err(error) if error.is_of_another_schema() => return show_kept(&folder, error),
        contents => contents?,
    };
    Damage::told(&contents.damage).iter().for_each(|told| errln!("warning: {told}"));
    let report = report::of(&contents);
    show::print(&report, false);
    let said = "the tables above are not kept; make room there, or let it be written to, and draw them again";
    files::write(&folder, &contents, &report).context(said)?;
    Ok(Outcome::Done)
}

/// Prints the report of a published run whose records cannot be read any more.
fn show_kept(folder: &Folder, error: FolderError) -> anyhow::Result<Outcome> {
    if published()?.is_none_or(|published| published.find(folder.path()).is_none()) {
        return Err(error.into());
    }
    out!("{}", folder.report()?);
    errln!("{error}; this is its report as it was published");
    Ok(Outcome::Done)
}

fn publish(arguments: &ReportArgs) -> anyhow::Result<Outcome> {
    let workspace = workspace()?;
    if let Some(given) = &arguments.folder {
        report::publish::publish(&workspace, given, &arguments.despite)?;
        say_published(given);
    } else {
        for said in report::publish::again(&workspace)? {
            outln!("{said}");
        }
        outln!("README.md and results/README.md are made again from what is published");
    }
    Ok(Outcome::Done)
}

fn say_published(given: &Path) {
    outln!(
        "{} is published: README.md, results/README.md and results/published.toml name it; commit them with its folder",
        given.display()
    );
}

/// Checks one folder, or all published ones and the pages that are made from them.
///
/// # Errors
/// A folder or page is not what its records say; the message names the first one.
pub(crate) fn check(arguments: &CheckArgs) -> anyhow::Result<Outcome> {
    match &arguments.folder {
        Some(path) => {
            let said = match published()? {
                Some(published) => report::check::folder(&Folder::open(path), &published)?,
                None => report::check::alone(&Folder::open(path))?,
            };
            outln!("{said}");
        }
        None => {
            let workspace = workspace()?;
            for said in report::check::all(&workspace, &Published::read(&workspace)?)? {
                outln!("{said}");
            }
        }
    }
    Ok(Outcome::Done)
}
