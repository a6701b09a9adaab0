//! The noise floor: what the comparison would report between a row and itself.
//!
//! The t interval of one pair estimates its spread from that pair alone, and with six blocks such an estimate is often
//! far too small. The floor pools the spread of all rows, so that a pair whose blocks happened to agree is not told
//! apart by luck. It supposes that rows share one spread; a row much noisier than the rest raises the floor for all,
//! which costs claims and never makes false ones. A pair of identical rows, kept out of the pool, then checks it.

use serde::{Deserialize, Serialize};

use crate::pair::{self, Estimate, Interval, NO_SPREAD};
use crate::student::StudentT;

/// The level at which the floor is exceeded by chance, and at which an A/A pair is judged.
pub const ALPHA: f64 = 0.05;

/// The spread of rows between blocks, and the ratio that it explains.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoiseFloor {
    /// Standard deviation `s` of log values within rows, after the factor common to a block is taken out.
    pub stdev_log: f64,
    /// Degrees of freedom `df` of that estimate.
    pub degrees_of_freedom: usize,
    /// The number `n` of blocks for which [`NoiseFloor::ratio`] is stated.
    pub blocks: usize,
    /// `exp(t s sqrt(2 / n))` with the 0.975 quantile `t` of Student's distribution with `df` degrees of freedom:
    /// between a row and itself, n blocks show a ratio beyond this, or below its inverse, once in twenty times.
    pub ratio: f64,
}

/// Whether the comparison finds no difference where there is none.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AaVerdict {
    /// The interval of the identical rows contains 1, and their ratio is within the noise floor.
    Agrees {
        /// What was measured between them.
        estimate: Estimate,
        /// Their t interval at 95%; `None` where all their ratios are the same.
        interval: Option<Interval>,
        /// The noise floor for that number of blocks.
        floor: f64,
    },
    /// One of the two does not hold. With six blocks, sound measurements come to this in 7 to 8 scenarios of 100 (each
    /// condition alone fails in 5; simulated). More often, trials are not independent, or order matters, and no other
    /// difference of this size is to be believed.
    Disagrees {
        /// What was measured between them.
        estimate: Estimate,
        /// Their t interval at 95%; `None` where all their ratios are the same.
        interval: Option<Interval>,
        /// The noise floor for that number of blocks.
        floor: f64,
    },
    /// There was nothing to check.
    NotMeasured {
        /// Why.
        reason: String,
    },
}

impl NoiseFloor {
    /// Pools the rows, each given as the logarithm of its value in every block, `None` where the trial is missing.
    /// `None` when they leave no degree of freedom, as one row alone does: its blocks then explain all of it.
    ///
    /// The model is additive: a row's level, a block's effect, and noise of one spread. Both sets of effects are fitted
    /// by least squares, so that missing trials do no harm, and `s^2` is the sum of squared residuals over its degrees
    /// of freedom, `N - R - B + C`: values, rows, blocks, and parts of the table that no row or block connects. For a
    /// full table this is `(R - 1)(B - 1)`, as in every two-way analysis of variance.
    pub fn of(rows: &[Vec<Option<f64>>]) -> Option<Self> {
        let cells: Vec<Cell> = cells_of(rows);
        let blocks = rows.iter().map(Vec::len).max()?;
        let parameters = rows.len() + blocks - parts_of(rows.len(), blocks, &cells);
        let degrees_of_freedom = cells.len().checked_sub(parameters)?;
        let t = StudentT::new(degrees_of_freedom)?;
        let sum_of_squares = residual_sum_of_squares(rows.len(), blocks, &cells);
        let stdev_log = (sum_of_squares / degrees_of_freedom as f64).sqrt();
        let measured_blocks =
            (0..blocks).filter(|&block| cells.iter().any(|cell| cell.block == block)).count();
        let ratio = ratio_at(&t, stdev_log, measured_blocks);
        Some(Self { stdev_log, degrees_of_freedom, blocks: measured_blocks, ratio })
    }

    /// The floor of a comparison over `blocks` blocks; the largest finite number for none.
    pub fn ratio_for(&self, blocks: usize) -> f64 {
        StudentT::new(self.degrees_of_freedom).map_or(f64::MAX, |t| ratio_at(&t, self.stdev_log, blocks))
    }

    /// Whether a measured ratio is larger, or its inverse is, than what a row shows against itself.
    pub fn is_exceeded_by(&self, estimate: &Estimate) -> bool {
        estimate.distance_log() > self.ratio_for(estimate.blocks).ln().max(NO_SPREAD)
    }
}

/// Judges two rows known to be identical. They should not be part of the floor that they check.
pub fn check_identical(
    floor: Option<&NoiseFloor>,
    first: &[Option<f64>],
    second: &[Option<f64>],
) -> AaVerdict {
    let Some(noise) = floor else {
        return AaVerdict::NotMeasured { reason: "there is no noise floor to check".to_owned() };
    };
    match pair::estimate(first, second) {
        Err(reason) => AaVerdict::NotMeasured { reason: reason.to_string() },
        Ok(estimate) => {
            let interval = estimate.interval(ALPHA);
            let floor = noise.ratio_for(estimate.blocks);
            // The interval contains 1 exactly when p is above alpha, and p exists where there is no interval too.
            if estimate.p_value > ALPHA && !noise.is_exceeded_by(&estimate) {
                AaVerdict::Agrees { estimate, interval, floor }
            } else {
                AaVerdict::Disagrees { estimate, interval, floor }
            }
        }
    }
}

struct Cell {
    row: usize,
    block: usize,
    log: f64,
}

fn cells_of(rows: &[Vec<Option<f64>>]) -> Vec<Cell> {
    let of_row = |(row, logs): (usize, &Vec<Option<f64>>)| {
        let present =
            logs.iter().enumerate().filter_map(move |(block, log)| Some(Cell { row, block, log: (*log)? }));
        present.collect::<Vec<_>>()
    };
    rows.iter().enumerate().flat_map(of_row).collect()
}

fn ratio_at(t: &StudentT, stdev_log: f64, blocks: usize) -> f64 {
    (t.critical(ALPHA) * stdev_log * (2.0 / blocks as f64).sqrt()).exp().min(f64::MAX)
}

/// In how many parts the table falls when rows and blocks are joined by their cells. A row or block without a cell is
/// a part of its own, which takes its parameter out of the count again.
fn parts_of(rows: usize, blocks: usize, cells: &[Cell]) -> usize {
    let mut part: Vec<usize> = (0..rows + blocks).collect();
    for cell in cells {
        let (old, new) = (part[cell.row], part[rows + cell.block]);
        part.iter_mut().filter(|label| **label == old).for_each(|label| *label = new);
    }
    part.sort_unstable();
    part.dedup();
    part.len()
}

/// What the best row and block effects leave, found by fitting the two in turn. A full table is done after one turn;
/// with cells missing the residuals shrink towards the least squares by a constant factor per turn.
fn residual_sum_of_squares(rows: usize, blocks: usize, cells: &[Cell]) -> f64 {
    /// Below rounding of logarithms of the values measured here.
    const SETTLED: f64 = 1e-13;
    const TURNS: usize = 10_000;
    let mut residuals: Vec<f64> = cells.iter().map(|cell| cell.log).collect();
    for _ in 0..TURNS {
        let moved_rows = take_means_out(rows, &mut residuals, cells, |cell| cell.row);
        let moved_blocks = take_means_out(blocks, &mut residuals, cells, |cell| cell.block);
        if moved_rows.max(moved_blocks) < SETTLED {
            break;
        }
    }
    residuals.iter().map(|residual| residual * residual).sum()
}

/// Centres every group of residuals; returns the largest mean that was taken out.
fn take_means_out(
    groups: usize,
    residuals: &mut [f64],
    cells: &[Cell],
    group: impl Fn(&Cell) -> usize,
) -> f64 {
    let mut sums = vec![(0.0_f64, 0.0_f64); groups];
    for (cell, residual) in cells.iter().zip(residuals.iter()) {
        let (sum, count) = &mut sums[group(cell)];
        *sum += residual;
        *count += 1.0;
    }
    let means: Vec<f64> =
        sums.iter().map(|&(sum, count)| if count > 0.0 { sum / count } else { 0.0 }).collect();
    for (cell, residual) in cells.iter().zip(residuals.iter_mut()) {
        *residual -= means[group(cell)];
    }
    means.iter().fold(0.0, |largest, mean| largest.max(mean.abs()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lcg::Lcg;

    fn all(values: &[f64]) -> Vec<Option<f64>> {
        values.iter().copied().map(Some).collect()
    }

    #[test]
    fn a_full_table_worked_by_hand() {
        // Row means 2 and 4, block means 2, 3 and 4, all 3: residuals are +-(0, 1, 1), their squares sum to 4.
        let floor =
            NoiseFloor::of(&[all(&[1.0, 3.0, 2.0]), all(&[3.0, 3.0, 6.0])]).expect("two rows, three blocks");
        assert_eq!((floor.degrees_of_freedom, floor.blocks), (2, 3));
        assert!((floor.stdev_log - 2.0_f64.sqrt()).abs() < 1e-12, "{floor:?}");
        // t of two degrees of freedom at 95% is 4.3027 in every table.
        let by_hand = 4.302_653 * 2.0_f64.sqrt() * (2.0_f64 / 3.0).sqrt();
        assert!((floor.ratio.ln() - by_hand).abs() < 1e-5, "{floor:?}");
    }

    #[test]
    fn block_effects_and_row_levels_are_not_noise() {
        let rows: Vec<_> =
            [1.0, 5.0, 2.0].iter().map(|level| all(&[level + 0.1, level + 7.0, level - 3.0])).collect();
        let floor = NoiseFloor::of(&rows).expect("three rows, three blocks");
        assert!(floor.stdev_log < 1e-12 && (floor.ratio - 1.0).abs() < 1e-9, "{floor:?}");
    }

    #[test]
    fn an_incomplete_additive_table_has_no_noise_either() {
        let rows = [
            vec![Some(1.0), None, Some(3.0)],
            vec![Some(2.0), Some(3.0), None],
            vec![None, Some(4.0), Some(5.0)],
        ];
        let floor = NoiseFloor::of(&rows).expect("six cells, five parameters");
        assert_eq!(floor.degrees_of_freedom, 1);
        assert!(floor.stdev_log < 1e-9, "{floor:?}");
    }

    #[test]
    fn a_row_alone_and_rows_that_never_meet_have_no_floor() {
        assert_eq!(NoiseFloor::of(&[]), None);
        assert_eq!(NoiseFloor::of(&[all(&[1.0, 2.0, 3.0])]), None);
        assert_eq!(NoiseFloor::of(&[vec![Some(1.0), Some(2.0), None], vec![None, None, Some(3.0)]]), None);
        assert_eq!(NoiseFloor::of(&[vec![None, None], vec![None, None]]), None);
    }

    #[test]
    fn the_spread_that_was_put_in_comes_out_although_trials_are_missing() {
        let mut lcg = Lcg::new(3);
        let effects: Vec<f64> = (0..60).map(|_| lcg.normal()).collect();
        let mut row = |level: f64| {
            let value =
                |effect: &f64| Some(level + effect + 0.05 * lcg.normal()).filter(|_| lcg.uniform() > 0.1);
            effects.iter().map(value).collect::<Vec<_>>()
        };
        let rows: Vec<_> = (0..20).map(|level| row(f64::from(level))).collect();
        let floor = NoiseFloor::of(&rows).expect("hundreds of degrees of freedom");
        // Some 1,000 degrees of freedom: the estimate's own relative error is 2%.
        assert!((floor.stdev_log / 0.05 - 1.0).abs() < 0.08, "{floor:?}");
    }

    fn verdicts(apart: f64) -> (u32, u32) {
        let mut lcg = Lcg::new(11);
        let (mut agrees, mut disagrees) = (0, 0);
        for _ in 0..500 {
            let mut row = |level: f64| (0..6).map(|_| Some(level + 0.05 * lcg.normal())).collect::<Vec<_>>();
            let rows: Vec<_> = (0..4).map(|level| row(f64::from(level))).collect();
            let floor = NoiseFloor::of(&rows);
            let exp =
                |logs: Vec<Option<f64>>| logs.into_iter().map(|log| log.map(f64::exp)).collect::<Vec<_>>();
            match check_identical(floor.as_ref(), &exp(row(1.0)), &exp(row(1.0 + apart))) {
                AaVerdict::Agrees { .. } => agrees += 1,
                AaVerdict::Disagrees { .. } => disagrees += 1,
                AaVerdict::NotMeasured { .. } => {}
            }
        }
        (agrees, disagrees)
    }

    #[test]
    fn identical_rows_agree_nearly_always_and_different_ones_do_not() {
        let (agrees, disagrees) = verdicts(0.0);
        assert_eq!(agrees + disagrees, 500);
        // One condition fails in 25 of 500, both together in fewer than 50.
        assert!(disagrees <= 60, "{disagrees} of 500");
        assert!(verdicts(0.5).1 > 495);
    }

    #[test]
    fn without_a_floor_or_common_blocks_nothing_is_checked() {
        let row = all(&[1.0, 2.0]);
        assert!(matches!(check_identical(None, &row, &row), AaVerdict::NotMeasured { .. }));
        let floor = NoiseFloor::of(&[all(&[1.0, 3.0, 2.0]), all(&[3.0, 3.0, 6.0])]);
        assert!(matches!(check_identical(floor.as_ref(), &row, &[]), AaVerdict::NotMeasured { .. }));
    }

    proptest! {
        #[test]
        fn two_rows_have_the_half_width_of_their_own_t_interval(
            values in prop::collection::vec((1.0_f64..3.0, 1.0_f64..3.0), 3..10),
        ) {
            let (first, second): (Vec<f64>, Vec<f64>) = values.into_iter().unzip();
            let logs = |row: &[f64]| row.iter().map(|value| Some(value.ln())).collect::<Vec<_>>();
            let floor = NoiseFloor::of(&[logs(&first), logs(&second)]).expect("two rows, three blocks or more");
            let estimate = pair::estimate(&all(&first), &all(&second)).expect("three blocks or more");
            let interval = estimate.interval(ALPHA).expect("there is spread");
            prop_assert!((floor.ratio / (interval.high / estimate.ratio) - 1.0).abs() < 1e-6);
        }
    }
}
