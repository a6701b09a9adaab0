//! What a person sees while a run is under way: bars on a terminal, a line a step elsewhere.

use std::{
    io::{IsTerminal, stderr},
    time::Duration,
};

use crate::charset;
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Progress through a known number of steps.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    plain: bool,
    steps: u64,
}

impl Progress {
    /// A bar of `steps` steps, headed `title`.
    pub fn new(title: &'static str, steps: usize) -> Self {
        let plain = !stderr().is_terminal();
        let steps = steps as u64;
        let target = if plain { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(Some(steps), target);
        let style = ProgressStyle::with_template(
            "{prefix:.bold} {bar:30.cyan/dim} {pos}/{len} {elapsed} (about {eta} left) {msg:.dim}",
        )
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars(&charset::shown("━╸ "));
        bar.set_style(style);
        bar.set_prefix(title);
        Self { bar, plain, steps }
    }

    /// What is being done now.
    pub fn doing(&self, what: impl Into<String>) {
        self.bar.set_message(what.into());
    }

    /// One step is done. `result` is kept as a line where there is no terminal.
    pub fn done(&self, result: &str) {
        self.bar.inc(1);
        if self.plain {
            anstream::eprintln!("[{}/{}] {result}", self.bar.position(), self.steps);
        }
    }

    /// So many steps fall away.
    pub fn skip(&mut self, steps: usize) {
        self.steps = self.steps.saturating_sub(steps as u64);
        self.bar.set_length(self.steps);
    }

    /// More steps than were known at first.
    pub fn add_steps(&mut self, more: u64) {
        self.steps += more;
        self.bar.inc_length(more);
    }

    /// A line that stays above the bar.
    pub fn say(&self, line: &str) {
        self.bar.suspend(|| anstream::eprintln!("{line}"));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A length of time for people: `8 minutes`.
pub fn about(time: Duration) -> String {
    HumanDuration(time).to_string()
}
