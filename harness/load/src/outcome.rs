//! What a run found, as plain values that serialise. Histograms are left out of that form: they have their own
//! encoding.

use serde::Serialize;
use stats::{
    AndersonDarling, BoundedSample, Censored, Histogram, PercentileInterval, Serial, Stationarity,
    anderson_darling, percentile_interval::Z_99, stationarity,
};

use crate::{
    departures::Departures,
    errors::{ErrorKind, Errors},
    pacing::Pacing,
    population::LittlesLaw,
    statuses::Statuses,
    unexpected::Unexpected,
};

/// A send is late when its schedule lag exceeds this, in nanoseconds: the least lag for which a trial is invalid
/// (METHODOLOGY.md, "When a trial does not count").
pub const LATE_AFTER_NS: u64 = 100_000;

/// Into how many parts the window is cut, to see whether they differ: enough for batch means, and each of them long.
pub const SLICES: usize = 64;

/// A change of the response time over the window counts when it is larger than this part of it. Half of the differences
/// between rows that a comparison is asked about are larger.
const CHANGE_THAT_MATTERS: f64 = 0.1;

/// Everything one run found.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// One entry for each stream of the plan, in its order.
    pub streams: Vec<StreamOutcome>,
    /// One entry for each engine thread.
    pub threads: Vec<ThreadOutcome>,
    /// The run was stopped before its end: the window is shorter than planned, or was never opened.
    pub interrupted: bool,
    /// How long the window really was, in seconds.
    pub window_s: f64,
    /// What arrivals were drawn from.
    pub seed: u64,
}

/// What happened to one stream. Unless said otherwise, counts and histograms are about the requests that were *due* in
/// the window, however late they were answered.
#[derive(Clone, Debug, Serialize)]
pub struct StreamOutcome {
    /// The stream's name in the plan.
    pub name: String,
    /// Its pacing.
    pub pacing: Pacing,
    /// How long the window really was, in seconds.
    pub window_s: f64,
    /// What became of the requests.
    pub counts: Counts,
    /// Errors by kind; failed attempts to connect are those made in the window.
    pub errors: Errors,
    /// What became of the connections.
    pub connections: ConnectionCounts,
    /// Right answers: from due time to last byte.
    #[serde(skip)]
    pub response: Histogram,
    /// Right answers: from actual send to last byte.
    #[serde(skip)]
    pub service: Histogram,
    /// Every request sent by an open loop: from due time until a connection was free. Zeros are included (and show
    /// as clamped to the histogram's lowest value).
    #[serde(skip)]
    pub queue_wait: Histogram,
    /// Every request sent by an open loop: from the later of due time and free connection to the actual send.
    #[serde(skip)]
    pub lag: Histogram,
    /// Requests that failed for any reason but silence: from due time to the failure.
    #[serde(skip)]
    pub failed: Histogram,
    /// Requests never answered (timed out, in flight at the end, or unsent at the end): their ages from the due time
    /// when they were given up. Their response times are only known to be longer: they are censored observations, and
    /// belong to the distribution (see [`StreamOutcome::response_times`]).
    #[serde(skip)]
    pub unanswered: Histogram,
    /// Right answers: from actual send to the first byte. Only where the plan asks for it.
    #[serde(skip)]
    pub first_byte: Option<Histogram>,
    /// Connections that carried all the requests that their policy lets them: from the handshake's start to the last
    /// answer. Only where there is such a limit.
    #[serde(skip)]
    pub lifetime: Option<Histogram>,
    /// Whole answers that were not the expected ones, by kind.
    #[serde(skip)]
    pub unexpected: Unexpected,
    /// How often each status was answered, expected or not.
    pub statuses: Statuses,
    /// Whether requests left as scheduled. Empty for a closed loop.
    pub departures: Departures,
    /// The gaps of the drawn schedule, warm-up included, in expected requests: exponential with mean 1 if they are what a
    /// Poisson process draws. Empty for other pacings.
    #[serde(skip)]
    pub drawn: BoundedSample,
    /// The base-2 logarithms of the response times of right answers (interpolated linearly between powers of two), in
    /// the order of answers, and in [`SLICES`] equal parts of the planned window by due time.
    #[serde(skip)]
    pub serial: Serial,
    /// Both sides of Little's law over the window.
    pub littles_law: LittlesLaw,
    /// The first answer that was not the expected one.
    pub first_wrong: Option<WrongAnswer>,
}

/// What became of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Due in the window.
    pub due: u64,
    /// Of these, sent.
    pub sent: u64,
    /// Of these, answered completely, rightly or not.
    pub completed: u64,
    /// Of these, answered rightly.
    pub ok: u64,
    /// Of those answered completely, how many had their content compared with the expected one.
    pub compared: u64,
    /// Sent, and still unanswered when the drain ended.
    pub in_flight_at_end: u64,
    /// Due, and still unsent when the drain ended.
    pub unsent_at_end: u64,
    /// Sent more than [`LATE_AFTER_NS`] late, waits for a free connection not counted.
    pub late: u64,
    /// Right answers that arrived during the window, whenever their requests were due: the throughput.
    pub ok_in_window: u64,
}

/// What became of connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ConnectionCounts {
    /// How many the plan asks for.
    pub planned: u64,
    /// How many were open when the warm-up began.
    pub open_at_start: u64,
    /// None was ever open.
    pub unreachable: bool,
    /// How many were opened again during the window.
    pub reopened: u64,
    /// How many the server closed during the window, while idle or with an answer.
    pub closed_by_server: u64,
    /// How many carried all the requests that their policy lets them and had them all answered, since the run's start,
    /// whoever closed them then.
    pub completed: u64,
    /// Right answers in the window on the connection that got fewest.
    pub least_answers: u64,
    /// Right answers in the window on the connection that got most.
    pub most_answers: u64,
}

/// An answer that was not the expected one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WrongAnswer {
    /// What it counts as.
    pub kind: ErrorKind,
    /// Its status.
    pub status: u16,
    /// Why it is wrong.
    pub reason: String,
    /// The start of its content, as text.
    pub excerpt: String,
}

/// What one engine thread cost, between the edges of the window.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ThreadOutcome {
    /// The thread's number.
    pub index: u32,
    /// The CPU it was pinned to.
    pub cpu: Option<usize>,
    /// Time that passed, in seconds.
    pub wall_s: f64,
    /// CPU time used, user and system, in seconds.
    pub cpu_time_s: f64,
    /// Time for which it could have run but had no CPU, in seconds.
    pub run_delay_s: f64,
    /// The share of the time in which it had something to do: CPU time over wall time when it sleeps, and all but the
    /// polls that found nothing when it spins.
    pub busy_share: f64,
    /// How often it was preempted.
    pub involuntary_switches: u64,
    /// How often it went to sleep.
    pub voluntary_switches: u64,
    /// System calls that waited for readiness.
    pub waits: u64,
    /// Of these, how many found nothing.
    pub empty_waits: u64,
    /// How much later than asked a sleep ended that was to end when a request is due: median, in nanoseconds. Zero where
    /// there was none.
    pub oversleep_ns_p50: u64,
    /// The same, 99th percentile.
    pub oversleep_ns_p99: u64,
    /// System calls that read from a socket.
    pub reads: u64,
    /// System calls that wrote to a socket.
    pub writes: u64,
}

/// Whether a stream's numbers add up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Accounting {
    /// Due, less sent, less unsent at the end. Zero when sound.
    pub due_unaccounted: i64,
    /// Sent, less answered, failed without an answer, and still in flight at the end. Zero when sound.
    pub sent_unaccounted: i64,
    /// Due, less the observations in `response`, `failed` and `unanswered`. Zero when sound.
    pub observations_unaccounted: i64,
    /// How far the two sides of Little's law are apart, relative to the larger.
    pub littles_law_difference: f64,
}

/// The most that the two sides of Little's law may differ (METHODOLOGY.md, "What it checks of itself, in every run").
pub const LITTLES_LAW_TOLERANCE: f64 = 0.05;

impl Accounting {
    /// Every request has exactly one fate.
    pub fn balances(&self) -> bool {
        self.due_unaccounted == 0 && self.sent_unaccounted == 0 && self.observations_unaccounted == 0
    }

    /// It balances, and Little's law holds within 5%.
    pub fn is_consistent(&self) -> bool {
        self.balances() && self.littles_law_difference <= LITTLES_LAW_TOLERANCE
    }
}

impl Outcome {
    /// Whether the numbers add up, stream by stream.
    pub fn accounting(&self) -> Vec<Accounting> {
        self.streams.iter().map(StreamOutcome::accounting).collect()
    }
}

impl StreamOutcome {
    pub(crate) fn new(name: String, pacing: Pacing) -> Self {
        Self {
            name,
            pacing,
            window_s: 0.0,
            counts: Counts::default(),
            errors: Errors::default(),
            connections: ConnectionCounts::default(),
            response: Histogram::new(),
            service: Histogram::new(),
            queue_wait: Histogram::new(),
            lag: Histogram::new(),
            failed: Histogram::new(),
            unanswered: Histogram::new(),
            first_byte: None,
            lifetime: None,
            unexpected: Unexpected::default(),
            statuses: Statuses::default(),
            departures: Departures::default(),
            drawn: BoundedSample::new(),
            serial: Serial::new(SLICES),
            littles_law: LittlesLaw::default(),
            first_wrong: None,
        }
    }

    /// Requests due per second of the window.
    pub fn offered_per_second(&self) -> f64 {
        per_second(self.counts.due, self.window_s)
    }

    /// Right answers per second of the window.
    pub fn achieved_per_second(&self) -> f64 {
        per_second(self.counts.ok_in_window, self.window_s)
    }

    /// The distribution of response times with the censored requests in it: what percentiles are to be taken from.
    pub fn response_times(&self) -> Censored {
        Censored::from_parts(self.response.clone(), self.unanswered.clone())
    }

    /// Whether the schedule was drawn from the process that was asked for. `None` where that is not random.
    pub fn drawn_schedule(&self) -> Option<AndersonDarling> {
        // Due times are whole nanoseconds; so small a part of a gap changes nothing that a test could see.
        anderson_darling::of_exponential_gaps(self.drawn.values(), 1.0, 0.0)
    }

    /// Whether response times grew or fell over the window.
    pub fn stationarity(&self) -> Stationarity {
        let geometric: Vec<_> = self.serial.slice_means().iter().map(|mean| mean.map(f64::exp2)).collect();
        stationarity::judge(&geometric, CHANGE_THAT_MATTERS)
    }

    /// The 99% interval of a percentile of the response time, from order statistics, with the dependence of successive
    /// answers taken into account as far as it is known. `None` when nothing was due.
    pub fn response_interval(&self, q: f64) -> Option<PercentileInterval> {
        PercentileInterval::new(&self.response_times(), q, Z_99, self.variance_inflation())
    }

    /// How many answers tell as much as one independent one would: 1 where that is not known.
    pub fn variance_inflation(&self) -> f64 {
        self.serial.figures().and_then(|figures| figures.variance_inflation).unwrap_or(1.0)
    }

    /// How many requests are censored: never answered.
    pub fn censored(&self) -> u64 {
        self.errors.of(ErrorKind::Timeout) + self.counts.in_flight_at_end + self.counts.unsent_at_end
    }

    /// Whether the numbers add up.
    pub fn accounting(&self) -> Accounting {
        let Counts { due, sent, completed, in_flight_at_end, unsent_at_end, .. } = self.counts;
        let without_answer = self.errors.requests() - self.errors.answered();
        Accounting {
            due_unaccounted: difference(due, sent + unsent_at_end),
            sent_unaccounted: difference(sent, completed + without_answer + in_flight_at_end),
            observations_unaccounted: difference(
                due,
                self.response.len() + self.failed.len() + self.unanswered.len(),
            ),
            littles_law_difference: self.littles_law.relative_difference(),
        }
    }

    /// Adds what another engine thread saw of the same stream in the same window.
    pub(crate) fn merge(&mut self, other: &StreamOutcome) {
        self.window_s = self.window_s.max(other.window_s);
        self.counts.merge(&other.counts);
        self.errors.merge(&other.errors);
        self.connections.merge(&other.connections);
        self.response.merge(&other.response);
        self.service.merge(&other.service);
        self.queue_wait.merge(&other.queue_wait);
        self.lag.merge(&other.lag);
        self.failed.merge(&other.failed);
        self.unanswered.merge(&other.unanswered);
        for (own, others) in
            [(&mut self.first_byte, &other.first_byte), (&mut self.lifetime, &other.lifetime)]
        {
            if let (Some(own), Some(others)) = (own, others) {
                own.merge(others);
            }
        }
        self.unexpected.merge(&other.unexpected);
        self.statuses.merge(&other.statuses);
        self.departures.merge(&other.departures);
        self.drawn.merge(&other.drawn);
        self.serial.merge(&other.serial);
        self.littles_law.merge(&other.littles_law);
        if self.first_wrong.is_none() {
            self.first_wrong.clone_from(&other.first_wrong);
        }
    }
}

impl Counts {
    fn merge(&mut self, other: &Counts) {
        self.due += other.due;
        self.sent += other.sent;
        self.completed += other.completed;
        self.ok += other.ok;
        self.compared += other.compared;
        self.in_flight_at_end += other.in_flight_at_end;
        self.unsent_at_end += other.unsent_at_end;
        self.late += other.late;
        self.ok_in_window += other.ok_in_window;
    }
}

impl ConnectionCounts {
    fn merge(&mut self, other: &ConnectionCounts) {
        self.planned += other.planned;
        self.open_at_start += other.open_at_start;
        self.unreachable &= other.unreachable;
        self.reopened += other.reopened;
        self.closed_by_server += other.closed_by_server;
        self.completed += other.completed;
        self.least_answers = self.least_answers.min(other.least_answers);
        self.most_answers = self.most_answers.max(other.most_answers);
    }
}

fn per_second(count: u64, window_s: f64) -> f64 {
    if window_s > 0.0 { count as f64 / window_s } else { 0.0 }
}

fn difference(a: u64, b: u64) -> i64 {
    i64::try_from(i128::from(a) - i128::from(b)).unwrap_or(i64::MAX)
}
