//! How a command ended.

use std::fmt::Display;

use crate::errln;

/// How a command ended, apart from errors of the command itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All was done.
    Done,
    /// Something could not be measured; the rest was.
    Partly,
    /// A person ended it; what was finished is kept.
    Interrupted,
}

/// What came of several things, each of which is tried whatever became of the others. All errors but the last, which is returned, are
/// said.
///
/// # Errors
/// One of them failed.
pub fn all_of<E: Display>(tried: impl IntoIterator<Item = Result<(), E>>) -> Result<(), E> {
    let mut all = Ok(());
    for next in tried {
        all = after(all, next);
    }
    all
}

/// How something ended whose file was written, or was not, before that was known.
///
/// # Errors
/// It failed, and what was `written` is said if it failed as well; or only that failed.
pub fn after<T, E: Display>(written: Result<(), E>, ended: Result<T, E>) -> Result<T, E> {
    match (written, ended) {
        (Ok(()), ended) => ended,
        (Err(unwritten), Ok(_)) => Err(unwritten),
        (Err(unwritten), Err(error)) => {
            errln!("error: {unwritten:#}");
            Err(error)
        }
    }
}
