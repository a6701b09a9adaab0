//! A check that cannot fail is a defect: what a server does wrong when it is asked for a fault is found.

use std::{sync::Mutex, thread, time::Duration};

use conformance::faults::{Faulty, violations};

/// A weakness, and what must be said of it.
const CAUGHT: &[(&str, &str)] = &[
    ("always-on", "faults are off unless they are switched on: POST /fault?kind=abort: closed"),
    ("lists-faults", "GET / names /fault"),
    ("takes-any-method", "a panic is a 500 and costs nobody else anything: GET /fault?kind=abort: closed"),
    ("refuses-without-words", "a refusal that names no parameter"),
    ("catches-nothing", "POST /fault?kind=panic: no whole answer"),
    ("takes-a-panic-for-an-answer", "POST /fault?kind=panic is answered with 200, not 500"),
    ("keeps-operations", "after panics alone there is Some(\"server_operations_in_flight{} 8\")"),
    ("loses-a-thread", "GET /simple: no whole answer"),
    ("cuts-others", "a connection of somebody else: "),
    ("ends-by-itself", "an abort ends what it must, and no more: POST /fault?kind=abort: it ended otherwise"),
    ("only-closes", "a stack overflow ends what it must, and no more: it had not ended"),
    ("answers-first", "POST /fault?kind=overflow is answered with 500"),
    ("warns-of-nothing", "no warning that faults are on"),
    ("ignores-signals", "an operation that hangs does not keep a server from ending: it had not ended"),
];

/// Impatient, since a server that does something wrong mostly fails by never doing another thing.
fn row(weakness: &str) -> Faulty {
    let own = std::env::current_exe().unwrap();
    let example = own.parent().and_then(|deps| deps.parent()).unwrap().join("examples/faulty");
    Faulty::of(example, &[weakness]).patient_for(Duration::from_secs(3))
}

/// Names all of which not everything was found that should be.
fn all_caught(expected: Vec<(Faulty, &str)>) {
    let missed = Mutex::new(String::new());
    let missed_by = &missed;
    thread::scope(|scope| {
        for (row, wanted) in &expected {
            scope.spawn(move || {
                let found = violations(row);
                if !found.iter().any(|violation| violation.contains(wanted)) {
                    missed_by.lock().unwrap().push_str(&format!("\n{wanted:?} is not in {found:#?}"));
                }
            });
        }
    });
    let missed = missed.into_inner().unwrap();
    assert!(missed.is_empty(), "{missed}");
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    // Nor where it takes long: this is not about time.
    assert_eq!(violations(&row("none").patient_for(Duration::from_secs(30))), [] as [String; 0]);
}

#[test]
fn each_weakness_is_found() {
    all_caught(CAUGHT.iter().map(|&(weakness, wanted)| (row(weakness), wanted)).collect());
}

#[test]
fn a_row_that_declares_what_is_not_so_is_caught() {
    all_caught(vec![
        (row("none").replaces_workers(), "an abort ends what it must, and no more: "),
        (row("none").replaces_executors(), "POST /fault?kind=abort: closed without an answer"),
        (row("replaces-nobody").replaces_executors(), "GET /complex?iterations=1000 is answered with 500"),
        (row("none").abandons_coroutines(), "a stack overflow ends what it must, and no more: "),
        (row("only-closes").abandons_coroutines(), "POST /fault?kind=overflow has an answer or an end"),
        (row("only-closes").replaces_workers(), "another process serves in its place"),
    ]);
}
