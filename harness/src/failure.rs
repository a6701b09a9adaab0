//! Exit codes for scripts: what was asked for wrongly is told apart from what went wrong.

use std::process::ExitCode;

use load::RunError;
use report::publish::Refused;

use crate::cli::bench::TrialsAreGone;
use client::{load_command::options::OptionError, merge::MergeError, target::TargetError};
use race::{
    plan::{budget::TooShort, scenario::ScenarioError},
    records::{folder::FolderError, resume::ResumeRefused},
    registry::RegistryError,
};
use terminal::names::Unknown;

/// 2 where another command line, registry or scenario would help; 1 otherwise.
pub(crate) fn exit_code(error: &anyhow::Error) -> ExitCode {
    let is_usage = error.is::<Unknown>()
        || error.is::<RegistryError>()
        || error.is::<ScenarioError>()
        || error.downcast_ref().is_some_and(MergeError::is_usage)
        || error.is::<OptionError>()
        || error.is::<Refused>()
        || error.is::<TrialsAreGone>()
        || error.is::<TooShort>()
        || error.is::<ResumeRefused>()
        || matches!(error.downcast_ref(), Some(RunError::Plan(_)))
        || error.downcast_ref().is_some_and(TargetError::is_usage)
        || matches!(error.downcast_ref(), Some(FolderError::Taken(_) | FolderError::Foreign(_)));
    if is_usage { ExitCode::from(2) } else { ExitCode::FAILURE }
}
