//! Little's law, kept in two ways that share nothing but the clock.
//!
//! In any window, the integral of N(t), the number of requests that are due and not complete, equals the sum of the
//! parts of their sojourn times that lie in the window (J. D. C. Little, "A proof for the queuing formula L = λW",
//! 1961; for finite windows with the edges clipped it is an identity). The integral is kept here from the level alone;
//! the sum comes from the times noted with each request. They differ when a request was lost, counted twice or
//! filed under a wrong time.

use serde::Serialize;

use crate::window::Window;

/// Follows N(t) through the window.
#[derive(Clone, Debug, Default)]
pub(crate) struct Population {
    level: u64,
    since_ns: u64,
    integral_ns: i128,
}

impl Population {
    /// One request came at `at_ns`. That may lie in the past, which is then put right.
    #[inline]
    pub(crate) fn arrive(&mut self, at_ns: u64, window: &Window) {
        self.advance(at_ns, window);
        self.integral_ns += i128::from(window.overlap_ns(at_ns, self.since_ns));
        self.level += 1;
    }

    /// One request left at `at_ns`, which may lie in the past: an answer that was received before it was read.
    #[inline]
    pub(crate) fn depart(&mut self, at_ns: u64, window: &Window) {
        self.advance(at_ns, window);
        self.integral_ns -= i128::from(window.overlap_ns(at_ns, self.since_ns));
        // Never below zero in a sound engine; in an unsound one the integral shows it.
        self.level = self.level.saturating_sub(1);
    }

    /// Brings the integral up to `at_ns`.
    #[inline]
    pub(crate) fn advance(&mut self, at_ns: u64, window: &Window) {
        self.integral_ns += i128::from(self.level) * i128::from(window.overlap_ns(self.since_ns, at_ns));
        self.since_ns = self.since_ns.max(at_ns);
    }

    pub(crate) fn integral_s(&self) -> f64 {
        self.integral_ns as f64 / 1e9
    }
}

/// Both sides of Little's law over the window, in request-seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct LittlesLaw {
    /// The integral of the number of requests due and not complete.
    pub integral_s: f64,
    /// The sum of the sojourn times (from the due time), each clipped to the window.
    pub sojourn_s: f64,
}

impl LittlesLaw {
    /// The difference of the two sides, relative to the larger one; zero when both are zero.
    pub fn relative_difference(&self) -> f64 {
        // Neither side can be negative; if one were, they would not agree.
        stats::littles_law::disagreement(self.integral_s, self.sojourn_s).unwrap_or(1.0)
    }

    pub(crate) fn merge(&mut self, other: &LittlesLaw) {
        self.integral_s += other.integral_s;
        self.sojourn_s += other.sojourn_s;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_integral_is_the_area_under_the_level_within_the_window() {
        let window = Window { opens_ns: 10, closes_ns: 20 };
        let mut population = Population::default();
        population.arrive(2, &window);
        population.arrive(12, &window);
        population.depart(15, &window);
        population.advance(99, &window);
        // One from 10 to 12, two from 12 to 15, one from 15 to 20.
        assert_eq!(population.integral_ns, 2 + 6 + 5);
    }

    #[test]
    fn what_is_told_late_counts_as_if_it_had_been_told_in_time() {
        let window = Window { opens_ns: 10, closes_ns: 20 };
        let mut population = Population::default();
        population.arrive(2, &window);
        population.advance(16, &window);
        population.depart(15, &window);
        population.arrive(12, &window);
        population.advance(99, &window);
        population.depart(18, &window);
        assert_eq!(population.integral_ns, 5 + 6);
    }

    #[test]
    fn the_difference_is_relative_and_never_a_nan() {
        assert_eq!(LittlesLaw::default().relative_difference(), 0.0);
        assert_eq!(LittlesLaw { integral_s: 1.0, sojourn_s: 0.75 }.relative_difference(), 0.25);
        assert_eq!(LittlesLaw { integral_s: 0.75, sojourn_s: 1.0 }.relative_difference(), 0.25);
    }
}
