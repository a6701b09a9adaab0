//! `windows.jsonl`: everything that was measured, one entry a line, appended and never changed.
//!
//! Each line carries the SHA-256 of its entry, so that damage is told from a measurement. What a crash cut short is the last line, which is
//! dropped when the file is read, and the start under way, which has no end: its windows are kept and never compared. A run that is
//! resumed begins that start again. How it is read, `reading` says.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
};

use host::guard::Usage;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    records::{
        durable::{naming, sync_name},
        environment::sha256_of_bytes,
        experiment::{EventRecord, ExperimentRecord, PassName, PassRecord},
        window::WindowRecord,
    },
    schema,
};

/// Raised when a field changes its meaning.
pub const SCHEMA: u32 = 3;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// A row's pass of an experiment begins, for the first time or again.
    PassBegun {
        /// Which.
        of: PassName,
        /// When, RFC 3339.
        at: String,
    },
    /// An event of a pass.
    Event(Box<EventRecord>),
    /// A pass has ended, and counts, with the events since it began.
    Pass(Box<PassRecord>),
}

/// One server's life: of a row, or of the second server of one that is compared with itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    #[schemars(with = "Option<schema::Life>")]
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
    /// The passes of experiments that were finished, in the order of time.
    pub experiments: Vec<ExperimentRecord>,
    /// The passes that were not.
    pub cut_off: Vec<PassName>,
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

/// A line of `windows.jsonl`.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct Line<'a> {
    /// The version of what is written.
    pub(super) schema: u32,
    /// The first 16 hexadecimal digits of the entry's SHA-256.
    #[schemars(regex(pattern = "^[0-9a-f]{16}$"))]
    pub(super) sha256: String,
    /// What happened.
    #[serde(borrow)]
    #[schemars(with = "Entry")]
    pub(super) entry: &'a RawValue,
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

pub(super) fn digest(entry: &RawValue) -> String {
    let mut digits = sha256_of_bytes(entry.get().as_bytes());
    digits.truncate(16);
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_cannot_append_to_one_log() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("windows.jsonl");
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
        let error = Log { path, file, length: 0 }.append(&Entry::Complete { start: 0 }).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(error.to_string().starts_with("/dev/full: "), "{error}");
    }
}
