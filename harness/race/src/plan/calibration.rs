//! What rows can do, as it was measured before the first start, and what of it decides for all of them.

use std::time::Duration;

use app::Operation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::registry::Tier;

/// What the rows of a run can do, measured before the first start: absolute rates come from it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Calibration {
    /// Every row that could be calibrated.
    pub rows: Vec<RowCalibration>,
    /// What one iteration of complex takes at concurrency 1 through the reference row, nanoseconds; absent if no
    /// scenario asks for complex.
    pub complex_ns_per_iteration: Option<f64>,
    /// The same for one draw of randoms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub randoms_ns_per_draw: Option<f64>,
}

/// What one row can do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RowCalibration {
    /// The row.
    pub row: String,
    /// Its tier; absent in records of before there were others than controlled rows and the null server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// Whether it has one worker, however many CPUs there are.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub single: bool,
    /// Cheap requests per second in a closed loop, on the CPUs of a split.
    pub simple_per_second: f64,
    /// CPU time of the server's tree for one of them, microseconds.
    pub simple_cpu_us: f64,
    /// CPU time of the server's tree for one complex request at concurrency 1, microseconds; absent if the
    /// row does not serve it, or nothing asked for it.
    pub complex_cpu_us: Option<f64>,
    /// The iterations of that request.
    pub complex_iterations: Option<u64>,
    /// CPU time of the server's tree for one request of randoms at concurrency 1, microseconds, as for complex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub randoms_cpu_us: Option<f64>,
    /// The draws of that request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub randoms_count: Option<u32>,
}

impl Calibration {
    /// The row's own figures.
    pub fn of(&self, row: &str) -> Option<&RowCalibration> {
        self.rows.iter().find(|calibrated| calibrated.row == row)
    }

    /// How many iterations of complex take `time`.
    pub(super) fn iterations(&self, time: Duration) -> Option<u64> {
        Some((time.as_nanos() as f64 / self.complex_ns_per_iteration?).round().max(1.0) as u64)
    }

    /// How many draws of randoms take `time`.
    pub(super) fn draws(&self, time: Duration) -> Option<u32> {
        Some((time.as_nanos() as f64 / self.randoms_ns_per_draw?).round().max(1.0) as u32)
    }

    /// The rows that absolute numbers are derived from: the controlled ones where there are any, since a load that suits another
    /// stack, or one worker on many CPUs, would leave them idle; else all but the null server; else whatever there is.
    fn deciding(&self) -> impl Iterator<Item = &RowCalibration> + Clone {
        let rank = |row: &RowCalibration| match row.tier {
            None | Some(Tier::Controlled) if !row.single => 0,
            None | Some(Tier::Controlled) => 1,
            Some(Tier::Native | Tier::Reference) => 2,
            Some(Tier::Calibration) => 3,
        };
        let best = self.rows.iter().map(rank).min();
        self.rows.iter().filter(move |row| Some(rank(row)) == best)
    }

    /// Whether rows other than controlled ones were calibrated, and known as such.
    pub fn tells_tiers_apart(&self) -> bool {
        self.rows.iter().any(|row| row.tier.is_some_and(|tier| tier != Tier::Controlled))
    }

    /// What the slowest of the deciding rows served.
    pub(super) fn slowest(&self) -> Option<f64> {
        self.deciding().map(|row| row.simple_per_second).min_by(f64::total_cmp)
    }

    /// What the fastest of all rows but the null server served; of it too where it is alone.
    pub(super) fn fastest(&self) -> Option<f64> {
        let is_null = |row: &&RowCalibration| row.tier == Some(Tier::Calibration);
        let others = self.rows.iter().filter(|row| !is_null(row)).map(|row| row.simple_per_second);
        let all = self.rows.iter().map(|row| row.simple_per_second);
        others.max_by(f64::total_cmp).or_else(|| all.max_by(f64::total_cmp))
    }

    /// What an operation costs the median of the deciding rows, microseconds of CPU time.
    pub(super) fn cpu_us(&self, operation: Operation) -> Option<f64> {
        let costs = self.deciding().filter_map(|row| match operation {
            Operation::Complex { iterations } => {
                Some(row.complex_cpu_us? * iterations as f64 / row.complex_iterations? as f64)
            }
            Operation::Randoms { count, .. } => {
                Some(row.randoms_cpu_us? * f64::from(count) / f64::from(row.randoms_count?))
            }
            _ => Some(row.simple_cpu_us),
        });
        let mut costs: Vec<f64> = costs.collect();
        costs.sort_by(f64::total_cmp);
        costs.get(costs.len() / 2).copied()
    }

    /// The controlled rows whose complex costs over 3% more or less CPU time than the median one's, with the ratio.
    pub fn operation_differs(&self) -> Vec<(&str, f64)> {
        let cost = |row: &RowCalibration| Some(row.complex_cpu_us? / row.complex_iterations? as f64);
        let comparable =
            || self.rows.iter().filter(|row| row.tier.is_none_or(|tier| tier == Tier::Controlled));
        let mut costs: Vec<f64> = comparable().filter_map(cost).collect();
        costs.sort_by(f64::total_cmp);
        let Some(&median) = costs.get(costs.len() / 2) else { return Vec::new() };
        let ratios = comparable().filter_map(|row| Some((row.row.as_str(), cost(row)? / median)));
        ratios.filter(|(_, ratio)| (ratio - 1.0).abs() > OPERATION_TOLERANCE).collect()
    }
}

/// Controlled rows whose CPU time for complex differs by more are marked (METHODOLOGY.md, "What is the same in every controlled
/// row").
const OPERATION_TOLERANCE: f64 = 0.03;
