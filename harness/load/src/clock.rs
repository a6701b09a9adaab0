//! The run's time axis: nanoseconds since its start, on the monotonic clock; and where the wall clock lies on it, by which the
//! kernel stamps what it receives.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

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

/// How often both clocks are read to compare them. The best of 50 was the same to the nanosecond over 2 s
/// (SO_TIMESTAMPING probe, 2026-11).
const BRACKETS: u32 = 50;

/// What the wall clock says, in nanoseconds since 1970, when the monotonic one says `instant`: both are read next to each
/// other, and of many readings the one counts that took least.
pub(crate) fn wall_clock_ns(instant: Instant) -> i64 {
    let bracket = || {
        let before = Instant::now();
        let wall = SystemTime::now();
        let took = before.elapsed();
        let wall_ns = signed(wall.duration_since(UNIX_EPOCH).unwrap_or_default());
        let middle = before + took / 2;
        let ahead_ns = match instant.checked_duration_since(middle) {
            Some(ahead) => signed(ahead),
            None => -signed(middle.duration_since(instant)),
        };
        (took, wall_ns.saturating_add(ahead_ns))
    };
    (0..BRACKETS).map(|_| bracket()).min_by_key(|(took, _)| *took).map_or(0, |(_, wall_ns)| wall_ns)
}

/// The instant as a [`SystemTime`].
pub fn wall_clock(instant: Instant) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(u64::try_from(wall_clock_ns(instant)).unwrap_or(0))
}

fn signed(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_runs_beside_the_monotonic_one() {
        let now = Instant::now();
        let (earlier, later) = (now - Duration::from_secs(3), now + Duration::from_secs(2));
        let between = wall_clock_ns(later) - wall_clock_ns(earlier);
        // Both offsets are the best of many, and nobody sets the clock by more meanwhile.
        assert!((between - 5_000_000_000).abs() < 50_000_000, "{between}");
        let read = SystemTime::now();
        let drift = read.duration_since(wall_clock(now)).expect("later");
        assert!(drift < Duration::from_secs(20), "{drift:?}");
    }
}
