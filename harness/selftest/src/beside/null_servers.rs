//! The ceiling beside other null servers, under our closed loop: a null server that others outrun is none.

use std::{path::Path, time::Duration};

use host::program::find_program;
use serde::Serialize;

use super::{
    kept::{Kept, Measured},
    server::Server,
    spread::{Figure, Spread},
    stand::{Stand, Window},
    tool::{Load, Tool},
    window_error::WindowError,
};

/// Connections of the closed loop.
pub const CONNECTIONS: u32 = 64;

/// The servers and their rounds.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NullServers {
    /// The servers, the ceiling first.
    pub servers: Vec<Named>,
    /// The rounds: in each, one window of every server, in the order of `servers`. A round counts only if all of its
    /// windows do.
    pub rounds: Kept<Vec<Window>>,
}

/// A server and what it is.
#[derive(Clone, Debug, Serialize)]
pub struct Named {
    /// What it is called.
    pub name: &'static str,
    /// Its version, where it is not this project's own.
    pub version: Option<String>,
}

impl NullServers {
    /// What is asked of a server's rate over the ceiling's: not to be above it.
    pub const FIGURE: Figure = Figure::AtMost(1.0);

    /// Requests per second of server number `index`.
    pub fn per_second(&self, index: usize) -> Option<Spread> {
        Spread::of(self.rounds.sound.iter().map(|round| round[index].per_second))
    }

    /// The rate of server number `index` over the ceiling's in the same round.
    pub fn over_ceiling(&self, index: usize) -> Option<Spread> {
        Spread::of(self.rounds.sound.iter().map(|round| round[index].per_second / round[0].per_second))
    }
}

/// nginx, where it is installed. Debian puts it where ordinary users do not look.
pub fn nginx() -> Option<std::path::PathBuf> {
    find_program(Path::new("nginx"))
}

/// The version of a package that is linked, from the text of Cargo.lock.
pub fn locked_version(lock: &str, package: &str) -> Option<String> {
    let lock: toml::Table = lock.parse().ok()?;
    let named = |entry: &&toml::Value| entry.get("name").and_then(toml::Value::as_str) == Some(package);
    Some(lock.get("package")?.as_array()?.iter().find(named)?.get("version")?.as_str()?.to_owned())
}

/// Measures round number `number`: every server once, beginning with another one each time.
///
/// # Errors
/// A server or the generator failed.
pub fn round(
    stand: &Stand,
    servers: &[Server],
    own: &Tool,
    window: Duration,
    number: usize,
) -> Result<Measured<Vec<Window>>, WindowError> {
    let mut windows = Vec::new();
    for turn in 0..servers.len() {
        let index = (turn + number) % servers.len();
        windows.push((index, measure(stand, &servers[index], own, window)?));
    }
    windows.sort_by_key(|(index, _)| *index);
    let figures: Vec<Window> = windows.into_iter().map(|(_, window)| window).collect();
    let rates = servers.iter().zip(&figures);
    let rates = rates.map(|(server, window)| format!("{} {:.0}/s", server.name(), window.per_second));
    Ok(Measured {
        is_sound: !figures.iter().any(Window::is_disturbed),
        shown: rates.collect::<Vec<_>>().join(", "),
        figures,
    })
}

fn measure(stand: &Stand, server: &Server, own: &Tool, window: Duration) -> Result<Window, WindowError> {
    let serving = server.start(stand, stand.server_cpu)?;
    let measured = stand.window(own, &serving, CONNECTIONS, window, Load::Closed)?;
    serving.stop()?;
    Ok(measured)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_that_is_linked_is_the_locked_one() {
        let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock")).unwrap();
        assert_eq!(locked_version(&lock, "may_minihttp").as_deref(), Some("0.1.11"));
        assert_eq!(locked_version(&lock, "no-such-package"), None);
    }
}
