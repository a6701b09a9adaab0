//! Races as they were measured to be: what a machine adds to rows that are equal.
//!
//! Every number has its source in measurements of the two-CPU virtual machine on which the method was worked out: a spread of
//! 0 to 3% between starts, of 4% between windows' p50; host modes in which p50 jumps between 460 and 560 us for 10 to 60 s;
//! a foreign process that burns 3 s of every 15.

use crate::lcg::Lcg;
use crate::rounds::Windows;

/// The time from one window of a round to the next: thaw, settling, 250 ms, freeze.
const WINDOW_S: f64 = 0.35;

/// The time from one start's last window to the next start's first.
const START_S: f64 = 4.0;

/// A race's design, and what disturbs it. Spreads are standard deviations of logarithms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct World {
    /// What it is called.
    pub name: &'static str,
    /// Rows, all equal.
    pub rows: usize,
    /// Starts.
    pub starts: usize,
    /// Rounds a start.
    pub rounds: usize,
    /// The spread of a row between starts.
    pub start_stdev: f64,
    /// The spread of a row between windows of a start.
    pub window_stdev: f64,
    /// By how much the noisiest row's spreads exceed the steadiest's; 1 if all are the same.
    pub unequal: f64,
    /// By how much values grow from the first window to the last, as a log ratio.
    pub drift: f64,
    /// Modes of the host, if any.
    pub modes: Option<Modes>,
    /// Outliers among windows, if any.
    pub heavy: Option<Heavy>,
    /// Outliers among starts, if any.
    pub heavy_starts: Option<Heavy>,
    /// Windows that the gate drops, if any.
    pub missing: Option<Missing>,
    /// Stalls that only ever make a window slower, if any.
    pub stalls: Option<Stalls>,
}

/// A host that goes to and fro between two speeds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Modes {
    /// The log ratio between them.
    pub step: f64,
    /// The shortest time in one, in seconds.
    pub shortest_s: f64,
    /// The longest.
    pub longest_s: f64,
}

/// Noise of which a share has a much larger spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heavy {
    /// How many of all draws.
    pub share: f64,
    /// By how much their spread is larger.
    pub factor: f64,
}

/// A foreign process, during which windows are dropped whatever they measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Missing {
    /// How long it runs each time, in seconds.
    pub busy_s: f64,
    /// From one of its beginnings to the next, in seconds.
    pub every_s: f64,
}

/// Stalls that some windows meet and others do not, as p99 does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stalls {
    /// The share of windows that meet one.
    pub share: f64,
    /// The log ratio by which it makes them slower.
    pub log: f64,
}

/// The values of a race: by row, start and round.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Each row's windows.
    pub rows: Vec<Vec<Windows>>,
}

impl Field {
    /// Multiplies all values of a row.
    pub fn scale(&mut self, row: usize, factor: f64) {
        let values = self.rows[row].iter_mut().flatten().flatten();
        values.for_each(|value| *value *= factor);
    }
}

impl World {
    /// Normal noise and nothing else, in the design of a default run.
    pub const CALM: Self = Self {
        name: "calm",
        rows: 6,
        starts: 8,
        rounds: 4,
        start_stdev: 0.015,
        window_stdev: 0.02,
        unequal: 1.0,
        drift: 0.0,
        modes: None,
        heavy: None,
        heavy_starts: None,
        missing: None,
        stalls: None,
    };

    /// A machine that grows slower by two thirds within the race.
    pub const DRIFT: Self = Self { name: "drift", drift: 0.5, ..Self::CALM };

    /// A host that jumps between two speeds.
    pub const HOST_MODES: Self = Self {
        name: "host modes",
        modes: Some(Modes { step: 0.197, shortest_s: 10.0, longest_s: 60.0 }),
        ..Self::CALM
    };

    /// A tenth of all windows with six times the noise.
    pub const HEAVY_TAILS: Self =
        Self { name: "heavy tails", heavy: Some(Heavy { share: 0.1, factor: 6.0 }), ..Self::CALM };

    /// A tenth of all starts with six times the noise, which no median takes out.
    pub const HEAVY_STARTS: Self =
        Self { name: "heavy starts", heavy_starts: Self::HEAVY_TAILS.heavy, ..Self::CALM };

    /// Rows of which the noisiest has five times the spread of the steadiest.
    pub const UNEQUAL_NOISE: Self = Self { name: "unequal noise", unequal: 5.0, ..Self::CALM };

    /// A foreign process that burns 3 s of every 15.
    pub const MISSING_WINDOWS: Self = Self {
        name: "missing windows",
        missing: Some(Missing { busy_s: 3.0, every_s: 15.0 }),
        starts: 10,
        ..Self::CALM
    };

    /// A tail: one merged percentile a start, that three starts in ten meet a stall with.
    pub const STALLS: Self = Self {
        name: "stalls",
        rounds: 1,
        start_stdev: 0.03,
        window_stdev: 0.1,
        stalls: Some(Stalls { share: 0.3, log: 1.5 }),
        ..Self::CALM
    };

    /// Drift, modes, heavy tails, unequal noise and missing windows at once.
    pub const EVERYTHING: Self = Self {
        name: "everything",
        starts: 10,
        unequal: 5.0,
        drift: 0.5,
        modes: Self::HOST_MODES.modes,
        heavy: Self::HEAVY_TAILS.heavy,
        missing: Self::MISSING_WINDOWS.missing,
        ..Self::CALM
    };

    /// The worlds in which the comparison must keep its word.
    pub fn all() -> [Self; 9] {
        [
            Self::CALM,
            Self::DRIFT,
            Self::HOST_MODES,
            Self::HEAVY_TAILS,
            Self::HEAVY_STARTS,
            Self::UNEQUAL_NOISE,
            Self::MISSING_WINDOWS,
            Self::STALLS,
            Self::EVERYTHING,
        ]
    }

    /// Draws a race.
    pub(crate) fn draw(&self, lcg: &mut Lcg) -> Field {
        let mut host = Host::new(self, lcg);
        let mut rows = vec![Vec::with_capacity(self.starts); self.rows];
        for _ in 0..self.starts {
            let start = self.draw_start(&mut host, lcg);
            rows.iter_mut().zip(start).for_each(|(row, windows)| row.push(windows));
            host.now_s += START_S;
        }
        Field { rows }
    }

    /// One start: each row's windows.
    fn draw_start(&self, host: &mut Host<'_>, lcg: &mut Lcg) -> Vec<Windows> {
        let spreads: Vec<f64> = (0..self.rows).map(|row| self.spread_of(row)).collect();
        let effect = |spread: &f64| spread * self.start_stdev * noise(self.heavy_starts, lcg);
        let effects: Vec<f64> = spreads.iter().map(effect).collect();
        let mut order: Vec<usize> = (0..self.rows).collect();
        let mut rows = vec![Windows::with_capacity(self.rounds); self.rows];
        for _ in 0..self.rounds {
            shuffle(&mut order, lcg);
            for &row in &order {
                let own = effects[row] + spreads[row] * self.window_stdev * noise(self.heavy, lcg);
                let (common, kept) = host.next_window(lcg);
                rows[row].push(kept.then(|| (common + own + self.stall(lcg)).exp()));
            }
        }
        rows
    }

    fn spread_of(&self, row: usize) -> f64 {
        self.unequal.powf(row as f64 / (self.rows - 1).max(1) as f64)
    }

    fn stall(&self, lcg: &mut Lcg) -> f64 {
        self.stalls.map_or(0.0, |stalls| if lcg.uniform() < stalls.share { stalls.log } else { 0.0 })
    }
}

fn noise(heavy: Option<Heavy>, lcg: &mut Lcg) -> f64 {
    let factor = match heavy {
        Some(heavy) if lcg.uniform() < heavy.share => heavy.factor,
        _ => 1.0,
    };
    factor * lcg.normal()
}

/// What strikes whatever row is measured at the time.
struct Host<'a> {
    world: &'a World,
    now_s: f64,
    length_s: f64,
    slow: bool,
    mode_ends_s: f64,
    phase_s: f64,
}

impl<'a> Host<'a> {
    fn new(world: &'a World, lcg: &mut Lcg) -> Self {
        let windows = (world.rows * world.rounds) as f64 * WINDOW_S;
        let mut host = Self {
            world,
            now_s: 0.0,
            length_s: world.starts as f64 * (windows + START_S),
            slow: lcg.uniform() < 0.5,
            mode_ends_s: 0.0,
            phase_s: world.missing.map_or(0.0, |missing| missing.every_s * lcg.uniform()),
        };
        // The race begins somewhere within a mode.
        host.mode_ends_s = host.mode_length(lcg) * lcg.uniform();
        host
    }

    /// The log by which a window is slower that begins now, and whether it is kept; time goes on by one window.
    fn next_window(&mut self, lcg: &mut Lcg) -> (f64, bool) {
        while self.world.modes.is_some() && self.now_s >= self.mode_ends_s {
            self.slow = !self.slow;
            self.mode_ends_s += self.mode_length(lcg);
        }
        let mode = self.world.modes.map_or(0.0, |modes| if self.slow { modes.step } else { 0.0 });
        let drift = self.world.drift * self.now_s / self.length_s;
        let kept = self.world.missing.is_none_or(|missing| {
            let since = (self.now_s + self.phase_s) % missing.every_s;
            since >= missing.busy_s && since + WINDOW_S <= missing.every_s
        });
        self.now_s += WINDOW_S;
        (mode + drift, kept)
    }

    fn mode_length(&self, lcg: &mut Lcg) -> f64 {
        self.world.modes.map_or(f64::INFINITY, |modes| {
            modes.shortest_s + (modes.longest_s - modes.shortest_s) * lcg.uniform()
        })
    }
}

/// Fisher and Yates's.
fn shuffle(order: &mut [usize], lcg: &mut Lcg) {
    for last in (1..order.len()).rev() {
        order.swap(last, (lcg.uniform() * (last + 1) as f64) as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::components::Components;

    fn logs(field: &Field, row: usize) -> Vec<Vec<f64>> {
        let start = |windows: &Windows| windows.iter().flatten().map(|value: &f64| value.ln()).collect();
        field.rows[row].iter().map(start).collect()
    }

    #[test]
    fn a_race_has_the_design_and_the_spreads_that_were_asked_for() {
        let world = World { starts: 400, rounds: 10, unequal: 4.0, ..World::CALM };
        let field = world.draw(&mut Lcg::new(5));
        assert_eq!((field.rows.len(), field.rows[0].len(), field.rows[0][0].len()), (6, 400, 10));
        for (row, factor) in [(0, 1.0), (5, 4.0)] {
            let parts = Components::of(&logs(&field, row)).expect("400 starts");
            assert!((parts.between_starts.sqrt() / (factor * 0.015) - 1.0).abs() < 0.15, "{parts:?}");
            assert!((parts.within_starts.sqrt() / (factor * 0.02) - 1.0).abs() < 0.05, "{parts:?}");
        }
    }

    #[test]
    fn modes_drift_and_foreign_processes_are_as_large_as_they_should_be() {
        let still = World { start_stdev: 0.0, window_stdev: 0.0, starts: 200, ..World::CALM };
        let mut values =
            logs(&World { modes: World::HOST_MODES.modes, ..still }.draw(&mut Lcg::new(1)), 0).concat();
        values.sort_by(f64::total_cmp);
        values.dedup();
        assert_eq!(values, [0.0, 0.197_f64.exp().ln()]);
        let drifted = logs(&World { drift: 0.5, ..still }.draw(&mut Lcg::new(1)), 0).concat();
        assert!(drifted.is_sorted() && drifted[0] < 0.01 && drifted[drifted.len() - 1] > 0.48);
        let field = World { missing: World::MISSING_WINDOWS.missing, ..still }.draw(&mut Lcg::new(1));
        let kept = logs(&field, 0).concat().len() as f64 / 800.0;
        // 3 s of 15, and windows that it would begin in: (3 + 0.35) / 15.
        assert!((kept - 0.777).abs() < 0.05, "{kept}");
    }

    #[test]
    fn the_same_seed_draws_the_same_race() {
        let draw = |seed| World::EVERYTHING.draw(&mut Lcg::new(seed));
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }

    #[test]
    fn a_scaled_row_is_larger_in_every_window_and_no_other_row_is() {
        let mut field = World::MISSING_WINDOWS.draw(&mut Lcg::new(3));
        let before = field.clone();
        field.scale(2, 2.0);
        assert_eq!(field.rows[1], before.rows[1]);
        let doubled: Vec<Windows> = before.rows[2]
            .iter()
            .map(|start| start.iter().map(|value| value.map(|value| value * 2.0)).collect())
            .collect();
        assert_eq!(field.rows[2], doubled);
    }
}
