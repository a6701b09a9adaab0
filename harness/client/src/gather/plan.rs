//! How a part comes by the plan of all: part 0 says it and the others read it; or each says it, where they meet in no folder.

use load::Share;

use super::{
    agreed,
    error::GatherError,
    folder::Folder,
    names,
    records::{PlanRecord, SCHEMA},
    token,
    wait::{Waited, wait},
    wanted::Wanted,
};

/// The plan; `None` when a person gave up. `drawn` is the seed where nobody said one.
///
/// # Errors
/// The folder is not shared, was used, or cannot be written to.
pub(super) fn come_by(
    folder: &Folder,
    wanted: &Wanted<'_>,
    drawn: u64,
    given_up: &dyn Fn() -> bool,
) -> Result<Option<PlanRecord>, GatherError> {
    let seed = wanted.seed.unwrap_or(drawn);
    match wanted.terms.part {
        _ if wanted.terms.apart => say(folder, wanted, seed).map(Some),
        Share { index: 0, .. } => begin(folder, wanted, seed).map(Some),
        _ => follow(folder, wanted, given_up),
    }
}

/// Each for itself: what was said to all, so that all write the same. Another load's plan stays.
fn say(folder: &Folder, wanted: &Wanted<'_>, seed: u64) -> Result<PlanRecord, GatherError> {
    folder.make()?;
    let sha256 = agreed::sha256_of(wanted.plan, seed);
    // The start is in the plan: no two loads have the same.
    let plan = record(wanted, seed, sha256.get(..TOKEN).unwrap_or(&sha256).to_owned());
    let is_new = folder.put_new(names::PLAN, &plan)?;
    let is_there = || Ok(folder.read::<PlanRecord>(names::PLAN)?.is_some_and(|there| there.sha256 == sha256));
    if is_new || is_there()? { Ok(plan) } else { Err(used(folder, names::PLAN.to_owned())) }
}

/// As long as what is drawn, in characters.
const TOKEN: usize = 32;

fn record(wanted: &Wanted<'_>, seed: u64, token: String) -> PlanRecord {
    PlanRecord {
        schema: SCHEMA,
        token,
        sha256: agreed::sha256_of(wanted.plan, seed),
        seed,
        parts: wanted.terms.part.of,
        plan: wanted.plan.clone(),
    }
}

fn used(folder: &Folder, file: String) -> GatherError {
    GatherError::Used { path: folder.path().to_owned(), file }
}

/// Part 0: says what all are to do, where nobody did before.
fn begin(folder: &Folder, wanted: &Wanted<'_>, seed: u64) -> Result<PlanRecord, GatherError> {
    folder.make()?;
    if let Some(file) = folder.names()?.into_iter().find(|name| names::is_own(name)) {
        return Err(used(folder, file));
    }
    let token = token::draw().map_err(|error| GatherError::Folder { path: "/dev/urandom".into(), error })?;
    let plan = record(wanted, seed, token);
    if folder.put_new(names::PLAN, &plan)? { Ok(plan) } else { Err(used(folder, names::PLAN.to_owned())) }
}

/// The others: see what it said.
fn follow(
    folder: &Folder,
    wanted: &Wanted<'_>,
    given_up: &dyn Fn() -> bool,
) -> Result<Option<PlanRecord>, GatherError> {
    match wait(wanted.terms.within, given_up, || folder.read::<PlanRecord>(names::PLAN))? {
        Waited::For(plan) => Ok(Some(plan)),
        Waited::GivenUp => Ok(None),
        Waited::InVain => {
            Err(GatherError::NotShared { path: folder.path().to_owned(), within: wanted.terms.within })
        }
    }
}
