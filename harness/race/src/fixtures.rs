//! Records as they might be, for the tests of this crate and of those above it to start from.

use stats::{Digest, Histogram};

use crate::{
    plan::{
        cpu_plan::CpuPlan,
        resolve::{Calibration, RowCalibration},
        scenario::Placement,
    },
    records::record::{GeneratorRecord, Measured, SCHEMA, StreamRecord, TrialRecord, Verdict},
    registry::Tier,
    sample::{MachineUse, TreeUse},
};

/// A distribution in which everything took `us`.
pub fn always(us: u64) -> Option<Digest> {
    let mut histogram = Histogram::new();
    (0..1000).for_each(|_| histogram.record_ns(1000 * us));
    histogram.digest()
}

/// A trial in which nothing is wrong, for tests to start from.
pub fn sound() -> Measured {
    Measured {
        window_s: 1.0,
        clock_step_ns: Some(0),
        streams: vec![StreamRecord {
            name: "simple".to_owned(),
            connections: 64,
            offered_per_second: Some(1000.0),
            achieved_per_second: 1000.0,
            due: 1000,
            sent: 1000,
            unsent: 0,
            right: 1000,
            late: 0,
            censored: 0,
            errors: [].into(),
            first_wrong: None,
            response: always(2000),
            observed: always(2000),
            timed_by_stamp_and_by_read: [1000, 0],
            service: always(1900),
            queue_wait: always(1),
            lag: always(20),
            littles_law_difference: 0.001,
            accounts_agree: true,
            reopened: 0,
            answers_by_connection: [15, 17],
            self_checks: None,
        }],
        server: TreeUse::default(),
        server_cpu_per_request_us: 10.0,
        server_life: None,
        workers: Some(1),
        unclean_end: None,
        generator: GeneratorRecord { threads: 1, busy: 0.05, ..GeneratorRecord::default() },
        machine: Some(MachineUse {
            server_cpus_busy: 0.5,
            generator_cpus_busy: 0.5,
            stolen: 0.0,
            others: 0.01,
        }),
        load_average_before: None,
    }
}

/// A trial that failed, for tests to start from.
pub fn failed(scenario: &str, row: &str, block: usize) -> TrialRecord {
    TrialRecord {
        schema: SCHEMA,
        scenario: scenario.to_owned(),
        row: row.to_owned(),
        twin: false,
        tier: Tier::Controlled,
        block,
        position: 0,
        attempt: 0,
        seed: 7,
        started: "2026-11-21T04:00:00+00:00".to_owned(),
        cpus: CpuPlan {
            placement: Placement::Split,
            server: "0".parse().unwrap(),
            generator: "1".parse().unwrap(),
        },
        verdict: Verdict::Failed { reason: "died".to_owned() },
        measured: None,
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
