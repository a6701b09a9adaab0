//! The middle of a row's starts: what tables print of it, with its interval.

use stats::{
    Quantile,
    rounds::Windows,
    summary::{MedianInterval, median_interval},
};

/// A median over starts of values of which some may only be known from below.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Middle {
    pub(crate) median: Quantile,
    pub(crate) low: Quantile,
    pub(crate) high: Quantile,
    /// Over how many.
    pub(crate) count: usize,
    /// Whether the interval is one at the level that others have.
    pub(crate) is_confident: bool,
}

/// The median of `quantiles` in any order; `None` of nothing.
///
/// A value in the order of the lower bounds is a value in the order of the true ones where no bound lies below it: however far
/// bounds above it are moved up, it keeps its place. Otherwise it is a lower bound itself.
pub(crate) fn of_quantiles(quantiles: &[Quantile]) -> Option<Middle> {
    let ns: Vec<f64> = quantiles.iter().map(|quantile| quantile.ns() as f64).collect();
    let interval = median_interval(&ns)?;
    let least_bound = quantiles.iter().filter(|it| it.is_bound()).map(|it| it.ns()).min();
    let known = |value: f64| match least_bound {
        Some(bound) if bound as f64 <= value => Quantile::AtLeast(value as u64),
        _ => Quantile::Exactly(value as u64),
    };
    let MedianInterval { median, low, high, .. } = interval;
    Some(Middle {
        median: known(median),
        low: known(low),
        high: known(high),
        count: quantiles.len(),
        is_confident: interval.is_confident(),
    })
}

/// The median over each start's windows; starts without any are left out.
pub(crate) fn of_each_start(starts: &[Windows]) -> Vec<f64> {
    let middle = |windows: &Windows| {
        let values: Vec<f64> = windows.iter().flatten().copied().collect();
        Some(median_interval(&values)?.median)
    };
    starts.iter().filter_map(middle).collect()
}

/// The median over starts of the median over each start's windows.
pub(crate) fn of_starts(starts: &[Windows]) -> Option<f64> {
    median_interval(&of_each_start(starts)).map(|interval| interval.median)
}

#[cfg(test)]
mod tests {
    use super::Quantile::{AtLeast, Exactly};
    use super::*;

    #[test]
    fn a_bound_counts_from_its_place_upwards() {
        let middle = of_quantiles(&[Exactly(2), AtLeast(9), Exactly(1), Exactly(4), Exactly(3)]).unwrap();
        assert_eq!((middle.low, middle.median, middle.high), (Exactly(1), Exactly(3), AtLeast(9)));
        let middle = of_quantiles(&[AtLeast(2), Exactly(9), Exactly(1), Exactly(4), Exactly(3)]).unwrap();
        assert_eq!((middle.low, middle.median, middle.high), (Exactly(1), AtLeast(3), AtLeast(9)));
        assert_eq!(of_quantiles(&[]), None);
    }

    #[test]
    fn each_start_is_one_value_however_many_windows_it_kept() {
        let starts = [vec![Some(1.0), Some(3.0), None], vec![None; 3], vec![Some(8.0), None, None]];
        assert_eq!(of_each_start(&starts), [2.0, 8.0]);
        assert_eq!(of_starts(&starts), Some(5.0));
    }
}
