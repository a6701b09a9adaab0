//! Whether the wall clock here was set while something went on that was written down by it.

use std::time::{Duration, Instant, SystemTime};

/// What a clock may be set by before it matters to a window, which is placed to the millisecond. Two readings of an undisturbed one agree
/// to some 50 ns.
const ALLOWED: Duration = Duration::from_millis(1);

/// An instant with what the wall clock said of it. The monotonic clock is slewed as the wall clock is and never set, so that the two go
/// apart only where somebody sets the latter.
pub struct Steady {
    at: Instant,
    wall: SystemTime,
}

/// The wall clock was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Set {
    /// By how much.
    by: Duration,
    /// Whether it was set forward.
    forward: bool,
}

impl Steady {
    /// From now on.
    pub fn since_now() -> Self {
        let at = Instant::now();
        Self { at, wall: load::wall_clock(at) }
    }

    /// Whether the clock was set until now.
    pub fn was_set(&self) -> Option<Set> {
        set(self.wall, load::wall_clock(self.at))
    }
}

/// What is said of one instant before and after.
fn set(before: SystemTime, after: SystemTime) -> Option<Set> {
    let (by, forward) = match after.duration_since(before) {
        Ok(by) => (by, true),
        Err(back) => (back.duration(), false),
    };
    (by > ALLOWED).then_some(Set { by, forward })
}

impl std::fmt::Display for Set {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { by, forward } = self;
        write!(f, "set {} by {:.3} s", if *forward { "forward" } else { "back" }, by.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_nobody_sets_is_steady() {
        assert_eq!(Steady::since_now().was_set(), None);
    }

    #[test]
    fn a_clock_that_was_set_says_by_how_much_and_where_to() {
        let before = SystemTime::UNIX_EPOCH + Duration::from_secs(100);
        let moved = |by_ms: u64| Duration::from_millis(by_ms);
        assert_eq!(set(before, before + ALLOWED), None);
        assert_eq!(set(before, before + moved(3_000)).unwrap().to_string(), "set forward by 3.000 s");
        assert_eq!(set(before, before - moved(2)).unwrap().to_string(), "set back by 0.002 s");
    }
}
