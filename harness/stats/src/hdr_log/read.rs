//! From a log's text to its histograms, whoever wrote it.
//!
//! Intervals with the same tag are added up: a log of seconds becomes the distribution of its whole time.

use super::problem::{LogError, MOST_TAGS, Problem};
use super::{HdrLog, TimeRange, decode, unescaped};

/// Timestamps that are smaller than the start time by more than this are counted from it; others are dates themselves.
/// It is the rule of the format's reference implementation.
const YEAR_S: f64 = 365.0 * 24.0 * 3600.0;

/// No date or length is beyond this, some 3,000 years in seconds.
const LONGEST_S: f64 = 1e11;

/// What the lines so far say of the ones to come.
#[derive(Default)]
struct Reading {
    start_s: Option<f64>,
    base_s: Option<f64>,
    states_nanoseconds: bool,
    /// Tag, values below the range and values above it.
    clamped: Vec<(usize, String, u64, u64)>,
}

impl HdrLog {
    /// Reads a log, written by this crate or by another tool: plain or compressed V2 histograms of nanoseconds, at least
    /// as fine as those of this crate wherever they hold something.
    ///
    /// # Errors
    /// The first line that cannot be used, with its number; or that there is no histogram at all.
    pub fn read(text: &[u8]) -> Result<Self, LogError> {
        let mut log = Self::new(None);
        let mut reading = Reading::default();
        for (line, bytes) in (1..).zip(text.split(|&byte| byte == b'\n')) {
            let at = |problem| LogError::Line { line, problem };
            let text = str::from_utf8(bytes).map_err(|_| at(Problem::NotText))?.trim_end_matches('\r');
            if let Some(comment) = text.strip_prefix('#') {
                reading.comment(line, comment, &mut log).map_err(at)?;
            } else if !(text.is_empty() || text.starts_with("\"StartTimestamp\"")) {
                reading.interval(text, &mut log).map_err(at)?;
            }
        }
        if log.tagged.is_empty() {
            return Err(LogError::Empty);
        }
        reading.clamp(&mut log)?;
        Ok(log)
    }
}

impl Reading {
    fn comment(&mut self, line: usize, comment: &str, log: &mut HdrLog) -> Result<(), Problem> {
        if let Some(time) = comment.strip_prefix("[StartTime:") {
            self.start_s = Some(header_seconds("start time", time)?);
        } else if let Some(time) = comment.strip_prefix("[BaseTime:") {
            self.base_s = Some(header_seconds("base time", time)?);
        } else if let Some(counts) = comment.strip_prefix("[Clamped:") {
            let (tag, below, above) = clamped(counts).ok_or_else(|| Problem::Clamped(excerpt(comment)))?;
            self.clamped.push((line, tag, below, above));
        } else if comment.to_ascii_lowercase().contains("values in nanoseconds") {
            self.states_nanoseconds = true;
        } else if !comment.starts_with('[') {
            log.comment(comment.strip_prefix(' ').unwrap_or(comment));
        }
        Ok(())
    }

    fn interval(&self, text: &str, log: &mut HdrLog) -> Result<(), Problem> {
        let (tag, rest) = match text.strip_prefix("Tag=") {
            Some(tagged) => tagged.split_once(',').ok_or(Problem::Fields { found: 0 })?,
            None => ("", text),
        };
        let fields: Vec<&str> = rest.split(',').map(str::trim).collect();
        let &[timestamp, length, max, counts] = fields.as_slice() else {
            return Err(Problem::Fields { found: fields.len() });
        };
        let timestamp_s = seconds("timestamp", timestamp)?;
        let length_s = seconds("interval length", length)?;
        let max_ms = number("interval maximum", max, f64::MAX)?;
        let (histogram, max) = decode::histogram(counts)?;
        if !self.states_nanoseconds && !histogram.is_empty() {
            // Three decimals are printed; and some writers take the lower end of the highest cell.
            let difference = (max_ms * 1e6 - max as f64).abs();
            if difference > 1_000.0 + max as f64 * 0.001 {
                return Err(Problem::Unit { max, interval_max: max_ms });
            }
            log.states_unit = false;
        }
        let tag = unescaped(tag);
        if log.tagged.len() == MOST_TAGS && log.histogram(&tag).is_none() {
            return Err(Problem::TooManyTags);
        }
        log.add(&tag, &histogram);
        if let Some(start_s) = self.date_s(timestamp_s) {
            log.extend_range(&TimeRange { start_s, end_s: start_s + length_s });
        }
        Ok(())
    }

    /// When an interval began, where the log tells.
    fn date_s(&self, timestamp_s: f64) -> Option<f64> {
        match (self.base_s, self.start_s) {
            (Some(base_s), _) => Some(base_s + timestamp_s),
            (None, Some(start_s)) if timestamp_s < start_s - YEAR_S => Some(start_s + timestamp_s),
            _ => (timestamp_s >= YEAR_S).then_some(timestamp_s),
        }
    }

    /// Counts as clamped what the comments say was.
    fn clamp(self, log: &mut HdrLog) -> Result<(), LogError> {
        for (line, tag, below, above) in self.clamped {
            let known = log.tagged.iter_mut().find(|(own, _)| *own == tag);
            if !known.is_some_and(|(_, histogram)| histogram.add_clamped(below, above)) {
                return Err(LogError::Line { line, problem: Problem::Clamped(excerpt(&tag)) });
            }
        }
        Ok(())
    }
}

/// ` 1441812279.474 (seconds since epoch), ...]`: the number before the words.
fn header_seconds(field: &'static str, text: &str) -> Result<f64, Problem> {
    seconds(field, text.split_whitespace().next().unwrap_or(""))
}

fn seconds(field: &'static str, text: &str) -> Result<f64, Problem> {
    number(field, text, LONGEST_S)
}

fn number(field: &'static str, text: &str, most: f64) -> Result<f64, Problem> {
    let parsed: Option<f64> = text.parse().ok();
    parsed
        .filter(|number| (0.0..=most).contains(number))
        .ok_or_else(|| Problem::Number { field, text: excerpt(text) })
}

/// ` TAG below=N above=N]`.
fn clamped(text: &str) -> Option<(String, u64, u64)> {
    let mut words = text.strip_suffix(']')?.strip_prefix(' ')?.split(' ');
    let tag = unescaped(words.next()?);
    let below = words.next()?.strip_prefix("below=")?.parse().ok()?;
    let above = words.next()?.strip_prefix("above=")?.parse().ok()?;
    words.next().is_none().then_some((tag, below, above))
}

/// The beginning of a text, fit for a message.
fn excerpt(text: &str) -> String {
    let start: String = text.chars().take(24).flat_map(char::escape_debug).collect();
    if text.chars().nth(24).is_some() { start + "..." } else { start }
}
