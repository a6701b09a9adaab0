//! What idle connections cost servers in resident memory, as a table:
//! `cargo run --release -p conformance --example idle -- 10000 'target/release/work-stealing --workers 2' ...`.
//!
//! Each server command is launched alone, on a free port, with timeouts that outlast the count. Splits commands at blanks.
//! Exit code 1 if a server cannot be weighed.

use std::{error::Error, process::ExitCode, time::Duration};

use conformance::attacks::{Failure, Idle, IdleCost, idle_connections};
use host::launch::Launch;

const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let count: usize = arguments.next().ok_or("how many connections? give COUNT 'COMMAND'...")?.parse()?;
    println!("{:>11}  {:>10}  {:>10}  {:>10}  server", "connections", "fresh", "after one", "RSS before");
    let mut worst = ExitCode::SUCCESS;
    for command in arguments {
        match (weigh(&command, count, Idle::Fresh), weigh(&command, count, Idle::AfterRequest)) {
            (Ok(fresh), Ok(after)) => {
                let IdleCost { connections, rss_before, bytes_each, .. } = after;
                let before = format!("{} KiB", rss_before / 1024);
                println!(
                    "{connections:>11}  {:>8} B  {bytes_each:>8} B  {before:>10}  {command}",
                    fresh.bytes_each
                );
            }
            (Err(error), _) | (_, Err(error)) => {
                println!("{command}: {error}");
                worst = ExitCode::FAILURE;
            }
        }
    }
    Ok(worst)
}

/// A server of its own for each figure, since memory that was used once is not always given back.
fn weigh(command: &str, count: usize, idle: Idle) -> Result<IdleCost, Failure> {
    let unable = |error: &dyn std::fmt::Display| Failure::Unable(error.to_string());
    let mut words = command.split_whitespace();
    let program = words.next().ok_or_else(|| unable(&"an empty command"))?;
    let launch =
        Launch::new(program).args(words).args(["--listen", "127.0.0.1:0", "--max-connections", "40000"]);
    let mut server = launch
        .args(["--header-timeout", "10m", "--idle-timeout", "10m"])
        .spawn()
        .map_err(|error| unable(&error))?;
    let address = server.ready(PATIENCE).map_err(|error| unable(&error))?.address;
    // What the first connections make a server take once and for all is not counted.
    idle_connections(address, server.pid(), count.min(100), idle)?;
    idle_connections(address, server.pid(), count, idle)
}
