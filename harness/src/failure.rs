//! Exit codes for scripts: what was asked for wrongly is told apart from what went wrong.

use load::RunError;
use report::publish::Refused;

use crate::cli::{
    bench::TrialsAreGone,
    bench_plan::ObjectiveRefused,
    server_host::{GeneratorsRefused, NotThere},
    show::Cannot,
};
use client::{
    clock::ClockError,
    gather::error::GatherError,
    load_command::options::OptionError,
    merge::{GatheredError, MergeError},
    target::TargetError,
};
use race::{
    plan::{budget::TooShort, host_limits::NoRoom, own_load::OwnLoadError, scenarios::ScenarioError},
    records::{folder::FolderError, resume::ResumeRefused},
    registry::RegistryError,
    server_host::error::LinkError,
};
use terminal::{names::Unknown, outcome::Outcome, output::OutputError};

/// All was done, and what was printed of it did not all arrive.
pub(crate) const OUTPUT_LOST: u8 = 3;
/// A person ended it: what a shell reports of SIGINT.
const INTERRUPTED: u8 = 130;

/// Where there was no error.
pub(crate) fn code_of(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Done => 0,
        Outcome::Partly => 1,
        Outcome::Interrupted => INTERRUPTED,
    }
}

/// 2 where another command line, registry or scenario would help; 1 otherwise.
pub(crate) fn exit_code(error: &anyhow::Error) -> u8 {
    if error.downcast_ref().is_some_and(OutputError::is_interrupt) {
        return INTERRUPTED;
    }
    let is_usage = error.is::<Unknown>()
        || error.is::<RegistryError>()
        || error.is::<ScenarioError>()
        || error.downcast_ref().is_some_and(MergeError::is_usage)
        || error.downcast_ref().is_some_and(ClockError::is_usage)
        || error.downcast_ref().is_some_and(GatherError::is_usage)
        || error.downcast_ref().is_some_and(GatheredError::is_usage)
        || error.is::<OptionError>()
        || error.is::<Refused>()
        || error.is::<TrialsAreGone>()
        || error.is::<ObjectiveRefused>()
        || error.is::<OwnLoadError>()
        || error.is::<NotThere>()
        || error.is::<GeneratorsRefused>()
        || error.downcast_ref().is_some_and(LinkError::is_usage)
        || error.is::<NoRoom>()
        || error.is::<Cannot>()
        || error.is::<TooShort>()
        || error.is::<ResumeRefused>()
        || matches!(error.downcast_ref(), Some(RunError::Plan(_)))
        || error.downcast_ref().is_some_and(TargetError::is_usage)
        || matches!(error.downcast_ref(), Some(FolderError::Taken(_) | FolderError::Foreign(_)));
    if is_usage { 2 } else { 1 }
}
