//! What the scripted server did, request by request: kept in memory allocated and touched beforehand, written as CSV
//! when the server ends, read by the judge.
//!
//! Instants are nanoseconds of CLOCK_MONOTONIC, which all processes of a machine share.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Write},
    ops::Range,
    path::Path,
};

use terminal::output::{Output, OutputError};

use crate::script::Act;

const HEADER: &str = "connection,act,arrival_ns,due_ns,written_ns";
/// What is compared of every distribution of times.
pub(crate) const PERCENTILES: [f64; 5] = [0.5, 0.9, 0.95, 0.99, 0.999];

/// What stands in the column of acts when the server itself was kept from running.
const AWAY: &str = "away";

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) connection: u64,
    pub(crate) act: Act,
    /// When its head was complete.
    pub(crate) arrival_ns: u64,
    /// When something was to be done.
    pub(crate) due_ns: u64,
    /// When it was done; 0 when it was not, because the client had gone or there was nothing to do.
    pub(crate) written_ns: u64,
}

/// A log of bounded size.
#[derive(Debug)]
pub(crate) struct Recorder {
    entries: Vec<Entry>,
    away: Vec<Range<u64>>,
    dropped: u64,
}

/// Why a log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file cannot be written or read.
    #[error("the scripted server's log: {0}")]
    Io(#[from] io::Error),
    /// It cannot be written where it should be.
    #[error("the scripted server's log: {0}")]
    Unwritten(#[from] OutputError),
    /// It was too small.
    #[error("the scripted server's log is full: {0} requests more than it has room for")]
    Full(u64),
    /// It is not one.
    #[error("line {line} of the scripted server's log is not one of its own: `{text}`")]
    Malformed {
        /// Counted from 1.
        line: usize,
        /// What stands there.
        text: String,
    },
}

impl Recorder {
    /// Room for `capacity` requests and as many absences. All of it is written to once, so that no page is missing later.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        let blank = Entry { connection: u64::MAX, act: Act::Never, arrival_ns: 1, due_ns: 1, written_ns: 1 };
        let mut entries = vec![blank; capacity];
        let mut away = vec![1..1; capacity];
        entries.clear();
        away.clear();
        Self { entries, away, dropped: 0 }
    }

    /// A request was complete. Returns its number, for [`Recorder::written`].
    pub(crate) fn arrived(&mut self, entry: Entry) -> Option<usize> {
        if self.entries.len() == self.entries.capacity() {
            self.dropped += 1;
            return None;
        }
        self.entries.push(entry);
        Some(self.entries.len() - 1)
    }

    /// What is to be done with request `number`.
    pub(crate) fn act_of(&self, number: usize) -> Act {
        self.entries[number].act
    }

    /// What was to be done with request `number` was done.
    pub(crate) fn written(&mut self, number: usize, at_ns: u64) {
        self.entries[number].written_ns = at_ns;
    }

    /// The server did not run for that time though it wanted to.
    pub(crate) fn away(&mut self, time: Range<u64>) {
        if self.away.len() < self.away.capacity() {
            self.away.push(time);
        }
    }

    /// Writes everything.
    ///
    /// # Errors
    /// The file cannot be written, or there was no room for all requests.
    pub(crate) fn write(&self, log: Output) -> Result<(), LogError> {
        log.finish(|file| {
            writeln!(file, "{HEADER}")?;
            for Entry { connection, act, arrival_ns, due_ns, written_ns } in &self.entries {
                writeln!(file, "{connection},{},{arrival_ns},{due_ns},{written_ns}", act.name())?;
            }
            for Range { start, end } in &self.away {
                writeln!(file, "0,{AWAY},{start},{start},{end}")?;
            }
            Ok(())
        })?;
        if self.dropped > 0 { Err(LogError::Full(self.dropped)) } else { Ok(()) }
    }
}

/// A log, or a part of one.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Log {
    pub(crate) entries: Vec<Entry>,
    /// When the server was kept from running.
    pub(crate) away: Vec<Range<u64>>,
}

impl Log {
    /// Reads what [`Recorder::write`] wrote.
    ///
    /// # Errors
    /// The file cannot be read, or is not a log.
    pub(crate) fn read(path: &Path) -> Result<Self, LogError> {
        let mut log = Self::default();
        for (index, text) in BufReader::new(File::open(path)?).lines().enumerate() {
            let text = text?;
            let understood = if index == 0 { text == HEADER } else { log.take(&text).is_some() };
            if !understood {
                return Err(LogError::Malformed { line: index + 1, text });
            }
        }
        Ok(log)
    }

    fn take(&mut self, text: &str) -> Option<()> {
        let mut fields = text.split(',');
        let connection = fields.next()?.parse().ok()?;
        let act = fields.next()?;
        let mut number = || fields.next()?.parse::<u64>().ok();
        let (arrival_ns, due_ns, written_ns) = (number()?, number()?, number()?);
        if fields.next().is_some() {
            return None;
        }
        match act {
            AWAY => self.away.push(arrival_ns..written_ns),
            act => {
                let act = Act::named(act)?;
                self.entries.push(Entry { connection, act, arrival_ns, due_ns, written_ns });
            }
        }
        Some(())
    }

    /// The requests that arrived within `time`, and the absences that began in it.
    pub(crate) fn within(&self, time: &Range<u64>) -> Self {
        Self {
            entries: self.entries.iter().filter(|entry| time.contains(&entry.arrival_ns)).copied().collect(),
            away: self.away.iter().filter(|away| time.contains(&away.start)).cloned().collect(),
        }
    }

    /// How many requests were treated so.
    pub(crate) fn count(&self, act: Act) -> u64 {
        self.entries.iter().filter(|entry| entry.act == act).count() as u64
    }

    /// From arrival to written, nanoseconds, ascending: of the right answers that were written.
    pub(crate) fn service_ns(&self) -> Vec<u64> {
        let mut times: Vec<u64> = self
            .entries
            .iter()
            .filter(|entry| entry.act == Act::Answer && entry.written_ns > 0)
            .map(|entry| entry.written_ns.saturating_sub(entry.arrival_ns))
            .collect();
        times.sort_unstable();
        times
    }

    /// The part of the time between the first arrival and the last answer in which the server was kept from running.
    pub(crate) fn away_share(&self) -> f64 {
        let first = self.entries.iter().map(|entry| entry.arrival_ns).min().unwrap_or(0);
        let last = self.entries.iter().map(|entry| entry.written_ns.max(entry.arrival_ns)).max().unwrap_or(0);
        let away: u64 =
            self.away.iter().map(|time| time.end.min(last).saturating_sub(time.start.max(first))).sum();
        away as f64 / last.saturating_sub(first).max(1) as f64
    }

    /// The longest time for which the server was kept from running, nanoseconds.
    pub(crate) fn longest_away_ns(&self) -> u64 {
        self.away.iter().map(|time| time.end - time.start).max().unwrap_or(0)
    }
}

/// The `q`-quantile of ascending values: the one of rank `ceil(q n)`, as `stats` has it. `None` when there is none.
pub(crate) fn quantile(ascending: &[u64], q: f64) -> Option<u64> {
    let exact = q * ascending.len() as f64;
    let rank = (exact - 1e-9 * exact.max(1.0)).ceil().max(1.0) as usize;
    ascending.get(rank.min(ascending.len()).checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(act: Act, arrival_ns: u64, written_ns: u64) -> Entry {
        Entry { connection: 7, act, arrival_ns, due_ns: arrival_ns, written_ns }
    }

    #[test]
    fn a_log_reads_back_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.csv");
        let mut recorder = Recorder::with_capacity(8);
        for (index, act) in Act::ALL.into_iter().enumerate() {
            let number = recorder.arrived(entry(act, 10 * index as u64, 0)).unwrap();
            recorder.written(number, 10 * index as u64 + 5);
        }
        recorder.away(3..9);
        recorder.write(Output::begin(&path).unwrap()).unwrap();
        let log = Log::read(&path).unwrap();
        assert_eq!(log.entries, recorder.entries);
        assert_eq!((log.away.len(), log.longest_away_ns()), (1, 6));
        assert_eq!(log.within(&(10..30)).entries.len(), 2);
        assert!((log.away_share() - 6.0 / 65.0).abs() < 1e-12);
    }

    #[test]
    fn a_full_log_is_never_passed_off_as_whole() {
        let folder = tempfile::tempdir().unwrap();
        let mut recorder = Recorder::with_capacity(1);
        assert!(recorder.arrived(entry(Act::Answer, 1, 0)).is_some());
        assert!(recorder.arrived(entry(Act::Answer, 2, 0)).is_none());
        let refused = recorder.write(Output::begin(&folder.path().join("log.csv")).unwrap());
        assert!(matches!(refused, Err(LogError::Full(1))), "{refused:?}");
    }

    #[test]
    fn a_line_that_is_no_entry_is_refused_with_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.csv");
        for line in ["1,answer,1,2", "1,answer,1,2,3,4", "1,sing,1,2,3", "x,answer,1,2,3"] {
            std::fs::write(&path, format!("{HEADER}\n{line}\n")).unwrap();
            let refused = Log::read(&path);
            assert!(matches!(refused, Err(LogError::Malformed { line: 2, .. })), "{line}: {refused:?}");
        }
    }

    #[test]
    fn only_right_answers_that_were_written_have_a_service_time() {
        let entries = vec![
            entry(Act::Answer, 100, 130),
            entry(Act::Answer, 100, 0),
            entry(Act::Late, 100, 900),
            entry(Act::Answer, 100, 110),
        ];
        assert_eq!(Log { entries, away: Vec::new() }.service_ns(), [10, 30]);
    }

    proptest! {
        #[test]
        fn a_quantile_is_the_least_value_that_enough_do_not_exceed(
            mut values in prop::collection::vec(0_u64..1_000, 1..200), percent in 1_u32..=100,
        ) {
            values.sort_unstable();
            let found = quantile(&values, f64::from(percent) / 100.0).expect("not empty");
            let at_most = |limit: u64| values.iter().filter(|value| **value <= limit).count() * 100;
            prop_assert!(at_most(found) >= percent as usize * values.len());
            prop_assert!(found == values[0] || at_most(found - 1) < percent as usize * values.len());
        }
    }
}
