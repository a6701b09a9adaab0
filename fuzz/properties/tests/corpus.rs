//! Every input that was ever worth keeping, as ordinary tests.

use std::{fs, num::NonZero, path::Path, thread};

use properties::{Violation, delivery::Delivery};

/// The inputs kept for a target, with their names.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let inputs: Vec<_> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap())
        })
        .collect();
    assert!(inputs.len() > 40, "{} holds only {} inputs", folder.display(), inputs.len());
    inputs
}

fn assert_all_hold(target: &str, check: fn(&[u8]) -> Result<(), Violation>, vary: fn(&[u8]) -> Vec<Vec<u8>>) {
    let inputs = corpus(target);
    let violations_of = |inputs: &[(String, Vec<u8>)]| {
        let mut violations = Vec::new();
        for (name, input) in inputs {
            for input in std::iter::once(input.clone()).chain(vary(input)) {
                if let Err(violation) = check(&input) {
                    let Delivery { flags, cuts, .. } = Delivery::parse(&input);
                    violations.push(format!("{name} (flags {flags}, {} cuts): {violation}", cuts.len()));
                }
            }
        }
        violations
    };
    let parts = thread::available_parallelism().map_or(1, NonZero::get);
    let violations: Vec<String> = thread::scope(|scope| {
        let parts: Vec<_> = inputs
            .chunks(inputs.len().div_ceil(parts))
            .map(|inputs| scope.spawn(|| violations_of(inputs)))
            .collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    });
    assert!(violations.is_empty(), "{} violations:\n{}", violations.len(), violations.join("\n"));
}

/// The same bytes whole, byte by byte without and with waiting, and with each of the other flags.
fn otherwise_delivered(input: &[u8]) -> Vec<Vec<u8>> {
    let delivery = Delivery::parse(input);
    [(&[][..], 0), (&[0; 255], 1), (&[0x80; 255], 2), (&[0x80; 255], 0x05), (&[0x0f; 255], 0x12)]
        .into_iter()
        .map(|(cuts, flags)| Delivery { cuts, flags, ..delivery }.input())
        .collect()
}

#[test]
fn the_router_keeps_the_contract_for_all_of_its_corpus() {
    assert_all_hold("route", properties::route::check, |_| Vec::new());
}

#[test]
fn a_connection_keeps_the_contract_for_all_of_its_corpus_however_it_is_delivered() {
    assert_all_hold("request_path", properties::request_path::check, otherwise_delivered);
}

#[test]
fn a_connection_keeps_the_contract_for_every_sequence_of_events_of_its_corpus() {
    assert_all_hold("events", properties::events::check, |_| Vec::new());
}

/// A stop before some of the first events, with each linger.
fn stopped(input: &[u8]) -> Vec<Vec<u8>> {
    let halts = (0..3).flat_map(|linger| [1, 3, 6].map(move |before| [linger, before]));
    halts.map(|halt| [&halt, input].concat()).collect()
}

#[test]
fn a_stop_loses_nothing_in_any_sequence_of_events_of_the_corpus() {
    let check: fn(&[u8]) -> Result<(), Violation> =
        |input| stopped(input).iter().try_for_each(|input| properties::events::stopped::check(input));
    assert_all_hold("events", check, |_| Vec::new());
}

#[test]
fn messages_end_where_hyper_says_for_all_of_the_corpus() {
    assert_all_hold("framing", properties::framing::check, |_| Vec::new());
}

#[test]
fn the_generators_parser_is_right_for_all_of_its_corpus_however_it_is_delivered() {
    assert_all_hold("response", properties::response::check, otherwise_delivered);
}
