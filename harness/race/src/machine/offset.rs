//! How far the clock of the kernel's stamps (CLOCK_REALTIME) is from the one in which everything else is measured
//! (CLOCK_MONOTONIC), and whether somebody has set it.

use rustix::time::{ClockId, Timespec, clock_gettime};

/// Readings of which the best is kept: the one that took least.
const BRACKETS: usize = 50;

/// The distance of two clocks at one instant. Both run at one rate, so that only a step changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offset {
    /// CLOCK_REALTIME less CLOCK_MONOTONIC.
    pub realtime_ahead_ns: i64,
    /// How far off that may be.
    pub within_ns: i64,
}

impl Offset {
    /// Reads one clock between two readings of the other, and again.
    pub fn read() -> Self {
        let bracket = |_| {
            let before = nanoseconds(clock_gettime(ClockId::Monotonic));
            let realtime = nanoseconds(clock_gettime(ClockId::Realtime));
            let after = nanoseconds(clock_gettime(ClockId::Monotonic));
            let within_ns = (after - before + 1) / 2;
            Self { realtime_ahead_ns: realtime - (before + within_ns), within_ns }
        };
        let brackets = (0..BRACKETS).map(bracket);
        // There are some, so that the other value is never taken.
        let best = brackets.min_by_key(|bracket| bracket.within_ns);
        best.unwrap_or(Self { realtime_ahead_ns: 0, within_ns: i64::MAX })
    }

    /// By how much CLOCK_REALTIME was set since `earlier`: none where the difference may be that of reading.
    pub fn step_ns_since(self, earlier: Self) -> i64 {
        let step = self.realtime_ahead_ns - earlier.realtime_ahead_ns;
        if step.abs() > self.within_ns.saturating_add(earlier.within_ns) { step } else { 0 }
    }
}

fn nanoseconds(time: Timespec) -> i64 {
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_readings_of_an_undisturbed_clock_agree() {
        let first = Offset::read();
        assert!(first.within_ns >= 0 && first.realtime_ahead_ns != 0);
        assert_eq!(Offset::read().step_ns_since(first), 0);
    }

    #[test]
    fn a_step_beyond_what_reading_takes_is_one() {
        let at = |realtime_ahead_ns| Offset { realtime_ahead_ns, within_ns: 40 };
        assert_eq!(at(1_080).step_ns_since(at(1_000)), 0);
        assert_eq!(at(1_081).step_ns_since(at(1_000)), 81);
        assert_eq!(at(-500).step_ns_since(at(1_000)), -1_500);
    }
}
