//! What an engine thread cost between the edges of the window.

use super::usage::Usage;
use crate::{connection::IoCalls, outcome::ThreadOutcome, plan::Wait};

/// Everything that is counted, at one instant.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reading {
    pub(crate) at_ns: u64,
    pub(crate) usage: Usage,
    pub(crate) calls: IoCalls,
    pub(crate) waits: u64,
    pub(crate) empty_waits: u64,
    pub(crate) dozes: u64,
    /// Time spent in polls that found nothing, with nothing due.
    pub(crate) idle_ns: u64,
}

/// The readings at the window's edges, as far as they were reached.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Meter {
    pub(crate) opened: Option<Reading>,
    pub(crate) closed: Option<Reading>,
}

impl Meter {
    /// The difference between the edges; zeros when the window was never opened.
    pub(crate) fn outcome(&self, index: u32, cpu: Option<usize>, wait: Wait) -> ThreadOutcome {
        let identity = ThreadOutcome { index, cpu, ..ThreadOutcome::default() };
        let (Some(opened), Some(closed)) = (self.opened, self.closed) else { return identity };
        let wall_ns = closed.at_ns - opened.at_ns;
        let cpu_ns = closed.usage.cpu_ns - opened.usage.cpu_ns;
        let busy_ns = match wait {
            Wait::Sleep => cpu_ns,
            Wait::Spin | Wait::Linger => wall_ns.saturating_sub(closed.idle_ns - opened.idle_ns),
        };
        ThreadOutcome {
            wall_s: wall_ns as f64 / 1e9,
            cpu_time_s: cpu_ns as f64 / 1e9,
            run_delay_s: (closed.usage.run_delay_ns - opened.usage.run_delay_ns) as f64 / 1e9,
            busy_share: if wall_ns > 0 { busy_ns as f64 / wall_ns as f64 } else { 0.0 },
            involuntary_switches: closed.usage.involuntary_switches - opened.usage.involuntary_switches,
            voluntary_switches: closed.usage.voluntary_switches - opened.usage.voluntary_switches,
            waits: closed.waits - opened.waits,
            empty_waits: closed.empty_waits - opened.empty_waits,
            dozes: closed.dozes - opened.dozes,
            reads: closed.calls.reads - opened.calls.reads,
            writes: closed.calls.writes - opened.calls.writes,
            ..identity
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spinning_thread_is_busy_only_when_it_finds_something() {
        let opened = Reading { at_ns: 1_000, ..Reading::default() };
        let usage = Usage { cpu_ns: 900, ..Usage::default() };
        let closed = Reading { at_ns: 2_000, usage, idle_ns: 750, ..Reading::default() };
        let meter = Meter { opened: Some(opened), closed: Some(closed) };
        assert_eq!(meter.outcome(0, None, Wait::Spin).busy_share, 0.25);
        assert_eq!(meter.outcome(0, None, Wait::Linger).busy_share, 0.25);
        assert_eq!(meter.outcome(0, None, Wait::Sleep).busy_share, 0.9);
    }

    #[test]
    fn a_window_that_never_opened_cost_nothing() {
        let outcome = Meter::default().outcome(3, Some(7), Wait::Sleep);
        assert_eq!(outcome, ThreadOutcome { index: 3, cpu: Some(7), ..ThreadOutcome::default() });
    }
}
