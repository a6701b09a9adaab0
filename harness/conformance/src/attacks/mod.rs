//! Attacks on a server's memory, file descriptors, CPU and patience, and stops in the middle of its work.
//!
//! Each [`Attack`] is a named function that launches a server of its own with the limits that it needs, does its worst, and
//! judges from outside: by the answers, and by what `/proc` says the server's whole process tree holds. A bound
//! is on memory and on descriptors, and every wait has a deadline ([`Row::patience`]); no speed is judged.
//!
//! What these refuse to know: how a server is built. What an architecture cannot do is declared by its [`Row`] and then
//! checked as well, so that the declaration is true.

mod attack;
mod failure;
mod row;
mod server;

mod abandoned;
mod drain;
mod endless;
mod files;
mod idle;
mod lingering;
mod operations;
mod pipelines;
mod slow;

use std::{panic::resume_unwind, thread, time::Duration};

pub use attack::Attack;
pub use failure::{Failure, Seen};
pub use idle::{Idle, IdleCost, idle_connections};
pub use row::{Cheap, Row};

/// The attacks on what a server holds.
pub const ATTACKS: &[Attack] = &[
    slow::HEADS,
    slow::BODIES,
    slow::READERS,
    idle::CONNECTIONS,
    files::FLOOD,
    files::STARVATION,
    endless::MESSAGES,
    operations::GREEDY,
    abandoned::RESET,
    abandoned::CLOSED,
    pipelines::FLOOD,
];

/// The stops in the middle of work.
pub const STOPS: &[Attack] = &[
    drain::UNDER_LOAD,
    drain::BACKLOG,
    drain::CLOSES,
    drain::DEADLINE,
    drain::COMPUTING,
    drain::SECOND_SIGNAL,
    lingering::ON_ITS_WAY,
    lingering::UNDER_LOAD,
    lingering::IN_THE_SOCKET,
    lingering::HALF,
    lingering::PIPELINED,
    lingering::ENDLESS,
    lingering::IDLE,
    lingering::OUTLASTED,
];

/// Carries out `attacks`, at the same time as far as the machine bears it: the body of a server's test.
///
/// # Panics
/// If one of them fails: names each that did, and says why.
pub fn assert_withstands(row: &Row, attacks: &[Attack]) {
    let outcomes: Vec<(Seen, Duration)> = thread::scope(|scope| {
        let attackers: Vec<_> = attacks.iter().map(|attack| scope.spawn(move || attack.timed(row))).collect();
        let joined = attackers.into_iter().map(|attacker| attacker.join());
        joined.map(|outcome| outcome.unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    let mut failures = String::new();
    for (attack, (seen, took)) in attacks.iter().zip(outcomes) {
        match seen {
            Ok(seen) => println!("ok    {} ({took:.1?}): {seen}", attack.name),
            Err(failure) => {
                println!("FAIL  {} ({took:.1?}): {failure}", attack.name);
                failures.push_str(&format!("\n  {}: {failure}", attack.name));
            }
        }
    }
    assert!(failures.is_empty(), "{} {:?}:{failures}", row.binary.display(), row.arguments);
}
