//! What clients do to servers. What axum does not withstand as shipped is not mended here: it is named, and why.

use conformance::attacks::{ATTACKS, Attack, Row, STOPS, assert_withstands};

/// What the row does not withstand.
const NOT_WITHSTOOD: &[&str] = &[
    // axum::serve gives hyper no timer: neither heads nor bodies nor idle connections have a time.
    "clients that trickle their heads get 408 at the header timeout, and others are served",
    "clients that trickle their bodies get 408 at the body timeout, and others are served",
    "clients that do not take their pipelined answers cost little, are cut, and others are served",
    // It accepts whoever comes.
    "connections beyond --max-connections wait in the backlog, and all are served in turn",
    // hyper reads on behind a body that nobody asked for, and has no limit for the line of a chunk's size.
    "messages that never end are refused and their connections closed",
    // While a request is under way nothing is read that would tell of a reset.
    "work whose client is gone is dropped, where it has not begun",
    // A client that has ended its half is taken for gone: hyper's own default.
    "work whose client has closed plainly runs to its end",
    // A stop closes connections without a request at once, half a request or not: there is no --linger. What is still in a
    // socket then is lost, by chance.
    "a stop under load loses no request and answers what is under way",
    "at a stop a request that comes within --linger is answered, on idle connections and on silent ones",
    "at a stop under load no request is lost at all, and each client is told of the close with its first answer",
    "at a stop half a head and half a body are waited for byte by byte, without a --linger",
    // The request under way is the last one of its connection, whatever is behind it.
    "at a stop what lies in a socket is answered, though its worker computes and there is no --linger",
    "at a stop a pipeline that came whole is answered to its end, and its last answer closes",
    "at a stop a pipeline without end is told that it ends, and what was sent before the signal is answered",
];

fn withstood(attacks: &[Attack]) -> Vec<Attack> {
    attacks.iter().filter(|attack| !NOT_WITHSTOOD.contains(&attack.name)).copied().collect()
}

fn row() -> Row {
    Row::inline(env!("CARGO_BIN_EXE_axum-tokio"), &[])
}

#[test]
fn what_is_not_withstood_is_named_as_the_attacks_are() {
    let all = ATTACKS.len() + STOPS.len();
    assert_eq!(withstood(ATTACKS).len() + withstood(STOPS).len() + NOT_WITHSTOOD.len(), all);
}

#[test]
fn the_server_withstands_attacks_on_its_resources() {
    assert_withstands(&row(), &withstood(ATTACKS));
}

#[test]
fn the_server_ends_when_it_is_stopped() {
    assert_withstands(&row(), &withstood(STOPS));
}
