//! The suite's own model of a right server, or one with a fault, as a row: what the tests of `verify` judge.
//!
//! `faulty_server FAULT --listen ADDRESS --cpus LIST ...`. It listens where it likes and says so in its ready line, as every
//! server may; the limits that it is given are those that it has.

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use host::ready::{Profile, Ready};

#[expect(dead_code, reason = "rows need a few of the faults that the suite's own tests need")]
#[path = "../conformance/tests/it/model/mod.rs"]
mod model;

use model::Fault;

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let fault = match arguments.get(1).map(String::as_str) {
        Some("right") => Fault::Nothing,
        Some("takes-missing-host") => Fault::TakesMissingHost,
        Some("omits-allow") => Fault::OmitsAllow,
        Some("refuses-with-server-errors") => Fault::RefusesWithServerErrors,
        Some("adds-one-to-sums") => Fault::AddsOneToSums,
        _ => return Err("usage: faulty_server FAULT --listen ADDRESS --cpus LIST".into()),
    };
    let cpus = arguments.iter().position(|argument| argument == "--cpus");
    let cpus = cpus.and_then(|at| arguments.get(at + 1)).ok_or("--cpus is missing")?;
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGTERM, Arc::clone(&stop))?;
    let ready = Ready {
        server: "model".to_owned(),
        address: model::start(fault),
        pid: std::process::id(),
        workers: 1,
        cpus: cpus.parse()?,
        profile: Profile::Release,
    };
    ready.announce()?;
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}
