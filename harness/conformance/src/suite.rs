//! The suite as a whole.

use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use crate::case::Case;
use crate::cases;
use crate::context::Context;
use crate::options::Options;
use crate::play::play;
use crate::report::{Outcome, Report};

/// Every case, in the order in which they are played.
pub fn suite() -> Vec<Case> {
    [
        cases::answers::cases(),
        cases::dates::cases(),
        cases::parameters::cases(),
        cases::methods::cases(),
        cases::described::cases(),
        cases::preconditions::cases(),
        cases::request_line::cases(),
        cases::targets::cases(),
        cases::fields::cases(),
        cases::hosts::cases(),
        cases::connections::cases(),
        cases::endings::cases(),
        cases::reuse::cases(),
        cases::bodies::cases(),
        cases::lengths::cases(),
        cases::codings::cases(),
        cases::chunks::cases(),
        cases::expectations::cases(),
        cases::upgrades::cases(),
        cases::delivery::cases(),
        cases::heads::cases(),
        cases::limits::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Plays every case against the server at `address`.
pub fn run(address: SocketAddr, options: &Options) -> Report {
    run_cases(suite(), address, options)
}

/// Plays some cases against the server at `address`, as many at a time as the options say. The outcomes are in the order
/// of the cases whatever order they end in.
pub fn run_cases(cases: impl IntoIterator<Item = Case>, address: SocketAddr, options: &Options) -> Report {
    let cases: Vec<Case> = cases.into_iter().collect();
    let mut outcomes: Vec<(usize, Outcome)> = Vec::with_capacity(cases.len());
    // From the end, where the cases stand that wait for a timeout: others are played meanwhile.
    let left = AtomicUsize::new(cases.len());
    let player = || {
        let mut played = Vec::new();
        while let Some(position) = take_one(&left) {
            played.push((position, outcome_of(&cases[position], address, options)));
        }
        played
    };
    thread::scope(|scope| {
        let players: Vec<_> =
            (0..options.parallel.clamp(1, cases.len().max(1))).map(|_| scope.spawn(player)).collect();
        for player in players {
            outcomes.extend(player.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
    });
    outcomes.sort_by_key(|&(position, _)| position);
    Report { address, outcomes: outcomes.into_iter().map(|(_, outcome)| outcome).collect() }
}

/// The position of a case that nobody has taken yet.
fn take_one(left: &AtomicUsize) -> Option<usize> {
    left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).ok().map(|left| left - 1)
}

fn outcome_of(case: &Case, address: SocketAddr, options: &Options) -> Outcome {
    let context = Context::new(address, options);
    let (verdict, detail) = play(case, &context);
    let said = if case.repeatable { context.transcript.take() } else { String::new() };
    Outcome { name: case.name, level: case.level, source: case.source, verdict, detail, said }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_case_has_a_name_of_its_own_and_says_who_requires_it() {
        let mut names = HashSet::new();
        for case in suite() {
            assert!(names.insert(case.name), "{}", case.name);
            let is_section =
                case.source.split_once(' ').is_some_and(|(rfc, _)| ["9110", "9112"].contains(&rfc));
            assert!(is_section || case.source == "contract", "{}: {}", case.name, case.source);
        }
        // A table that is left out of the suite by mistake must not go unnoticed.
        assert!(names.len() >= 600, "only {} cases", names.len());
    }
}
