//! Plays the suite against a server that runs already and prints the report:
//! `cargo run -p conformance --example suite -- ADDRESS:PORT [header timeout in ms] [max body in bytes]`.
//! Exit code 1 if a case that binds everybody fails.

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use conformance::{Level, Options, run};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address: SocketAddr = arguments.next().ok_or("which server? give ADDRESS:PORT")?.parse()?;
    let header_timeout = arguments.next().map(|text| text.parse().map(Duration::from_millis)).transpose()?;
    let max_body = arguments.next().map(|text| text.parse()).transpose()?;
    let report = run(address, &Options { header_timeout, max_body, ..Options::default() });
    println!("{report}");
    Ok(if report.failures(Level::Must).next().is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
