//! `windows.jsonl`: everything that was measured, one entry a line, appended and never changed.
//!
//! Each line carries the SHA-256 of its entry, so that damage is told from a measurement. What a crash cut short is the last line, which is
//! dropped when the file is read, and the start under way, which has no end: its windows are kept and never compared. A run that is
//! resumed begins that start again.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions, TryLockError},
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
};

use host::guard::Usage;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::records::{
    durable::{naming, sync_name},
    environment::sha256_of_bytes,
    window::WindowRecord,
};

/// Raised when a field changes its meaning.
pub const SCHEMA: u32 = 3;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
// Not by a tag within: what is within is then kept in between as values, in which the numbers of maps are no numbers.
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// A start begins, for the first time or again.
    Begun {
        /// Which.
        start: usize,
        /// When, RFC 3339.
        at: String,
    },
    /// A window.
    Window(Box<WindowRecord>),
    /// A server's life has ended.
    Server(ServerRecord),
    /// A start has ended, and counts.
    Complete {
        /// Which.
        start: usize,
    },
}

/// One server's life: of a row, or of the second server of one that is compared with itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerRecord {
    /// The start.
    pub start: usize,
    /// The scenarios that it served.
    pub scenarios: Vec<String>,
    /// The row.
    pub row: String,
    /// Whether it is the second server of the row.
    pub twin: bool,
    /// Workers that it said it has; absent if it did not say so.
    pub workers: Option<usize>,
    /// What its tree used in all its life, as `wait4` accounts for it; absent if it did not end by itself.
    pub life: Option<Usage>,
    /// How a program that is not this project's ended, where that was not clean. It was ended all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unclean_end: Option<String>,
    /// Why it was measured no further in this start. What had been measured of it in this start counts for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// All that one start left.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StartRecord {
    /// Which.
    pub start: usize,
    /// Its windows, in the order of time.
    pub windows: Vec<WindowRecord>,
    /// Its servers, as they ended.
    pub servers: Vec<ServerRecord>,
}

/// What a log holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measurements {
    /// The starts that were finished, in order.
    pub complete: Vec<StartRecord>,
    /// What was left of those that were not; never compared.
    pub incomplete: Vec<StartRecord>,
}

impl ServerRecord {
    /// Whether a window is of this server.
    pub fn served(&self, window: &WindowRecord) -> bool {
        (self.start, self.twin, &self.row) == (window.start, window.twin, &window.row)
            && self.scenarios.contains(&window.scenario)
    }
}

impl StartRecord {
    /// Why nothing that this start measured of the row counts.
    pub fn fault(&self, window: &WindowRecord) -> Option<&str> {
        let server = self.servers.iter().find(|server| server.served(window))?;
        server.fault.as_deref()
    }
}

/// A line as it is written.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    schema: u32,
    /// The first 16 hexadecimal digits of the entry's SHA-256.
    sha256: String,
    #[serde(borrow)]
    entry: &'a RawValue,
}

/// Where entries are appended.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
    /// Up to the end of the last whole line.
    length: u64,
}

impl Log {
    /// Opens, or begins, the log at `path`. A last line that a crash cut short is removed.
    ///
    /// # Errors
    /// The file cannot be created, or another process appends to it.
    pub fn append_to(path: &Path) -> io::Result<Self> {
        Self::open(path).map_err(|error| naming(path, &error))
    }

    fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
        // Two runs in one folder would each take the other's unfinished line for one that a crash cut short. A file system without
        // locks cannot tell, and the run goes on.
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(io::Error::other(
                "another run appends to it: wait until it has ended, or give another --out",
            ));
        }
        let length = whole_lines(&file)?;
        file.set_len(length)?;
        sync_name(path)?;
        Ok(Self { path: path.to_owned(), file, length })
    }

    /// Appends one entry in one write. One that fails leaves nothing behind.
    ///
    /// # Errors
    /// The disk is full, or the file went away.
    pub fn append(&mut self, entry: &Entry) -> io::Result<()> {
        let line = line_of(entry)?;
        self.file.write_all(&line).map_err(|error| {
            // Half a line would become one with what is appended next. If it stays, it is dropped when the file is read.
            let _ = self.file.set_len(self.length);
            naming(&self.path, &error)
        })?;
        self.length += line.len() as u64;
        Ok(())
    }

    /// Has everything on disk before it returns: what takes CPU time that is not to fall into a window.
    ///
    /// # Errors
    /// The disk is full, or the file went away.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data().map_err(|error| naming(&self.path, &error))
    }
}

fn line_of(entry: &Entry) -> io::Result<Vec<u8>> {
    let entry = serde_json::value::to_raw_value(entry)?;
    let line = Line { schema: SCHEMA, sha256: digest(&entry), entry: &entry };
    let mut line = serde_json::to_vec(&line)?;
    line.push(b'\n');
    Ok(line)
}

/// The length of a file without a last line that was cut short.
fn whole_lines(file: &File) -> io::Result<u64> {
    let (mut length, mut reader, mut line) = (0, BufReader::new(file), Vec::new());
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\n") {
            return Ok(length);
        }
        length += read as u64;
    }
}

fn digest(entry: &RawValue) -> String {
    let mut digits = sha256_of_bytes(entry.get().as_bytes());
    digits.truncate(16);
    digits
}

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The system does not let it.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A line, other than an unfinished last one, is not what a run writes.
    #[error("line {line} {problem}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        problem: Problem,
    },
}

/// What is wrong with a line of a log.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// It was written by an earlier harness, or by a later one.
    #[error("has schema {0}, and this harness reads {SCHEMA}")]
    Schema(u32),
    /// Something changed it after it was written.
    #[error("is damaged: its entry has another SHA-256 than it says")]
    Damaged,
    /// It is something else.
    #[error("is no entry: {0}")]
    NoEntry(#[from] serde_json::Error),
    /// It has a distribution that cannot be decoded.
    #[error("has a histogram that cannot be decoded: {0}")]
    Histogram(stats::hdr_log::Problem),
    /// It is of a start that has not begun.
    #[error("is of start {0}, which has not begun or is complete already")]
    NotUnderWay(usize),
    /// It begins a start again that counts already.
    #[error("begins start {0}, which is complete already")]
    CompleteAlready(usize),
}

/// Reads a log.
///
/// # Errors
/// The file cannot be read, or a line other than an unfinished last one is no entry of this version; the message names it.
pub fn read(path: &Path) -> Result<Measurements, LogError> {
    let mut reading = Reading::default();
    let mut reader = BufReader::new(File::open(path)?);
    // Bytes and not text: a line may be cut short within a letter.
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        reader.read_until(b'\n', &mut bytes)?;
        let Some(whole) = bytes.strip_suffix(b"\n") else { break };
        let taken = parsed(whole).and_then(|entry| reading.take(entry));
        taken.map_err(|problem| LogError::Line { line, problem })?;
    }
    Ok(reading.ended())
}

/// A log as far as it was read.
#[derive(Default)]
struct Reading {
    under_way: BTreeMap<usize, StartRecord>,
    so_far: Measurements,
}

impl Reading {
    fn take(&mut self, entry: Entry) -> Result<(), Problem> {
        match entry {
            Entry::Begun { start, .. } => {
                if self.so_far.complete.iter().any(|complete| complete.start == start) {
                    return Err(Problem::CompleteAlready(start));
                }
                let new = StartRecord { start, ..StartRecord::default() };
                // What was left of it when it was begun before.
                self.so_far.incomplete.extend(self.under_way.insert(start, new));
            }
            Entry::Window(window) => self.of(window.start)?.windows.push(*window),
            Entry::Server(server) => self.of(server.start)?.servers.push(server),
            Entry::Complete { start } => {
                let ended = self.under_way.remove(&start).ok_or(Problem::NotUnderWay(start))?;
                self.so_far.complete.push(ended);
            }
        }
        Ok(())
    }

    fn of(&mut self, start: usize) -> Result<&mut StartRecord, Problem> {
        self.under_way.get_mut(&start).ok_or(Problem::NotUnderWay(start))
    }

    fn ended(mut self) -> Measurements {
        self.so_far.complete.sort_by_key(|start| start.start);
        self.so_far.incomplete.extend(self.under_way.into_values());
        self.so_far
    }
}

fn parsed(line: &[u8]) -> Result<Entry, Problem> {
    #[derive(Deserialize)]
    struct Version {
        schema: u32,
    }
    let Version { schema } = serde_json::from_slice(line)?;
    if schema != SCHEMA {
        return Err(Problem::Schema(schema));
    }
    let Line { sha256, entry, .. } = serde_json::from_slice(line)?;
    if digest(entry) != sha256 {
        return Err(Problem::Damaged);
    }
    let entry: Entry = serde_json::from_str(entry.get())?;
    if let Entry::Window(window) = &entry {
        let streams = window.measured.iter().flat_map(|measured| &measured.streams);
        for recorded in streams.flat_map(|stream| [&stream.response, &stream.observed, &stream.unanswered]) {
            recorded.sparse().map_err(Problem::Histogram)?;
        }
    }
    Ok(entry)
}

#[cfg(test)]
mod tests;
