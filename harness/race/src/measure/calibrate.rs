//! What each row can do, measured before the first start, in short rounds that alternate between the rows.

use std::time::Duration;

use app::Operation;
use load::Pacing;

use crate::{
    measure::drive::{self, Wanted},
    plan::{
        calibration::{Calibration, RowCalibration},
        cpu_plan::CpuPlan,
        resolve::{DRAWS_SEED, Resolved, ResolvedStream},
        stream::Shape,
    },
    programs::{context::Context, instance::InstanceError},
    registry::{OperationName, Row, Tier, Workers},
};
use terminal::progress::Progress;

/// Rounds, of which the median counts.
pub const ROUNDS: usize = 3;
/// Window of one measurement of a round.
const WINDOW: Duration = Duration::from_millis(250);
const WARM_UP: Duration = Duration::from_millis(50);
const TIMEOUT: Duration = Duration::from_secs(5);
/// Connections of the closed loop that measures the capacity for cheap requests.
const CONNECTIONS: usize = 64;
/// Iterations of the complex request whose cost is measured: some milliseconds on current processors, so that the
/// cost of the request around it is below half a percent.
const ITERATIONS: u64 = 4_000_000;
/// Draws of the request of randoms whose cost is measured: about as long.
const DRAWS: u32 = 1_000_000;

/// A row that cannot be measured at all, and why.
#[derive(Debug)]
pub struct Unfit {
    /// The row.
    pub row: String,
    /// What happened.
    pub reason: String,
}

/// Calibrates `rows` on the CPUs of `cpus`. Rows that fail are reported, and calibrated no further.
pub fn calibrate(
    context: &Context,
    rows: &[Row],
    cpus: &CpuPlan,
    wanted: &[OperationName],
    progress: &Progress,
) -> (Calibration, Vec<Unfit>) {
    let mut rounds: Vec<Vec<Round>> = rows.iter().map(|_| Vec::new()).collect();
    let mut unfit: Vec<Unfit> = Vec::new();
    for _ in 0..ROUNDS {
        for (row, rounds) in rows.iter().zip(&mut rounds) {
            if context.is_over() {
                return (Calibration::default(), unfit);
            }
            if unfit.iter().any(|unfit| unfit.row == row.name) {
                progress.done(&format!("{} is out", row.name));
                continue;
            }
            progress.doing(row.name.clone());
            let own: Vec<OperationName> =
                wanted.iter().copied().filter(|operation| row.operations.contains(operation)).collect();
            match round(context, row, cpus, &own) {
                Ok(round) => {
                    progress.done(&format!("{} {:.0}/s", row.name, round.simple_per_second));
                    rounds.push(round);
                }
                Err(error) => {
                    progress.done(&format!("{} failed", row.name));
                    unfit.push(Unfit { row: row.name.clone(), reason: error.to_string() });
                }
            }
        }
    }
    let fit = |row: &&Row| !unfit.iter().any(|unfit| unfit.row == row.name);
    let measured = rows.iter().zip(&rounds).filter(|(row, rounds)| fit(row) && !rounds.is_empty());
    let calibration = Calibration {
        rows: measured.clone().map(|(row, rounds)| row_calibration(row, rounds)).collect(),
        // The first controlled row, or the first that serves it at all.
        complex_ns_per_iteration: service_us(measured.clone(), |round| round.complex.as_ref())
            .map(|service_us| service_us * 1000.0 / ITERATIONS as f64),
        randoms_ns_per_draw: service_us(measured, |round| round.randoms.as_ref())
            .map(|service_us| service_us * 1000.0 / f64::from(DRAWS)),
    };
    (calibration, unfit)
}

/// What one operation takes at concurrency 1: one server's word for all.
fn service_us<'a>(
    measured: impl Iterator<Item = (&'a Row, &'a Vec<Round>)>,
    of: fn(&Round) -> Option<&Cost>,
) -> Option<f64> {
    measured
        .filter(|(_, rounds)| of(&rounds[0]).is_some())
        .min_by_key(|(row, _)| row.tier != Tier::Controlled)
        .and_then(|(_, rounds)| median(rounds.iter().filter_map(|round| Some(of(round)?.service_us))))
}

/// One row, once.
#[derive(Debug)]
struct Round {
    simple_per_second: f64,
    simple_cpu_us: f64,
    complex: Option<Cost>,
    randoms: Option<Cost>,
}

/// What one expensive request costs.
#[derive(Debug)]
struct Cost {
    cpu_us: f64,
    service_us: f64,
}

fn round(
    context: &Context,
    row: &Row,
    cpus: &CpuPlan,
    wanted: &[OperationName],
) -> Result<Round, InstanceError> {
    let mut running = context.start(row, &cpus.server)?;
    drive::check_answers(running.address(), running.server(), row)?;
    let mut warm_up = WARM_UP.max(row.warm_up);
    let mut measure = |operation, connections| {
        let stream = ResolvedStream {
            name: "calibration".to_owned(),
            operation,
            connections,
            pacing: Pacing::Closed,
            shape: Shape::default(),
        };
        // What a row needs to become itself it needs once.
        let warm_up = std::mem::replace(&mut warm_up, WARM_UP);
        let load = Resolved { streams: vec![stream], warm_up, window: WINDOW, timeout: TIMEOUT };
        let wanted = Wanted { load: &load, cpus, seed: 0 };
        let measured = drive::drive(context, running.as_mut(), &wanted)?;
        let stream = &measured.streams[0];
        if stream.right == 0 || measured.errors() > 0 {
            let (right, errors) = (stream.right, &stream.errors);
            return Err(InstanceError::WrongAnswer(format!("{right} right answers, errors {errors:?}")));
        }
        Ok(measured)
    };
    let simple = measure(Operation::Simple, CONNECTIONS)?;
    let mut cost = |name, operation| {
        if !wanted.contains(&name) {
            return Ok(None);
        }
        let measured = measure(operation, 1)?;
        let service = measured.streams[0].service.as_ref();
        Ok::<_, InstanceError>(Some(Cost {
            cpu_us: measured.cpu_per_request_us(),
            service_us: service.map_or(0.0, |service| service.p50.ns() as f64 / 1000.0),
        }))
    };
    let complex = cost(OperationName::Complex, Operation::Complex { iterations: ITERATIONS })?;
    let randoms = cost(OperationName::Randoms, Operation::Randoms { count: DRAWS, seed: DRAWS_SEED })?;
    running.stop()?;
    Ok(Round {
        simple_per_second: simple.answered_per_second(&simple.streams[0]),
        simple_cpu_us: simple.cpu_per_request_us(),
        complex,
        randoms,
    })
}

fn row_calibration(row: &Row, rounds: &[Round]) -> RowCalibration {
    let of = |figure: fn(&Round) -> Option<f64>| median(rounds.iter().filter_map(figure));
    let complex_cpu_us = of(|round| round.complex.as_ref().map(|complex| complex.cpu_us));
    let randoms_cpu_us = of(|round| round.randoms.as_ref().map(|randoms| randoms.cpu_us));
    RowCalibration {
        row: row.name.clone(),
        tier: Some(row.tier),
        single: row.factors.is_some_and(|factors| factors.workers == Workers::Single),
        simple_per_second: of(|round| Some(round.simple_per_second)).unwrap_or(0.0),
        simple_cpu_us: of(|round| Some(round.simple_cpu_us)).unwrap_or(0.0),
        complex_cpu_us,
        complex_iterations: complex_cpu_us.map(|_| ITERATIONS),
        randoms_cpu_us,
        randoms_count: randoms_cpu_us.map(|_| DRAWS),
    }
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}
