//! Counts what users do, in the periods of ten seconds that the original reports by.
//!
//! Knows no socket and reads no clock: every event comes with its instant, in nanoseconds since the run's start. Instants
//! ascend but for microseconds: an event that is told just after a period has ended belongs to the next.

use std::{borrow::Cow, collections::BTreeMap};

use jiff::Timestamp;

use super::report::{Report, Run, Summary, Times};

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
    announced: usize,
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
            announced: 0,
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

    /// Time has passed: a period in which something happened may be over. Returns each once, in order.
    pub(super) fn passed(&mut self, at_ns: u64) -> Option<&Report> {
        self.turn(at_ns);
        let next = self.finished.get(self.announced)?;
        self.announced += 1;
        Some(next)
    }

    /// How many periods [`Tally::passed`] has returned.
    pub(super) fn announced(&self) -> usize {
        self.announced
    }

    /// The run is over, and with it the last period.
    pub(super) fn conclude(mut self, interrupted: bool) -> Run {
        if self.now.counted_ms.is_some() {
            self.finished.push(self.now.report(&self.path));
        }
        self.all.period_ms = self.finished.last().map_or(self.now.period_ms, |report| report.period_ms);
        Run { aggregate: self.all.report(&self.path), intermediate: self.finished, interrupted }
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
    first_byte: BTreeMap<u16, Times>,
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
        let first_byte = |class: u16| self.first_byte.get(&class).and_then(Summary::of_times);
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Three seconds before a period ends.
    const STARTED: &str = "2026-01-02T03:04:07Z";
    const SECOND_NS: u64 = 1_000_000_000;

    fn tally() -> Tally {
        Tally::new(STARTED.parse().unwrap(), "/simple")
    }

    /// One user with two requests, of which the second is answered in the next period.
    fn two_periods() -> Tally {
        let mut tally = tally();
        tally.arrived(0);
        tally.requested(0);
        tally.answered(SECOND_NS, 200, 400_000_000, 10);
        tally.requested(SECOND_NS);
        tally.answered(4 * SECOND_NS, 503, 2_000_000_000, 5);
        tally.completed(4 * SECOND_NS, 4 * SECOND_NS);
        tally
    }

    #[test]
    fn what_happens_is_counted_where_it_happens_and_in_all() {
        let run = two_periods().conclude(false);
        let of = |report: &Report, names: &[&str]| {
            names.iter().map(|name| report.counter(name)).collect::<Vec<_>>()
        };
        let names = ["vusers.created", "http.requests", "http.codes.200", "http.codes.503", "http.responses"];
        assert_eq!(of(&run.aggregate, &names), [Some(1), Some(2), Some(1), Some(1), Some(2)]);
        assert_eq!(of(&run.intermediate[0], &names), [Some(1), Some(2), Some(1), None, Some(1)]);
        assert_eq!(of(&run.intermediate[1], &names), [None, None, None, Some(1), Some(1)]);
        assert_eq!(run.aggregate.counter("http.downloaded_bytes"), Some(15));
        let failed: Vec<_> = run.intermediate.iter().map(|report| report.counter("vusers.failed")).collect();
        assert_eq!(failed, [None, Some(0)]);
        let counts = |name: &str| run.aggregate.summary(name).map(|summary| summary.count);
        assert_eq!(counts("http.response_time"), Some(2));
        assert_eq!((counts("http.response_time.2xx"), counts("http.response_time.5xx")), (Some(1), Some(1)));
        assert_eq!(counts("http.response_time.4xx"), None);
        assert_eq!(
            run.aggregate.summary("vusers.session_length").map(|s| (s.min, s.max)),
            Some((4000.0, 4000.0))
        );
    }

    #[test]
    fn periods_begin_at_whole_tens_of_seconds_by_the_clock() {
        let run = two_periods().conclude(false);
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_millisecond();
        let periods: Vec<_> = run.intermediate.iter().map(|report| report.period_ms).collect();
        assert_eq!(periods, [at("2026-01-02T03:04:00Z"), at("2026-01-02T03:04:10Z")]);
        assert_eq!(run.aggregate.period_ms, periods[1]);
        assert_eq!(run.aggregate.counted_ms, Some((at("2026-01-02T03:04:07Z"), at("2026-01-02T03:04:11Z"))));
        assert_eq!(run.aggregate.timed_ms, Some((at("2026-01-02T03:04:08Z"), at("2026-01-02T03:04:11Z"))));
    }

    #[test]
    fn each_period_is_announced_once_even_where_an_event_ended_it() {
        let mut tally = two_periods();
        assert_eq!(tally.passed(4 * SECOND_NS).map(|report| report.counter("http.requests")), Some(Some(2)));
        assert_eq!(tally.passed(5 * SECOND_NS), None);
        assert!(tally.passed(14 * SECOND_NS).is_some());
        // Nothing has happened since: there is no third.
        assert_eq!(tally.passed(60 * SECOND_NS), None);
        assert_eq!((tally.announced(), tally.conclude(false).intermediate.len()), (2, 2));
    }

    #[test]
    fn a_rate_is_taken_over_one_second_at_least() {
        let mut tally = tally();
        (0..30).for_each(|_| tally.requested(0));
        assert_eq!(tally.all.request_rate(), Some(30));
        (0..30).for_each(|_| tally.requested(2 * SECOND_NS));
        assert_eq!(tally.all.request_rate(), Some(30));
        assert_eq!(Part::default().request_rate(), None);
    }

    #[test]
    fn failures_are_counted_by_cause() {
        let mut tally = tally();
        for cause in ["ECONNRESET", "ETIMEDOUT", "ECONNRESET"] {
            tally.failed(1, cause.into());
        }
        let all = tally.conclude(true).aggregate;
        let expected = [
            ("plugins.metrics-by-endpoint./simple.errors.ECONNRESET", 2),
            ("plugins.metrics-by-endpoint./simple.errors.ETIMEDOUT", 1),
            ("errors.ECONNRESET", 2),
            ("errors.ETIMEDOUT", 1),
            ("vusers.failed", 3),
        ];
        assert_eq!(all.counters, expected.map(|(name, n)| (name.to_owned(), n)));
        assert_eq!(all.timed_ms, None);
    }
}
