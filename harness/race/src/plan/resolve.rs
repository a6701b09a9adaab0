//! From a scenario, which says what it wants, to absolute numbers, which are the same for every row.

use std::time::Duration;

use app::Operation;
use load::Pacing as Arrivals;
use serde::{Deserialize, Serialize};

use crate::{
    plan::{
        calibration::Calibration,
        scenario::{Pacing, Rate, Scenario, Stream},
        stream::Shape,
        target,
    },
    registry::OperationName,
};

/// A scenario in absolute numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resolved {
    /// Its streams.
    pub streams: Vec<ResolvedStream>,
    /// Load before the window.
    pub warm_up: Duration,
    /// The window.
    pub window: Duration,
    /// How long a request may stay unanswered.
    pub timeout: Duration,
}

impl Resolved {
    /// On how many connections nothing happens.
    pub fn idle_connections(&self) -> usize {
        self.streams.iter().map(|stream| stream.shape.idle_connections).sum()
    }

    /// The same without those.
    pub fn without_idle_connections(mut self) -> Self {
        self.streams.iter_mut().for_each(|stream| stream.shape.idle_connections = 0);
        self
    }
}

/// A stream in absolute numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResolvedStream {
    /// Its name.
    pub name: String,
    /// What is asked for.
    #[serde(with = "target")]
    pub operation: Operation,
    /// Its connections.
    pub connections: usize,
    /// When requests are due.
    pub pacing: Arrivals,
    /// What its connections are like.
    pub shape: Shape,
}

/// A scenario whose numbers cannot be derived.
#[derive(Debug, PartialEq, thiserror::Error)]
pub enum ResolveError {
    /// No row could be calibrated, or none that serves what is asked for.
    #[error("scenario {0}: its rates come from a calibration, and no row could be calibrated")]
    NoCalibration(String),
    /// Its rate is another one for each row, and known only just before.
    #[error("scenario {0}: its rate comes from each row itself, as an experiment's")]
    OwnCapacity(String),
    /// The other streams already make the load that was asked for.
    #[error(
        "scenario {scenario}: its other streams alone make a load of {others:.2}, and {wanted:.2} is asked for"
    )]
    NothingLeft {
        /// The scenario.
        scenario: String,
        /// The load of the other streams.
        others: f64,
        /// The load that was asked for.
        wanted: f64,
    },
    /// Its lowest step is above the highest.
    #[error(
        "scenario {scenario}: its ladder begins at {lowest:.0} requests per second, and the fastest row served {fastest:.0}: it leads nowhere"
    )]
    NoLadder {
        /// The scenario.
        scenario: String,
        /// Where it begins.
        lowest: f64,
        /// What the fastest row served.
        fastest: f64,
    },
    /// A rate that comes of the calibration is beyond what is scheduled.
    #[error(
        "scenario {scenario}: {per_second:.0} requests per second of `{stream}` are more than can be scheduled ({})",
        load::Rate::MOST_PER_SECOND
    )]
    TooFast {
        /// The scenario.
        scenario: String,
        /// The stream.
        stream: String,
        /// Its rate at the highest step.
        per_second: f64,
    },
}

/// The seed of all draws: what they cost does not depend on it.
pub(crate) const DRAWS_SEED: u32 = 1;

/// Derives the absolute numbers of `scenario` for a server on `server_cpus` CPUs.
///
/// # Errors
/// See [`ResolveError`].
pub fn resolve(
    scenario: &Scenario,
    calibration: &Calibration,
    server_cpus: usize,
) -> Result<Resolved, ResolveError> {
    let unknown = || ResolveError::NoCalibration(scenario.name.clone());
    let mut costs_us = Vec::new();
    let mut streams = Vec::new();
    for stream in &scenario.streams {
        let operation = match (stream.operation, stream.service_time) {
            (OperationName::Complex, Some(time)) => {
                Operation::Complex { iterations: calibration.iterations(time).ok_or_else(unknown)? }
            }
            (OperationName::Randoms, Some(time)) => {
                Operation::Randoms { count: calibration.draws(time).ok_or_else(unknown)?, seed: DRAWS_SEED }
            }
            (OperationName::Delay, Some(time)) => {
                Operation::Delay { milliseconds: u64::try_from(time.as_millis()).unwrap_or(u64::MAX) }
            }
            _ => Operation::Simple,
        };
        costs_us.push(calibration.cpu_us(operation));
        streams.push(ResolvedStream::of(stream, operation, Arrivals::Closed));
    }
    // First the rates that stand by themselves, then the one that gets what is left of the load.
    let mut others = 0.0;
    for (index, stream) in scenario.streams.iter().enumerate() {
        let per_second = match stream.pacing.rate() {
            None | Some(Rate::ToReachLoad(_)) => continue,
            Some(Rate::PerSecond(rate)) => rate,
            Some(Rate::OfSlowestCapacity(part)) => part * calibration.slowest().ok_or_else(unknown)?,
            Some(Rate::OfOwnCapacity(_)) => return Err(ResolveError::OwnCapacity(scenario.name.clone())),
        };
        streams[index].pacing = arrivals(stream, per_second);
        others += per_second * costs_us[index].unwrap_or(0.0) / 1e6 / server_cpus as f64;
    }
    for (index, stream) in scenario.streams.iter().enumerate() {
        let Some(Rate::ToReachLoad(wanted)) = stream.pacing.rate() else { continue };
        let cost = costs_us[index].ok_or_else(unknown)?;
        if others >= wanted {
            return Err(ResolveError::NothingLeft { scenario: scenario.name.clone(), others, wanted });
        }
        let per_second = (wanted - others) * server_cpus as f64 / (cost / 1e6);
        streams[index].pacing = arrivals(stream, per_second);
    }
    let Scenario { warm_up, window, timeout, .. } = *scenario;
    Ok(Resolved { streams, warm_up, window, timeout })
}

/// The streams of an experiment, whose row carries `capacity` right answers per second; in a closed loop, by which that is found, where it
/// is not known yet.
pub fn own_streams(scenario: &Scenario, capacity: Option<f64>) -> Vec<ResolvedStream> {
    let resolved = |stream: &Stream| {
        let pacing = match (stream.pacing.rate(), capacity) {
            (Some(Rate::OfOwnCapacity(part)), Some(capacity)) => arrivals(stream, part * capacity),
            _ => Arrivals::Closed,
        };
        ResolvedStream::of(stream, Operation::Simple, pacing)
    };
    scenario.streams.iter().map(resolved).collect()
}

/// The same at every step of the scenario's ladder, in their order; one where it has none.
///
/// # Errors
/// See [`ResolveError`].
pub fn resolve_steps(
    scenario: &Scenario,
    calibration: &Calibration,
    server_cpus: usize,
) -> Result<Vec<Resolved>, ResolveError> {
    let own = resolve(scenario, calibration, server_cpus)?;
    let Some(ladder) = &scenario.ladder else { return Ok(vec![own]) };
    let rate = |stream: &ResolvedStream, of: fn(load::Rate) -> f64| stream.pacing.rate().map_or(0.0, of);
    let peak = |stream: &ResolvedStream| rate(stream, load::Rate::peak_per_second);
    let ranked = own.streams.iter().find(|stream| stream.name == scenario.rank.stream);
    let (lowest, fastest) =
        (ranked.map_or(0.0, |stream| rate(stream, load::Rate::mean_per_second)), calibration.fastest());
    let factors = ladder.factors(lowest, fastest.unwrap_or(0.0)).ok_or_else(|| match fastest {
        Some(fastest) => ResolveError::NoLadder { scenario: scenario.name.clone(), lowest, fastest },
        None => ResolveError::NoCalibration(scenario.name.clone()),
    })?;
    let steps: Vec<Resolved> = factors.iter().map(|&factor| own.times(factor)).collect();
    let too_fast = |stream: &&ResolvedStream| peak(stream) > load::Rate::MOST_PER_SECOND;
    match steps.iter().flat_map(|step| &step.streams).find(too_fast) {
        Some(stream) => Err(ResolveError::TooFast {
            scenario: scenario.name.clone(),
            stream: stream.name.clone(),
            per_second: peak(stream),
        }),
        None => Ok(steps),
    }
}

impl Resolved {
    /// The same with so many times the rates.
    fn times(&self, factor: f64) -> Self {
        let mut load = self.clone();
        load.streams.iter_mut().for_each(|stream| stream.pacing = stream.pacing.times(factor));
        load
    }
}

impl ResolvedStream {
    fn of(stream: &Stream, operation: Operation, pacing: Arrivals) -> Self {
        let (name, connections) = (stream.name.clone(), stream.connections);
        Self { name, operation, connections, pacing, shape: stream.shape() }
    }
}

/// `per_second` is the mean rate, which a stream of bursts has within its bursts alone.
fn arrivals(stream: &Stream, per_second: f64) -> Arrivals {
    let per_second = match stream.bursts {
        Some(bursts) => load::Rate::Bursts {
            per_second: bursts.rate_within(per_second),
            on_s: bursts.on.as_secs_f64(),
            off_s: bursts.off.as_secs_f64(),
        },
        None => per_second.into(),
    };
    match stream.pacing {
        Pacing::Closed => Arrivals::Closed,
        Pacing::Constant { .. } => Arrivals::Constant { per_second },
        Pacing::Poisson { .. } => Arrivals::Poisson { per_second },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixtures::calibration,
        plan::{calibration::RowCalibration, scenarios::Scenarios, stream::Bursts},
        registry::{Asked, Tier},
    };

    fn shipped(name: &str) -> Scenario {
        let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios"));
        Scenarios::read(folder).unwrap().select(Asked::Named(&[name.to_owned()])).unwrap().remove(0)
    }

    #[test]
    fn a_part_of_the_slowest_capacity_is_the_same_absolute_rate_for_all() {
        let resolved = resolve(&shipped("simple-latency"), &calibration(), 1).unwrap();
        assert_eq!(resolved.streams[0].pacing, Arrivals::Poisson { per_second: 20_000.0.into() });
    }

    #[test]
    fn a_ladder_goes_from_its_own_rate_to_what_the_fastest_row_served_and_the_null_server_is_no_row() {
        let mut calibration = calibration();
        let null = RowCalibration {
            row: "ceiling".to_owned(),
            tier: Some(Tier::Calibration),
            simple_per_second: 1e6,
            ..calibration.rows[0].clone()
        };
        calibration.rows.push(null);
        let steps = resolve_steps(&shipped("curve"), &calibration, 1).unwrap();
        let rates: Vec<f64> =
            steps.iter().map(|step| step.streams[0].pacing.rate().unwrap().peak_per_second()).collect();
        assert_eq!(rates.len(), 8);
        // A tenth of 40,000, and 60,000: seven equal ratios.
        assert!((rates[0] - 4_000.0).abs() < 1e-6 && (rates[7] - 60_000.0).abs() < 1e-6, "{rates:?}");
        assert!(
            rates.windows(2).all(|two| (two[1] / two[0] - 15_f64.powf(1.0 / 7.0)).abs() < 1e-9),
            "{rates:?}"
        );
        calibration.rows.retain(|row| row.tier == Some(Tier::Calibration));
        assert_eq!(resolve_steps(&shipped("curve"), &calibration, 1).map(|steps| steps.len()), Ok(8));
        let none = resolve_steps(&shipped("curve"), &Calibration::default(), 1);
        assert!(matches!(none, Err(ResolveError::NoCalibration(_))));
        assert_eq!(
            resolve_steps(&shipped("simple-throughput"), &calibration, 1).map(|steps| steps.len()),
            Ok(1)
        );
    }

    #[test]
    fn bursts_leave_the_load_what_it_is_without_them_at_every_step_of_a_ladder() {
        let bursts = Some(Bursts { on: Duration::from_millis(50), off: Duration::from_millis(75) });
        let mean =
            |resolved: &Resolved, at: usize| resolved.streams[at].pacing.rate().unwrap().mean_per_second();
        let (plain, mut mixed) = (shipped("mixed"), shipped("mixed"));
        mixed.streams.iter_mut().for_each(|stream| stream.bursts = bursts);
        let resolved = |scenario: &Scenario| resolve(scenario, &calibration(), 2).unwrap();
        let (plain, mixed) = (resolved(&plain), resolved(&mixed));
        assert!((0..2).all(|at| (mean(&plain, at) - mean(&mixed, at)).abs() < 1e-6), "{mixed:?}");
        let mut curve = shipped("curve");
        curve.streams[0].bursts = bursts;
        let steps = resolve_steps(&curve, &calibration(), 1).unwrap();
        // As without bursts: what is carried in the mean is compared with what is carried in a closed loop.
        assert!((mean(&steps[0], 0) - 4_000.0).abs() < 1e-6 && (mean(&steps[7], 0) - 60_000.0).abs() < 1e-6);
    }

    #[test]
    fn the_last_stream_gets_what_is_left_of_the_load() {
        let resolved = resolve(&shipped("mixed"), &calibration(), 2).unwrap();
        // 5 ms at 1.25 ns an iteration; 1,000/s of 20 us leave 0.6 - 0.01 of two CPUs for 5 ms each.
        assert_eq!(resolved.streams[1].operation, Operation::Complex { iterations: 4_000_000 });
        let Arrivals::Poisson { per_second } = resolved.streams[1].pacing else { panic!("not Poisson") };
        let per_second = per_second.peak_per_second();
        assert!((per_second - 0.59 * 2.0 / 0.005).abs() < 1e-6, "{per_second}");
    }

    #[test]
    fn bursts_have_the_mean_rate_and_a_delay_lasts_as_long_as_the_scenario_says() {
        let resolved = resolve(&shipped("burst"), &calibration(), 2).unwrap();
        let Arrivals::Poisson { per_second } = resolved.streams[0].pacing else { panic!("not Poisson") };
        // 0.3 of 40,000/s in the mean, and 125 ms for each 50 ms of requests.
        assert!((per_second.mean_per_second() - 12_000.0).abs() < 1e-6, "{per_second:?}");
        assert!((per_second.peak_per_second() - 30_000.0).abs() < 1e-6, "{per_second:?}");
        let delayed = resolve(&shipped("slow-backend"), &Calibration::default(), 1).unwrap();
        let time = shipped("slow-backend").streams[0].service_time.unwrap();
        let milliseconds = time.as_millis() as u64;
        assert_eq!(delayed.streams[0].operation, Operation::Delay { milliseconds });
    }

    #[test]
    fn draws_are_calibrated_as_iterations_are() {
        let resolved = resolve(&shipped("randoms-beside-simple"), &calibration(), 2).unwrap();
        // 5 ms at 8 ns a draw, which cost as much CPU time; 1,000/s of 20 us leave 0.59 of two CPUs.
        assert_eq!(resolved.streams[1].operation, Operation::Randoms { count: 625_000, seed: DRAWS_SEED });
        let Arrivals::Poisson { per_second } = resolved.streams[1].pacing else { panic!("not Poisson") };
        assert!((per_second.peak_per_second() - 0.59 * 2.0 / 0.005).abs() < 1e-6);
    }

    #[test]
    fn a_load_that_the_other_streams_exceed_is_refused() {
        let mut costly = calibration();
        costly.rows.iter_mut().for_each(|row| row.simple_cpu_us = 1_300.0);
        let error = resolve(&shipped("mixed"), &costly, 2).unwrap_err();
        assert!(error.to_string().contains("0.65") && error.to_string().contains("0.60"), "{error}");
    }

    /// The controlled rows, and beside them one of another tier that is ten times as slow and as costly.
    fn beside(tier: Tier) -> Calibration {
        let mut calibration = calibration();
        let first = calibration.rows[0].clone();
        let slow = RowCalibration {
            row: "slow".to_owned(),
            tier: Some(tier),
            simple_per_second: first.simple_per_second / 10.0,
            simple_cpu_us: 10.0 * first.simple_cpu_us,
            complex_cpu_us: first.complex_cpu_us.map(|us| 10.0 * us),
            ..first
        };
        calibration.rows = [vec![slow.clone(), slow.clone(), slow], calibration.rows].concat();
        calibration
    }

    #[test]
    fn rows_of_other_tiers_change_no_load_and_are_no_measure_of_the_operation() {
        let rates = |calibration: &Calibration, scenario: &str| {
            let resolved = resolve(&shipped(scenario), calibration, 2).unwrap();
            resolved.streams.into_iter().map(|stream| stream.pacing).collect::<Vec<_>>()
        };
        for tier in [Tier::Native, Tier::Reference, Tier::Calibration] {
            let beside = beside(tier);
            for scenario in ["simple-latency", "mixed"] {
                assert_eq!(rates(&beside, scenario), rates(&calibration(), scenario), "{tier}");
            }
            assert_eq!(beside.operation_differs(), calibration().operation_differs());
        }
        // Nor does a controlled row of one worker, which would be the slowest wherever there are many CPUs.
        let mut single = beside(Tier::Controlled);
        single.rows.iter_mut().for_each(|row| row.single = row.row == "slow");
        assert_eq!(rates(&single, "simple-latency"), rates(&calibration(), "simple-latency"));
        // Where there is no controlled row, the others decide, and the null server last.
        let mut others = beside(Tier::Reference);
        others.rows.retain(|row| row.tier == Some(Tier::Reference));
        others.rows.push(RowCalibration {
            tier: Some(Tier::Calibration),
            simple_per_second: 1.0,
            ..others.rows[0].clone()
        });
        assert_eq!(rates(&others, "simple-latency"), [Arrivals::Poisson { per_second: 2_500.0.into() }]);
    }

    #[test]
    fn a_calibration_of_before_rows_had_tiers_reads_as_it_did() {
        let text = r#"{"row":"a","simple_per_second":1.0,"simple_cpu_us":1.0,"complex_cpu_us":null,"complex_iterations":null}"#;
        let row: RowCalibration = serde_json::from_str(text).unwrap();
        assert_eq!((row.tier, serde_json::to_string(&row).unwrap().as_str()), (None, text));
    }

    #[test]
    fn without_a_calibration_only_absolute_scenarios_can_be_resolved() {
        let none = Calibration::default();
        assert!(resolve(&shipped("simple-throughput"), &none, 1).is_ok());
        for name in ["simple-latency", "mixed"] {
            assert!(matches!(resolve(&shipped(name), &none, 1), Err(ResolveError::NoCalibration(_))));
        }
    }

    #[test]
    fn a_row_whose_operation_costs_over_three_percent_more_is_named() {
        let calibration = calibration();
        let [(row, ratio)] = calibration.operation_differs()[..] else { panic!() };
        assert!(row == "c" && (ratio - 1.04).abs() < 1e-9);
    }
}
