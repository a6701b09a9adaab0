//! From a log's text to its histograms, whoever wrote it.
//!
//! Intervals with the same tag are added up: a log of seconds becomes the distribution of its whole time.

use std::ops::RangeInclusive;

use super::problem::{LogError, MOST_TAGS, Problem};
use super::{HdrLog, TimeRange, decode, fields, lines, unescaped};

/// Timestamps that are smaller than the start time by more than this are counted from it; others are dates themselves.
/// It is the rule of the format's reference implementation. No interval is as long.
const YEAR_S: f64 = 365.0 * 24.0 * 3600.0;

/// No date or length is beyond this, some 3,000 years in seconds.
const LONGEST_S: f64 = 1e11;

/// What the lines so far say of the ones to come.
#[derive(Default)]
struct Reading {
    start_s: Option<f64>,
    base_s: Option<f64>,
    /// Whether a comment says what values are in.
    states_nanoseconds: bool,
    /// Whether an interval shows what values are in.
    shows_nanoseconds: bool,
    /// The first interval that shows nothing of that, and says nothing against it.
    unclear: Option<LogError>,
    /// Tag, values below the range and values above it.
    clamped: Vec<(usize, String, u64, u64)>,
}

impl HdrLog {
    /// Reads a log, written by this crate or by another tool: histograms of nanoseconds, in V0, V1 or V2, compressed or not,
    /// at least as fine as those of this crate wherever they hold something. Numbers may have decimal commas. The text is
    /// UTF-8, with or without a byte order mark, or UTF-16 with one; a line that is neither is taken for Latin-1.
    ///
    /// # Errors
    /// The first line that cannot be used, with its number; or that there is no histogram at all.
    pub fn read(bytes: &[u8]) -> Result<Self, LogError> {
        let mut log = Self::new(None);
        let mut reading = Reading::default();
        let bytes = lines::decoded(bytes);
        for line in lines::of(&bytes) {
            let number = line.number;
            reading.line(number, &line.text, &mut log).map_err(|problem| match problem {
                // What is no log at all is not cut either.
                problem if !line.is_ended && number > 1 && problem.may_be_a_cut() => {
                    LogError::CutShort { line: number, problem }
                }
                problem => LogError::Line { line: number, problem },
            })?;
        }
        if log.tagged.is_empty() {
            return Err(LogError::Empty);
        }
        match reading.unclear.take() {
            Some(unclear) if !reading.shows_nanoseconds => return Err(unclear),
            _ => {}
        }
        reading.clamp(&mut log)?;
        Ok(log)
    }
}

impl Reading {
    fn line(&mut self, number: usize, text: &str, log: &mut HdrLog) -> Result<(), Problem> {
        if let Some(comment) = text.strip_prefix('#') {
            self.comment(number, comment, log)
        } else if text.is_empty() || text.trim_start_matches('"').starts_with("StartTimestamp") {
            Ok(())
        } else {
            let is_text = !text.contains(|character: char| character.is_ascii_control());
            self.interval(number, text, log)
                .map_err(|problem| if is_text { problem } else { Problem::NotText })
        }
    }

    fn comment(&mut self, line: usize, comment: &str, log: &mut HdrLog) -> Result<(), Problem> {
        if let Some(time) = after("[StartTime:", comment) {
            self.start_s = Some(header_seconds("start time", time)?);
        } else if let Some(time) = after("[BaseTime:", comment) {
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

    fn interval(&mut self, line: usize, text: &str, log: &mut HdrLog) -> Result<(), Problem> {
        let (tag, rest) = match text.strip_prefix("Tag=") {
            Some(tagged) => tagged.split_once(',').ok_or(Problem::Fields { found: 0 })?,
            None => ("", text),
        };
        let ([timestamp, length, max], counts) = fields::split(rest)?;
        let timestamp_s = number("timestamp", &timestamp, -LONGEST_S..=LONGEST_S)?;
        let length_s = seconds("interval length", &length)?;
        let max_ms = number("interval maximum", &max, 0.0..=f64::MAX)?;
        let (histogram, max) = decode::histogram(counts)?;
        if !self.states_nanoseconds && !histogram.is_empty() {
            let unit = Problem::Unit { max, interval_max: max_ms };
            match shows_nanoseconds(max_ms, max) {
                Some(true) => self.shows_nanoseconds = true,
                Some(false) => return Err(unit),
                None => {
                    self.unclear.get_or_insert(LogError::Line { line, problem: unit });
                }
            }
            log.states_unit = false;
        }
        let tag = unescaped(tag);
        if log.tagged.len() == MOST_TAGS && log.histogram(&tag).is_none() {
            return Err(Problem::TooManyTags);
        }
        log.add(&tag, &histogram);
        if let Some(start_s) = self.date_s(timestamp_s) {
            // The writer for C has the end of the interval in the place of its length.
            let length_s = if length_s < YEAR_S { length_s } else { (length_s - timestamp_s).max(0.0) };
            log.extend_range(&TimeRange { start_s, end_s: start_s + length_s });
        }
        Ok(())
    }

    /// When an interval began, where the log tells.
    fn date_s(&self, timestamp_s: f64) -> Option<f64> {
        let stated = match (self.base_s, self.start_s) {
            (Some(base_s), _) => base_s + timestamp_s,
            (None, Some(start_s)) if timestamp_s < start_s - YEAR_S => start_s + timestamp_s,
            _ => return (timestamp_s >= YEAR_S).then_some(timestamp_s),
        };
        (stated >= 0.0).then_some(stated)
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

/// What follows `start`, which not all write in the same case.
fn after<'a>(start: &str, text: &'a str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(start.len())?;
    head.eq_ignore_ascii_case(start).then_some(rest)
}

/// ` 1441812279.474 (seconds since epoch), ...]`: the number before the words.
fn header_seconds(field: &'static str, text: &str) -> Result<f64, Problem> {
    seconds(field, &text.split_whitespace().next().unwrap_or("").replace(',', "."))
}

fn seconds(field: &'static str, text: &str) -> Result<f64, Problem> {
    number(field, text, 0.0..=LONGEST_S)
}

fn number(field: &'static str, text: &str, range: RangeInclusive<f64>) -> Result<f64, Problem> {
    let parsed: Option<f64> = text.parse().ok();
    parsed
        .filter(|number| range.contains(number))
        .ok_or_else(|| Problem::Number { field, text: excerpt(text) })
}

/// Whether a histogram whose largest value is `max` has nanoseconds, going by what its line says of it in milliseconds.
/// `None` where that says nothing, since it is rounded to 0.
fn shows_nanoseconds(max_ms: f64, max: u64) -> Option<bool> {
    let max = max as f64;
    // The writer for Python cuts it off to whole milliseconds.
    let is_cut_off = max_ms == (max / 1e6).floor();
    if max_ms == 0.0 && is_cut_off {
        return None;
    }
    // Others print three decimals; and some take the lower end of the highest cell.
    let is_printed = (max_ms * 1e6 - max).abs() <= 1_000.0 + max * 0.001;
    Some(is_printed || is_cut_off)
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
