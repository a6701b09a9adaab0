//! What a primary does for workers that are no servers: here they get one end of a socket pair each, and do what a file tells them.
//!
//! A program of its own, since it is all three: the test, the primaries that it starts, and their workers.

#![expect(clippy::disallowed_macros, reason = "what a test prints is what it is for")]

mod cases;
mod crew;
mod played;

use std::{process::ExitCode, thread};

use crew::CREW;

fn main() -> ExitCode {
    // Whatever else cargo says to a test.
    if std::env::args().nth(1).as_deref() == Some(CREW) {
        return crew::main();
    }
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()));
    // They wait more than they compute.
    thread::scope(|scope| {
        for (name, case) in cases::ALL.iter().filter(|(name, _)| is_wanted(name)) {
            scope.spawn(move || {
                case();
                println!("{name} ... ok");
            });
        }
    });
    ExitCode::SUCCESS
}
