//! Verifying many rows: each from the cache where it may be, else by playing the suite; then all with one another.

use std::path::PathBuf;

use anyhow::Context as _;

use super::{
    agree::{Compared, compare},
    cache::{Cache, Key, Surroundings, suite_sha256},
    judgement::judge,
    play::{PlayError, Setting, play},
    verdict::RowVerdict,
};
use crate::{
    programs::{context::Context, workspace::Workspace},
    records::conformance::{Conformance, Status},
    registry::{Row, Tier},
};
use terminal::progress::Progress;

/// How rows are verified.
#[derive(Clone, Debug)]
pub struct Gate {
    /// Where outcomes are kept.
    pub folder: PathBuf,
    /// The checkout.
    pub root: PathBuf,
    /// Whether the suite is played even where its outcome is known.
    pub fresh: bool,
}

/// Where outcomes are kept where nothing else is said.
pub fn cache_folder(workspace: &Workspace) -> PathBuf {
    workspace.root().join("target/verified")
}

/// What was found of all rows.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The rows, in the registry's order. One that a person interrupted is not among them.
    pub rows: Vec<RowVerdict>,
    /// Whether a person ended it before all rows were verified.
    pub interrupted: bool,
    /// How controlled rows were compared.
    pub compared: Compared,
    /// The version of the suite.
    pub suite_sha256: String,
}

impl Verified {
    /// Whether every row that the suite judges keeps the contract, and none is missing.
    pub fn holds(&self) -> bool {
        !self.interrupted && self.rows.iter().all(|row| row.status() != Status::Broken)
    }

    /// What a run's record keeps.
    pub fn record(&self) -> Conformance {
        Conformance::Verified { rows: self.rows.iter().map(RowVerdict::record).collect() }
    }
}

/// Verifies `rows`, whose programs are in `context`, or whose reason to have none is in `unbuilt`. Ends early when a person
/// asks for it.
///
/// # Errors
/// This program cannot read itself, to tell which suite it has.
pub fn verify_rows(
    rows: &[Row],
    unbuilt: &[(String, String)],
    context: &Context,
    gate: &Gate,
) -> anyhow::Result<Verified> {
    let suite_sha256 = suite_sha256().context("cannot read this program, to tell the suite's version")?;
    let progress = Progress::new("verifying", rows.len());
    let one = One { context, gate, suite_sha256: &suite_sha256, progress: &progress };
    let mut verdicts = Vec::new();
    for row in rows {
        if context.interrupt.asked() {
            break;
        }
        progress.doing(row.name.clone());
        let verdict = match unbuilt.iter().find(|(name, _)| *name == row.name) {
            Some((_, reason)) => RowVerdict::failed(row, reason.clone()),
            None if row.tier == Tier::Calibration => RowVerdict::not_verified(row),
            None => match one.verify(row) {
                Ok(verdict) => verdict,
                Err(PlayError::Interrupted) => break,
                // A server that dies at Ctrl-C, which reaches it as well, says nothing of itself.
                Err(_) if context.interrupt.asked() => break,
                Err(error) => RowVerdict::failed(row, error.to_string()),
            },
        };
        let cached = if verdict.cached { " (cached)" } else { "" };
        progress.done(&format!("{}: {}{cached}", row.name, verdict.status()));
        verdicts.push(verdict);
    }
    let compared = compare(&mut verdicts);
    let interrupted = verdicts.len() < rows.len();
    Ok(Verified { rows: verdicts, interrupted, compared, suite_sha256 })
}

/// What it takes to verify one row.
struct One<'a> {
    context: &'a Context,
    gate: &'a Gate,
    suite_sha256: &'a str,
    progress: &'a Progress,
}

impl One<'_> {
    fn verify(&self, row: &Row) -> Result<RowVerdict, PlayError> {
        let setting = Setting::of(row)?;
        let surroundings = Surroundings {
            root: &self.gate.root,
            guard: &self.context.guard,
            suite_sha256: self.suite_sha256,
        };
        let key = Key::of(row, &self.context.programs[&row.name], &setting, surroundings)
            .map_err(PlayError::Program)?;
        let cache = Cache::at(self.gate.folder.clone());
        if !self.gate.fresh
            && let Some(cases) = cache.load(&key)
        {
            let judgement = judge(row, &cases);
            // A failure may have been the machine's, and is seen again if it was the row's.
            if judgement.holds() {
                return Ok(RowVerdict::played(row, true, judgement, cases));
            }
        }
        let cases = play(row, &setting, self.context)?;
        if let Err(error) = cache.store(&key, &cases) {
            self.progress.say(&format!("warning: the verdict on {} is not kept: {error:#}", row.name));
        }
        Ok(RowVerdict::played(row, false, judge(row, &cases), cases))
    }
}
