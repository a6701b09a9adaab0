//! A check that cannot fail is a defect: each attack finds the weakness that it is about, in a server that has it.

use std::{path::PathBuf, sync::Mutex, thread, time::Duration};

use conformance::attacks::{ATTACKS, Attack, Cheap, Failure, Idle, Row, STOPS, idle_connections};
use host::launch::Launch;

const PATIENCE: Duration = Duration::from_secs(20);

/// A weakness, what it is called in the name of an attack, and what that attack must say of it.
const CAUGHT: &[(&str, &str, &str)] = &[
    ("never-times-out", "trickle their heads", "are still not answered"),
    ("never-times-out", "trickle their bodies", "are still not answered"),
    ("buffers", "do not take their pipelined answers", "memory grew by"),
    ("never-times-out", "do not take their pipelined answers", "whose clients take no answers are closed"),
    ("keeps-files", "flood of pipelined requests", "the server closes what clients made it open"),
    ("has-no-limit", "beyond --max-connections", "are open, 8 are allowed"),
    ("turns-away", "beyond --max-connections", "closed without an answer"),
    ("spins-without-files", "out of file descriptors", "it spins"),
    ("dies-without-files", "out of file descriptors", ""),
    ("tells-everything", "out of file descriptors", "lines on stderr"),
    ("takes-any-body", "messages that never end", "are taken and nothing is answered"),
    ("runs-what-nobody-wants", "client is gone", "delays whose clients are gone end"),
    ("takes-a-close-for-a-leave", "has closed plainly", "delay for clients that have closed plainly"),
    ("finishes-with-one-client", "flood of pipelined requests", "another connection of a flooded worker"),
    ("ends-at-once", "a stop under load loses", ""),
    ("ends-at-once", "in the backlog at a stop", ""),
    ("ends-at-once", "nobody listens any more", "a delay that was under way"),
    ("ends-at-once", "a second stop signal", "instead of code 143"),
    ("ends-at-once", "requests that outlast", "no word of what was cut"),
    ("ends-at-once", "comes within --linger", ""),
    ("ends-at-once", "no request is lost at all", ""),
    ("announces-nothing", "no request is lost at all", "does not announce the close"),
    ("ends-at-once", "lies in a socket", ""),
    ("ends-at-once", "half a head", ""),
    ("ends-at-once", "pipeline that came whole", ""),
    ("ends-at-once", "pipeline without end", "closed without a word"),
    ("closes-what-is-idle", "comes within --linger", "closed without an answer"),
    ("closes-what-is-idle", "half a head", "half a request of"),
    ("announces-nothing", "comes within --linger", "does not announce the close"),
    ("announces-nothing", "half a head", "does not announce the close"),
    ("announces-nothing", "pipeline that came whole", "does not announce the close"),
    ("announces-at-once", "lies in a socket", "a close is announced before a request"),
    ("announces-at-once", "pipeline that came whole", "announces the close"),
    ("announces-at-once", "pipeline without end", "written before the signal, is lost"),
    ("announces-nothing", "closed after --linger", "is still open"),
    ("announces-nothing", "longer than --drain-timeout", "is still open"),
    ("ignores-signals", "nobody listens any more", "connections are refused"),
    ("ignores-signals", "requests that outlast", "it had not ended"),
    ("ignores-signals", "operations that compute beyond", "it had not ended"),
];

/// This crate's example with that name, which cargo builds beside the tests.
fn weak() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    own.parent().and_then(|deps| deps.parent()).unwrap().join("examples/weak")
}

fn row(weakness: &str, cheap: Cheap) -> Row {
    Row { cheap, patience: PATIENCE, ..Row::inline(weak(), &[weakness]) }
}

/// Impatient, since a weak server mostly fails by never doing something. It has a thread for each connection, so that
/// operations run side by side.
fn impatient(weakness: &str) -> Row {
    Row { patience: Duration::from_secs(3), ..row(weakness, Cheap::Shares) }
}

fn named(part: &str) -> &'static Attack {
    let mut found = ATTACKS.iter().chain(STOPS).filter(|attack| attack.name.contains(part));
    let attack = found.next().unwrap_or_else(|| panic!("no attack is named {part:?}"));
    assert!(found.next().is_none(), "several attacks are named {part:?}");
    attack
}

/// Carries out each attack and names all that did not find what they should. How many go on at a time, they see to themselves.
fn all_caught(expected: Vec<(Row, &str, &str)>) {
    let missed = Mutex::new(String::new());
    let missed_by = &missed;
    thread::scope(|scope| {
        for (row, attack, wanted) in &expected {
            scope.spawn(move || match named(attack).on(row) {
                Err(Failure::Weak(what)) if what.contains(wanted) => {}
                other => missed_by.lock().unwrap().push_str(&format!(
                    "\n{:?}, {attack}: expected {wanted:?}, got {other:?}",
                    row.arguments
                )),
            });
        }
    });
    let missed = missed.into_inner().unwrap();
    assert!(missed.is_empty(), "{missed}");
}

#[test]
fn each_weakness_is_found_by_the_attack_that_is_about_it() {
    let expected = CAUGHT.iter().map(|&(weakness, attack, wanted)| (impatient(weakness), attack, wanted));
    all_caught(expected.collect());
}

#[test]
fn a_row_that_declares_what_is_not_so_is_caught() {
    let greedy = "the longest operations";
    all_caught(vec![
        (row("none", Cheap::Waits), greedy, "declared as Waits, and are answered"),
        (row("one-at-a-time", Cheap::Answered), greedy, "declared as Answered, and wait"),
        (row("one-at-a-time", Cheap::Shares), greedy, "declared as Shares, and wait"),
        (
            Row { served_at_once: Some(20), ..row("none", Cheap::Shares) },
            "idle connections are accepted",
            "declared to serve 20 connections at once, it serves one more",
        ),
        (row("none", Cheap::Answered), greedy, "beyond the queue the answer is 200, not 503"),
    ]);
}

#[test]
fn memory_that_a_connection_keeps_shows_in_its_weight() {
    let mut each = ["none", "keeps-memory"].map(|weakness| {
        let mut server = Launch::new(weak()).args([weakness]).spawn().unwrap();
        let address = server.ready(PATIENCE).unwrap().address;
        let cost = idle_connections(address, server.pid(), 100, Idle::AfterRequest).unwrap();
        assert_eq!(cost.connections, 100);
        cost.bytes_each
    });
    each[0] += 200 << 10;
    assert!(each[1] > each[0], "{each:?}");
}
