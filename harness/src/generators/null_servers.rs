//! The ceiling beside other null servers, under our closed loop: a null server that others outrun is none.

use std::{path::Path, time::Duration};

use host::launch::find_program;
use serde::Serialize;

use super::{
    bench::{Bench, Window, WindowError},
    server::Server,
    spread::{Figure, Spread},
    tool::{Load, Tool},
};

/// Connections of the closed loop.
pub const CONNECTIONS: u32 = 64;

/// One server's windows. Window k of every server was measured in round k.
#[derive(Clone, Debug, Serialize)]
pub struct Series {
    /// The server.
    pub name: &'static str,
    /// Its version, where it tells one.
    pub version: Option<String>,
    /// One entry for each round; none where it failed.
    pub windows: Vec<Option<Window>>,
    /// Why windows failed.
    pub failed: Vec<String>,
}

impl Series {
    /// Requests per second.
    pub fn per_second(&self) -> Option<Spread> {
        Spread::of(self.windows.iter().flatten().map(|window| window.per_second))
    }

    /// This server's rate over the ceiling's in the same round.
    pub fn over(&self, ceiling: &Series) -> Option<Spread> {
        let rounds = self.windows.iter().zip(&ceiling.windows);
        Spread::of(
            rounds.filter_map(|(own, ceiling)| Some(own.as_ref()?.per_second / ceiling.as_ref()?.per_second)),
        )
    }

    /// What is asked of a server's rate over the ceiling's: not to be above it.
    pub const FIGURE: Figure = Figure::AtMost(1.0);
}

/// nginx, where it is installed. Debian puts it where ordinary users do not look.
pub fn nginx() -> Option<std::path::PathBuf> {
    find_program(Path::new("nginx")).or_else(|| find_program(Path::new("/usr/sbin/nginx")))
}

/// The version of a package that is linked, from the text of Cargo.lock.
pub fn locked_version(lock: &str, package: &str) -> Option<String> {
    let lock: toml::Table = lock.parse().ok()?;
    let named = |entry: &&toml::Value| entry.get("name").and_then(toml::Value::as_str) == Some(package);
    Some(lock.get("package")?.as_array()?.iter().find(named)?.get("version")?.as_str()?.to_owned())
}

/// Measures round number `round`: every server once, beginning with another one each time.
///
/// # Errors
/// Only an interrupt; what fails is kept as a reason.
pub fn round(
    bench: &Bench,
    servers: &[Server],
    series: &mut [Series],
    own: &Tool,
    window: Duration,
    round: usize,
) -> Result<(), WindowError> {
    for turn in 0..servers.len() {
        let index = (turn + round) % servers.len();
        let measured = match measure(bench, &servers[index], own, window) {
            Ok(window) => Some(window),
            Err(WindowError::Interrupted) => {
                // A round that is not whole compares nothing.
                for series in series.iter_mut() {
                    series.windows.truncate(round);
                }
                return Err(WindowError::Interrupted);
            }
            Err(error) => {
                series[index].failed.push(error.to_string());
                None
            }
        };
        series[index].windows.push(measured);
    }
    Ok(())
}

fn measure(bench: &Bench, server: &Server, own: &Tool, window: Duration) -> Result<Window, WindowError> {
    let serving = server.start(bench, bench.server_cpu)?;
    let measured = bench.window(own, &serving, CONNECTIONS, window, Load::Closed)?;
    serving.stop()?;
    Ok(measured)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_that_is_linked_is_the_locked_one() {
        let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock")).unwrap();
        assert_eq!(locked_version(&lock, "may_minihttp").as_deref(), Some("0.1.11"));
        assert_eq!(locked_version(&lock, "no-such-package"), None);
    }
}
