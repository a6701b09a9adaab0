//! Arguments of `verify`.

use std::{io::IsTerminal, path::PathBuf};

use clap::Args;

use race::{
    programs::{build_all::build_all, context::Context, prerequisites, workspace::Workspace},
    registry::{Asked, Registry, Row},
    verify::{
        gate::{Gate, cache_folder, verify_rows},
        listing, table,
    },
};
use terminal::{errln, interrupt::Interrupt, out, outcome::Outcome, outln, output::Output};

/// Shown below the help of `verify`.
pub(super) const EXAMPLES: &str = "\
Examples:
  harness verify                              every row but those for request alone
  harness verify work-stealing --all-cases    one row, case by case
  harness verify --fresh                      play the suite again where its outcome is known
  harness verify --export-json verified.json  every case of every row, for programs
  harness verify ceiling --with \"name=my,cmd=./my --port {port},ready=http\"
  harness verify may-minihttp --list-deviations > harness/deviations/may-minihttp.toml

Controlled rows pass every MUST and at least 95% of SHOULD, and say the same as one another byte \
for byte, apart from what must differ. Native and reference rows deviate exactly as the registry \
lists: an unlisted deviation fails, and so does a listed one that no longer happens. The suite is \
played once for each binary, its arguments and this version of the harness; only what holds is taken \
from an earlier time. Exit code 1: a row does not hold.";

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The rows (see `bench --list`); all of them where nothing is said
    #[arg(value_name = "ROW")]
    pub rows: Vec<String>,
    /// Also a server of your own, such as "name=my,cmd=./my --port {port},ready=http" (repeatable); without ready=http it is
    /// given --listen and --cpus and prints a ready line; operations=simple+complex where it has not all
    #[arg(long, value_name = "ROW", value_parser = Row::from_command_line)]
    pub with: Vec<Row>,
    /// Also the rows that are for request alone
    #[arg(long, conflicts_with = "rows")]
    pub all: bool,
    /// Print the cases that fail as tables for a file of deviations, with their reasons to be filled in
    #[arg(long, requires = "rows", conflicts_with_all = ["all_cases", "export_json"])]
    pub list_deviations: bool,
    /// Print every case, not only what is to be seen
    #[arg(long)]
    pub all_cases: bool,
    /// Play the suite again, whatever is known
    #[arg(long)]
    pub fresh: bool,
    /// Also write every case of every row as JSON; an existing file is replaced
    #[arg(long, value_name = "FILE")]
    pub export_json: Option<PathBuf>,
    /// Registry of rows, instead of harness/servers.toml
    #[arg(long, value_name = "FILE")]
    pub registry: Option<PathBuf>,
    /// Where outcomes are kept, instead of target/verified
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,
}

/// Runs `harness verify`.
///
/// # Errors
/// The command line or the registry is wrong, or nothing can be written.
pub(crate) fn verify(args: &VerifyArgs) -> anyhow::Result<Outcome> {
    let workspace = Workspace::at_or_above(&std::env::current_dir()?)?;
    let registry = Registry::read(&args.registry.clone().unwrap_or_else(|| workspace.registry()))?;
    let registry = registry.with(&args.with)?;
    let mut rows = registry.select(Asked::of(&args.rows, args.all))?;
    let skipped = prerequisites::skip(&mut rows, workspace.root(), &args.rows);
    for skipped in &skipped {
        let kind = if skipped.named { "error" } else { "warning" };
        errln!("{kind}: skipped: {skipped}");
    }
    let interrupt = Interrupt::listen("what was verified is kept")?;
    let export = args.export_json.as_deref().map(Output::begin).transpose()?;
    let mut context = Context::new(interrupt)?;

    let mut unbuilt = Vec::new();
    build_all(&rows, &mut context, &workspace, |progress, row, reason| {
        progress.say(&format!("error: {row}: {reason}"));
        unbuilt.push((row.to_owned(), reason));
    });
    let folder = args.cache.clone().unwrap_or_else(|| cache_folder(&workspace));
    let gate = Gate { folder, root: workspace.root().to_owned(), fresh: args.fresh };
    let verified = verify_rows(&rows, &unbuilt, &context, &gate)?;

    if args.list_deviations {
        out!("{}", listing::tables(&verified));
        let is_played = !verified.interrupted && verified.rows.iter().all(|row| row.error.is_none());
        return Ok(if is_played { Outcome::Done } else { Outcome::Partly });
    }
    let table = table::table(&verified);
    let table = if std::io::stdout().is_terminal() { table::coloured(&table) } else { table };
    outln!("{table}\n\n{}", table::remarks(&verified, args.all_cases).trim_end());
    if let Some(export) = export {
        export.finish_json(&table::Export::of(&verified))?;
    }
    let holds = verified.holds() && !skipped.iter().any(|skipped| skipped.named);
    Ok(match (verified.interrupted, holds) {
        (true, _) => Outcome::Interrupted,
        (false, false) => Outcome::Partly,
        (false, true) => Outcome::Done,
    })
}
