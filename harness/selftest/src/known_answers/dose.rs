//! How much is planted, from what the plain row does on this machine now.
//!
//! What burning and holding come to is measured as a race measures it, between rows within starts. By itself a server knows neither: a
//! step takes as long as the host's mode of the moment has it, and a held answer leaves when the machine wakes up for it.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, bail};
use race::{
    measure::calibrate::{ROUNDS, calibrate},
    records::folder::Contents,
    registry::OperationName,
};
use report::{compared::Figure, pairs::Rows};
use stats::contrast::Contrast;
use terminal::progress::Progress;

use super::{
    field::{BURNT, Dose, HELD, PLAIN, row},
    races::{Races, STARTS},
};
use crate::planted::{Difference, Hold};

/// The part of what the plain row can serve at which all are loaded: what the rows of a default run meet, half of what the slowest of them
/// serves, was 0.17 to 0.20 of what the null server serves in three runs. At half of what the
/// null server serves, every stall of the host would be followed by a backlog as long as itself.
const LOAD: f64 = 0.2;

/// Steps of the row that shows what a step costs: an eighth of a request where this was written.
const TRIAL_STEPS: u32 = 500;
const BURNING: &str = "null-burns-more";
/// How long the row that shows what holding comes to holds answers.
const TRIAL_HOLD: Duration = Duration::from_micros(500);
const HOLDING: &str = "null-holds-longer";

/// What a race of trials says of the plain row, and of trials beside it.
#[derive(Clone, Copy, Debug)]
struct Seen {
    cpu_us: f64,
    /// CPU time of a request with [`TRIAL_STEPS`], over that of a plain one.
    burning: f64,
    p99_us: f64,
    /// That of the row which holds answers for [`TRIAL_HOLD`].
    holding_p99_us: f64,
}

/// Measures it, and leaves the race's folder at `path`; `None` if a person interrupts it.
///
/// # Errors
/// The plain row cannot be measured, or not well enough.
pub(super) fn measure(races: &mut Races, seed: u64, path: &Path) -> anyhow::Result<Option<Dose>> {
    let none = Difference::default();
    let holding = Hold { share: HELD, time: TRIAL_HOLD };
    let rows = [
        (PLAIN, none),
        (BURNING, Difference { burn_steps: TRIAL_STEPS, ..none }),
        (HOLDING, Difference { hold: Some(holding), ..none }),
    ];
    let rows = rows.map(|(name, difference)| row(&races.program, name, &difference));
    let rows = rows.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    races.enter(&rows)?;
    let cpus = races.cpus()?;
    let capacity = {
        let progress = Progress::new("calibrating", ROUNDS);
        // Where the generator is, so that nothing of the harness runs on the server's CPU.
        let _pinned = cpus.generator.pin_current_thread().ok();
        let (calibration, unfit) =
            calibrate(&races.context, &rows[..1], &cpus, &[OperationName::Simple], &progress);
        if races.context.interrupt.asked() {
            return Ok(None);
        }
        if let Some(unfit) = unfit.first() {
            bail!("the null server cannot be measured: {}", unfit.reason);
        }
        calibration.of(PLAIN).context("the null server was not measured")?.simple_per_second
    };
    let per_second = LOAD * capacity;
    let contents = races.race(rows, per_second, (STARTS, seed), path)?;
    if races.context.interrupt.asked() {
        return Ok(None);
    }
    const TOO_FEW: &str = "too few windows of the null server count to tell how much is to be planted: repeat on a quieter machine";
    let seen = Seen::of(&contents).context(TOO_FEW)?;
    let Some(burn_steps) = seen.steps_for(BURNT) else {
        bail!("{TRIAL_STEPS} steps cost the null server {:.3} of its CPU time: nothing", seen.burning);
    };
    let Seen { cpu_us, p99_us, .. } = seen;
    Ok(Some(Dose { per_second, cpu_us, burn_steps, p99_us, hold_us: seen.hold_to(2.0 * p99_us) }))
}

impl Seen {
    fn of(contents: &Contents) -> Option<Self> {
        let rows = Rows::of(contents.run.plan.scenarios.first()?, contents);
        let burning = rows.log_ratios(Figure::CpuPerRequest, BURNING, PLAIN)?;
        // Of all requests: in the median start it is shorter, by what the host stalls in a few.
        let p99_us = |label| Some(rows.tail(label, 0.99)?.merged?.ns() as f64 / 1000.0);
        Some(Self {
            cpu_us: rows.cpu_per_request_us(PLAIN)?,
            burning: Contrast::of(&burning)?.ratio(),
            p99_us: p99_us(PLAIN)?,
            holding_p99_us: p99_us(HOLDING)?,
        })
    }

    /// Steps that cost `part` of a request.
    fn steps_for(&self, part: f64) -> Option<u32> {
        // A step that costs nothing that can be seen leads nowhere.
        let cost = self.burning - 1.0;
        (cost > part / 2.0).then(|| (f64::from(TRIAL_STEPS) * part / cost).round() as u32)
    }

    /// How long answers are to be held for a 99th percentile of `p99_us`, which is then that of a held answer: it takes some time beside
    /// that for which it is held.
    fn hold_to(&self, p99_us: f64) -> f64 {
        let beside = self.holding_p99_us - TRIAL_HOLD.as_secs_f64() * 1e6;
        (p99_us - beside).max(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEN: Seen = Seen { cpu_us: 8.0, burning: 1.0625, p99_us: 60.0, holding_p99_us: 540.0 };

    #[test]
    fn steps_are_in_proportion_to_what_many_cost() {
        assert_eq!(SEEN.steps_for(0.03), Some(240));
        assert_eq!(Seen { burning: 1.01, ..SEEN }.steps_for(0.03), None);
        assert_eq!(Seen { burning: 0.9, ..SEEN }.steps_for(0.03), None);
    }

    #[test]
    fn answers_are_held_for_what_is_left_of_the_time_that_they_are_to_take() {
        assert!((SEEN.hold_to(120.0) - 80.0).abs() < 1e-9);
        assert!((SEEN.hold_to(30.0) - 1.0).abs() < 1e-9);
    }
}
