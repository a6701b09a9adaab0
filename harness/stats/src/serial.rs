//! How much successive observations of one run tell that is new.
//!
//! Requests that meet in a queue are slow together, so a run of a million of them may hold no more evidence than some
//! thousands of independent ones, and an interval that supposes independence is too narrow by the square root of that.
//! Two figures say by how much: the lag-1 autocorrelation, which is cheap to read, and the variance inflation from
//! batch means, which sees dependence over any distance shorter than a batch. It refuses to know what a slice is: the
//! caller cuts the run, normally into 50 to 100 equal times.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Sums over one or several series of observations. Recording takes constant time and never allocates.
///
/// ```
/// let mut serial = stats::Serial::new(64);
/// (0..6_400).for_each(|i| serial.record(i / 100, if i % 2 == 0 { 1.0 } else { 3.0 }));
/// let figures = serial.figures().expect("observations that differ");
/// // Each value is followed by the other one: as anti-correlated as can be, and no worse than independent.
/// assert!(figures.autocorrelation < -0.99);
/// assert_eq!(figures.effective_sample_size, 6_400.0);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Serial {
    /// What is subtracted from every observation before it is squared, so that a small spread around a large mean
    /// keeps its digits: the first observation.
    origin: f64,
    whole: Sums,
    slices: Vec<Slice>,
    pairs: Pairs,
    last: Option<f64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sums {
    count: u64,
    sum: f64,
    squares: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Slice {
    count: u64,
    sum: f64,
}

/// Each observation and the one after it in the same series.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Pairs {
    count: u64,
    first: f64,
    second: f64,
    products: f64,
}

/// What [`Serial`] found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SerialFigures {
    /// How many observations there were.
    pub n: u64,
    /// The correlation of an observation with the one before it in its series, from -1 to 1.
    pub autocorrelation: f64,
    /// The standard error of the autocorrelation of independent observations: `1 / sqrt(n)`.
    pub autocorrelation_error: f64,
    /// How many slices held observations.
    pub slices: usize,
    /// The variance of a mean over that of as many independent observations, from the means of the slices: the mean
    /// square between slices over the variance of all observations, and 1 where that is less. `None` with fewer than
    /// [`FEWEST_SLICES`] slices, which would estimate it from too little.
    pub variance_inflation: Option<f64>,
    /// How many independent observations tell as much: `n` over the inflation, or `n` where that is not known.
    pub effective_sample_size: f64,
}

/// With fewer slices the inflation is off by over a third in either direction, since its relative standard error is
/// `sqrt(2 / (slices - 1))`.
pub const FEWEST_SLICES: usize = 20;

impl Serial {
    /// Nothing yet, for a run that is cut into so many slices (at least 1). This is the only place that allocates.
    pub fn new(slices: usize) -> Self {
        Self {
            origin: 0.0,
            whole: Sums::default(),
            slices: vec![Slice::default(); slices.max(1)],
            pairs: Pairs::default(),
            last: None,
        }
    }

    /// Takes the next observation of the series, which belongs to slice `slice`; one beyond the last slice counts in
    /// the last. An observation that is not finite is ignored. Never allocates.
    #[inline]
    pub fn record(&mut self, slice: usize, x: f64) {
        if !x.is_finite() {
            return;
        }
        if self.whole.count == 0 {
            self.origin = x;
        }
        let y = x - self.origin;
        self.whole.count += 1;
        self.whole.sum += y;
        self.whole.squares += y * y;
        let last_slice = self.slices.len() - 1;
        let slice = &mut self.slices[slice.min(last_slice)];
        slice.count += 1;
        slice.sum += y;
        if let Some(before) = self.last.replace(y) {
            self.pairs.count += 1;
            self.pairs.first += before;
            self.pairs.second += y;
            self.pairs.products += before * y;
        }
    }

    /// Adds what another recorder took of the same run, as a series of its own: its first observation does not follow
    /// this one's last. Where `other` has more slices, those beyond this one's last count in the last.
    pub fn merge(&mut self, other: &Serial) {
        if other.whole.count == 0 {
            return;
        }
        if self.whole.count == 0 {
            self.origin = other.origin;
        }
        let moved = other.origin - self.origin;
        self.whole.add(&other.whole.moved(moved));
        let last_slice = self.slices.len() - 1;
        for (i, slice) in other.slices.iter().enumerate() {
            let own = &mut self.slices[i.min(last_slice)];
            own.count += slice.count;
            own.sum += slice.sum + slice.count as f64 * moved;
        }
        self.pairs.add(&other.pairs.moved(moved));
        self.last = None;
    }

    /// How many observations were recorded.
    pub fn len(&self) -> u64 {
        self.whole.count
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.whole.count == 0
    }

    /// The mean of each slice in the order of the slices, `None` for one without observations.
    pub fn slice_means(&self) -> Vec<Option<f64>> {
        self.slices
            .iter()
            .map(|slice| (slice.count > 0).then(|| self.origin + slice.sum / slice.count as f64))
            .collect()
    }

    /// The figures. `None` with fewer than two observations, or where all are the same: then there is no spread that
    /// could be correlated.
    pub fn figures(&self) -> Option<SerialFigures> {
        let n = self.whole.count;
        if n < 2 {
            return None;
        }
        let mean = self.whole.sum / n as f64;
        let squares = self.whole.squares - n as f64 * mean * mean;
        // What is left by rounding of equal observations is no spread.
        if squares <= 1e-12 * self.whole.squares || !squares.is_finite() {
            return None;
        }
        let autocorrelation = (self.pairs.products_around(mean) / squares).clamp(-1.0, 1.0);
        let used = self.slices.iter().filter(|slice| slice.count > 0);
        let slices = used.clone().count();
        let variance_inflation = (slices >= FEWEST_SLICES).then(|| {
            let between: f64 =
                used.map(|slice| slice.count as f64 * (slice.sum / slice.count as f64 - mean).powi(2)).sum();
            let variance = squares / (n as f64 - 1.0);
            (between / (slices as f64 - 1.0) / variance).max(1.0)
        });
        Some(SerialFigures {
            n,
            autocorrelation,
            autocorrelation_error: 1.0 / (n as f64).sqrt(),
            slices,
            variance_inflation,
            effective_sample_size: n as f64 / variance_inflation.unwrap_or(1.0),
        })
    }
}

impl Sums {
    /// The same sums, had every observation been larger by `d`.
    fn moved(&self, d: f64) -> Self {
        let n = self.count as f64;
        Self {
            count: self.count,
            sum: self.sum + n * d,
            squares: self.squares + 2.0 * d * self.sum + n * d * d,
        }
    }

    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.squares += other.squares;
    }
}

impl Pairs {
    /// The same sums, had every observation been larger by `d`.
    fn moved(&self, d: f64) -> Self {
        let n = self.count as f64;
        Self {
            count: self.count,
            first: self.first + n * d,
            second: self.second + n * d,
            products: self.products + d * (self.first + self.second) + n * d * d,
        }
    }

    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.first += other.first;
        self.second += other.second;
        self.products += other.products;
    }

    /// The sum of the products of both distances from `mean`.
    fn products_around(&self, mean: f64) -> f64 {
        self.moved(-mean).products
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lcg::Lcg;

    /// An autoregressive series of order 1: its autocorrelation at lag k is phi^k, its inflation (1 + phi)/(1 - phi).
    fn autoregressive(phi: f64, mean: f64, per_slice: usize, slices: usize, seed: u64) -> Serial {
        let mut lcg = Lcg::new(seed);
        let mut serial = Serial::new(slices);
        let mut y = lcg.normal() / (1.0 - phi * phi).sqrt();
        for slice in 0..slices {
            for _ in 0..per_slice {
                serial.record(slice, mean + y);
                y = phi * y + lcg.normal();
            }
        }
        serial
    }

    fn mean_inflation(phi: f64) -> f64 {
        let runs = 40;
        let inflation = |seed| {
            let figures = autoregressive(phi, 5.0, 200, 80, seed).figures().expect("observations");
            figures.variance_inflation.expect("slices")
        };
        (0..runs).map(inflation).sum::<f64>() / runs as f64
    }

    #[test]
    fn an_autoregressive_series_has_the_figures_of_its_closed_form() {
        for phi in [0.3, 0.5, 0.8] {
            let figures = autoregressive(phi, 1e6, 1_000, 80, 5).figures().expect("observations");
            assert!((figures.autocorrelation - phi).abs() < 0.01, "{phi}: {figures:?}");
            let exact = (1.0 + phi) / (1.0 - phi);
            let inflation = mean_inflation(phi);
            // 40 runs of 80 slices: a relative standard error of 2.5%, and an effect of the slices' edges of 2.2% at most.
            assert!((inflation / exact - 1.0).abs() < 0.08, "{phi}: {inflation} against {exact}");
        }
    }

    #[test]
    fn independent_observations_are_worth_their_number() {
        let figures = autoregressive(0.0, 3.0, 1_000, 80, 9).figures().expect("observations");
        assert!(figures.autocorrelation.abs() < 3.0 * figures.autocorrelation_error, "{figures:?}");
        assert!(figures.variance_inflation.is_some_and(|tau| (1.0..1.5).contains(&tau)), "{figures:?}");
    }

    #[test]
    fn observations_that_differ_between_slices_alone_are_worth_one_each_slice() {
        // 50 slices of 100 equal observations: the mean square between slices is 100 times the variance of the 50
        // values, the variance of all is 49/4,999 times 100 times it, so that tau is 4,999/49.
        let mut serial = Serial::new(50);
        for slice in 0..50 {
            (0..100).for_each(|_| serial.record(slice, slice as f64));
        }
        let figures = serial.figures().expect("observations");
        let tau = figures.variance_inflation.expect("slices");
        assert!((tau - 4_999.0 / 49.0).abs() < 1e-9, "{figures:?}");
        assert!((figures.effective_sample_size - 5_000.0 * 49.0 / 4_999.0).abs() < 1e-9);
    }

    #[test]
    fn a_short_series_has_the_correlation_of_the_formula_by_hand() {
        // Around the mean 2: -1 0 1 0, products 0 + 0 + 0, squares 2; and 1 2 4: -4/3 -1/3 5/3, (4 - 5)/9 over 42/9.
        let mut serial = Serial::new(1);
        [1.0, 2.0, 4.0].into_iter().for_each(|x| serial.record(0, x));
        let figures = serial.figures().expect("observations");
        assert!((figures.autocorrelation + 1.0 / 42.0).abs() < 1e-12, "{figures:?}");
        assert_eq!(figures.variance_inflation, None);
        assert_eq!(figures.effective_sample_size, 3.0);
    }

    #[test]
    fn equal_few_or_impossible_observations_have_no_figures() {
        let mut serial = Serial::new(4);
        assert_eq!(serial.figures(), None);
        serial.record(0, f64::NAN);
        serial.record(0, f64::INFINITY);
        assert!(serial.is_empty());
        (0..1_000).for_each(|_| serial.record(0, 0.1));
        assert_eq!(serial.figures(), None);
        let mut other = Serial::new(4);
        (0..10).for_each(|_| other.record(9, 0.1));
        serial.merge(&other);
        assert_eq!((serial.len(), serial.figures()), (1_010, None));
        assert_eq!(serial.slice_means()[1], None);
    }

    #[test]
    fn recorders_are_merged_as_series_of_their_own() {
        // Alternating series: across the seam of two of them an equal pair would appear.
        let alternating = |start: f64| {
            let mut serial = Serial::new(2);
            (0..100).for_each(|i| serial.record(i / 50, start + f64::from(u8::from(i % 2 == 1))));
            serial
        };
        let mut merged = alternating(10.0);
        merged.merge(&alternating(10.0));
        let figures = merged.figures().expect("observations");
        assert!((figures.autocorrelation + 198.0 / 200.0).abs() < 1e-12, "{figures:?}");
        assert_eq!(merged.slice_means(), [Some(10.5), Some(10.5)]);
    }

    proptest! {
        #[test]
        fn merging_gives_the_figures_of_the_textbook_whatever_the_origins(
            a in prop::collection::vec(-1e6_f64..1e6, 1..60), b in prop::collection::vec(-1e6_f64..1e6, 1..60),
        ) {
            let record = |values: &[f64]| {
                let mut serial = Serial::new(30);
                values.iter().enumerate().for_each(|(i, &x)| serial.record(i / 2, x));
                serial
            };
            let mut merged = record(&a);
            merged.merge(&record(&b));
            let all = [a.as_slice(), b.as_slice()].concat();
            let mean = all.iter().sum::<f64>() / all.len() as f64;
            let squares: f64 = all.iter().map(|x| (x - mean).powi(2)).sum();
            let products: f64 = [&a, &b]
                .iter()
                .flat_map(|values| values.windows(2))
                .map(|two| (two[0] - mean) * (two[1] - mean))
                .sum();
            // Two observations at least; that all are equal is for another test.
            prop_assume!(squares > 1e-6);
            let figures = merged.figures().expect("they differ");
            prop_assert!((figures.autocorrelation - products / squares).abs() < 1e-6);
            prop_assert!(figures.effective_sample_size <= all.len() as f64);
            prop_assert!(figures.variance_inflation.is_none_or(f64::is_finite));
        }
    }
}
