//! How `windows.jsonl` is read: strictly, where a run is to go on, and as far as it goes, where it is only to be shown.
//!
//! A line that is damaged, foreign or edited is never guessed at. It is left out, by its number; what the others say stands.

use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    io::{self, BufRead, BufReader},
    ops::RangeInclusive,
    path::Path,
};

use serde::Deserialize;

use crate::records::{
    experiment::{EventRecord, ExperimentRecord, PassName, PassRecord},
    log::{Entry, Line, Measurements, SCHEMA, ServerRecord, StartRecord, digest},
    window::WindowRecord,
};

/// How long a window can be, in seconds: none is longer than the day that nobody waits for.
const WINDOWS_S: RangeInclusive<f64> = 0.0..=86_400.0;

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
    NoEntry(String),
    /// It has a distribution that cannot be decoded.
    #[error("has a histogram that cannot be decoded: {0}")]
    Histogram(stats::hdr_log::Problem),
    /// It says that a window was as long as none can be.
    #[error("has a window of {0} s")]
    Length(f64),
    /// It is of a start that has not begun.
    #[error("is of start {0}, which has not begun or is complete already")]
    NotUnderWay(usize),
    /// It is of a pass that has not begun.
    #[error("is of the pass of {row} under {scenario}, which has not begun or is complete already", row = .0.row, scenario = .0.scenario)]
    NoPassUnderWay(PassName),
    /// It begins a start again that counts already.
    #[error("begins start {0}, which is complete already")]
    CompleteAlready(usize),
    /// It says again what another said.
    #[error("is of the same {what} as line {line}")]
    Twice {
        /// A window, a server, or an event.
        what: &'static str,
        /// The other's number.
        line: usize,
    },
    /// It is of something that was never to be measured.
    #[error("is of {0}, which the plan does not have")]
    NotPlanned(String),
}

/// A line that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file's name.
    pub file: String,
    /// The line's number, from 1.
    pub line: usize,
    /// What is wrong with it, after "line 7": `is damaged: ...`.
    pub why: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, why } = self;
        write!(f, "line {line} of {file} is left out: it {why}")
    }
}

impl Damage {
    /// All of it in as few sentences as there are stretches of lines with the same thing wrong.
    pub fn told(damage: &[Self]) -> Vec<String> {
        let follows = |a: &Self, b: &Self| {
            (&a.file, &a.why) == (&b.file, &b.why) && a.line.checked_add(1) == Some(b.line)
        };
        let told = |stretch: &[Self]| match stretch {
            [first, .., last] => {
                let Self { file, line, why } = first;
                format!("lines {line} to {} of {file} are left out: each {why}", last.line)
            }
            few => few.iter().map(ToString::to_string).collect(),
        };
        damage.chunk_by(follows).map(told).collect()
    }
}

/// Reads a log in which nothing may be wrong.
///
/// # Errors
/// The file cannot be read, or a line other than an unfinished last one is no entry of this version; the message names it.
pub fn read(path: &Path) -> Result<Measurements, LogError> {
    let mut reading = Reading::default();
    each_line(path, |line, text| {
        let taken = parsed(text).and_then(|entry| reading.take(line, entry));
        taken.map_err(|problem| LogError::Line { line, problem })
    })?;
    Ok(reading.ended())
}

/// Reads what can be read of a log. Lines that cannot, and those that `belongs` says a problem of, are left out and returned.
///
/// # Errors
/// The file cannot be read.
pub fn read_sound(
    path: &Path,
    belongs: impl Fn(&Entry) -> Result<(), Problem>,
) -> Result<(Measurements, Vec<Damage>), LogError> {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let mut reading = Reading::default();
    let mut damage = Vec::new();
    each_line(path, |line, text| {
        let entry = parsed(text).and_then(|entry| belongs(&entry).map(|()| entry));
        if let Err(problem) = entry.and_then(|entry| reading.take(line, entry)) {
            damage.push(Damage { file: file.to_string(), line, why: problem.to_string() });
        }
        Ok(())
    })?;
    Ok((reading.ended(), damage))
}

/// The schema of the first line, where every line has another one than this harness writes: all of it is of another version then, and
/// not a line or two of them.
///
/// # Errors
/// The file cannot be read.
pub fn other_schema(path: &Path) -> io::Result<Option<u32>> {
    let mut first = None;
    let mut all_other = true;
    let mut reader = BufReader::new(File::open(path)?);
    let mut bytes = Vec::new();
    while all_other && reader.read_until(b'\n', &mut bytes)? > 0 {
        match schema_of(&bytes) {
            Ok(SCHEMA) | Err(_) => all_other = false,
            Ok(other) => {
                first.get_or_insert(other);
            }
        }
        bytes.clear();
    }
    Ok(first.filter(|_| all_other))
}

/// Hands every line to `take`, with its number; a last one that was cut short is none.
fn each_line(
    path: &Path,
    mut take: impl FnMut(usize, &[u8]) -> Result<(), LogError>,
) -> Result<(), LogError> {
    let mut reader = BufReader::new(File::open(path)?);
    // Bytes and not text: a line may be cut short within a letter.
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        reader.read_until(b'\n', &mut bytes)?;
        let Some(whole) = bytes.strip_suffix(b"\n") else { break };
        take(line, whole)?;
    }
    Ok(())
}

/// A log as far as it was read.
#[derive(Default)]
struct Reading {
    under_way: BTreeMap<usize, UnderWay>,
    passes: BTreeMap<PassName, Vec<(usize, EventRecord)>>,
    so_far: Measurements,
}

/// A start that has no end yet.
#[derive(Default)]
struct UnderWay {
    record: StartRecord,
    /// What was said of it, and in which line.
    said: BTreeMap<Said, usize>,
}

/// What is said once in a start.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Said {
    /// By scenario, row, twin, round and attempt.
    Window(String, String, bool, usize, u32),
    /// By row, twin and scenarios.
    Server(String, bool, Vec<String>),
}

impl Reading {
    fn take(&mut self, line: usize, entry: Entry) -> Result<(), Problem> {
        match entry {
            Entry::Begun { start, .. } => {
                if self.so_far.complete.iter().any(|complete| complete.start == start) {
                    return Err(Problem::CompleteAlready(start));
                }
                let record = StartRecord { start, ..StartRecord::default() };
                let new = UnderWay { record, ..UnderWay::default() };
                // What was left of it when it was begun before.
                self.so_far.incomplete.extend(self.under_way.insert(start, new).map(|before| before.record));
            }
            Entry::Window(window) => self.of(window.start)?.window(line, *window)?,
            Entry::Server(server) => self.of(server.start)?.server(line, server)?,
            Entry::Complete { start } => {
                let ended = self.under_way.remove(&start).ok_or(Problem::NotUnderWay(start))?;
                self.so_far.complete.push(ended.record);
            }
            Entry::PassBegun { of, .. } => {
                if self.so_far.experiments.iter().any(|complete| complete.pass.of == of) {
                    return Err(Problem::NoPassUnderWay(of));
                }
                // What was left of it when it was begun before counts for nothing.
                if self.passes.insert(of.clone(), Vec::new()).is_some() {
                    self.so_far.cut_off.push(of);
                }
            }
            Entry::Event(event) => self.event(line, *event)?,
            Entry::Pass(pass) => self.pass(*pass)?,
        }
        Ok(())
    }

    fn event(&mut self, line: usize, event: EventRecord) -> Result<(), Problem> {
        let Some(events) = self.passes.get_mut(&event.of) else {
            return Err(Problem::NoPassUnderWay(event.of));
        };
        if let Some((before, _)) = events.iter().find(|(_, before)| before.number == event.number) {
            return Err(Problem::Twice { what: "event", line: *before });
        }
        events.push((line, event));
        Ok(())
    }

    fn pass(&mut self, pass: PassRecord) -> Result<(), Problem> {
        let Some(events) = self.passes.remove(&pass.of) else {
            return Err(Problem::NoPassUnderWay(pass.of));
        };
        let events = events.into_iter().map(|(_, event)| event).collect();
        self.so_far.experiments.push(ExperimentRecord { pass, events });
        Ok(())
    }

    fn of(&mut self, start: usize) -> Result<&mut UnderWay, Problem> {
        self.under_way.get_mut(&start).ok_or(Problem::NotUnderWay(start))
    }

    fn ended(mut self) -> Measurements {
        self.so_far.complete.sort_by_key(|start| start.start);
        self.so_far.incomplete.extend(self.under_way.into_values().map(|start| start.record));
        self.so_far.cut_off.extend(self.passes.into_keys());
        self.so_far
    }
}

impl UnderWay {
    fn window(&mut self, line: usize, window: WindowRecord) -> Result<(), Problem> {
        let WindowRecord { scenario, row, twin, round, attempt, .. } = &window;
        self.once(line, Said::Window(scenario.clone(), row.clone(), *twin, *round, *attempt))?;
        self.record.windows.push(window);
        Ok(())
    }

    fn server(&mut self, line: usize, server: ServerRecord) -> Result<(), Problem> {
        self.once(line, Said::Server(server.row.clone(), server.twin, server.scenarios.clone()))?;
        self.record.servers.push(server);
        Ok(())
    }

    fn once(&mut self, line: usize, said: Said) -> Result<(), Problem> {
        let what = match &said {
            Said::Window(..) => "window",
            Said::Server(..) => "server",
        };
        match self.said.get(&said) {
            Some(&line) => Err(Problem::Twice { what, line }),
            None => {
                self.said.insert(said, line);
                Ok(())
            }
        }
    }
}

fn schema_of(line: &[u8]) -> Result<u32, serde_json::Error> {
    #[derive(Deserialize)]
    struct Version {
        schema: u32,
    }
    serde_json::from_slice(line).map(|Version { schema }| schema)
}

fn parsed(line: &[u8]) -> Result<Entry, Problem> {
    let no_entry = |before: usize| move |error| Problem::NoEntry(at_column(before, &error));
    let schema = schema_of(line).map_err(no_entry(0))?;
    if schema != SCHEMA {
        return Err(Problem::Schema(schema));
    }
    let Line { sha256, entry, .. } = serde_json::from_slice(line).map_err(no_entry(0))?;
    if digest(entry) != sha256 {
        return Err(Problem::Damaged);
    }
    let before = entry.get().as_ptr().addr().saturating_sub(line.as_ptr().addr());
    let entry: Entry = serde_json::from_str(entry.get()).map_err(no_entry(before))?;
    let measured = match &entry {
        Entry::Window(window) => window.measured.as_ref(),
        Entry::Pass(pass) => pass.measured.as_ref(),
        _ => None,
    };
    if let Some(measured) = measured {
        if !WINDOWS_S.contains(&measured.window_s) {
            return Err(Problem::Length(measured.window_s));
        }
        let streams = measured.streams.iter();
        let all = streams.flat_map(|stream| {
            [&stream.response, &stream.observed, &stream.unanswered].into_iter().chain(&stream.loading)
        });
        for recorded in all {
            recorded.sparse().map_err(Problem::Histogram)?;
        }
    }
    Ok(entry)
}

/// An error of a line with its column there, `before` of which were not parsed with it: which line it is, others know.
fn at_column(before: usize, error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((problem, _)) => format!("{problem} at column {}", before + error.column()),
        None => text,
    }
}

#[cfg(test)]
mod tests;
