//! Where the kernel's stamps lie on the run's axis.

use std::time::Instant;

use crate::clock::wall_clock_ns;

/// The wall clock beside the run's axis. Compared anew at the window's edges: a difference means that somebody set the
/// wall clock meanwhile.
#[derive(Debug)]
pub(super) struct Axis {
    start: Instant,
    /// The run's start on the wall clock, as of the last comparison.
    start_on_wall_ns: i64,
    at_opening_ns: Option<i64>,
    step_ns: Option<i64>,
}

impl Axis {
    pub(super) fn starting_at(start: Instant) -> Self {
        Self { start, start_on_wall_ns: wall_clock_ns(start), at_opening_ns: None, step_ns: None }
    }

    pub(super) fn window_opens(&mut self) {
        self.start_on_wall_ns = wall_clock_ns(self.start);
        self.at_opening_ns = Some(self.start_on_wall_ns);
    }

    pub(super) fn window_closes(&mut self) {
        self.start_on_wall_ns = wall_clock_ns(self.start);
        self.step_ns = self.at_opening_ns.map(|opening_ns| self.start_on_wall_ns - opening_ns);
    }

    /// By how much the wall clock was set between the window's edges.
    pub(super) fn step_ns(&self) -> Option<i64> {
        self.step_ns
    }

    /// A stamp as nanoseconds since the run's start. `None` before it.
    #[inline]
    pub(super) fn instant_of(&self, stamp_ns: u64) -> Option<u64> {
        let stamp_ns = i64::try_from(stamp_ns).ok()?;
        u64::try_from(stamp_ns.checked_sub(self.start_on_wall_ns)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_within_the_window_is_noticed_and_one_that_is_left_alone_is_not() {
        let mut axis = Axis::starting_at(Instant::now());
        assert_eq!(axis.step_ns(), None);
        axis.window_opens();
        axis.window_closes();
        // However slow the machine, the two best comparisons differ by less than somebody sets a clock.
        assert!(axis.step_ns().is_some_and(|step_ns| step_ns.abs() < 10_000_000), "{axis:?}");
        axis.at_opening_ns = axis.at_opening_ns.map(|opening_ns| opening_ns - 3_600_000_000_000);
        axis.window_closes();
        assert!(axis.step_ns().is_some_and(|step_ns| (step_ns - 3_600_000_000_000).abs() < 10_000_000));
    }

    #[test]
    fn a_stamp_is_counted_from_the_start() {
        let axis =
            Axis { start: Instant::now(), start_on_wall_ns: 1_000, at_opening_ns: None, step_ns: None };
        assert_eq!([999, 1_000, 1_500].map(|stamp_ns| axis.instant_of(stamp_ns)), [None, Some(0), Some(500)]);
        assert_eq!(axis.instant_of(u64::MAX), None);
    }
}
