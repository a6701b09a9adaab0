//! What a fault does to a server, where an operation commits it (`POST /fault`, which `--faults` switches on): a panic costs the one
//! who asked a 500 and others nothing; what cannot be caught ends as much as the row declares ([`Ends`]), no more and no less.
//!
//! Judged from outside, on a server of its own for each fault: by the answers, by how its process ended, and by what becomes
//! of other clients' connections. Every wait has a deadline, far longer than what is waited for takes. The table of all rows
//! is in METHODOLOGY.md, "What a fault does to a row".

mod kinds;
mod row;
mod server;

use std::{panic::resume_unwind, thread};

use crate::room::{Takes, enter};

pub use row::{Ends, Faulty};

/// Asks the row for each fault, of which it must be left as it declares: the body of a server's test.
///
/// # Panics
/// If it is not: names each fault, and says what was seen.
pub fn assert_faults(row: &Faulty) {
    let violations = violations(row);
    let (binary, arguments) = (row.binary.display(), &row.arguments);
    assert!(violations.is_empty(), "{binary} {arguments:?}:\n  {}", violations.join("\n  "));
}

/// What is not as the row declares: for each fault at most one thing, with the name of what must hold.
pub fn violations(row: &Faulty) -> Vec<String> {
    let _room = enter(Takes::Little);
    thread::scope(|scope| {
        let players: Vec<_> =
            kinds::ALL.iter().map(|kind| (kind.name, scope.spawn(|| (kind.play)(row)))).collect();
        let outcomes = players.into_iter().map(|(name, player)| {
            let outcome = player.join().unwrap_or_else(|panic| resume_unwind(panic));
            outcome.err().map(|violation| format!("{name}: {violation}"))
        });
        outcomes.flatten().collect()
    })
}
