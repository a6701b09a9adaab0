//! Connections that several streams of a closed loop share: each next request is drawn by the streams' weights.

use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;

/// Draws which lane sends next.
#[derive(Debug)]
pub(crate) struct Pool {
    weights: Vec<f64>,
    random: Xoshiro256PlusPlus,
}

impl Pool {
    pub(crate) fn new(weights: Vec<f64>, random: Xoshiro256PlusPlus) -> Self {
        Self { weights, random }
    }

    /// A lane, by weight, among those that `has_more`; any if none has.
    #[inline]
    pub(crate) fn draw(&mut self, has_more: impl Fn(usize) -> bool) -> usize {
        let weight = |lane: usize| if has_more(lane) { self.weights[lane] } else { 0.0 };
        let all: f64 = (0..self.weights.len()).map(weight).sum();
        let mut left = self.random.random::<f64>() * all;
        let drawn = (0..self.weights.len()).find(|&lane| {
            left -= weight(lane);
            left < 0.0
        });
        drawn.unwrap_or_else(|| (0..self.weights.len()).rev().find(|&lane| has_more(lane)).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pacing::{Purpose, random_sequence};

    fn shares(weights: &[f64], has_more: impl Fn(usize) -> bool) -> Vec<f64> {
        let mut pool = Pool::new(weights.to_vec(), random_sequence(1, 0, 0, Purpose::Connections));
        let draws = 100_000;
        let mut counts = vec![0; weights.len()];
        (0..draws).for_each(|_| counts[pool.draw(&has_more)] += 1);
        counts.into_iter().map(|count| f64::from(count) / f64::from(draws)).collect()
    }

    #[test]
    fn streams_are_drawn_by_their_weights() {
        let drawn = shares(&[8.0, 1.5, 0.5], |_| true);
        // Four standard errors of a share are at most 0.0064 here.
        for (share, weight) in drawn.iter().zip([0.8, 0.15, 0.05]) {
            assert!((share - weight).abs() < 0.0064, "{drawn:?}");
        }
    }

    #[test]
    fn a_stream_that_has_sent_everything_is_not_drawn() {
        assert_eq!(shares(&[8.0, 1.0, 1.0], |lane| lane == 2), [0.0, 0.0, 1.0]);
    }
}
