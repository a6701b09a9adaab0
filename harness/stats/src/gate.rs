//! Which windows count: by causes that no row can influence, and by nothing that was measured of the row.
//!
//! The gate sees what other tasks and the hypervisor took, and no latency. Its thresholds are one step, the same for all rows
//! of a run: the lowest at which at least half of the first start's windows pass. So a bad day gives wider intervals and says
//! so, instead of an empty table; and a step that was chosen is never changed again.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The steps: time of foreign tasks, and of the hypervisor, as a share of the window on the server's CPUs. The lowest kept
/// 75% of windows where it was worked out; stricter ones kept fewer and gained nothing.
pub const STEPS: [f64; 4] = [0.01, 0.03, 0.10, 0.30];

/// The generator's own run delay may reach this part of the step: 0.3% of the window at the lowest.
pub const RUN_DELAY_PART: f64 = 0.3;

/// A change of the offset between two clocks by more than this drops a window at every step, since receive stamps are then
/// not what they say.
pub const CLOCK_STEP: Duration = Duration::from_micros(1);

/// What the kernel counts steal in.
pub const STEAL_TICK: Duration = Duration::from_millis(10);

/// What happened around one window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Disturbance {
    /// The time over which the counters below were read: the window and its unrecorded load.
    pub length: Duration,
    /// CPU time of foreign tasks on the server's CPUs, as a share of the time of these CPUs: 0.01 for 1%.
    pub foreign: f64,
    /// Ticks of [`STEAL_TICK`] that the hypervisor took from the server's CPUs, over the number of these CPUs.
    pub steal_ticks: f64,
    /// How long the generator was runnable and had no CPU, as a share of the time.
    pub run_delay: f64,
    /// By how much the offset between the clocks changed.
    pub clock_step: Duration,
}

/// What a window was dropped for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Foreign tasks on the server's CPUs.
    Foreign,
    /// The hypervisor.
    Steal,
    /// The generator waited for its CPU.
    RunDelay,
    /// A clock was set.
    ClockStep,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Foreign => "foreign tasks",
            Self::Steal => "steal",
            Self::RunDelay => "the generator's run delay",
            Self::ClockStep => "a clock that was set",
        })
    }
}

/// The thresholds of a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gate {
    /// One of [`STEPS`].
    pub step: f64,
    /// Whether the generator's run delay counts: in `split` placement. On shared CPUs it depends on the row, and must
    /// decide nothing.
    pub by_run_delay: bool,
}

/// The gate that a first start led to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chosen {
    /// For the whole run.
    pub gate: Gate,
    /// The share of the first start's windows that pass it. Under a half only at the last step; 1 without any window.
    pub passing: f64,
}

impl Gate {
    /// The gate at its lowest step.
    pub fn strictest(by_run_delay: bool) -> Self {
        Self { step: STEPS[0], by_run_delay }
    }

    /// Why the window does not count; empty if it does. A share that is not a number was not measured, and is a cause.
    ///
    /// At the lowest step one tick of steal drops every window shorter than a second, those of 250 ms among them, and
    /// longer ones are dropped for more than 1%: a tick is 4% of 250 ms, which is as fine as the kernel tells.
    pub fn causes(&self, window: &Disturbance) -> Vec<Cause> {
        let within = |share: f64, limit: f64| share <= limit;
        let steal = window.steal_ticks * STEAL_TICK.as_secs_f64() / window.length.as_secs_f64();
        let no_steal = window.steal_ticks == 0.0;
        let mut causes = Vec::new();
        if !within(window.foreign, self.step) {
            causes.push(Cause::Foreign);
        }
        if !(no_steal || within(steal, self.step)) {
            causes.push(Cause::Steal);
        }
        if self.by_run_delay && !within(window.run_delay, RUN_DELAY_PART * self.step) {
            causes.push(Cause::RunDelay);
        }
        if window.clock_step > CLOCK_STEP {
            causes.push(Cause::ClockStep);
        }
        causes
    }

    /// Whether the window counts.
    pub fn passes(&self, window: &Disturbance) -> bool {
        self.causes(window).is_empty()
    }

    /// Whether the thresholds are above the lowest, which the head of every table then says.
    pub fn is_raised(&self) -> bool {
        self.step > STEPS[0]
    }
}

/// The lowest step at which at least half of a first start's windows, of all rows, pass; the last where none does.
pub fn choose(first_start: &[Disturbance], by_run_delay: bool) -> Chosen {
    let at = |step: f64| {
        let gate = Gate { step, by_run_delay };
        let passing = first_start.iter().filter(|window| gate.passes(window)).count();
        let share = if first_start.is_empty() { 1.0 } else { passing as f64 / first_start.len() as f64 };
        Chosen { gate, passing: share }
    };
    let last = STEPS[STEPS.len() - 1];
    STEPS.into_iter().map(at).find(|chosen| chosen.passing >= 0.5).unwrap_or_else(|| at(last))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn quiet(length_ms: u64) -> Disturbance {
        let length = Duration::from_millis(length_ms);
        Disturbance { length, foreign: 0.0, steal_ticks: 0.0, run_delay: 0.0, clock_step: Duration::ZERO }
    }

    #[test]
    fn one_tick_of_steal_drops_a_short_window_and_more_than_one_percent_a_long_one() {
        let gate = Gate::strictest(true);
        let stolen = |length_ms: u64, steal_ticks: f64| Disturbance { steal_ticks, ..quiet(length_ms) };
        for length in [50, 150, 250] {
            assert!(gate.passes(&quiet(length)));
            assert_eq!(gate.causes(&stolen(length, 1.0)), [Cause::Steal]);
        }
        assert!(gate.passes(&stolen(1_000, 1.0)) && !gate.passes(&stolen(1_000, 2.0)));
        assert!(gate.passes(&stolen(5_000, 5.0)) && !gate.passes(&stolen(5_000, 6.0)));
    }

    #[test]
    fn each_cause_is_named_and_the_threshold_itself_passes() {
        let gate = Gate::strictest(true);
        let at = Disturbance { foreign: 0.01, run_delay: 0.003, clock_step: CLOCK_STEP, ..quiet(250) };
        assert!(gate.passes(&at));
        let beyond = Disturbance {
            foreign: 0.011,
            steal_ticks: 1.0,
            run_delay: 0.0031,
            clock_step: Duration::from_nanos(1_001),
            ..quiet(250)
        };
        assert_eq!(gate.causes(&beyond), [Cause::Foreign, Cause::Steal, Cause::RunDelay, Cause::ClockStep]);
    }

    #[test]
    fn on_shared_cpus_the_generators_run_delay_decides_nothing() {
        let waited = Disturbance { run_delay: 0.9, ..quiet(250) };
        assert!(Gate::strictest(false).passes(&waited) && !Gate::strictest(true).passes(&waited));
    }

    #[test]
    fn what_was_not_measured_does_not_count() {
        let gate = Gate::strictest(true);
        assert_eq!(gate.causes(&Disturbance { foreign: f64::NAN, ..quiet(250) }), [Cause::Foreign]);
        assert_eq!(gate.causes(&Disturbance { run_delay: f64::NAN, ..quiet(250) }), [Cause::RunDelay]);
        assert_eq!(gate.causes(&Disturbance { steal_ticks: f64::NAN, ..quiet(250) }), [Cause::Steal]);
        assert_eq!(gate.causes(&Disturbance { steal_ticks: 1.0, ..quiet(0) }), [Cause::Steal]);
    }

    #[test]
    fn the_step_is_the_lowest_that_half_of_the_first_start_passes() {
        let busy = |foreign: f64| Disturbance { foreign, ..quiet(250) };
        let chosen = |windows: &[Disturbance]| {
            let chosen = choose(windows, true);
            (chosen.gate.step, chosen.passing)
        };
        assert_eq!(chosen(&[quiet(250), busy(0.5)]), (0.01, 0.5));
        assert_eq!(chosen(&[quiet(250), busy(0.02), busy(0.2)]), (0.03, 2.0 / 3.0));
        assert_eq!(chosen(&[busy(0.05), busy(0.09), busy(0.2)]), (0.1, 2.0 / 3.0));
        assert_eq!(chosen(&[busy(0.9), busy(0.8), busy(0.2)]), (0.3, 1.0 / 3.0));
        assert_eq!(chosen(&[]), (0.01, 1.0));
        assert!(!choose(&[], true).gate.is_raised() && choose(&[busy(0.02)], true).gate.is_raised());
    }

    #[test]
    fn a_step_raises_all_thresholds_but_that_of_the_clock() {
        let gate = Gate { step: 0.1, by_run_delay: true };
        assert!(gate.passes(&Disturbance { foreign: 0.1, steal_ticks: 2.0, run_delay: 0.03, ..quiet(250) }));
        assert!(!gate.passes(&Disturbance { clock_step: Duration::from_micros(2), ..quiet(250) }));
    }

    fn any_window() -> impl Strategy<Value = Disturbance> {
        (1_u64..2_000, 0.0_f64..0.5, 0_u8..4, 0.0_f64..0.1, 0_u64..1_100).prop_map(
            |(ms, foreign, ticks, delay, ns)| {
                let clock_step = Duration::from_nanos(ns);
                Disturbance {
                    foreign,
                    steal_ticks: f64::from(ticks),
                    run_delay: delay,
                    clock_step,
                    ..quiet(ms)
                }
            },
        )
    }

    proptest! {
        #[test]
        fn what_passes_one_step_passes_all_above_and_their_share_is_at_least_half_unless_it_is_the_last(
            windows in prop::collection::vec(any_window(), 0..20), by_run_delay in any::<bool>(),
        ) {
            for window in &windows {
                let passes = STEPS.map(|step| Gate { step, by_run_delay }.passes(window));
                prop_assert!(passes.is_sorted(), "{passes:?}");
            }
            let chosen = choose(&windows, by_run_delay);
            prop_assert!(chosen.passing >= 0.5 || chosen.gate.step == STEPS[3]);
            let mut reversed = windows;
            reversed.reverse();
            prop_assert_eq!(choose(&reversed, by_run_delay), chosen);
        }
    }
}
