//! From what the generator found to the report of it.

use load::{Outcome, Plan, Stream, StreamOutcome};
use stats::Histogram;

use super::{
    latency::LatencyUs,
    options::{Asked, Prepared},
    report::{
        Circumstances, GeneratorReport, MachineReport, PartReport, Report, SCHEMA, StreamReport, SystemCalls,
        UnexpectedReport,
    },
    self_checks,
};

impl Report {
    /// Puts a run's figures together and asks the self-checks.
    pub fn new(prepared: &Prepared, outcome: &Outcome, circumstances: Circumstances) -> Self {
        let plan = &prepared.plan;
        let right: u64 = outcome.streams.iter().map(|stream| stream.counts.ok_in_window).sum();
        let generator = generator(prepared, outcome, right);
        let streams: Vec<StreamReport> = outcome
            .streams
            .iter()
            .zip(&prepared.asked)
            .zip(&plan.streams)
            .map(|((stream, asked), planned)| {
                stream_report(stream, planned, asked, plan, outcome.interrupted)
            })
            .collect();
        Self {
            schema: SCHEMA,
            tool: "harness load",
            version: env!("CARGO_PKG_VERSION"),
            command: circumstances.command,
            started: circumstances.started,
            window_opened: circumstances.window_opened,
            url: prepared.target.to_string(),
            address: prepared.target.address.to_string(),
            seed: outcome.seed,
            part: (plan.part.of > 1).then_some(PartReport { index: plan.part.index, of: plan.part.of }),
            clock: circumstances.clock,
            interrupted: outcome.interrupted,
            warm_up_s: plan.warm_up.as_secs_f64(),
            planned_window_s: plan.window.as_secs_f64(),
            window_s: outcome.window_s,
            requests_per_second: outcome.streams.iter().map(StreamOutcome::achieved_per_second).sum(),
            self_checks: self_checks::of_run(&generator, plan, outcome),
            streams,
            generator,
            closed_loop: outcome.closed_loop(),
            clock_step_ns: outcome.clock_step_ns,
            machine: MachineReport { steal: circumstances.steal },
        }
    }
}

fn stream_report(
    stream: &StreamOutcome,
    planned: &Stream,
    asked: &Asked,
    plan: &Plan,
    interrupted: bool,
) -> StreamReport {
    let open = stream.pacing.is_open();
    let inflation = Some(stream.variance_inflation());
    let wait = &stream.queue_wait;
    // Waits of zero are below what the histogram resolves.
    let waited = |waits: &Histogram| (waits.len() - waits.clamped_below()) as f64 / waits.len() as f64;
    let mut report = StreamReport {
        name: stream.name.clone(),
        method: asked.method.clone(),
        target: asked.target.clone(),
        expects: asked.judged.expects.clone(),
        verify: planned.verify,
        pacing: stream.pacing,
        share_of_mix: plan.shared_connections.map(|_| planned.weight),
        connections: stream.connections,
        outstanding_limit: u64::from(plan.connections_of(planned)) * u64::from(planned.policy.pipeline),
        offered_per_second: stream.offered_per_second(),
        requests_per_second: stream.achieved_per_second(),
        counts: stream.counts,
        errors: stream.errors,
        causes: stream.causes.clone(),
        failed_attempts: stream.failed_attempts.clone(),
        status: stream.statuses.clone(),
        first_wrong: stream.first_wrong.clone(),
        first_unreadable: stream.first_unreadable.clone(),
        clocked: stream.clocked,
        response_us: LatencyUs::of_censored(&stream.response_times(), inflation),
        observed_us: LatencyUs::of_censored(&stream.observed_times(), None).filter(|_| open),
        service_us: LatencyUs::of(&stream.service, inflation),
        failed_us: LatencyUs::of(&stream.failed, None),
        unexpected: stream
            .unexpected
            .iter()
            .map(|kind| UnexpectedReport {
                kind: kind.kind,
                response_us: LatencyUs::of(&kind.response, None),
                service_us: LatencyUs::of(&kind.service, None),
            })
            .collect(),
        queue_wait_us: LatencyUs::of(wait, None).filter(|_| open),
        waited_share: (open && !wait.is_empty()).then(|| waited(wait)),
        lag_us: LatencyUs::of(&stream.lag, None).filter(|_| open),
        overtaken_share: open.then(|| stream.overtaken_share()),
        mean_in_server: stream.mean_in_server(),
        mean_in_generator: stream.mean_in_generator(),
        departures: stream.departures.summary(),
        drawn_schedule: stream.drawn_schedule(),
        stationarity: stream.stationarity(),
        serial: stream.serial.figures(),
        accounting: stream.accounting(),
        self_checks: Vec::new(),
        response: stream.response.clone(),
    };
    report.self_checks = self_checks::of_stream(&report, stream, interrupted);
    report
}

fn generator(prepared: &Prepared, outcome: &Outcome, right: u64) -> GeneratorReport {
    let threads = &outcome.threads;
    let wall_s: f64 = threads.iter().map(|thread| thread.wall_s).sum();
    let cpu_s: f64 = threads.iter().map(|thread| thread.cpu_time_s).sum();
    let delay_s: f64 = threads.iter().map(|thread| thread.run_delay_s).sum();
    let busy: f64 = threads.iter().map(|thread| thread.busy_share).sum();
    GeneratorReport {
        threads: threads.len(),
        cpus: threads.iter().filter_map(|thread| thread.cpu).collect(),
        spins: prepared.plan.wait != load::Wait::Sleep,
        busy: busy / threads.len().max(1) as f64,
        starved: delay_s / wall_s.max(f64::MIN_POSITIVE),
        cpu_per_request_us: (right > 0).then(|| cpu_s * 1e6 / right as f64),
        syscalls: SystemCalls {
            waits: threads.iter().map(|thread| thread.waits).sum(),
            reads: threads.iter().map(|thread| thread.reads).sum(),
            writes: threads.iter().map(|thread| thread.writes).sum(),
        },
        involuntary_switches: threads.iter().map(|thread| thread.involuntary_switches).sum(),
    }
}
