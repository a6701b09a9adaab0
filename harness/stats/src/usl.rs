//! The universal scalability law: how throughput grows, and falls, with the number of workers.
//!
//! `X(n) = n x one / (1 + contention x (n - 1) + coherency x n (n - 1))` (N. J. Gunther, "A General Theory of Computational Scalability
//! Based on Rational Functions", 2008). Contention is the part of the work that only one can do at a time, as in Amdahl's law; coherency what
//! any two must tell each other, because of which throughput has a peak.

use serde::{Deserialize, Serialize};

/// With fewer sizes nothing is left to show that the law does not hold: three parameters pass through three points.
pub const SIZES_NEEDED: usize = 4;

/// The law's parameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// Throughput of one worker, in the unit of the points.
    pub of_one: f64,
    /// Contention, from 0.
    pub contention: f64,
    /// Coherency, from 0.
    pub coherency: f64,
}

/// Why nothing is fitted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFitted {
    /// Too few different numbers of workers.
    #[error("not fitted: {0} number{s} of workers, {SIZES_NEEDED} are needed", s = if *.0 == 1 { "" } else { "s" })]
    Sizes(usize),
    /// A throughput that is none, or no worker.
    #[error("not fitted: a throughput is not above 0")]
    Throughput,
}

impl Fit {
    /// With how many workers throughput is largest; `None` where it grows without end.
    pub fn peak_workers(&self) -> Option<f64> {
        (self.coherency > 0.0 && self.contention < 1.0)
            .then(|| ((1.0 - self.contention) / self.coherency).sqrt())
    }

    /// The throughput of `n` workers.
    pub fn throughput(&self, n: f64) -> f64 {
        n * self.of_one / (1.0 + self.contention * (n - 1.0) + self.coherency * n * (n - 1.0))
    }
}

/// Fits the law to points of workers and throughput, by the least squares of relative differences of `n / X(n)`, which is linear in
/// `1 / one`, `contention / one` and `coherency / one`. None of these is less than 0: of all that hold to that, the nearest is taken.
///
/// # Errors
/// See [`NotFitted`].
pub fn fit(points: &[(usize, f64)]) -> Result<Fit, NotFitted> {
    let mut sizes: Vec<usize> = points.iter().map(|(workers, _)| *workers).collect();
    sizes.sort_unstable();
    sizes.dedup();
    if sizes.len() < SIZES_NEEDED {
        return Err(NotFitted::Sizes(sizes.len()));
    }
    if points.iter().any(|&(workers, x)| workers == 0 || !(x.is_finite() && x > 0.0)) {
        return Err(NotFitted::Throughput);
    }
    // Each equation divided by its left side, so that all count alike.
    let equations: Vec<[f64; 3]> = points
        .iter()
        .map(|&(workers, x)| {
            let n = workers as f64;
            [1.0, n - 1.0, n * (n - 1.0)].map(|term| term * x / n)
        })
        .collect();
    const SUBSETS: [[bool; 3]; 4] =
        [[true, true, true], [true, true, false], [true, false, true], [true, false, false]];
    let solved = SUBSETS.iter().filter_map(|used| solve(&equations, *used));
    let sound = solved.filter(|[one, others @ ..]| *one > 0.0 && others.iter().all(|other| *other >= 0.0));
    let residual = |of: &[f64; 3]| -> f64 {
        let each =
            |terms: &[f64; 3]| 1.0 - terms.iter().zip(of).map(|(term, value)| term * value).sum::<f64>();
        equations.iter().map(|terms| each(terms).powi(2)).sum()
    };
    let best = sound.min_by(|a, b| residual(a).total_cmp(&residual(b)));
    let [one, contention, coherency] = best.ok_or(NotFitted::Throughput)?;
    Ok(Fit { of_one: 1.0 / one, contention: contention / one, coherency: coherency / one })
}

/// The least squares of `terms . values = 1` with the terms that are `used`, the others 0; `None` where they do not decide it.
fn solve(equations: &[[f64; 3]], used: [bool; 3]) -> Option<[f64; 3]> {
    let at: Vec<usize> = (0..3).filter(|&term| used[term]).collect();
    let size = at.len();
    // The normal equations, with the right side behind each row.
    let mut rows: Vec<Vec<f64>> = at
        .iter()
        .map(|&row| {
            let products =
                |column: usize| equations.iter().map(|terms| terms[row] * terms[column]).sum::<f64>();
            let mut all: Vec<f64> = at.iter().map(|&column| products(column)).collect();
            all.push(equations.iter().map(|terms| terms[row]).sum());
            all
        })
        .collect();
    for pivot in 0..size {
        let largest = (pivot..size).max_by(|&a, &b| rows[a][pivot].abs().total_cmp(&rows[b][pivot].abs()))?;
        rows.swap(pivot, largest);
        if rows[pivot][pivot].abs() < f64::MIN_POSITIVE {
            return None;
        }
        let taken = rows[pivot].clone();
        for (_, row) in rows.iter_mut().enumerate().filter(|(row, _)| *row != pivot) {
            let factor = row[pivot] / taken[pivot];
            for (value, taken) in row.iter_mut().zip(&taken).skip(pivot) {
                *value -= factor * taken;
            }
        }
    }
    let mut values = [0.0; 3];
    for (row, &term) in at.iter().enumerate() {
        values[term] = rows[row][size] / rows[row][row];
    }
    values.iter().all(|value| value.is_finite()).then_some(values)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SIZES: [usize; 6] = [1, 2, 3, 4, 8, 16];

    fn points(fit: Fit) -> Vec<(usize, f64)> {
        SIZES.iter().map(|&n| (n, fit.throughput(n as f64))).collect()
    }

    #[test]
    fn three_sizes_are_refused_however_many_points_there_are() {
        let few = [(1, 10.0), (2, 19.0), (3, 27.0), (3, 28.0), (2, 18.0)];
        assert_eq!(fit(&few), Err(NotFitted::Sizes(3)));
        assert_eq!(fit(&few).unwrap_err().to_string(), "not fitted: 3 numbers of workers, 4 are needed");
        assert_eq!(
            fit(&[(1, 10.0)]).unwrap_err().to_string(),
            "not fitted: 1 number of workers, 4 are needed"
        );
        assert_eq!(fit(&[(1, 1.0), (2, 2.0), (3, 0.0), (4, 4.0)]), Err(NotFitted::Throughput));
    }

    #[test]
    fn what_grows_in_proportion_has_neither_contention_nor_a_peak() {
        let found = fit(&points(Fit { of_one: 100.0, contention: 0.0, coherency: 0.0 })).unwrap();
        assert!((found.of_one - 100.0).abs() < 1e-6 && found.contention < 1e-9 && found.coherency < 1e-9);
        // What grows faster than that is held to the bound.
        let faster: Vec<(usize, f64)> = SIZES.iter().map(|&n| (n, 100.0 * (n as f64).powf(1.1))).collect();
        let found = fit(&faster).unwrap();
        assert_eq!((found.contention, found.coherency, found.peak_workers()), (0.0, 0.0, None));
    }

    #[test]
    fn the_peak_is_where_the_law_has_its_most() {
        let law = Fit { of_one: 1.0, contention: 0.1, coherency: 0.01 };
        let peak = law.peak_workers().unwrap();
        assert!(
            law.throughput(peak) > law.throughput(peak - 0.5)
                && law.throughput(peak) > law.throughput(peak + 0.5)
        );
    }

    proptest! {
        #[test]
        fn the_parameters_of_a_law_are_found_from_its_points(
            of_one in 1.0..1e6_f64, contention in 0.001..0.5_f64, coherency in 0.0001..0.05_f64
        ) {
            let found = fit(&points(Fit { of_one, contention, coherency })).unwrap();
            prop_assert!((found.of_one / of_one - 1.0).abs() < 1e-6);
            prop_assert!((found.contention - contention).abs() < 1e-6);
            prop_assert!((found.coherency - coherency).abs() < 1e-6);
        }
    }
}
