//! `windows.jsonl`: everything that was measured, one entry a line, appended and never changed.
//!
//! Each line carries the SHA-256 of its entry, so that damage is told from a measurement. What a crash cut short is the last line, which is
//! dropped when the file is read, and the start under way, which has no end: its windows are kept and never compared. A run that is
//! resumed begins that start again.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Write},
    path::Path,
};

use host::guard::Usage;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::records::{environment::sha256_of_bytes, window::WindowRecord};

/// Raised when a field changes its meaning.
pub const SCHEMA: u32 = 3;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
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
    file: File,
}

impl Log {
    /// Opens, or begins, the log at `path`. A last line that a crash cut short is removed.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn append_to(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
        file.set_len(whole_lines(&file)?)?;
        Ok(Self { file })
    }

    /// Appends one entry in one write.
    ///
    /// # Errors
    /// The disk is full, or the file went away.
    pub fn append(&mut self, entry: &Entry) -> io::Result<()> {
        let entry = serde_json::value::to_raw_value(entry)?;
        let line = Line { schema: SCHEMA, sha256: digest(&entry), entry: &entry };
        let mut line = serde_json::to_vec(&line)?;
        line.push(b'\n');
        self.file.write_all(&line)
    }

    /// Has everything on disk before it returns: what takes CPU time that is not to fall into a window.
    ///
    /// # Errors
    /// The disk is full, or the file went away.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
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

/// Reads a log.
///
/// # Errors
/// The file cannot be read, or a line other than an unfinished last one is no entry of this version; the message names it.
pub fn read(path: &Path) -> io::Result<Measurements> {
    let mut measurements = Measurements::default();
    let mut under_way: BTreeMap<usize, StartRecord> = BTreeMap::new();
    let mut reader = BufReader::new(File::open(path)?);
    let mut line = String::new();
    for number in 1.. {
        line.clear();
        if reader.read_line(&mut line)? == 0 || !line.ends_with('\n') {
            break;
        }
        let wrong = |reason: String| io::Error::other(format!("line {number} {reason}"));
        let entry = parsed(&line).map_err(wrong)?;
        let of = |start: usize| format!("is of start {start}, which has not begun");
        match entry {
            Entry::Begun { start, .. } => {
                measurements.incomplete.extend(under_way.remove(&start));
                under_way.insert(start, StartRecord { start, ..StartRecord::default() });
            }
            Entry::Window(window) => {
                let start = under_way.get_mut(&window.start).ok_or_else(|| wrong(of(window.start)))?;
                start.windows.push(*window);
            }
            Entry::Server(server) => {
                let start = under_way.get_mut(&server.start).ok_or_else(|| wrong(of(server.start)))?;
                start.servers.push(server);
            }
            Entry::Complete { start } => {
                measurements.complete.push(under_way.remove(&start).ok_or_else(|| wrong(of(start)))?);
            }
        }
    }
    measurements.complete.sort_by_key(|start| start.start);
    measurements.incomplete.extend(under_way.into_values());
    Ok(measurements)
}

fn parsed(line: &str) -> Result<Entry, String> {
    #[derive(Deserialize)]
    struct Version {
        schema: u32,
    }
    let no_entry = |error: serde_json::Error| format!("is no entry: {error}");
    let Version { schema } = serde_json::from_str(line).map_err(no_entry)?;
    if schema != SCHEMA {
        return Err(format!("has schema {schema}, and this harness reads {SCHEMA}"));
    }
    let Line { sha256, entry, .. } = serde_json::from_str(line).map_err(no_entry)?;
    if digest(entry) != sha256 {
        return Err("is damaged: its entry has another SHA-256 than it says".to_owned());
    }
    let entry: Entry = serde_json::from_str(entry.get()).map_err(no_entry)?;
    if let Entry::Window(window) = &entry {
        let streams = window.measured.iter().flat_map(|measured| &measured.streams);
        for recorded in streams.flat_map(|stream| [&stream.response, &stream.observed, &stream.unanswered]) {
            recorded.histogram().map_err(|problem| format!("has a histogram that {problem}"))?;
        }
    }
    Ok(entry)
}
