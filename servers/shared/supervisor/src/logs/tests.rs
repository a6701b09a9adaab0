use std::{cell::RefCell, fs::File, io::Write, rc::Rc};

use proptest::prelude::*;

use super::*;
use crate::control::{protocol::Reply, server::MOST_WAITING};

/// A log, and what it wrote.
fn logs() -> (Logs, Rc<RefCell<String>>) {
    let written = Rc::new(RefCell::new(String::new()));
    let out = Rc::clone(&written);
    (Logs::to(move |line| out.borrow_mut().push_str(line)), written)
}

fn pipe() -> (Pipe, File) {
    let (pipe, write) = Pipe::new().unwrap();
    (pipe, File::from(write))
}

#[test]
fn lines_have_their_place_and_come_whole_however_they_were_written() {
    let (mut logs, written) = logs();
    let (now, (mut pipe, mut worker)) = (Instant::now(), pipe());
    assert_eq!(logs.take(3, &mut pipe, now), [""; 0]);
    worker.write_all(b"one\ntw").unwrap();
    assert_eq!(logs.take(3, &mut pipe, now), ["p3 | one"]);
    worker.write_all(b"o\r\n\nthe rest").unwrap();
    assert_eq!(logs.take(3, &mut pipe, now), ["p3 | two", "p3 |"]);
    assert!(pipe.is_open());
    assert_eq!(
        logs.note("worker p3 ended\nand is replaced", now),
        ["primary | worker p3 ended", "primary | and is replaced"]
    );
    drop(worker);
    assert_eq!(logs.finish(3, pipe, now), ["p3 | the rest"]);
    assert_eq!(written.borrow().lines().collect::<Vec<_>>(), logs.kept().collect::<Vec<_>>());
    assert_eq!(logs.kept().count(), 6);
}

#[test]
fn the_end_of_a_pipe_is_seen_so_that_nobody_polls_it_for_ever() {
    let (mut logs, _) = logs();
    let (mut pipe, worker) = pipe();
    drop(worker);
    logs.take(0, &mut pipe, Instant::now());
    assert!(!pipe.is_open());
}

#[test]
fn one_that_writes_without_end_is_left_after_a_while_for_the_others() {
    let (mut logs, _) = logs();
    let (mut pipe, mut worker) = pipe();
    rustix::pipe::fcntl_setpipe_size(&worker, 1 << 20).unwrap();
    worker.write_all(&b"x\n".repeat(1 << 19)).unwrap();
    logs.take(0, &mut pipe, Instant::now());
    let left = rustix::io::ioctl_fionread(&pipe.read).unwrap();
    assert_eq!(left, (1 << 20) - TAKEN_AT_ONCE as u64);
    // At its end all of it is taken, and what had no room was counted.
    drop(worker);
    logs.finish(0, pipe, Instant::now());
    assert!(logs.next_deadline().is_some());
}

#[test]
fn a_line_that_is_too_long_is_cut_and_marked_and_the_next_one_is_whole() {
    let (mut logs, written) = logs();
    let (now, (mut pipe, mut worker)) = (Instant::now(), pipe());
    worker
        .write_all(
            &[
                &b"x".repeat(10_000)[..],
                b"\nnext\n",
                &b"\x1b".repeat(4000),
                b"\n",
                &"ä".repeat(2047).into_bytes(),
                b"\n",
            ]
            .concat(),
        )
        .unwrap();
    let lines = logs.take(0, &mut pipe, now);
    let [long, next, escaped, wide] = &lines[..] else { panic!("{}", lines.len()) };
    assert_eq!(long, &format!("p0 | {} [cut]", "x".repeat(4096 - 5 - 6 - 1)));
    assert_eq!(next, "p0 | next");
    assert!(escaped.len() <= 4095 && escaped.ends_with(" [cut]"), "{}", escaped.len());
    assert!(wide.len() <= 4095 && wide.ends_with("ä [cut]"), "{}", wide.len());
    assert!(written.borrow().split_inclusive('\n').all(|line| line.len() <= PIPE_BUF));
}

#[test]
fn what_would_command_a_terminal_is_written_out() {
    let (mut logs, _) = logs();
    let (mut pipe, mut worker) = pipe();
    worker.write_all(b"\x1b[2J\x07 \xff\xfe caf\xc3\xa9\ttab\x9b \xe2\x80\xae\n").unwrap();
    let lines = logs.take(0, &mut pipe, Instant::now());
    assert_eq!(lines, ["p0 | \\u{1b}[2J\\u{7} \u{fffd}\u{fffd} café\ttab\u{fffd} \\u{202e}"]);
}

#[test]
fn a_flood_is_limited_and_told_in_one_line_while_other_places_go_on() {
    let (mut logs, written) = logs();
    let start = Instant::now();
    let say = |logs: &mut Logs, place, now| {
        let mut logged = Vec::new();
        logs.log(Speaker::Place(place), b"again", false, now, &mut logged);
        logged.len()
    };
    for _ in 0..100_000 {
        say(&mut logs, 0, start);
    }
    assert_eq!(written.borrow().lines().count(), 2000);
    assert_eq!(say(&mut logs, 1, start), 1);
    // It has stopped: what was left out is told all the same, in a second.
    let deadline = logs.next_deadline().unwrap();
    assert!(deadline <= start + Duration::from_millis(1001));
    assert_eq!(logs.pass(start), [""; 0]);
    assert_eq!(logs.pass(deadline), ["p0 | 98000 lines were left out here: more than 200 a second"]);
    assert_eq!(logs.next_deadline(), None);
    // An hour of it: two hundred lines a second, and a notice for each second or so.
    let before = written.borrow().lines().count();
    for millisecond in 0..60_000 {
        say(&mut logs, 0, deadline + Duration::from_millis(millisecond));
    }
    let lines = written.borrow().lines().count() - before;
    assert!((11_000..=12_300).contains(&lines), "{lines}");
    let notices = written.borrow().lines().filter(|line| line.contains("left out")).count();
    assert!(notices <= 62, "{notices}");
}

#[test]
fn long_lines_count_for_more() {
    let mut logs = logs().0;
    let (now, mut logged) = (Instant::now(), Vec::new());
    for _ in 0..2000 {
        logs.log(Speaker::Place(0), &b"x".repeat(4000), false, now, &mut logged);
    }
    assert_eq!(logged.len(), 500);
}

#[test]
fn all_that_is_kept_has_room_in_what_may_wait_for_a_client() {
    let mut logs = logs().0;
    let mut now = Instant::now();
    for length in [1, 90, 4000] {
        for _ in 0..3000 {
            now += Duration::from_secs(1);
            logs.note(&"\"".repeat(length), now);
        }
        assert!(logs.kept().count() <= 1000);
        let lines = logs.kept().map(|line| Reply::Line { line: line.to_owned() }.to_line().len());
        let all = lines.sum::<usize>() + Reply::Done { message: String::new() }.to_line().len();
        assert!(all <= MOST_WAITING, "{all}");
    }
    assert!(
        logs.kept_bytes <= MOST_KEPT_BYTES && logs.kept().map(str::len).sum::<usize>() == logs.kept_bytes
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_lines_do_not_depend_on_the_pieces(
        bytes in proptest::collection::vec(prop_oneof![1 => Just(b'\n'), 1 => Just(b'\r'), 2000 => any::<u8>()], 0..6_000),
        cuts in proptest::collection::vec(0..6_000_usize, 0..20),
    ) {
        let lines_of = |pieces: Vec<&[u8]>| {
            let (mut splitter, mut lines) = (Splitter::default(), Vec::new());
            let mut each = |raw: &[u8], is_cut| lines.push((raw.to_vec(), is_cut));
            pieces.into_iter().for_each(|piece| splitter.push(piece, &mut each));
            splitter.end(&mut each);
            lines
        };
        let mut cuts = [cuts, vec![0, bytes.len()]].concat();
        cuts.retain(|cut| *cut <= bytes.len());
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
        let lines = lines_of(pieces);
        prop_assert_eq!(&lines, &lines_of(vec![&bytes]));
        for (raw, is_cut) in &lines {
            let line = line("p0 |", raw, *is_cut);
            prop_assert!(line.len() < LONGEST_LINE);
            prop_assert!(!line.contains(|character: char| character.is_control() && character != '\t'));
        }
    }

    #[test]
    fn no_stretch_of_time_has_more_lines_than_the_bucket_allows(
        waits_ms in proptest::collection::vec(prop_oneof![9 => Just(0_u64), 1 => 0..400_u64], 0..6000),
    ) {
        let mut now = Instant::now();
        let start = now;
        let mut bucket = Bucket::full(now);
        let (mut admitted, mut told, mut last) = (0_u64, 0, None);
        for wait in &waits_ms {
            now += Duration::from_millis(*wait);
            if let Some(left_out) = bucket.admit(1, now) {
                admitted += 1;
                told += left_out;
                last = Some(now);
            }
        }
        prop_assert_eq!(admitted + told + bucket.left_out, waits_ms.len() as u64);
        if let Some(last) = last {
            let most = BURST + PER_SECOND * (last - start).as_secs_f64();
            prop_assert!(admitted as f64 <= most + 1e-6);
        }
        // Whatever was left out is told in the end.
        if let Some(deadline) = bucket.deadline() {
            prop_assert_eq!(bucket.due(deadline).map(|left_out| left_out + told), Some(waits_ms.len() as u64 - admitted));
        }
    }

    #[test]
    fn cleaning_leaves_what_commands_nothing(text in "\\PC{0,100}") {
        if !text.contains(|c: char| ('\u{200e}'..='\u{2069}').contains(&c)) {
            prop_assert_eq!(clean(&text), text);
        }
    }
}
