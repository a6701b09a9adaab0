//! `harness show`: what a run found, for a terminal or for programs. It writes no file.

use std::path::{Component, Path, PathBuf};

use anyhow::bail;
use clap::{Args, ValueEnum};
use race::{
    programs::workspace::Workspace,
    records::{
        folder::{Folder, FolderError, runs_below},
        outline::folders_below,
        reading::Damage,
    },
};
use report::{
    model::{Report, Table},
    render::{
        blocks, csv, markdown,
        text::{Look, text},
    },
};
use serde::Serialize;
use terminal::{
    errln,
    names::select,
    out,
    outcome::Outcome,
    streams::{Stream, print_bytes},
};

/// Shown below the help of `show`.
pub(super) const EXAMPLES: &str = "\
Examples:
  harness show                                      the newest run of results/
  harness show 2026-11-27-vm --scenario mixed       one scenario of another run
  harness show --only work-stealing,rayon-offload   two rows; their places are those among all
  harness show --all | less                         with every pair, notes, findings and the host
  harness show --format md > report.md              for a pull request
  harness show --format csv --scenario mixed --table figures > mixed.csv
  harness show --format csv --table figures         of every scenario
  harness show --format json | jq -r '.sections[] | .name + \": \" + .answer'

CSV has exact values, with intervals as columns of their own (`p99_us_low`). With --table and one --scenario it is that \
table and nothing else, as in the run's tables/; otherwise tables follow one another after empty lines, and every line begins \
with its scenario and its table. JSON is the whole report, described by the run's schema/report.json. A run that an earlier \
harness measured is shown as the report.md that it was given. Where there is no terminal, COLUMNS says how wide a line may be (110).";

/// Arguments of `show`.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The run: a folder, or a name in results/; the newest one there where nothing is said
    #[arg(value_name = "RUN")]
    pub run: Option<PathBuf>,
    /// How
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Only these scenarios, separated by commas
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub scenario: Vec<String>,
    /// Only lines of these rows, separated by commas; their places stay those among all rows
    #[arg(long, value_name = "ROW,...", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Only this table: figures, costs, pairs... (--format csv)
    #[arg(long, value_name = "ID")]
    pub table: Option<String>,
    /// Also every pair, notes on single rows, all findings, the load and the host (--format text; the others always have them)
    #[arg(long)]
    pub all: bool,
}

/// How a run is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Tables as wide as the terminal, in colour where it is one
    Text,
    /// The report's Markdown
    Md,
    /// Tables for programs, with exact values
    Csv,
    /// The whole report for programs
    Json,
}

/// What cannot be shown as it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Cannot {
    /// Only one format is of single tables.
    #[error("--table is for --format csv: say both")]
    Table,
    /// There is no such folder.
    #[error("there is no run at {0}: give a folder, or a name that `harness list runs` shows")]
    Nowhere(String),
    /// There is only a page of it.
    #[error(
        "{run} was measured by another harness: it has a report.md to be shown, and no tables for {what}"
    )]
    Another {
        /// The run.
        run: String,
        /// What was asked for.
        what: &'static str,
    },
}

/// Runs `harness show`.
///
/// # Errors
/// There is no such run, or nothing that was asked for in it.
pub(crate) fn show(args: &ShowArgs) -> anyhow::Result<Outcome> {
    if args.table.is_some() && args.format != Format::Csv {
        return Err(Cannot::Table.into());
    }
    let folder = find(args.run.as_deref())?;
    let contents = match folder.contents() {
        Err(error) if error.is_of_another_schema() => {
            as_it_was(&folder, args, &error)?;
            return Ok(Outcome::Done);
        }
        contents => contents?,
    };
    let report = narrowed(report::of(&contents), args)?;
    if args.format == Format::Csv {
        // The others say it themselves.
        Damage::told(&contents.damage).iter().for_each(|told| errln!("warning: {told}"));
    }
    match args.format {
        Format::Text => print(&report, args.all),
        Format::Md => print_bytes(Stream::Out, markdown::report(&report).as_bytes()),
        Format::Csv => print_bytes(Stream::Out, tables(&report, args)?.as_bytes()),
        Format::Json => print_json(&report)?,
    }
    Ok(Outcome::Done)
}

/// Prints a report for whoever is at the terminal.
pub(crate) fn print(report: &Report, is_whole: bool) {
    out!("{}", text(report, look(is_whole)));
}

/// How stdout is written to. Where nothing tells its width it is a page's.
pub(super) fn look(is_whole: bool) -> Look {
    const PAGE: usize = 110;
    Look { columns: Stream::Out.columns().unwrap_or(PAGE), colour: Stream::Out.is_coloured(), is_whole }
}

/// Prints a value for programs, in lines where a person sees it.
pub(super) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    let mut json = match Stream::Out.is_terminal() {
        true => serde_json::to_vec_pretty(value)?,
        false => serde_json::to_vec(value)?,
    };
    json.push(b'\n');
    print_bytes(Stream::Out, &json);
    Ok(())
}

fn workspace() -> anyhow::Result<Workspace> {
    Ok(Workspace::at_or_above(&std::env::current_dir()?)?)
}

/// The newest run of results/.
///
/// # Errors
/// There is none.
pub(super) fn newest() -> anyhow::Result<Folder> {
    match runs_below(&workspace()?.results()).pop() {
        Some(newest) => Ok(newest),
        None => bail!("results/ holds no run yet: `cargo bench-all` makes one"),
    }
}

/// The run that is meant.
fn find(run: Option<&Path>) -> anyhow::Result<Folder> {
    let Some(run) = run else { return newest() };
    if run.is_dir() {
        return Ok(Folder::open(run));
    }
    let nowhere = || Cannot::Nowhere(terminal::shell::quoted(run));
    let mut parts = run.components();
    let (Some(Component::Normal(name)), None) = (parts.next(), parts.next()) else {
        return Err(nowhere().into());
    };
    let Ok(workspace) = workspace() else { return Err(nowhere().into()) };
    let named = |folder: &Folder| Some(folder.path().file_name()?.to_str()?.to_owned());
    let runs = folders_below(&workspace.results());
    let names: Vec<String> = runs.iter().filter_map(|(folder, _)| named(folder)).collect();
    match name.to_str().filter(|_| !names.is_empty()) {
        Some(name) => {
            let _known = select("run", &names, |name| name, &[name.to_owned()])?;
            Ok(Folder::open(&workspace.results().join(name)))
        }
        None => Err(nowhere().into()),
    }
}

/// Only what was asked for.
fn narrowed(mut report: Report, args: &ShowArgs) -> anyhow::Result<Report> {
    if !args.scenario.is_empty() {
        let names = select("scenario", &report.scenarios(), |name| name, &args.scenario)?;
        report = report.of_scenarios(&names);
    }
    if !args.only.is_empty() {
        let names = select("row", &report.row_names(), |name| name, &args.only)?;
        report = report.of_rows(&names);
    }
    Ok(report)
}

/// The report.md of a run whose records are not read any more.
fn as_it_was(folder: &Folder, args: &ShowArgs, error: &FolderError) -> anyhow::Result<()> {
    let asked = [
        (args.format == Format::Csv, "--format csv"),
        (args.format == Format::Json, "--format json"),
        (!args.scenario.is_empty(), "--scenario"),
        (!args.only.is_empty(), "--only"),
    ];
    let run = terminal::shell::quoted(folder.path());
    if let Some((_, what)) = asked.into_iter().find(|(is_asked, _)| *is_asked) {
        return Err(Cannot::Another { run, what }.into());
    }
    let page = folder.report()?;
    errln!("{error}; this is its report.md, as it was made then");
    match args.format {
        Format::Text => out!("{page}"),
        _ => print_bytes(Stream::Out, page.as_bytes()),
    }
    Ok(())
}

/// One table, or several after one another.
fn tables(report: &Report, args: &ShowArgs) -> anyhow::Result<String> {
    let of_sections = report.sections.iter().flat_map(|section| {
        let name = Some(section.name.as_str());
        section.tables().map(move |table| (name, table))
    });
    // What is of no scenario is left out where scenarios are named, unless it is asked for itself.
    let of_all = report.choices().into_iter().chain([&report.rows]).map(|table| (None, table));
    let of_all = of_all.filter(|_| args.scenario.is_empty() || args.table.is_some());
    let all: Vec<(Option<&str>, &Table)> = of_all.chain(of_sections).collect();
    let Some(id) = &args.table else { return Ok(blocks::several(all)) };
    let mut ids: Vec<String> = Vec::new();
    for (_, table) in &all {
        if !ids.contains(&table.id) {
            ids.push(table.id.clone());
        }
    }
    let _known = select("table", &ids, |id| id, std::slice::from_ref(id))?;
    let chosen: Vec<(Option<&str>, &Table)> = all.into_iter().filter(|(_, table)| table.id == *id).collect();
    match chosen.as_slice() {
        [(scenario, only)] if scenario.is_none() || args.scenario.len() == 1 => Ok(csv::table(only)),
        _ => Ok(blocks::several(chosen)),
    }
}
