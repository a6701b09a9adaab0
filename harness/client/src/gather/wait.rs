//! Waiting for what others write in a folder, which tells nobody that it changed.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::error::GatherError;

/// How often it is looked what others have written.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How a wait ended.
pub(super) enum Waited<T> {
    For(T),
    /// A person does not want to wait any more.
    GivenUp,
    InVain,
}

/// Looks now and then, and once more at the end.
pub(super) fn wait<T>(
    within: Duration,
    given_up: &dyn Fn() -> bool,
    mut look: impl FnMut() -> Result<Option<T>, GatherError>,
) -> Result<Waited<T>, GatherError> {
    let until = Instant::now() + within;
    loop {
        let is_over = Instant::now() >= until;
        match look()? {
            Some(seen) => return Ok(Waited::For(seen)),
            None if given_up() => return Ok(Waited::GivenUp),
            None if is_over => return Ok(Waited::InVain),
            None => thread::sleep(LOOK_EVERY),
        }
    }
}
