//! Records as they might be, for the tests of this crate and of those above it to start from.

pub mod experiment;
pub mod run;

use std::{collections::BTreeMap, time::Duration};

use load::ClosedLoop;
use stats::{Digest, Histogram, Recorded, Stationarity};

use crate::{
    machine::{edge::Accounts, generator::GeneratorUse, memory::Memory, row::RowUse, shares::Shares},
    plan::{
        calibration::{Calibration, RowCalibration},
        cpu_plan::CpuPlan,
        run_plan::RunPlan,
        scenario::{Metric, Pacing, Placement, RankBy, Scenario, Stream},
    },
    records::{
        environment::{Code, Cpu, Environment},
        folder::{RunRecord, TimeSpent},
        log::ServerRecord,
        window::{GeneratorRecord, Measured, SelfChecks, SlicesRecord, StreamRecord, Verdict, WindowRecord},
    },
    registry::{OperationName, Row, Tier},
};

fn thousand(us: u64) -> Histogram {
    let mut histogram = Histogram::new();
    (0..1000).for_each(|_| histogram.record_ns(1000 * us));
    histogram
}

/// A distribution in which everything took `us`.
pub fn always(us: u64) -> Recorded {
    Recorded::of(&thousand(us))
}

/// Its figures.
pub fn digest_of(us: u64) -> Option<Digest> {
    thousand(us).digest()
}

/// A window in which nothing is wrong, for tests to start from: a second of 1,000 requests, 2 ms and 10 us of CPU time each.
pub fn sound() -> Measured {
    let slices = SlicesRecord {
        width_ns: 10_000_000,
        due: vec![10; 100],
        answered: vec![10; 100],
        errors: vec![0; 100],
        mean_us: vec![2000; 100],
        max_us: vec![2000; 100],
    };
    Measured {
        window_s: 1.0,
        clock_step_ns: Some(0),
        streams: vec![StreamRecord {
            name: "simple".to_owned(),
            connections: 64,
            offered_per_second: Some(1000.0),
            answered_in_window: 1000,
            due: 1000,
            sent: 1000,
            unsent: 0,
            right: 1000,
            late: 0,
            overtaken: 0,
            censored: 0,
            errors: [].into(),
            causes: BTreeMap::new(),
            first_wrong: None,
            response: always(2000),
            observed: always(2000),
            unanswered: Recorded::default(),
            loading: None,
            timed_by_stamp_and_by_read: [1000, 0],
            service: digest_of(1900),
            queue_wait: digest_of(1),
            lag: digest_of(20),
            littles_law_difference: 0.001,
            accounts_agree: true,
            reopened: 0,
            answers_by_connection: [15, 17],
            answers_by_worker: [("t0".to_owned(), 1000)].into(),
            connections_by_worker: BTreeMap::new(),
            slices,
            self_checks: SelfChecks {
                drawn_schedule: None,
                departures_distance: None,
                stationarity: Stationarity::CannotTell,
                serial: None,
            },
        }],
        answered_in_stretch: 1050,
        accounts: Accounts {
            stretch_ns: 1_060_000_000,
            cpus: "0".parse().unwrap_or_default(),
            row: RowUse { cpu_ns: 10_500_000, processes: 1, threads: 1, ..RowUse::default() },
            shares: Shares { row_ns: 10_500_000, ..Shares::default() },
            foreign_beside_generator_ns: Some(0),
            unexplained_ns: Some(0),
            unexplained_within_ns: 30_000_000,
            stolen_ticks: BTreeMap::new(),
            clock_step_ns: 0,
            generator: GeneratorUse { threads: 1, wall_s: 1.0, cpu_s: 0.05, run_delay_s: 0.0 },
            reading_ns: [130_000; 2],
        },
        generator: GeneratorRecord { threads: 1, busy: 0.05, ..GeneratorRecord::default() },
        closed_loop: None,
        ports: None,
        idle: None,
        parts: Vec::new(),
    }
}

/// A stream of a window in which requests were due evenly and took `times_us`, in that order, each on time and answered. Its figures
/// agree with each other, in slices of 10 ms; what they do not decide is that of [`sound`].
pub fn stream(name: &str, window_s: f64, times_us: &[u64]) -> StreamRecord {
    let mut histogram = Histogram::new();
    times_us.iter().for_each(|us| histogram.record_ns(1000 * us));
    let count = times_us.len() as u64;
    let slices = (window_s * 100.0).ceil() as usize;
    let due_in = |slice: usize| {
        let at = |slice: usize| (slice * times_us.len()).div_ceil(slices.max(1));
        &times_us[at(slice)..at(slice + 1)]
    };
    let of_slices = || (0..slices).map(due_in);
    let counts: Vec<u32> = of_slices().map(|times| times.len() as u32).collect();
    let sound = sound().streams.swap_remove(0);
    StreamRecord {
        name: name.to_owned(),
        offered_per_second: Some(count as f64 / window_s),
        answered_in_window: count,
        due: count,
        sent: count,
        right: count,
        response: Recorded::of(&histogram),
        observed: Recorded::of(&histogram),
        service: histogram.digest(),
        timed_by_stamp_and_by_read: [count, 0],
        answers_by_worker: [("t0".to_owned(), count.div_ceil(2)), ("t1".to_owned(), count / 2)].into(),
        slices: SlicesRecord {
            width_ns: 10_000_000,
            due: counts.clone(),
            answered: counts,
            errors: vec![0; slices],
            mean_us: of_slices().map(|us| us.iter().sum::<u64>() / (us.len() as u64).max(1)).collect(),
            max_us: of_slices().map(|us| us.iter().copied().max().unwrap_or(0)).collect(),
        },
        ..sound
    }
}

/// So many times, spread evenly between `us` and half as much again, in an order that is nearly that of chance.
pub fn spread(us: u64, count: u64) -> Vec<u64> {
    // The next place is far from the last, and each is taken once: the golden ratio's multiples are as even as can be.
    let place = |at: u64| (at as f64 * 0.618_033_988_75).fract();
    (1..=count).map(|at| us + (us as f64 / 2.0 * place(at)) as u64).collect()
}

/// A window of these streams in which nothing is wrong, on the CPUs 0 and 1, each answer at 10 us of CPU time.
pub fn of_streams(window_s: f64, streams: Vec<StreamRecord>) -> Measured {
    let answered: u64 = streams.iter().map(|stream| stream.answered_in_window).sum();
    let (cpu_ns, stretch_ns) = (10_000 * answered, (1.06e9 * window_s) as u64);
    let sound = sound();
    let memory = Memory { kib: 12 << 10, ..Memory::default() };
    Measured {
        window_s,
        streams,
        answered_in_stretch: answered,
        accounts: Accounts {
            stretch_ns,
            cpus: "0-1".parse().unwrap_or_default(),
            row: RowUse { cpu_ns, memory, ..sound.accounts.row },
            shares: Shares { row_ns: cpu_ns, harness_ns: stretch_ns / 20, ..Shares::default() },
            ..sound.accounts
        },
        ..sound
    }
}

/// What a closed loop on `slots` connections may say of itself, with so many requests in server and generator on average.
pub fn closed_loop(slots: u64, in_server: f64, in_generator: f64) -> ClosedLoop {
    ClosedLoop { slots, per_second: 1000.0, in_server, in_generator }
}

/// A window of a row, for tests to start from.
pub fn window(scenario: &str, row: &str, start: usize, round: usize, measured: Measured) -> WindowRecord {
    WindowRecord {
        scenario: scenario.to_owned(),
        row: row.to_owned(),
        twin: false,
        tier: Tier::Controlled,
        start,
        round,
        position: 0,
        attempt: 0,
        seed: 7,
        began: "2026-11-21T04:00:00+00:00".to_owned(),
        cpus: CpuPlan {
            placement: Placement::Split,
            server: "0".parse().unwrap_or_default(),
            generator: "1".parse().unwrap_or_default(),
        },
        verdict: Verdict::Valid { generator_bound: false },
        measured: Some(measured),
    }
}

/// The life of a server that nothing happened to.
pub fn server(row: &str, start: usize, scenarios: &[&str]) -> ServerRecord {
    ServerRecord {
        start,
        scenarios: scenarios.iter().map(|&name| name.to_owned()).collect(),
        row: row.to_owned(),
        twin: false,
        workers: Some(1),
        life: None,
        unclean_end: None,
        fault: None,
    }
}

/// Three controlled rows of much the same speed.
pub fn calibration() -> Calibration {
    let row = |name: &str, simple_per_second, complex_cpu_us| RowCalibration {
        row: name.to_owned(),
        tier: Some(Tier::Controlled),
        single: false,
        simple_per_second,
        simple_cpu_us: 20.0,
        complex_cpu_us: Some(complex_cpu_us),
        complex_iterations: Some(4_000_000),
        randoms_cpu_us: Some(8_000.0),
        randoms_count: Some(1_000_000),
    };
    Calibration {
        rows: vec![row("a", 50_000.0, 5_000.0), row("b", 40_000.0, 5_000.0), row("c", 60_000.0, 5_200.0)],
        complex_ns_per_iteration: Some(1.25),
        randoms_ns_per_draw: Some(8.0),
    }
}

/// A host of two CPUs, and a harness on it.
pub fn environment() -> Environment {
    Environment {
        started: "2026-11-21T04:00:00+00:00".to_owned(),
        command: "cargo bench-all".to_owned(),
        host: "host".to_owned(),
        cpu: Cpu {
            model: Some("Model".to_owned()),
            online: Some("0-1".to_owned()),
            allowed: "0-1".parse().unwrap_or_default(),
            cores: vec!["0".to_owned(), "1".to_owned()],
            numa_nodes: None,
            governor: None,
            turbo: Some(true),
            smt: None,
            virtual_machine: true,
            clock_source: Some("tsc".to_owned()),
            mitigations: BTreeMap::new(),
        },
        memory_mib: Some(1024),
        kernel: "6.0".to_owned(),
        sysctls: [("net/core/somaxconn".to_owned(), Some("4096".to_owned()))].into(),
        limits: [("open files".to_owned(), Some("1024".to_owned()))].into(),
        rehearsal: false,
        code: Code {
            revision: Some("0123456789abcdef".to_owned()),
            modified: Some(false),
            lock_sha256: None,
            harness_sha256: Some("of the harness".to_owned()),
        },
        tools: [("rustc".to_owned(), Some("rustc 1.95.0".to_owned()))].into(),
        required: BTreeMap::new(),
        start: None,
        server_host: None,
        generator_hosts: Vec::new(),
        programs: ["a", "b"].map(|row| (row.to_owned(), format!("of {row}"))).into(),
    }
}

/// A row of a registry.
pub fn row(name: &str) -> Row {
    let command = vec![format!("./{name}")];
    Row { tier: Tier::Controlled, is_given: false, ..Row::given(name.to_owned(), command) }
}

/// A closed loop of two rounds that fits on every host.
pub fn scenario(name: &str) -> Scenario {
    Scenario {
        name: name.to_owned(),
        question: "how many?".to_owned(),
        best: None,
        expected: None,
        on_request: false,
        experiment: None,
        workers: None,
        worker_counts: Vec::new(),
        placement: Placement::Shared,
        server_cpus: Some(1),
        min_server_cpus: 1,
        warm_up: Duration::from_millis(50),
        window: Duration::from_millis(250),
        rounds: 2,
        timeout: Duration::from_secs(5),
        ladder: None,
        objective: None,
        rank: RankBy { stream: "simple".to_owned(), by: Metric::Throughput },
        streams: vec![Stream::plain("simple", OperationName::Simple, 64, Pacing::Closed)],
    }
}

/// A run of the rows `a` and `b` under the scenarios `first` and `second` before it measured anything.
pub fn run_record(starts: u32) -> RunRecord {
    RunRecord {
        plan: RunPlan {
            rows: vec![row("a"), row("b")],
            with: Vec::new(),
            scenarios: vec![scenario("first"), scenario("second")],
            starts,
            seed: 7,
        },
        skipped: Vec::new(),
        conformance: None,
        calibration: Calibration::default(),
        gate: None,
        failures: Vec::new(),
        interrupted: false,
        resumed: Vec::new(),
        time: TimeSpent::default(),
    }
}
