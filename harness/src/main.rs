//! Parses the command line, runs one command, and turns how it ended into an exit code.

// A print macro panics where nothing can be written: `terminal::streams` is the one way.
#![warn(clippy::print_stderr, clippy::print_stdout)]

mod arguments;
mod cli;
mod failure;

use std::{
    ffi::OsString,
    io::{self, BufReader},
    process::ExitCode,
};

use terminal::{errln, outcome::Outcome, streams};

use crate::{arguments::typed, cli::Command};

fn main() -> ExitCode {
    streams::begin();
    let code = match arguments::parse() {
        // It is no command of a person's, and has no time for more.
        Ok(Command::Guard { program }) => return guard(program),
        Ok(command) => ended(run(command)),
        Err(code) => code,
    };
    match streams::end() {
        Err(_) if code == 0 => ExitCode::from(failure::OUTPUT_LOST),
        _ => ExitCode::from(code),
    }
}

fn run(command: Command) -> anyhow::Result<Outcome> {
    // Each connection is an open file. Raised before anything is started, which inherits the limit, so that all that is measured has
    // the same; who needs more than there may be says so.
    let _allowed = host::open_files::raise();
    match command {
        Command::Bench(arguments) => cli::bench::bench(&arguments, typed()),
        Command::Verify(arguments) => cli::verify::verify(&arguments),
        Command::Load(arguments) => client::load_command::load(&(*arguments).into(), typed()),
        Command::Show(arguments) => cli::show::show(&arguments),
        Command::List(arguments) => cli::list::list(&arguments),
        Command::Report(arguments) => cli::report::report(&arguments),
        Command::Check(arguments) => cli::report::check(&arguments),
        Command::Selftest(arguments) => cli::selftest::run(arguments, typed()),
        Command::Scripted(arguments) => selftest::scripted(&arguments.into()),
        Command::Planted(arguments) => selftest::planted::planted(&arguments.into()),
        Command::Merge(arguments) => client::merge::merge(&arguments.into()),
        Command::Clock(arguments) => client::clock::clock(&arguments.into()),
        Command::ClockAnswers => {
            client::clock::answer(&mut io::stdin().lock(), &mut io::stdout().lock())?;
            Ok(Outcome::Done)
        }
        Command::Quick(arguments) => client::quick::quick(&arguments.into()),
        Command::Generators(arguments) => selftest::beside::generators(&arguments.into(), typed()),
        Command::ArrivalLog { listen, cpus, log } => {
            selftest::beside::arrival_log::serve(listen, &cpus, &log).map(|()| Outcome::Done)
        }
        Command::ServerHost { address, beside_others } => {
            let asked = BufReader::new(io::stdin());
            race::server_host::command::run(address, beside_others, asked, &mut io::stdout().lock())?;
            Ok(Outcome::Done)
        }
        Command::Guard { .. } => Ok(Outcome::Done),
    }
}

fn ended(ended: anyhow::Result<Outcome>) -> u8 {
    match ended {
        Ok(outcome) => failure::code_of(outcome),
        Err(error) => {
            errln!("error: {error:#}");
            failure::exit_code(&error)
        }
    }
}

fn guard(mut program: Vec<OsString>) -> ExitCode {
    let arguments = program.split_off(1);
    match program.pop().map(|program| host::guard::run(program, arguments)) {
        Some(Ok(())) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
