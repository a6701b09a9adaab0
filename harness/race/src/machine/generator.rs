//! What the generator's threads used, and for how long they were kept from running.

use load::ThreadOutcome;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// All threads of the generator, within the window. They live no longer than its load, so that no reading before and after sees them:
/// each reads its own account (`/proc/thread-self/schedstat`) as the window opens and closes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GeneratorUse {
    /// How many threads.
    pub threads: usize,
    /// Their time together.
    pub wall_s: f64,
    /// Their CPU time.
    pub cpu_s: f64,
    /// For how long they could have run and had no CPU.
    pub run_delay_s: f64,
}

impl GeneratorUse {
    /// Of the threads of one outcome.
    pub fn of(threads: &[ThreadOutcome]) -> Self {
        Self {
            threads: threads.len(),
            wall_s: threads.iter().map(|thread| thread.wall_s).sum(),
            cpu_s: threads.iter().map(|thread| thread.cpu_time_s).sum(),
            run_delay_s: threads.iter().map(|thread| thread.run_delay_s).sum(),
        }
    }

    /// The share of their time in which they were kept from running.
    pub fn delayed_share(&self) -> f64 {
        if self.wall_s > 0.0 { self.run_delay_s / self.wall_s } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_that_of_all_threads_together() {
        let thread = |run_delay_s| ThreadOutcome {
            wall_s: 0.5,
            cpu_time_s: 0.4,
            run_delay_s,
            ..ThreadOutcome::default()
        };
        let used = GeneratorUse::of(&[thread(0.001), thread(0.003)]);
        assert!((used.delayed_share() - 0.004).abs() < 1e-12 && used.threads == 2, "{used:?}");
        assert!(GeneratorUse::of(&[]).delayed_share().abs() < f64::EPSILON);
    }
}
