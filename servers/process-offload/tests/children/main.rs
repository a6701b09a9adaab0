//! What children that go wrong cost: the request that they had and themselves, and the server goes on.
//!
//! A program of its own, since it is all three: the test, the servers that it starts, and their children, which do what `--play` says
//! with one operation and what they should with all others.

#![expect(clippy::disallowed_macros, reason = "what a test prints is what it is for")]

mod cases;
mod played;

use std::{process::ExitCode, thread};

fn main() -> ExitCode {
    // Whatever else cargo says to a test.
    if std::env::args().any(|argument| argument.starts_with(played::PLAY)) {
        return played::main();
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
