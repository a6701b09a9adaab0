//! What a run found: one plain value, which is the export as it is and which the summary is printed from.

use load::{
    Accounting, Causes, Clocked, ClosedLoop, ConnectionCounts, Counts, DepartureSummary, ErrorKind, Errors,
    OsErrors, Pacing, Statuses, UnreadableAnswer, Verify, WrongAnswer,
};
use serde::Serialize;
use stats::{AndersonDarling, Histogram, SerialFigures, Stationarity};

use super::{check::SelfCheck, latency::LatencyUs};
use crate::{clock::ClockRecord, connecting};

/// Version of the export: raised when a field changes its meaning or goes away.
pub const SCHEMA: u32 = 2;

/// Everything that one `harness load` found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// `harness load`.
    pub tool: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The command as typed.
    pub command: String,
    /// When it began, RFC 3339.
    pub started: String,
    /// When the window opened, RFC 3339; `null` if it never did.
    pub window_opened: Option<String>,
    /// The URL.
    pub url: String,
    /// The address that was connected to.
    pub address: String,
    /// What arrivals were drawn from; the same for all parts of a load.
    pub seed: u64,
    /// Which part of a load this is, where it has several. Rates and counts are those of this part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<PartReport>,
    /// How far the clock that all parts go by is ahead of the one that `started` and `window_opened` are by, where that is
    /// another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockRecord>,
    /// Ended before its time: the figures are about what was measured until then.
    pub interrupted: bool,
    /// How long load was made before the window, in seconds.
    pub warm_up_s: f64,
    /// How long the window was to be, in seconds.
    pub planned_window_s: f64,
    /// How long the window was, in seconds.
    pub window_s: f64,
    /// Right answers per second, over all streams: the sum of theirs.
    pub requests_per_second: f64,
    /// One for each kind of request, in the order of the command line.
    pub streams: Vec<StreamReport>,
    /// What making the load took.
    pub generator: GeneratorReport,
    /// Closed loop: whether all connections are accounted for, N = X (R + Z).
    pub closed_loop: Option<ClosedLoop>,
    /// By how much the wall clock, on which stamps are, was set within the window, in nanoseconds; `null` where there were
    /// no stamps.
    pub clock_step_ns: Option<i64>,
    /// The machine in the window.
    pub machine: MachineReport,
    /// Checks of the generator as a whole; those of a stream are with it.
    pub self_checks: Vec<SelfCheck>,
}

/// One part of a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PartReport {
    /// Its number, from 0.
    pub index: u32,
    /// How many parts there are.
    pub of: u32,
}

/// What one kind of request met. Counts and times are about the requests that were due in the window, however late
/// they were answered.
#[derive(Clone, Debug, Serialize)]
pub struct StreamReport {
    /// Its name in the mix, or the request target.
    pub name: String,
    /// The method.
    pub method: String,
    /// The request target.
    pub target: String,
    /// What answers were held to.
    pub expects: String,
    /// When requests were due.
    pub pacing: Pacing,
    /// Its part of a closed loop's mix, whose requests share connections; those are counted with the first stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_of_mix: Option<f64>,
    /// Connections.
    pub connections: ConnectionCounts,
    /// How many requests may be outstanding: over its connections, or over the shared ones.
    pub outstanding_limit: u64,
    /// Requests due per second: n of them stand for n gaps (METHODOLOGY.md, "Time and load").
    pub offered_per_second: f64,
    /// Right answers in the window per second, by the same count.
    pub requests_per_second: f64,
    /// What became of the requests.
    pub counts: Counts,
    /// Errors by kind.
    pub errors: Errors,
    /// What the system said of them, by kind and by the names of errno(3).
    pub causes: Causes,
    /// The same of every attempt to connect that failed, also before the window and after it.
    pub failed_attempts: OsErrors,
    /// Complete answers by status, right or not.
    pub status: Statuses,
    /// Which answers had their content compared with the expected one.
    pub verify: Verify,
    /// The first answer that was not the expected one.
    pub first_wrong: Option<WrongAnswer>,
    /// The first answer that was malformed, or beyond the limits.
    pub first_unreadable: Option<UnreadableAnswer>,
    /// By what answers were timed.
    pub clocked: Clocked,
    /// From due time to last byte without the generator's own lateness, with what was never answered; what failed otherwise
    /// is apart.
    pub response_us: Option<LatencyUs>,
    /// Open loop: the same as it was observed, with that lateness in it.
    pub observed_us: Option<LatencyUs>,
    /// Right answers: from send to last byte.
    pub service_us: Option<LatencyUs>,
    /// What failed for any reason but silence: from due time to the failure.
    pub failed_us: Option<LatencyUs>,
    /// Unexpected answers, by kind.
    pub unexpected: Vec<UnexpectedReport>,
    /// Open loop: from due time until a connection was free.
    pub queue_wait_us: Option<LatencyUs>,
    /// Open loop: the part of the requests that found every connection busy.
    pub waited_share: Option<f64>,
    /// Open loop: from the later of due time and free connection to the send: the generator's own lateness.
    pub lag_us: Option<LatencyUs>,
    /// Open loop: the part of the requests that were sent only when the next was due already.
    pub overtaken_share: Option<f64>,
    /// Requests in the server, on average over the window.
    pub mean_in_server: f64,
    /// Requests due and not sent, on average over the window: with the generator, or waiting for a connection.
    pub mean_in_generator: f64,
    /// Open loop: gaps between departures, scheduled and real.
    pub departures: Option<DepartureSummary>,
    /// Random arrivals: whether the drawn schedule is what was asked for (Anderson and Darling's test).
    pub drawn_schedule: Option<AndersonDarling>,
    /// Whether response times grew or fell over the window.
    pub stationarity: Stationarity,
    /// How far successive response times depend on each other.
    pub serial: Option<SerialFigures>,
    /// Whether the numbers add up.
    pub accounting: Accounting,
    /// What was asked of these figures, and the answers.
    pub self_checks: Vec<SelfCheck>,
    /// Response times of right answers, for drawing.
    #[serde(skip)]
    pub response: Histogram,
}

/// Unexpected answers of one kind.
#[derive(Clone, Debug, Serialize)]
pub struct UnexpectedReport {
    /// Which.
    pub kind: ErrorKind,
    /// From due time to last byte.
    pub response_us: Option<LatencyUs>,
    /// From send to last byte.
    pub service_us: Option<LatencyUs>,
}

/// What making the load took, between the edges of the window.
#[derive(Clone, Debug, Serialize)]
pub struct GeneratorReport {
    /// Its threads.
    pub threads: usize,
    /// The CPUs that they were pinned to.
    pub cpus: Vec<usize>,
    /// Whether it polled rather than slept.
    pub spins: bool,
    /// The part of the window in which its threads had something to do, on average.
    pub busy: f64,
    /// The part of the window in which its threads were runnable but had no CPU, on average.
    pub starved: f64,
    /// CPU time for each right answer, microseconds; `null` where there was none.
    pub cpu_per_request_us: Option<f64>,
    /// System calls.
    pub syscalls: SystemCalls,
    /// Switches away from its threads because another took the CPU.
    pub involuntary_switches: u64,
}

/// System calls in the window.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct SystemCalls {
    /// That waited for readiness.
    pub waits: u64,
    /// That read.
    pub reads: u64,
    /// That wrote.
    pub writes: u64,
}

/// The machine in the window.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct MachineReport {
    /// The part of the CPU time that the hypervisor gave to other machines, over the CPUs that this process may use;
    /// `null` where the kernel does not tell.
    pub steal: Option<f64>,
}

/// What a run's outcome does not say of itself.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// The command as typed.
    pub command: String,
    /// When it began, RFC 3339.
    pub started: String,
    /// When the window opened, RFC 3339.
    pub window_opened: Option<String>,
    /// The clock that all parts go by.
    pub clock: Option<ClockRecord>,
    /// Stolen CPU time.
    pub steal: Option<f64>,
}

impl Report {
    /// Whether the load was made and answered: something was right, nothing had the wrong content, the server could be reached
    /// until the end, and this machine had what its own connections need.
    pub fn is_good(&self) -> bool {
        let is_spoilt = |stream: &StreamReport| {
            stream.errors.of(ErrorKind::WrongAnswer) > 0
                || stream.connections.lost
                || connecting::are_local(&stream.failed_attempts)
        };
        !self.streams.iter().any(is_spoilt)
            && self.streams.iter().any(|stream| stream.counts.ok + stream.counts.ok_in_window > 0)
    }
}
