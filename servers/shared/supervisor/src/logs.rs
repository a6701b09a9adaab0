//! What workers say on standard error, as one log: each line with the place that it comes from, none too long, none that does
//! anything to a terminal, and no more of them than a disk can bear.
//!
//! A worker's standard error is a [`Pipe`], of which the primary always takes what is there: a worker never waits for its
//! log. What goes on from here is limited by a bucket for each place ([`Bucket`]), so that a crash loop, or a worker that complains
//! of each request, fills no disk; what is left out is counted, and told in one line. The last lines are kept for whoever asks.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use host::lossy;
use rustix::{
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    io::{Errno, read},
    pipe::{PIPE_BUF, PipeFlags, pipe_with},
};

/// The longest line with its place and its newline, bytes: a pipe takes so many whole or not at all.
const LONGEST_LINE: usize = PIPE_BUF;

/// How a line ends of which there was more.
const CUT: &str = " [cut]";

/// How much is taken of one pipe before others have their turn, bytes: as much as a pipe holds where nothing else is set.
const TAKEN_AT_ONCE: usize = 64 * 1024;

/// How much is taken of one whose worker has ended, bytes: what the largest pipe holds that a process without privileges can make.
const TAKEN_AT_THE_END: usize = 1024 * 1024;

/// How many lines are kept, and how many bytes of them. As JSON each may become twice as long and 33 bytes longer, and all of them
/// have room in what may wait for a client (`MOST_WAITING`).
const MOST_KEPT: usize = 1000;
const MOST_KEPT_BYTES: usize = 110 * 1024;

/// Of one place, at most so many lines at a time and so many a second in the long run. A line counts as one for each KiB that it begins.
const BURST: f64 = 2000.0;
const PER_SECOND: f64 = 200.0;
const COUNTS_AS_ONE: usize = 1024;

/// How many must have room again before a place that had none goes on: otherwise each line would come with a count of those between.
const RESUME: f64 = PER_SECOND;

/// The standard error of one worker, and what was read of a line that has not ended yet.
#[derive(Debug)]
pub(crate) struct Pipe {
    read: OwnedFd,
    splitter: Splitter,
    is_open: bool,
}

impl Pipe {
    /// A pipe, and its other end for the worker.
    pub(crate) fn new() -> io::Result<(Self, OwnedFd)> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
        // This end alone: whoever writes may be a program that waits.
        fcntl_setfl(&read, fcntl_getfl(&read)? | OFlags::NONBLOCK)?;
        Ok((Self { read, splitter: Splitter::default(), is_open: true }, write))
    }

    /// Whether anybody can still write into it. One that is not must not be polled: it is readable for ever.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open
    }
}

impl AsFd for Pipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.read.as_fd()
    }
}

/// The log.
pub(crate) struct Logs {
    kept: VecDeque<String>,
    kept_bytes: usize,
    /// By who says it.
    buckets: BTreeMap<Speaker, Bucket>,
    out: Box<dyn FnMut(&str)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Speaker {
    Primary,
    Place(usize),
}

impl Speaker {
    fn prefix(self) -> String {
        match self {
            Self::Primary => "primary |".to_owned(),
            Self::Place(place) => format!("p{place} |"),
        }
    }
}

impl Logs {
    /// A log that goes to standard error.
    pub(crate) fn new() -> Self {
        // Counted where it is lost.
        Self::to(|line| drop(lossy::stderr().put(line.as_bytes())))
    }

    fn to(out: impl FnMut(&str) + 'static) -> Self {
        Self { kept: VecDeque::new(), kept_bytes: 0, buckets: BTreeMap::new(), out: Box::new(out) }
    }

    /// Takes what is there of what the worker in `place` says; returns the lines that were logged, for those who follow. Does not wait.
    pub(crate) fn take(&mut self, place: usize, pipe: &mut Pipe, now: Instant) -> Vec<String> {
        self.take_up_to(TAKEN_AT_ONCE, place, pipe, now)
    }

    /// The same for a worker that has ended, with its last line, ended or not.
    pub(crate) fn finish(&mut self, place: usize, mut pipe: Pipe, now: Instant) -> Vec<String> {
        let mut logged = self.take_up_to(TAKEN_AT_THE_END, place, &mut pipe, now);
        pipe.splitter.end(&mut |raw, is_cut| self.log(Speaker::Place(place), raw, is_cut, now, &mut logged));
        logged
    }

    fn take_up_to(&mut self, most: usize, place: usize, pipe: &mut Pipe, now: Instant) -> Vec<String> {
        let mut logged = Vec::new();
        let mut buffer = [0; 8 * 1024];
        let mut taken = 0;
        while taken < most {
            match read(&pipe.read, &mut buffer[..]) {
                Ok(count @ 1..) => {
                    taken += count;
                    pipe.splitter.push(&buffer[..count], &mut |raw, is_cut| {
                        self.log(Speaker::Place(place), raw, is_cut, now, &mut logged);
                    });
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Ok(_) | Err(_) => {
                    pipe.is_open = false;
                    break;
                }
            }
        }
        logged
    }

    /// Logs what the primary itself has to say; returns the lines that were logged.
    pub(crate) fn note(&mut self, text: &str, now: Instant) -> Vec<String> {
        let mut logged = Vec::new();
        for line in text.lines() {
            self.log(Speaker::Primary, line.as_bytes(), false, now, &mut logged);
        }
        logged
    }

    /// When [`Self::pass`] is to be called at the latest.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.buckets.values().filter_map(Bucket::deadline).min()
    }

    /// Tells what was left out and not told yet, by those who have said nothing since; returns the lines that were logged.
    pub(crate) fn pass(&mut self, now: Instant) -> Vec<String> {
        let due = self.buckets.iter_mut().filter_map(|(speaker, bucket)| Some((*speaker, bucket.due(now)?)));
        let notices: Vec<_> = due.map(|(speaker, left_out)| notice(speaker, left_out)).collect();
        notices.iter().for_each(|notice| self.put(notice));
        notices
    }

    /// The last lines, oldest first.
    pub(crate) fn kept(&self) -> impl Iterator<Item = &str> {
        self.kept.iter().map(String::as_str)
    }

    fn log(&mut self, speaker: Speaker, raw: &[u8], is_cut: bool, now: Instant, logged: &mut Vec<String>) {
        let line = line(&speaker.prefix(), raw, is_cut);
        let bucket = self.buckets.entry(speaker).or_insert_with(|| Bucket::full(now));
        let Some(left_out) = bucket.admit(line.len().div_ceil(COUNTS_AS_ONE), now) else { return };
        let notice = (left_out > 0).then(|| notice(speaker, left_out));
        for line in notice.into_iter().chain([line]) {
            self.put(&line);
            logged.push(line);
        }
    }

    fn put(&mut self, line: &str) {
        (self.out)(&format!("{line}\n"));
        self.kept_bytes += line.len();
        self.kept.push_back(line.to_owned());
        while self.kept.len() > MOST_KEPT || self.kept_bytes > MOST_KEPT_BYTES {
            self.kept_bytes -= self.kept.pop_front().map_or(0, |oldest| oldest.len());
        }
    }
}

fn notice(speaker: Speaker, left_out: u64) -> String {
    let lines = if left_out == 1 { "line was" } else { "lines were" };
    format!("{} {left_out} {lines} left out here: more than {PER_SECOND} a second", speaker.prefix())
}

/// One line of the log, without its newline.
fn line(prefix: &str, raw: &[u8], is_cut: bool) -> String {
    let mut line = format!("{prefix} {}", clean(&String::from_utf8_lossy(raw)));
    if is_cut || line.len() >= LONGEST_LINE {
        line.truncate(line.floor_char_boundary(LONGEST_LINE - CUT.len() - 1));
        line.push_str(CUT);
    }
    line.truncate(line.trim_end().len());
    line
}

/// A text in which nothing commands a terminal: control characters, and those that turn the direction of writing around, are
/// written as Rust writes them. Tabs stay.
pub(crate) fn clean(text: &str) -> String {
    let turns = |character| matches!(character, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let is_harmless = |character: char| character == '\t' || !(character.is_control() || turns(character));
    let mut cleaned = String::with_capacity(text.len());
    for character in text.chars() {
        if is_harmless(character) {
            cleaned.push(character);
        } else {
            cleaned.extend(character.escape_unicode());
        }
    }
    cleaned
}

/// Lines out of bytes that come in pieces. Of one that is too long the beginning is kept.
#[derive(Debug, Default)]
struct Splitter {
    begun: Vec<u8>,
    is_cut: bool,
}

impl Splitter {
    fn push(&mut self, bytes: &[u8], each: &mut impl FnMut(&[u8], bool)) {
        let mut pieces = bytes.split(|byte| *byte == b'\n');
        // Every piece but the last was ended by a newline.
        let last = pieces.next_back().unwrap_or_default();
        for piece in pieces {
            self.add(piece);
            self.emit(each);
        }
        self.add(last);
    }

    fn end(&mut self, each: &mut impl FnMut(&[u8], bool)) {
        if !self.begun.is_empty() {
            self.emit(each);
        }
    }

    fn add(&mut self, piece: &[u8]) {
        let room = LONGEST_LINE - self.begun.len();
        self.is_cut |= piece.len() > room;
        self.begun.extend_from_slice(&piece[..piece.len().min(room)]);
    }

    fn emit(&mut self, each: &mut impl FnMut(&[u8], bool)) {
        each(self.begun.strip_suffix(b"\r").unwrap_or(&self.begun), self.is_cut);
        self.begun.clear();
        self.is_cut = false;
    }
}

/// A token bucket: how many lines have room, which grows with time up to a bound.
#[derive(Debug)]
struct Bucket {
    room: f64,
    at: Instant,
    left_out: u64,
}

impl Bucket {
    fn full(now: Instant) -> Self {
        Self { room: BURST, at: now, left_out: 0 }
    }

    fn refill(&mut self, now: Instant) {
        self.room += PER_SECOND * now.saturating_duration_since(self.at).as_secs_f64();
        self.room = self.room.min(BURST);
        self.at = self.at.max(now);
    }

    /// Whether a line has room that counts as `count`; if it has, how many were left out before it, which is told now and counts as one.
    fn admit(&mut self, count: usize, now: Instant) -> Option<u64> {
        self.refill(now);
        let told = self.left_out;
        let (count, needed) =
            if told == 0 { (count as f64, count as f64) } else { (count as f64 + 1.0, RESUME) };
        if self.room < needed {
            self.left_out += 1;
            return None;
        }
        self.room -= count;
        self.left_out = 0;
        Some(told)
    }

    fn deadline(&self) -> Option<Instant> {
        let missing = (RESUME - self.room).max(0.0) / PER_SECOND;
        // Later by an instant, since it must be enough then.
        (self.left_out > 0).then(|| self.at + Duration::from_secs_f64(missing) + Duration::from_millis(1))
    }

    /// How many were left out, once that can be told.
    fn due(&mut self, now: Instant) -> Option<u64> {
        if self.left_out == 0 {
            return None;
        }
        self.refill(now);
        if self.room < RESUME {
            return None;
        }
        self.room -= 1.0;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests;
