use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng};
use rand_xoshiro::SplitMix64;

use super::*;
use crate::{
    fixtures,
    records::{log::Log, window::Verdict},
};

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

/// The log at `path`, to append to. A child of another test has a copy of the lock from its fork until its exec.
fn append_to(path: &Path) -> Log {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match Log::append_to(path) {
            Err(error) if error.to_string().contains("another run") && Instant::now() < deadline => {
                std::thread::yield_now();
            }
            opened => return opened.unwrap(),
        }
    }
}

/// A log that these entries were appended to.
fn log_of(entries: &[Entry]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("windows.jsonl");
    let mut log = append_to(&path);
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

        let mut log = append_to(&path);
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

/// The lines of a log that are left out, and how much is read.
fn damage(path: &Path) -> (Vec<String>, usize) {
    let (read, damage) = read_sound(path, |_| Ok(())).unwrap();
    let starts = read.complete.iter().chain(&read.incomplete);
    (damage.iter().map(ToString::to_string).collect(), starts.map(|start| start.windows.len()).sum())
}

/// A line with its checksum made right again, as by somebody who means it.
fn edited(line: &str, from: &str, to: &str) -> String {
    let entry = line.split_once("\"entry\":").unwrap().1.strip_suffix('}').unwrap();
    assert!(entry.contains(from), "{entry}");
    let raw = serde_json::value::RawValue::from_string(entry.replacen(from, to, 1)).unwrap();
    serde_json::to_string(&Line { schema: SCHEMA, sha256: digest(&raw), entry: &raw }).unwrap()
}

#[test]
fn each_kind_of_damage_is_left_out_by_its_line_and_the_others_are_read() {
    let entries =
        [begun(0), failed("a", 0, 0), sound("b", 0, 0), failed("c", 0, 0), server("a", 0), complete(0)];
    let (_folder, path) = log_of(&entries);
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let with = |line: String| {
        let mut changed: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
        changed[2] = line;
        fs::write(&path, changed.join("\n") + "\n").unwrap();
        let (said, windows) = damage(&path);
        assert_eq!((said.len(), windows), (1, 2), "{said:?}");
        said[0].clone()
    };
    let left_out = "line 3 of windows.jsonl is left out: it ";
    for (line, why) in [
        (
            lines[2].replacen("\"due\":1000", "\"due\":1001", 1),
            "is damaged: its entry has another SHA-256 than it says",
        ),
        (lines[2].replacen("\"schema\":3", "\"schema\":2", 1), "has schema 2, and this harness reads 3"),
        (lines[2][..lines[2].len() / 2].to_owned(), "is no entry: EOF while parsing"),
        ("not a record".to_owned(), "is no entry: expected ident at column 2"),
        (String::new(), "is no entry: EOF while parsing a value at column 0"),
        ("{\"time\":1,\"level\":\"info\"}".to_owned(), "is no entry: missing field `schema`"),
        (
            edited(lines[2], "\"row\":\"b\"", "\"row\":7"),
            "is no entry: invalid type: integer `7`, expected a string",
        ),
        (edited(lines[2], "\"v2\":\"HIST", "\"v2\":\"TSIH"), "has a histogram that cannot be decoded: "),
        (
            edited(lines[2], "\"start\":0", "\"start\":1"),
            "is of start 1, which has not begun or is complete already",
        ),
        (edited(lines[2], "\"window_s\":1.0", "\"window_s\":-1.0"), "has a window of -1 s"),
        (lines[1].to_owned(), "is of the same window as line 2"),
    ] {
        let said = with(line);
        assert!(said.starts_with(&format!("{left_out}{why}")), "{said} for {why}");
    }
    // In the line, and not in the entry alone.
    let said = with(edited(lines[2], "\"row\":\"b\"", "\"row\":7"));
    let column = lines[2].find("\"row\":\"b\"").unwrap() + "\"row\":7".len();
    assert!(said.ends_with(&format!(" at column {column}")), "{said}");
}

#[test]
fn bytes_that_are_no_text_are_damage_of_their_line_alone() {
    let (_folder, path) = log_of(&[begun(0), failed("a", 0, 0), failed("b", 0, 0), complete(0)]);
    let mut bytes = fs::read(&path).unwrap();
    let second = bytes.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    bytes[second + 60] = 0xff;
    bytes[second + 61] = 0;
    fs::write(&path, bytes).unwrap();
    let (said, windows) = damage(&path);
    assert!(said.len() == 1 && said[0].starts_with("line 2 of windows.jsonl "), "{said:?}");
    assert_eq!(windows, 1);
}

#[test]
fn a_start_whose_beginning_is_damaged_is_left_out_in_one_stretch() {
    let (_folder, path) =
        log_of(&[begun(0), complete(0), begun(1), failed("a", 1, 0), failed("b", 1, 0), complete(1)]);
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    fs::write(&path, [&lines[..2], &["{}"], &lines[3..]].concat().join("\n") + "\n").unwrap();
    let (read, damage) = read_sound(&path, |_| Ok(())).unwrap();
    assert_eq!((read.complete.len(), read.incomplete.len(), damage.len()), (1, 0, 4));
    let told = Damage::told(&damage);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told[0].starts_with("line 3 of windows.jsonl is left out: it is no entry: missing field `schema`")
    );
    assert_eq!(
        told[1],
        "lines 4 to 6 of windows.jsonl are left out: each is of start 1, which has not begun or is complete already"
    );
}

#[test]
fn what_was_said_before_in_a_start_is_said_once_and_in_one_that_is_begun_again_anew() {
    let again = [
        begun(0),
        failed("a", 0, 0),
        server("a", 0),
        begun(0),
        failed("a", 0, 0),
        server("a", 0),
        complete(0),
    ];
    let (_folder, path) = log_of(&again);
    assert_eq!(damage(&path).0, [""; 0]);
    assert!(
        refusal(&[begun(0), failed("a", 0, 0), failed("a", 0, 0)]).ends_with("the same window as line 2")
    );
    assert!(refusal(&[begun(0), server("a", 0), server("a", 0)]).ends_with("the same server as line 2"));
}

#[test]
fn a_log_is_of_another_schema_where_all_its_lines_are() {
    let (_folder, path) = log_of(&[begun(0), failed("a", 0, 0), complete(0)]);
    assert_eq!(other_schema(&path).unwrap(), None);
    let text = fs::read_to_string(&path).unwrap();
    let with = |text: String| {
        fs::write(&path, text).unwrap();
        other_schema(&path).unwrap()
    };
    let own = format!("\"schema\":{SCHEMA}");
    assert_eq!(with(text.replace(&own, "\"schema\":2")), Some(2));
    assert_eq!(with(text.replacen(&own, "\"schema\":2", 2)), None);
    assert_eq!(with("no json\n".to_owned()), None);
    assert_eq!(with(String::new()), None);
}

fn experiment() -> Vec<Entry> {
    use crate::plan::experiment::EventKind::{Abort, Kill, Reload};
    let recorded = fixtures::experiment::experiment("crash", "a", &[Kill, Abort, Reload]);
    let begun = Entry::PassBegun { of: recorded.pass.of.clone(), at: recorded.pass.began.clone() };
    let events = recorded.events.into_iter().map(|event| Entry::Event(Box::new(event)));
    [begun].into_iter().chain(events).chain([Entry::Pass(Box::new(recorded.pass))]).collect()
}

#[test]
fn a_pass_and_its_events_are_read_as_they_were_written_beside_the_starts() {
    let whole = experiment();
    let entries = [&[begun(0), sound("a", 0, 0), complete(0)], &whole[..]].concat();
    let read = read(&log_of(&entries).1).unwrap();
    assert_eq!((read.complete.len(), read.experiments.len(), read.cut_off.len()), (1, 1, 0));
    let again: Vec<Entry> = read
        .experiments
        .into_iter()
        .flat_map(|ExperimentRecord { pass, events }| {
            let begun = Entry::PassBegun { of: pass.of.clone(), at: pass.began.clone() };
            let events = events.into_iter().map(|event| Entry::Event(Box::new(event)));
            [begun].into_iter().chain(events).chain([Entry::Pass(Box::new(pass))]).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(again, whole);
}

#[test]
fn a_pass_that_was_cut_off_counts_for_nothing_wherever_it_was() {
    let whole = experiment();
    for cut in 1..whole.len() {
        let read = read(&log_of(&whole[..cut]).1).unwrap();
        assert_eq!((read.experiments.len(), read.cut_off.len()), (0, 1), "{cut}");
        // Begun again as a whole.
        let again = log_of(&[&whole[..cut], &whole[..]].concat());
        let read = super::read(&again.1).unwrap();
        assert_eq!((read.experiments.len(), read.cut_off.len()), (1, 1), "{cut}");
        assert_eq!(read.experiments[0].events.len(), 3);
    }
}

#[test]
fn an_event_of_no_pass_and_one_that_comes_twice_are_refused_by_their_lines() {
    let whole = experiment();
    let refused = |entries: &[Entry]| read(&log_of(entries).1).unwrap_err().to_string();
    assert_eq!(
        refused(&whole[1..]),
        "line 1 is of the pass of a under crash, which has not begun or is complete already"
    );
    assert_eq!(refused(&[&whole[..2], &whole[1..2]].concat()), "line 3 is of the same event as line 2");
    assert!(refused(&[&whole[..], &whole[..1]].concat()).starts_with("line 6 is of the pass of a"));
    assert!(refused(&[&whole[..], &whole[4..]].concat()).starts_with("line 6 is of the pass of a"));
}
