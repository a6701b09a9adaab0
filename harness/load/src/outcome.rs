//! What a run found, as plain values that serialise. Histograms are left out of that form: they have their own
//! encoding.

use serde::Serialize;
use stats::{
    AndersonDarling, BoundedSample, Censored, Histogram, PercentileInterval, Serial, Stationarity,
    anderson_darling, percentile_interval::Z_99, stationarity,
};

use crate::{
    accounting::{Accounting, difference},
    clocked::{Clocked, ReceivedBy},
    counts::{ConnectionCounts, Counts},
    departures::Departures,
    errors::{ErrorKind, Errors},
    os_error::{Causes, OsErrors},
    paced::Paced,
    pacing::Pacing,
    population::LittlesLaw,
    rate::Rate,
    residence::{ClosedLoop, Residence},
    slices::Slices,
    statuses::Statuses,
    timeline::Timeline,
    unexpected::Unexpected,
};

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
    /// By how much the wall clock was set between the window's edges, in nanoseconds: the largest change that an engine thread
    /// saw. Stamps are on that clock. `None` where none were used, or the window was never opened.
    pub clock_step_ns: Option<i64>,
}

/// A wall clock that was set by more than this within the window, in nanoseconds, makes its stamps worth nothing. Two
/// comparisons of an undisturbed one agree to some 50 ns.
pub const CLOCK_STEP_ALLOWED_NS: u64 = 1_000;

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
    /// What the system said of these errors, where it said anything.
    pub causes: Causes,
    /// What the system said of every attempt to connect that failed, also before the window and after it.
    pub failed_attempts: OsErrors,
    /// What became of the connections.
    pub connections: ConnectionCounts,
    /// By what answers were timed.
    pub clocked: Clocked,
    /// Right answers: from due time to last byte, without the generator's own lateness (`lag`). Waiting for a connection
    /// is in it.
    #[serde(skip)]
    pub response: Histogram,
    /// The same as it was observed, with that lateness in it.
    #[serde(skip)]
    pub observed: Histogram,
    /// Right answers: from actual send to last byte.
    #[serde(skip)]
    pub service: Histogram,
    /// Every request sent by an open loop: from due time until a connection was free. Zeros are included (and show
    /// as clamped to the histogram's lowest value).
    #[serde(skip)]
    pub queue_wait: Histogram,
    /// Every request sent: from the later of due time and free connection to the actual send. In a closed loop that is
    /// from one answer to the next request.
    #[serde(skip)]
    pub lag: Histogram,
    /// Requests that failed for any reason but silence: from due time to the failure, without the generator's lateness.
    #[serde(skip)]
    pub failed: Histogram,
    /// Requests never answered (timed out, in flight at the end, or unsent at the end): their ages from the due time
    /// when they were given up, without the generator's lateness. Their response times are only known to be longer: they
    /// are censored observations, and belong to the distribution (see [`StreamOutcome::response_times`]).
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
    /// What a nanosecond is of such a gap: due times are whole ones.
    #[serde(skip)]
    pub(crate) drawn_step: f64,
    /// The base-2 logarithms of the response times of right answers (interpolated linearly between powers of two), in
    /// the order of answers, and in [`SLICES`] equal parts of the planned window by due time.
    #[serde(skip)]
    pub serial: Serial,
    /// Both sides of Little's law over the window.
    pub littles_law: LittlesLaw,
    /// Where requests spent the window.
    pub residence: Residence,
    /// The window in slices of 10 ms.
    #[serde(skip)]
    pub slices: Slices,
    /// The same, however long the window is, with more in each. Only where the plan asks for it.
    #[serde(skip)]
    pub timeline: Option<Timeline>,
    /// The first answer that was not the expected one.
    pub first_wrong: Option<WrongAnswer>,
    /// Over which time rates are.
    #[serde(skip)]
    pub(crate) paced: Paced,
    /// The first answer that was malformed, or beyond the limits.
    pub first_unreadable: Option<UnreadableAnswer>,
}

/// An answer that could not be read to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnreadableAnswer {
    /// What it counts as.
    pub kind: ErrorKind,
    /// What is wrong with it.
    pub reason: String,
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
    /// Sleeps that only the next due time was to end.
    pub dozes: u64,
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

impl Outcome {
    /// Whether the numbers add up, stream by stream.
    pub fn accounting(&self) -> Vec<Accounting> {
        self.streams.iter().map(StreamOutcome::accounting).collect()
    }

    /// Whether the wall clock was set within the window: its stamps are worth nothing then.
    pub fn clock_was_set(&self) -> bool {
        self.clock_step_ns.is_some_and(|step_ns| step_ns.unsigned_abs() > CLOCK_STEP_ALLOWED_NS)
    }

    /// Both sides of the interactive response time law. `None` where a stream is an open loop, or the window was never
    /// opened.
    pub fn closed_loop(&self) -> Option<ClosedLoop> {
        if self.streams.iter().any(|stream| stream.pacing.is_open()) || self.window_s <= 0.0 {
            return None;
        }
        let sum = |of: &dyn Fn(&StreamOutcome) -> f64| self.streams.iter().map(of).sum::<f64>();
        Some(ClosedLoop {
            slots: self.streams.iter().map(|stream| stream.residence.slots).sum(),
            per_second: sum(&StreamOutcome::achieved_per_second),
            in_server: sum(&|stream| stream.achieved_per_second() * stream.mean_service_s()),
            in_generator: sum(&|stream| stream.achieved_per_second() * stream.mean_lateness_s()),
        })
    }
}

impl StreamOutcome {
    pub(crate) fn new(name: String, pacing: Pacing, received_by: ReceivedBy) -> Self {
        Self {
            name,
            pacing,
            window_s: 0.0,
            counts: Counts::default(),
            errors: Errors::default(),
            causes: Causes::default(),
            failed_attempts: OsErrors::default(),
            connections: ConnectionCounts::default(),
            clocked: Clocked::new(received_by),
            response: Histogram::new(),
            observed: Histogram::new(),
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
            drawn_step: 0.0,
            serial: Serial::new(SLICES),
            littles_law: LittlesLaw::default(),
            residence: Residence::default(),
            slices: Slices::default(),
            timeline: None,
            first_wrong: None,
            paced: Paced::default(),
            first_unreadable: None,
        }
    }

    /// Requests due per second. In an open loop each stands for the time until the next: n of them take n gaps, and not the n - 1
    /// between them. Where that matters little, in a long run, it is the requests due in the window by its length.
    pub fn offered_per_second(&self) -> f64 {
        per_second(self.counts.due, self.rated_s().0)
    }

    /// Right answers within the window per second, by the same count: `-q 1 -n 2` that is answered at once is one a second.
    pub fn achieved_per_second(&self) -> f64 {
        per_second(self.counts.ok_in_window, self.rated_s().1)
    }

    /// Over how many seconds requests are counted, and answers.
    fn rated_s(&self) -> (f64, f64) {
        match self.pacing {
            Pacing::Closed => (self.window_s, self.window_s),
            Pacing::Constant { per_second: Rate::Steady(_) } => self.paced.times_s(true, self.window_s),
            Pacing::Constant { .. } | Pacing::Poisson { .. } => self.paced.times_s(false, self.window_s),
        }
    }

    /// The distribution of response times with the censored requests in it: what percentiles are to be taken from.
    pub fn response_times(&self) -> Censored {
        Censored::from_parts(self.response.clone(), self.unanswered.clone())
    }

    /// The same as they were observed, the generator's lateness included. (What was never answered is in it with the same
    /// ages, which are too young by that lateness.)
    pub fn observed_times(&self) -> Censored {
        Censored::from_parts(self.observed.clone(), self.unanswered.clone())
    }

    /// The part of the requests sent that an open loop sent only when the next was due already.
    pub fn overtaken_share(&self) -> f64 {
        self.counts.overtaken as f64 / self.counts.sent.max(1) as f64
    }

    /// The mean number of requests in the server, over the window.
    pub fn mean_in_server(&self) -> f64 {
        self.residence.in_server_s / self.window_s.max(f64::MIN_POSITIVE)
    }

    /// The mean number of requests that were due and not sent, over the window: in a closed loop, of connections that the
    /// generator had not yet come to.
    pub fn mean_in_generator(&self) -> f64 {
        self.residence.in_generator_s / self.window_s.max(f64::MIN_POSITIVE)
    }

    /// The mean service time of right answers, in seconds: exact, where the histogram rounds.
    pub fn mean_service_s(&self) -> f64 {
        self.residence.service_s / self.counts.ok.max(1) as f64
    }

    /// The mean of the generator's lateness, in seconds: exact, where the histogram rounds.
    pub fn mean_lateness_s(&self) -> f64 {
        self.residence.lateness_s / self.counts.sent.max(1) as f64
    }

    /// Whether the schedule was drawn from the process that was asked for. `None` where that is not random.
    pub fn drawn_schedule(&self) -> Option<AndersonDarling> {
        anderson_darling::of_exponential_gaps(self.drawn.values(), 1.0, self.drawn_step)
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

    /// Adds what another engine thread saw of the same stream in the same window, or what was seen of another stream of the same run that is
    /// to be told of as one with this.
    pub fn merge(&mut self, other: &StreamOutcome) {
        self.window_s = self.window_s.max(other.window_s);
        self.counts.merge(&other.counts);
        self.errors.merge(&other.errors);
        self.causes.merge(&other.causes);
        self.failed_attempts.merge(&other.failed_attempts);
        self.connections.merge(&other.connections);
        self.clocked.merge(&other.clocked);
        self.response.merge(&other.response);
        self.observed.merge(&other.observed);
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
        self.drawn_step = self.drawn_step.max(other.drawn_step);
        self.serial.merge(&other.serial);
        self.littles_law.merge(&other.littles_law);
        self.residence.merge(&other.residence);
        self.slices.merge(&other.slices);
        if let (Some(own), Some(others)) = (&mut self.timeline, &other.timeline) {
            own.merge(others);
        }
        self.paced.merge(&other.paced);
        if self.first_wrong.is_none() {
            self.first_wrong.clone_from(&other.first_wrong);
        }
        if self.first_unreadable.is_none() {
            self.first_unreadable.clone_from(&other.first_unreadable);
        }
    }
}

fn per_second(count: u64, window_s: f64) -> f64 {
    if window_s > 0.0 { count as f64 / window_s } else { 0.0 }
}
