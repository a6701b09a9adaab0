//! The primary's clock, which stands still while the primary does not run.
//!
//! A tree of processes that is stopped and continued (a harness that freezes servers, a laptop that sleeps, a debugger) has missed no
//! deadline: none of its workers could have answered. Whoever sees that it was woken much later than it had asked to be knows that it
//! did not run meanwhile, and counts only what it had asked for. So every deadline is put off by as much, in one place.

use std::time::{Duration, Instant};

use crate::machine::words::Moment;

/// How often the primary wakes at least while there are deadlines: a stop that is shorter goes unseen.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// How much later than it asked for the primary may be woken on a busy machine, and how long it may take for one round of work.
const SLACK: Duration = Duration::from_millis(250);

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Clock {
    started: Instant,
    counted: Counted,
}

/// What was counted of the time that has passed.
#[derive(Debug, Default)]
struct Counted {
    /// The real time at the last look, since the start.
    seen: Duration,
    moment: Moment,
    /// How long the wait that is under way was to take; `None` for as long as it takes.
    planned: Option<Duration>,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let counted = Counted { planned: Some(Duration::ZERO), ..Counted::default() };
        Self { started: Instant::now(), counted }
    }

    /// The time that counts.
    pub(crate) fn now(&mut self) -> Moment {
        self.counted.look(self.started.elapsed())
    }

    /// The longest wait for a deadline of the `shortest` patience that there is.
    pub(crate) fn heartbeat(shortest: Duration) -> Duration {
        HEARTBEAT.min(shortest / 8)
    }

    /// Between now and the next look lies a wait of so long, if it is bounded.
    pub(crate) fn plan(&mut self, wait: Option<Duration>) {
        self.counted.planned = wait;
    }
}

impl Counted {
    fn look(&mut self, real: Duration) -> Moment {
        let passed = real.saturating_sub(self.seen);
        self.seen = real;
        self.moment += match self.planned.replace(Duration::ZERO) {
            Some(planned) => passed.min(planned + SLACK),
            None => passed,
        };
        self.moment
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_in_which_the_primary_did_not_run_does_not_count() {
        let second = Duration::from_secs(1);
        let mut counted = Counted { planned: Some(second), ..Counted::default() };
        assert_eq!(counted.look(second), second, "as it was planned");
        counted.planned = Some(second);
        assert_eq!(counted.look(second * 11), second * 2 + SLACK, "stopped for ten seconds");
        assert_eq!(counted.look(second * 21), second * 2 + SLACK * 2, "stopped while it worked");
        counted.planned = None;
        assert_eq!(counted.look(second * 31), second * 12 + SLACK * 2, "nothing was to happen");
    }
}
