//! Parses the command line, runs one command, and turns how it ended into an exit code.

mod cli;
mod failure;

use std::{ffi::OsString, process::ExitCode};

use clap::Parser;
use terminal::{outcome::Outcome, shell};

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    let command = match Cli::parse().command {
        Command::Guard { mut program } => {
            let arguments: Vec<OsString> = program.split_off(1);
            return match program.pop().map(|program| host::guard::run(program, arguments)) {
                Some(Ok(())) => ExitCode::SUCCESS,
                _ => ExitCode::FAILURE,
            };
        }
        command => command,
    };
    // Each connection is an open file. Raised before anything is started, which inherits the limit, so that all that is measured has
    // the same; who needs more than there may be says so.
    let _allowed = host::open_files::raise();
    let ended = match command {
        Command::Bench(arguments) => cli::bench::bench(&arguments, typed()),
        Command::Verify(arguments) => cli::verify::verify(&arguments),
        Command::Load(arguments) => client::load_command::load(&(*arguments).into(), typed()),
        Command::Report(arguments) => cli::report::report(&arguments),
        Command::Check(arguments) => cli::report::check(&arguments),
        Command::Selftest(arguments) => cli::selftest::run(arguments, typed()),
        Command::Scripted(arguments) => selftest::scripted(&arguments.into()),
        Command::Planted(arguments) => selftest::planted::planted(&arguments.into()),
        Command::Merge(arguments) => client::merge::merge(&arguments.into()),
        Command::Quick(arguments) => client::quick::quick(&arguments.into()),
        Command::Generators(arguments) => selftest::beside::generators(&arguments.into(), typed()),
        Command::ArrivalLog { listen, cpus, log } => {
            selftest::beside::arrival_log::serve(listen, &cpus, &log).map(|()| Outcome::Done)
        }
        Command::Guard { .. } => Ok(Outcome::Done),
    };
    match ended {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Partly) => ExitCode::FAILURE,
        Ok(Outcome::Interrupted) => ExitCode::from(130),
        Err(error) => {
            anstream::eprintln!("error: {error:#}");
            failure::exit_code(&error)
        }
    }
}

/// The command as a person types it: the alias where it was used.
fn typed() -> String {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    match arguments.split_first() {
        Some((first, [])) if first == "bench" => "cargo bench-all".to_owned(),
        Some((first, rest)) if first == "bench" => format!("cargo bench-all {}", shell::command_line(rest)),
        _ => format!("harness {}", shell::command_line(&arguments)),
    }
}
