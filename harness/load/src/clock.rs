//! The run's time axis: nanoseconds since its start, on the monotonic clock.

use std::time::{Duration, Instant};

/// Reads the time since `start`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    pub(crate) fn starting_at(start: Instant) -> Self {
        Self { start }
    }

    /// Nanoseconds since the start; 0 before it.
    #[inline]
    pub(crate) fn now_ns(&self) -> u64 {
        nanoseconds(self.start.elapsed())
    }
}

/// A duration in nanoseconds; the largest number beyond 584 years.
#[inline]
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
