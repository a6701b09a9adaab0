use std::fs;

use rand::{Rng, SeedableRng};
use rand_xoshiro::SplitMix64;

use super::*;
use crate::{fixtures, records::window::Verdict};

fn begun(start: usize) -> Entry {
    Entry::Begun { start, at: "2026-11-21T04:00:00.000+00:00".to_owned() }
}

/// A window of little text: of a server that failed, with a letter of two bytes.
fn failed(row: &str, start: usize, round: usize) -> Entry {
    let reason = "Verbindung getrennt: geänderte Länge".to_owned();
    let window = WindowRecord {
        measured: None,
        verdict: Verdict::Failed { reason },
        ..fixtures::window("mixed", row, start, round, fixtures::sound())
    };
    Entry::Window(Box::new(window))
}

fn sound(row: &str, start: usize, round: usize) -> Entry {
    Entry::Window(Box::new(fixtures::window("mixed", row, start, round, fixtures::sound())))
}

fn server(row: &str, start: usize) -> Entry {
    Entry::Server(fixtures::server(row, start, &["mixed"]))
}

fn complete(start: usize) -> Entry {
    Entry::Complete { start }
}

/// A log that these entries were appended to.
fn log_of(entries: &[Entry]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("windows.jsonl");
    let mut log = Log::append_to(&path).unwrap();
    entries.iter().for_each(|entry| log.append(entry).unwrap());
    log.sync().unwrap();
    (folder, path)
}

/// What the entries say, start by start, in the plainest way: what was appended between a beginning and the next one of that start.
fn expected(entries: &[Entry]) -> Measurements {
    let mut measurements = Measurements::default();
    let beginnings = entries.iter().enumerate().filter_map(|(at, entry)| match entry {
        Entry::Begun { start, .. } => Some((at, *start)),
        _ => None,
    });
    for (at, start) in beginnings {
        let mut record = StartRecord { start, ..StartRecord::default() };
        let mut is_complete = false;
        for entry in &entries[at + 1..] {
            match entry {
                Entry::Begun { start: again, .. } if *again == start => break,
                Entry::Window(window) if window.start == start => record.windows.push((**window).clone()),
                Entry::Server(server) if server.start == start => record.servers.push(server.clone()),
                Entry::Complete { start: ended } if *ended == start => is_complete = true,
                _ => {}
            }
        }
        let into = if is_complete { &mut measurements.complete } else { &mut measurements.incomplete };
        into.push(record);
    }
    measurements
}

fn refusal(entries: &[Entry]) -> String {
    let (_folder, path) = log_of(entries);
    read(&path).unwrap_err().to_string()
}

#[test]
fn entries_read_back_as_they_were_appended() {
    let mut odd = fixtures::sound();
    odd.streams[0].first_wrong = Some("\u{fffd} \"é\"\n".to_owned());
    let odd = Entry::Window(Box::new(fixtures::window("mixed", "a", 0, 1, odd)));
    let entries = [begun(0), sound("a", 0, 0), odd, failed("b", 0, 0), server("a", 0), complete(0), begun(1)];
    let (_folder, path) = log_of(&entries);
    assert_eq!(read(&path).unwrap(), expected(&entries));
    assert_eq!(expected(&entries).complete[0].windows.len(), 3);
}

#[test]
fn a_window_from_which_the_hypervisor_took_time_reads_back_as_it_was() {
    let mut measured = fixtures::sound();
    measured.accounts.stolen_ticks = [(0, 3), (17, 1)].into();
    let window = Entry::Window(Box::new(fixtures::window("mixed", "a", 0, 0, measured)));
    let entries = [begun(0), window, complete(0)];
    let (_folder, path) = log_of(&entries);
    assert_eq!(read(&path).unwrap(), expected(&entries));
}

#[test]
fn numbers_read_back_to_the_last_digit() {
    let busy: Vec<f64> = {
        let mut random = SplitMix64::seed_from_u64(1);
        (0..200).map(|_| (random.next_u64() >> 11) as f64 / 4.3e15).collect()
    };
    let windows = busy.iter().enumerate().map(|(round, &busy)| {
        let mut measured = fixtures::sound();
        measured.generator.busy = busy;
        Entry::Window(Box::new(fixtures::window("mixed", "a", 0, round, measured)))
    });
    let entries: Vec<Entry> = [begun(0)].into_iter().chain(windows).collect();
    let (_folder, path) = log_of(&entries);
    let read = read(&path).unwrap();
    let windows = read.incomplete[0].windows.iter().map(|window| window.measured.as_ref().unwrap());
    assert_eq!(windows.map(|measured| measured.generator.busy).collect::<Vec<_>>(), busy);
}

#[test]
fn a_log_that_is_cut_at_any_byte_loses_the_start_under_way_and_nothing_else_and_goes_on() {
    let entries =
        [begun(0), failed("a", 0, 0), server("a", 0), complete(0), begun(1), failed("é", 1, 0), complete(1)];
    let (_folder, path) = log_of(&entries);
    let whole = fs::read(&path).unwrap();
    for cut in 0..=whole.len() {
        fs::write(&path, &whole[..cut]).unwrap();
        let lines = whole[..cut].iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(read(&path).unwrap(), expected(&entries[..lines]), "cut at {cut}");
        let ended = entries[..lines].iter().filter(|entry| matches!(entry, Entry::Complete { .. })).count();
        assert_eq!(read(&path).unwrap().complete.len(), ended, "cut at {cut}");

        let mut log = Log::append_to(&path).unwrap();
        log.append(&begun(2)).unwrap();
        let with_more = [&entries[..lines], &[begun(2)]].concat();
        assert_eq!(read(&path).unwrap(), expected(&with_more), "cut at {cut} and appended to");
    }
}

#[test]
fn a_start_that_is_begun_again_counts_what_it_measured_then_and_once() {
    let entries = [
        begun(0),
        failed("a", 0, 0),
        failed("b", 0, 0),
        begun(0),
        failed("b", 0, 0),
        begun(0),
        failed("b", 0, 0),
        failed("a", 0, 0),
        server("a", 0),
        complete(0),
    ];
    let (_folder, path) = log_of(&entries);
    let read = read(&path).unwrap();
    assert_eq!(read, expected(&entries));
    let rows =
        |start: &StartRecord| -> Vec<String> { start.windows.iter().map(WindowRecord::label).collect() };
    assert_eq!(read.complete.iter().map(rows).collect::<Vec<_>>(), [["b", "a"]]);
    assert_eq!(read.incomplete.iter().map(rows).collect::<Vec<_>>(), [vec!["a", "b"], vec!["b"]]);
}

#[test]
fn whatever_byte_of_a_line_is_changed_that_line_is_named() {
    let entries = [begun(0), failed("a", 0, 0), complete(0)];
    let (_folder, path) = log_of(&entries);
    let whole = fs::read(&path).unwrap();
    let line = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    let end = line + whole[line..].iter().position(|byte| *byte == b'\n').unwrap();
    for at in line..end {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        fs::write(&path, &changed).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.starts_with("line 2 "), "byte {at}: {error}");
    }
}

#[test]
fn a_measurement_that_somebody_changed_is_damage() {
    let (_folder, path) = log_of(&[begun(0), sound("a", 0, 0), sound("a", 0, 1)]);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"answered_in_window\":1000", "\"answered_in_window\":9000", 1)).unwrap();
    let error = read(&path).unwrap_err().to_string();
    assert_eq!(error, "line 2 is damaged: its entry has another SHA-256 than it says");
}

#[test]
fn another_schema_is_refused_with_both_numbers() {
    let (_folder, path) = log_of(&[begun(0), failed("a", 0, 0)]);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace(&format!("\"schema\":{SCHEMA}"), "\"schema\":2")).unwrap();
    let error = read(&path).unwrap_err().to_string();
    assert_eq!(error, format!("line 1 has schema 2, and this harness reads {SCHEMA}"));
}

#[test]
fn what_is_of_no_start_under_way_is_refused() {
    assert_eq!(
        refusal(&[failed("a", 0, 0)]),
        "line 1 is of start 0, which has not begun or is complete already"
    );
    assert!(refusal(&[begun(0), server("a", 1)]).starts_with("line 2 is of start 1, which has not begun"));
    assert!(refusal(&[begun(0), complete(1)]).starts_with("line 2 is of start 1"));
    let late = refusal(&[begun(0), complete(0), failed("a", 0, 0)]);
    assert_eq!(late, "line 3 is of start 0, which has not begun or is complete already");
    assert!(refusal(&[begun(0), complete(0), complete(0)]).starts_with("line 3 is of start 0"));
    let again = refusal(&[begun(0), complete(0), begun(0)]);
    assert_eq!(again, "line 3 begins start 0, which is complete already");
}

#[test]
fn a_histogram_that_cannot_be_decoded_is_found_when_the_log_is_read() {
    let mut measured = fixtures::sound();
    measured.streams[0].observed = serde_json::from_str(r#"{"v2":"AAAA"}"#).unwrap();
    let window = Entry::Window(Box::new(fixtures::window("mixed", "a", 0, 0, measured)));
    let error = refusal(&[begun(0), window]);
    assert!(error.starts_with("line 2 has a histogram that cannot be decoded: "), "{error}");
}

#[test]
fn two_cannot_append_to_one_log() {
    let (_folder, path) = log_of(&[begun(0)]);
    let first = Log::append_to(&path).unwrap();
    let error = Log::append_to(&path).unwrap_err().to_string();
    assert!(error.contains("windows.jsonl: another run appends to it"), "{error}");
    drop(first);
    Log::append_to(&path).unwrap();
}

#[test]
fn a_full_device_is_an_error_that_names_the_file() {
    let path = PathBuf::from("/dev/full");
    let file = OpenOptions::new().append(true).open(&path).unwrap();
    let error = Log { path, file, length: 0 }.append(&begun(0)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert!(error.to_string().starts_with("/dev/full: "), "{error}");
}
