//! Parses the command line, runs one command, and turns how it ended into an exit code.

use std::{ffi::OsString, process::ExitCode};

use clap::Parser;
use harness::{
    bench::{Outcome, bench},
    cli::{Cli, Command},
    failure, generators, load_command, merge, published,
    quick::quick,
    selftest, verify,
};

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
    let ended = match command {
        Command::Bench(arguments) => bench(&arguments, typed()),
        Command::Verify(arguments) => verify::verify(&arguments),
        Command::Load(arguments) => load_command::load(&arguments, typed()),
        Command::Report(arguments) => published::report(&arguments),
        Command::Check(arguments) => published::check(&arguments),
        Command::Selftest(arguments) => selftest::selftest(&arguments),
        Command::Scripted(arguments) => selftest::scripted(&arguments),
        Command::Merge(arguments) => merge::merge(&arguments),
        Command::Quick(arguments) => quick(&arguments),
        Command::Generators(arguments) => generators::generators(&arguments, typed()),
        Command::ArrivalLog { listen, cpus, log } => {
            generators::arrival_log::serve(listen, &cpus, &log).map(|()| Outcome::Done)
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
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((first, rest)) if first == "bench" => {
            format!("cargo bench-all {}", rest.join(" ")).trim_end().to_owned()
        }
        _ => format!("harness {}", arguments.join(" ")),
    }
}
