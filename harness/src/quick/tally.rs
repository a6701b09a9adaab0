//! Counts what users do, in the periods of ten seconds that the original reports by.
//!
//! Knows no socket and reads no clock: every event comes with its instant, in nanoseconds since the run's start, in
//! ascending order.

use std::{borrow::Cow, collections::BTreeMap};

use jiff::Timestamp;
use stats::Histogram;

use super::report::{Report, Run, Summary};

/// Periods begin at whole multiples of this, by the wall clock.
pub(super) const PERIOD_MS: i64 = 10_000;

/// The original takes rates over one second at least.
const SHORTEST_RATE_S: f64 = 1.0;

/// The counts of a run under way.
#[derive(Debug)]
pub(super) struct Tally {
    started_ns: i128,
    path: String,
    all: Part,
    now: Part,
    finished: Vec<Report>,
}

impl Tally {
    /// A run that starts at `started`, against the endpoint `path`.
    pub(super) fn new(started: Timestamp, path: &str) -> Self {
        let mut tally = Self {
            started_ns: started.as_nanosecond(),
            path: path.to_owned(),
            all: Part::default(),
            now: Part::default(),
            finished: Vec::new(),
        };
        tally.now.period_ms = tally.period_of(0);
        tally
    }

    /// A user has arrived.
    pub(super) fn arrived(&mut self, at_ns: u64) {
        self.count(at_ns, |part, _| part.created += 1);
    }

    /// A user has begun a request.
    pub(super) fn requested(&mut self, at_ns: u64) {
        self.count(at_ns, |part, at_ms| {
            part.requests += 1;
            extend(&mut part.requested_ms, at_ms);
        });
    }

    /// A request was answered: with `status`, the first byte `first_byte_ns` after it was sent, and `content_bytes`.
    pub(super) fn answered(&mut self, at_ns: u64, status: u16, first_byte_ns: u64, content_bytes: u64) {
        self.count(at_ns, |part, at_ms| {
            *part.statuses.entry(status).or_default() += 1;
            part.content_bytes += content_bytes;
            extend(&mut part.timed_ms, at_ms);
            for class in [EVERY_STATUS, status / 100] {
                part.first_byte.entry(class).or_default().record_ns(first_byte_ns);
            }
        });
    }

    /// A user's request got no answer, and the user is out.
    pub(super) fn failed(&mut self, at_ns: u64, cause: Cow<'static, str>) {
        self.count(at_ns, |part, _| {
            *part.causes.entry(cause.clone()).or_default() += 1;
            *part.failed.get_or_insert(0) += 1;
        });
    }

    /// A user has had all its answers, `session_ns` after it arrived.
    pub(super) fn completed(&mut self, at_ns: u64, session_ns: u64) {
        self.count(at_ns, |part, at_ms| {
            part.failed.get_or_insert(0);
            part.sessions_ns.push(session_ns);
            extend(&mut part.timed_ms, at_ms);
        });
    }

    /// Time has passed: a period in which something happened may be over.
    pub(super) fn passed(&mut self, at_ns: u64) -> Option<&Report> {
        let before = self.finished.len();
        self.turn(at_ns);
        self.finished.get(before)
    }

    /// The period that `at_ns` belongs to ends here.
    pub(super) fn period_ends_ns(&self, at_ns: u64) -> u64 {
        let ends_ns = i128::from(self.period_of(at_ns) + PERIOD_MS) * 1_000_000 - self.started_ns;
        u64::try_from(ends_ns).unwrap_or(0)
    }

    /// The run is over. Also returns the last period, if something happened in it.
    pub(super) fn conclude(mut self, interrupted: bool) -> (Run, Option<Report>) {
        let last = self.now.counted_ms.is_some().then(|| self.now.report(&self.path));
        self.finished.extend(last.clone());
        self.all.period_ms = self.finished.last().map_or(self.now.period_ms, |report| report.period_ms);
        let run = Run { aggregate: self.all.report(&self.path), intermediate: self.finished, interrupted };
        (run, last)
    }

    fn count(&mut self, at_ns: u64, event: impl Fn(&mut Part, i64)) {
        self.turn(at_ns);
        let at_ms = self.wall_ms(at_ns);
        for part in [&mut self.all, &mut self.now] {
            extend(&mut part.counted_ms, at_ms);
            event(part, at_ms);
        }
    }

    fn turn(&mut self, at_ns: u64) {
        let period_ms = self.period_of(at_ns);
        if period_ms > self.now.period_ms {
            let over = std::mem::replace(&mut self.now, Part { period_ms, ..Part::default() });
            if over.counted_ms.is_some() {
                self.finished.push(over.report(&self.path));
            }
        }
    }

    fn wall_ms(&self, at_ns: u64) -> i64 {
        i64::try_from((self.started_ns + i128::from(at_ns)).div_euclid(1_000_000)).unwrap_or(i64::MAX)
    }

    fn period_of(&self, at_ns: u64) -> i64 {
        self.wall_ms(at_ns).div_euclid(PERIOD_MS) * PERIOD_MS
    }
}

/// Beside the classes 1 to 9 (and whatever else a server invents), all of them together.
const EVERY_STATUS: u16 = u16::MAX;

/// What happened in a period, or in all.
#[derive(Debug, Default)]
struct Part {
    period_ms: i64,
    created: u64,
    requests: u64,
    statuses: BTreeMap<u16, u64>,
    content_bytes: u64,
    causes: BTreeMap<Cow<'static, str>, u64>,
    /// The original counts a zero when a user completes, and nothing before.
    failed: Option<u64>,
    first_byte: BTreeMap<u16, Histogram>,
    /// One for each user that completed, since sessions know no longest time.
    sessions_ns: Vec<u64>,
    counted_ms: Option<(i64, i64)>,
    timed_ms: Option<(i64, i64)>,
    requested_ms: Option<(i64, i64)>,
}

impl Part {
    fn report(&self, path: &str) -> Report {
        Report {
            counters: self.counters(path),
            rates: self
                .request_rate()
                .map(|rate| ("http.request_rate".to_owned(), rate))
                .into_iter()
                .collect(),
            summaries: self.summaries(path),
            counted_ms: self.counted_ms,
            timed_ms: self.timed_ms,
            period_ms: self.period_ms,
        }
    }

    fn counters(&self, path: &str) -> Vec<(String, u64)> {
        let mut counters = Vec::new();
        let mut add = |name: String, n: u64| counters.push((name, n));
        if self.created > 0 {
            add("vusers.created_by_name.0".to_owned(), self.created);
            add("vusers.created".to_owned(), self.created);
        }
        if self.requests > 0 {
            add("http.requests".to_owned(), self.requests);
        }
        for (status, n) in &self.statuses {
            add(format!("http.codes.{status}"), *n);
        }
        if !self.statuses.is_empty() {
            add("http.responses".to_owned(), self.statuses.values().sum());
            add("http.downloaded_bytes".to_owned(), self.content_bytes);
        }
        for (status, n) in &self.statuses {
            add(format!("plugins.metrics-by-endpoint.{path}.codes.{status}"), *n);
        }
        for (cause, n) in &self.causes {
            add(format!("plugins.metrics-by-endpoint.{path}.errors.{cause}"), *n);
        }
        for (cause, n) in &self.causes {
            add(format!("errors.{cause}"), *n);
        }
        if let Some(failed) = self.failed {
            add("vusers.failed".to_owned(), failed);
        }
        if !self.sessions_ns.is_empty() {
            add("vusers.completed".to_owned(), self.sessions_ns.len() as u64);
        }
        counters
    }

    fn summaries(&self, path: &str) -> Vec<(String, Summary)> {
        let first_byte = |class: u16| self.first_byte.get(&class).and_then(Summary::of_histogram);
        let all = first_byte(EVERY_STATUS);
        let mut summaries = vec![("http.response_time".to_owned(), all)];
        summaries.extend((2..=5).map(|class| (format!("http.response_time.{class}xx"), first_byte(class))));
        summaries.push((format!("plugins.metrics-by-endpoint.response_time.{path}"), all));
        summaries.push(("vusers.session_length".to_owned(), Summary::of_values(&self.sessions_ns)));
        summaries.into_iter().filter_map(|(name, summary)| Some((name, summary?))).collect()
    }

    /// Requests per second between the first and the last.
    fn request_rate(&self) -> Option<u64> {
        let (first_ms, last_ms) = self.requested_ms?;
        let over_s = ((last_ms - first_ms) as f64 / 1000.0).max(SHORTEST_RATE_S);
        Some((self.requests as f64 / over_s).round() as u64)
    }
}

fn extend(range: &mut Option<(i64, i64)>, at_ms: i64) {
    let (first, last) = range.get_or_insert((at_ms, at_ms));
    *first = (*first).min(at_ms);
    *last = (*last).max(at_ms);
}
