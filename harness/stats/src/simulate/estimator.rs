//! Ways to judge a race: the one in use, and two that were in use and are wrong.

use super::world::Field;
use crate::decide::{Decisions, FAMILY_ALPHA, decide};
use crate::lcg::Lcg;
use crate::rank::Direction;
use crate::rounds::{Between, Windows, every_pair};

/// How a race is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Estimator {
    /// As races are: [`every_pair`] and [`decide`].
    Starts,
    /// Wrong: every round is a replicate. What the windows of a start have in common is then taken for precision.
    WindowsAsReplicates,
    /// Wrong: a window counts only if the generator's lag, which is the same for all rows, was small beside what the window
    /// itself showed. The rest is judged as races are. Rows that are sometimes fast lose their fast windows.
    SurvivorsOnly,
}

/// The logarithm of the lag up to which a window of value 1 counts, and its spread, in the unit of values: at a window's own
/// value less two hundredths it is refused every other time.
const LAG: (f64, f64) = (-0.02, 0.01);

impl Estimator {
    /// The claims `(larger, smaller)` that it makes about a race.
    pub(crate) fn claims(self, field: &Field, lcg: &mut Lcg) -> Vec<(usize, usize)> {
        let entered: Vec<usize> = (0..field.rows.len()).collect();
        let judged = |pairs: &[Between]| -> Decisions { decide(pairs, FAMILY_ALPHA) };
        let decisions = match self {
            Self::Starts => judged(&every_pair(&field.rows, &entered)),
            Self::WindowsAsReplicates => {
                let rows: Vec<Vec<Windows>> = field.rows.iter().map(|row| each_window_a_start(row)).collect();
                judged(&every_pair(&rows, &entered))
            }
            Self::SurvivorsOnly => {
                let rows: Vec<Vec<Windows>> = field.rows.iter().map(|row| survivors(row, lcg)).collect();
                judged(&every_pair(&rows, &entered))
            }
        };
        decisions.claims(Direction::HigherIsBetter)
    }
}

fn each_window_a_start(row: &[Windows]) -> Vec<Windows> {
    row.iter().flatten().map(|&value| vec![value]).collect()
}

fn survivors(row: &[Windows], lcg: &mut Lcg) -> Vec<Windows> {
    let mut kept = |value: &Option<f64>| value.filter(|value| LAG.0 + LAG.1 * lcg.normal() < value.ln());
    row.iter().map(|start| start.iter().map(&mut kept).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_as_replicates_have_as_many_starts_as_windows() {
        let row = [vec![Some(1.0), None], vec![Some(2.0), Some(3.0)]];
        assert_eq!(
            each_window_a_start(&row),
            [vec![Some(1.0)], vec![None], vec![Some(2.0)], vec![Some(3.0)]]
        );
    }

    #[test]
    fn survivors_are_the_slow_windows() {
        let row = vec![vec![Some(0.9), Some(1.1), None]; 50];
        let kept = survivors(&row, &mut Lcg::new(1));
        assert!(kept.iter().all(|start| start[..] == [None, Some(1.1), None]));
    }

    #[test]
    fn a_row_that_is_larger_everywhere_is_said_to_be_by_all() {
        let row = |value: f64| {
            let window = |i: usize| Some(value * (1.0 + 0.001 * (i % 3) as f64));
            (0..8).map(|start| (0..4).map(|round| window(start + 3 * round)).collect()).collect()
        };
        let field = Field { rows: vec![row(1.2), row(1.3)] };
        for estimator in [Estimator::Starts, Estimator::WindowsAsReplicates, Estimator::SurvivorsOnly] {
            assert_eq!(estimator.claims(&field, &mut Lcg::new(1)), [(1, 0)], "{estimator:?}");
        }
    }
}
