//! What clients do to servers, where operations run in each of the three places. What actix does not withstand as shipped is
//! not mended here: it is named, and why.

use conformance::attacks::{ATTACKS, Attack, Row, STOPS, assert_withstands};

const ACTIX: &str = env!("CARGO_BIN_EXE_actix-workers");

/// What no row withstands.
const NOT_WITHSTOOD: &[&str] = &[
    // The rest of a chunked body is read and dropped for as long as it comes, however slowly, and is never too long.
    "clients that trickle their bodies get 408 at the body timeout, and others are served",
    "messages that never end are refused and their connections closed",
    // Nothing watches a connection that has answers to send.
    "clients that do not take their pipelined answers cost little, are cut, and others are served",
    // Each attempt to accept is told.
    "out of file descriptors a server pauses without spinning, serves whom it has, and recovers",
    // While a request is under way nothing is read that would tell of a reset.
    "work whose client is gone is dropped, where it has not begun",
    // A connection that always has more to read is served before the others of its worker: sometimes they wait too long.
    "a flood of pipelined requests does not starve the other connections of its worker",
    // A stop drops what was accepted and not begun, and what waits to be accepted.
    "a stop under load loses no request and answers what is under way",
    "connections that wait in the backlog at a stop are served",
    // And it ends connections on which the next request is on its way.
    "at a stop under load no request is lost at all, and each client is told of the close with its first answer",
    // There is no --linger: who has no request under way is closed at once, half a request or not.
    "at a stop a request that comes within --linger is answered, on idle connections and on silent ones",
    "at a stop half a head and half a body are waited for byte by byte, without a --linger",
    // The request under way is the last one of its connection, whatever is behind it.
    "at a stop what lies in a socket is answered, though its worker computes and there is no --linger",
    "at a stop a pipeline that came whole is answered to its end, and its last answer closes",
    "at a stop a pipeline without end is told that it ends, and what was sent before the signal is answered",
];

fn withstood(attacks: &[Attack]) -> Vec<Attack> {
    attacks.iter().filter(|attack| !NOT_WITHSTOOD.contains(&attack.name)).copied().collect()
}

fn block() -> Row {
    let short_queue = ["--queue", "8", "--block-threads", "1"];
    Row::offloading(ACTIX, &["--offload", "block"], &short_queue)
}

fn rayon() -> Row {
    Row::offloading(ACTIX, &["--offload", "rayon"], &["--queue", "8", "--pool-threads", "1"])
}

#[test]
fn what_is_not_withstood_is_named_as_the_attacks_are() {
    let all = ATTACKS.len() + STOPS.len();
    assert_eq!(withstood(ATTACKS).len() + withstood(STOPS).len() + NOT_WITHSTOOD.len(), all);
}

#[test]
fn inline_withstands_attacks_on_its_resources() {
    assert_withstands(&Row::inline(ACTIX, &["--offload", "inline"]), &withstood(ATTACKS));
}

#[test]
fn inline_ends_when_it_is_stopped() {
    assert_withstands(&Row::inline(ACTIX, &["--offload", "inline"]), &withstood(STOPS));
}

#[test]
fn block_withstands_attacks_on_its_resources() {
    assert_withstands(&block(), &withstood(ATTACKS));
}

#[test]
fn block_ends_when_it_is_stopped() {
    assert_withstands(&block(), &withstood(STOPS));
}

#[test]
fn rayon_withstands_attacks_on_its_resources() {
    assert_withstands(&rayon(), &withstood(ATTACKS));
}

#[test]
fn rayon_ends_when_it_is_stopped() {
    assert_withstands(&rayon(), &withstood(STOPS));
}
