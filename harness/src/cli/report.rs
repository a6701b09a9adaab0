//! `harness report` and `harness check`: tables from records, again, and whether the published ones are true.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use race::{
    programs::workspace::Workspace,
    records::folder::{Folder, runs_below},
};
use terminal::outcome::Outcome;

/// Arguments of `report`.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// The results folder; the newest one of results/ where nothing is said
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// Also write the tables of the newest run into results/README.md and README.md
    #[arg(long)]
    pub publish: bool,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The results folder; where nothing is said, every one of results/ and the pages made from them
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

fn workspace() -> anyhow::Result<Workspace> {
    Ok(Workspace::at_or_above(&std::env::current_dir()?)?)
}

/// Renders a folder's report again and prints it.
///
/// # Errors
/// The folder is no results folder, or cannot be written.
pub(crate) fn report(arguments: &ReportArgs) -> anyhow::Result<Outcome> {
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
pub(crate) fn check(arguments: &CheckArgs) -> anyhow::Result<Outcome> {
    if let Some(path) = &arguments.folder {
        report::published::check_folder(&Folder::open(path))?;
        return Ok(Outcome::Done);
    }
    let workspace = workspace()?;
    let runs = runs_below(&workspace.results());
    for run in &runs {
        report::published::check_folder(run)?;
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
