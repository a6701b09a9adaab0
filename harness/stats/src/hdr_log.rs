//! Distributions in HdrHistogram's log format, which other tools plot, and from which several generators' recordings
//! become one.
//!
//! One text file holds several histograms, each under a tag such as `simple.response`: one line each, with its
//! interval and its largest value for people, and the counts compressed and in base64. The format knows no unit, so a
//! comment states it: values are in nanoseconds, `Interval_Max` in milliseconds. Requests that were never answered have
//! a tag of their own, `simple.unanswered`, so that merging keeps "longer than". The log knows tags and histograms, and
//! neither streams of requests nor files.

mod decode;
mod fields;
mod frame;
mod lines;
mod problem;
mod read;

#[cfg(test)]
mod foreign_tests;
#[cfg(test)]
mod tests;

use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::censored::Censored;
use crate::histogram::Histogram;
use crate::sparse::Sparse;

pub use problem::{LogError, MOST_TAGS, Problem};

/// The kind of tag under which the times of answered requests stand, see [`HdrLog::tag`].
pub const RESPONSE: &str = "response";

/// The kind of tag under which the ages stand at which requests were given up, see [`HdrLog::tag`].
pub const UNANSWERED: &str = "unanswered";

const UNIT_COMMENT: &str = "values in nanoseconds; Interval_Max in milliseconds";

/// Characters that would end a tag or a line, and how they are written instead.
const ESCAPES: [(&str, &str); 5] = [("%", "%25"), (",", "%2C"), (" ", "%20"), ("\r", "%0D"), ("\n", "%0A")];

/// Tagged histograms over one window of time.
///
/// ```
/// use std::time::Duration;
/// use stats::{Histogram, hdr_log::{HdrLog, RESPONSE}};
///
/// let mut response = Histogram::new();
/// response.record(Duration::from_millis(3));
/// let mut log = HdrLog::new(None);
/// log.add(&HdrLog::tag("simple", RESPONSE), &response);
///
/// let mut file = Vec::new();
/// log.write(&mut file)?;
/// let back = HdrLog::read(&file).expect("its own text");
/// assert_eq!(back.histogram("simple.response"), Some(&response));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct HdrLog {
    range: Option<TimeRange>,
    comments: Vec<String>,
    tagged: Vec<(String, Histogram)>,
    states_unit: bool,
}

/// When a recording began and ended, in seconds since the Unix epoch. The format keeps milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimeRange {
    /// Its beginning.
    pub start_s: f64,
    /// Its end, not before its beginning.
    pub end_s: f64,
}

impl TimeRange {
    /// A window that was opened at `start` (the epoch, if that is earlier) and lasted so long.
    pub fn new(start: SystemTime, lasted: Duration) -> Self {
        let start_s = start.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        Self { start_s, end_s: start_s + lasted.as_secs_f64() }
    }

    /// For how many seconds both went on; 0 where they did not meet.
    pub fn overlap_s(&self, other: &TimeRange) -> f64 {
        (self.end_s.min(other.end_s) - self.start_s.max(other.start_s)).max(0.0)
    }

    /// How long it is, in seconds.
    pub fn length_s(&self) -> f64 {
        self.end_s - self.start_s
    }

    fn include(&mut self, other: &TimeRange) {
        self.start_s = self.start_s.min(other.start_s);
        self.end_s = self.end_s.max(other.end_s);
    }
}

impl HdrLog {
    /// A log without histograms, over a window where one is known.
    pub fn new(range: Option<TimeRange>) -> Self {
        Self { range, comments: Vec::new(), tagged: Vec::new(), states_unit: true }
    }

    /// The tag of one kind of times of a stream of requests: `stream.kind`.
    pub fn tag(stream: &str, kind: &str) -> String {
        format!("{stream}.{kind}")
    }

    /// Adds a comment, for people; a line break makes it several.
    pub fn comment(&mut self, text: &str) {
        self.comments.extend(text.lines().map(str::to_owned));
    }

    /// Adds counts under a tag. Any text is a tag; the empty one stands for a histogram without a tag.
    pub fn add(&mut self, tag: &str, histogram: &Histogram) {
        self.under(tag).merge(histogram);
    }

    /// Adds everything that `other` holds, tag by tag; the range becomes the smallest that includes both. Comments stay
    /// with their logs.
    pub fn merge(&mut self, other: &HdrLog) {
        for (tag, histogram) in &other.tagged {
            self.add(tag, histogram);
        }
        if let Some(range) = &other.range {
            self.extend_range(range);
        }
        self.states_unit &= other.states_unit;
    }

    /// The window, where the log says one.
    pub fn range(&self) -> Option<TimeRange> {
        self.range
    }

    /// The comments for people, without those that the format or this crate gives a meaning.
    pub fn comments(&self) -> &[String] {
        &self.comments
    }

    /// The tags and their histograms, in the order in which they were first added.
    pub fn tagged(&self) -> impl Iterator<Item = (&str, &Histogram)> {
        self.tagged.iter().map(|(tag, histogram)| (tag.as_str(), histogram))
    }

    /// The histogram under a tag.
    pub fn histogram(&self, tag: &str) -> Option<&Histogram> {
        self.tagged().find(|&(own, _)| own == tag).map(|(_, histogram)| histogram)
    }

    /// A stream's response times with its unanswered requests in them: what percentiles are to be taken from. `None`
    /// where it has neither.
    pub fn response_times(&self, stream: &str) -> Option<Censored> {
        let answered = self.histogram(&Self::tag(stream, RESPONSE));
        let given_up = self.histogram(&Self::tag(stream, UNANSWERED));
        if answered.is_none() && given_up.is_none() {
            return None;
        }
        Some(Censored::from_parts(
            answered.cloned().unwrap_or_default(),
            given_up.cloned().unwrap_or_default(),
        ))
    }

    /// Whether the log says that its values are nanoseconds. Where it does not, [`HdrLog::read`] took it from the
    /// largest values, of which the format's usual writers state the millionth part.
    pub fn states_unit(&self) -> bool {
        self.states_unit
    }

    /// Writes the log as text. What it wrote, [`HdrLog::read`] reads back whole.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut impl io::Write) -> io::Result<()> {
        Self::write_intervals(std::slice::from_ref(self), out)
    }

    /// Writes logs of stretches of one recording as one, in which each histogram is an interval with the range of its log: what plots
    /// intervals shows how the stretches differ. [`HdrLog::read`] adds them up.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write_intervals(logs: &[Self], out: &mut impl io::Write) -> io::Result<()> {
        writeln!(out, "#[Histogram log format version 1.3]")?;
        writeln!(out, "#{UNIT_COMMENT}")?;
        for comment in logs.iter().flat_map(|log| &log.comments) {
            // A bracket would make it a header.
            writeln!(out, "# {}", comment.replace(['\r', '\n'], " "))?;
        }
        let starts = || logs.iter().filter_map(|log| Some(log.range?.start_s));
        let base_s = starts().reduce(f64::min);
        if let Some(base_s) = base_s {
            writeln!(out, "#[StartTime: {base_s:.3} (seconds since epoch)]")?;
            writeln!(out, "#[BaseTime: {base_s:.3} (seconds since epoch)]")?;
        }
        let tagged =
            || logs.iter().flat_map(|log| log.tagged().map(move |(tag, histogram)| (log, tag, histogram)));
        for (_, tag, histogram) in tagged().filter(|(_, _, histogram)| histogram.clamped() > 0) {
            let (below, above) = (histogram.clamped_below(), histogram.clamped_above());
            writeln!(out, "#[Clamped: {} below={below} above={above}]", escaped(tag))?;
        }
        writeln!(
            out,
            "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\""
        )?;
        for (log, tag, histogram) in tagged() {
            if !tag.is_empty() {
                write!(out, "Tag={},", escaped(tag))?;
            }
            let from_base_s = |range: TimeRange| range.start_s - base_s.unwrap_or(range.start_s);
            let (at_s, length_s) =
                log.range.map_or((0.0, 0.0), |range| (from_base_s(range), range.length_s()));
            let max_ms = histogram.max_ns().unwrap_or(0) as f64 / 1e6;
            let counts = STANDARD.encode(histogram.to_v2_deflate_bytes());
            writeln!(out, "{at_s:.3},{length_s:.3},{max_ms:.3},{counts}")?;
        }
        Ok(())
    }

    fn under(&mut self, tag: &str) -> &mut Histogram {
        let at = self.tagged.iter().position(|(own, _)| own == tag).unwrap_or_else(|| {
            self.tagged.push((tag.to_owned(), Histogram::new()));
            self.tagged.len() - 1
        });
        &mut self.tagged[at].1
    }

    fn extend_range(&mut self, other: &TimeRange) {
        self.range.get_or_insert(*other).include(other);
    }
}

/// The histogram that one field of a log holds.
pub(crate) fn decoded(text: &str) -> Result<Histogram, Problem> {
    decode::histogram(text).map(|(histogram, _)| histogram)
}

/// The same without the cells that hold nothing.
pub(crate) fn decoded_sparse(text: &str) -> Result<Sparse, Problem> {
    decode::sparse(text)
}

fn escaped(tag: &str) -> String {
    ESCAPES.iter().fold(tag.to_owned(), |text, (character, written)| text.replace(character, written))
}

fn unescaped(tag: &str) -> String {
    ESCAPES.iter().rev().fold(tag.to_owned(), |text, (character, written)| text.replace(written, character))
}
