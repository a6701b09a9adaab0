//! `harness verify`: whether rows keep the contract. A server that is fast because it is wrong has no score.
//!
//! ```text
//! row -> build -> start -> play the suite (or the cache) -> judge by tier -> compare controlled rows -> table, JSON
//! ```
//!
//! `bench` passes the same gate before it measures. What is required is the suite's to say (`conformance`); here is only
//! what each tier owes.

mod agree;
mod cache;
mod gate;
mod judge;
#[cfg(test)]
mod judge_tests;
mod listing;
mod play;
mod report;
mod verdict;

use std::{io::IsTerminal, path::PathBuf};

pub use self::{
    agree::Compared,
    judge::{Finding, Judgement, Kind, Score, judge},
    play::{PlayError, PlayedCase},
    verdict::{Conformance, RowConformance, RowVerdict, Status},
};
pub(crate) use gate::{Gate, verify_rows};

use crate::{
    bench::Outcome,
    cli::VerifyArgs,
    context::Context,
    interrupt::Interrupt,
    output::Output,
    prerequisites,
    programs::build_all,
    registry::{Asked, Registry},
    workspace::Workspace,
};

/// Runs `harness verify`.
///
/// # Errors
/// The command line or the registry is wrong, or nothing can be written.
pub fn verify(args: &VerifyArgs) -> anyhow::Result<Outcome> {
    let workspace = Workspace::at_or_above(&std::env::current_dir()?)?;
    let registry = Registry::read(&args.registry.clone().unwrap_or_else(|| workspace.registry()))?;
    let registry = registry.with(&args.with)?;
    let mut rows = registry.select(Asked::of(&args.rows, args.all))?;
    let skipped = prerequisites::skip(&mut rows, workspace.root(), &args.rows);
    for skipped in &skipped {
        let kind = if skipped.named { "error" } else { "warning" };
        anstream::eprintln!("{kind}: skipped: {skipped}");
    }
    let export = args.export_json.as_deref().map(Output::begin).transpose()?;
    let mut context = Context::new(Interrupt::listen("what was verified is kept")?)?;

    let mut unbuilt = Vec::new();
    build_all(&rows, &mut context, &workspace, |progress, row, reason| {
        progress.say(&format!("error: {row}: {reason}"));
        unbuilt.push((row.to_owned(), reason));
    });
    let folder = args.cache.clone().unwrap_or_else(|| cache_folder(&workspace));
    let gate = Gate { folder, root: workspace.root().to_owned(), fresh: args.fresh };
    let verified = verify_rows(&rows, &unbuilt, &context, &gate)?;

    if args.list_deviations {
        anstream::print!("{}", listing::tables(&verified));
        let is_played = !verified.interrupted && verified.rows.iter().all(|row| row.error.is_none());
        return Ok(if is_played { Outcome::Done } else { Outcome::Partly });
    }
    let table = report::table(&verified);
    let table = if std::io::stdout().is_terminal() { report::coloured(&table) } else { table };
    anstream::println!("{table}\n\n{}", report::remarks(&verified, args.all_cases).trim_end());
    if let Some(export) = export {
        export.finish_json(&report::Export::of(&verified))?;
    }
    let holds = verified.holds() && !skipped.iter().any(|skipped| skipped.named);
    Ok(match (verified.interrupted, holds) {
        (true, _) => Outcome::Interrupted,
        (false, false) => Outcome::Partly,
        (false, true) => Outcome::Done,
    })
}

/// Where outcomes are kept where nothing else is said.
pub(crate) fn cache_folder(workspace: &Workspace) -> PathBuf {
    workspace.root().join("target/verified")
}
