//! What the controlling thread does while the generator works: it reads the machine's counters at the edges of the
//! window, and shows how far the run is.

use std::{
    io::{IsTerminal, stderr},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use host::cpus::CpuSet;
use indicatif::{ProgressBar, ProgressStyle};
use load::{Observer, Phase, Progress};

use super::self_checks::time;
use race::machine::sample::MachineSample;
use terminal::{errln, numbers::thousands, progress::on_stderr};

/// How often a terminal's line is drawn again.
const ON_TERMINAL: Duration = Duration::from_millis(200);
/// How often a line is written elsewhere.
const ELSEWHERE: Duration = Duration::from_secs(1);
/// How often the generator speaks when nobody listens; each time wakes a thread.
const UNHEARD: Duration = Duration::from_secs(3600);

/// Watches a run.
#[derive(Debug)]
pub(super) struct Watch {
    view: View,
    requests: Option<u64>,
    warm_up: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
enum View {
    /// One line, drawn again and again.
    Terminal(ProgressBar),
    /// A line each time.
    Lines,
    Nothing,
}

#[derive(Debug, Default)]
struct State {
    starts_at: Option<SystemTime>,
    opened_at: Option<SystemTime>,
    opened: Option<MachineSample>,
    closed: Option<MachineSample>,
    last: Option<Progress>,
}

impl Watch {
    /// A watch that shows a line on stderr, or nothing if `quiet`. `requests` is how many there will be in all, where that
    /// and not time decides. The window opens a `warm_up` after the start.
    pub(super) fn new(quiet: bool, requests: Option<u64>, warm_up: Duration) -> Self {
        let view = if quiet {
            View::Nothing
        } else if stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(None, on_stderr());
            bar.set_style(
                ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
            View::Terminal(bar)
        } else {
            View::Lines
        };
        Self { view, requests, warm_up, state: Mutex::default() }
    }

    /// How often it wants to be told of progress.
    pub(super) fn progress_every(&self) -> Duration {
        match self.view {
            View::Terminal(_) => ON_TERMINAL,
            View::Lines => ELSEWHERE,
            View::Nothing => UNHEARD,
        }
    }

    /// Whether anybody sees it.
    pub(super) fn is_seen(&self) -> bool {
        !matches!(self.view, View::Nothing)
    }

    /// When the window opened.
    pub(super) fn opened_at(&self) -> Option<SystemTime> {
        self.state().opened_at
    }

    /// The part of the window's CPU time that the hypervisor gave away, over the CPUs that this process may use. `None`
    /// if the window never opened or the kernel does not tell.
    pub(super) fn steal(&self) -> Option<f64> {
        let cpus = CpuSet::allowed().ok()?;
        let state = self.state();
        let (opened, closed) = (state.opened.as_ref()?, state.closed.as_ref()?);
        Some(closed.since(opened, &cpus, &cpus, Duration::ZERO).stolen)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Watch {
    fn run_starts(&self, at: Instant) {
        self.state().starts_at = Some(load::wall_clock(at));
    }

    fn window_opened(&self) {
        let mut state = self.state();
        // When it was to open, whenever this thread came to know of it.
        let opens_at = state.starts_at.and_then(|at| at.checked_add(self.warm_up));
        state.opened_at = opens_at.or_else(|| Some(SystemTime::now()));
        state.opened = MachineSample::take().ok();
    }

    fn window_closed(&self) {
        self.state().closed = MachineSample::take().ok();
    }

    fn progress(&self, progress: &Progress) {
        let last = self.state().last.replace(*progress);
        let line = line(progress, last.as_ref(), self.requests);
        match &self.view {
            View::Terminal(bar) => bar.set_message(line),
            View::Lines => errln!("{line}"),
            View::Nothing => {}
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let View::Terminal(bar) = &self.view {
            bar.finish_and_clear();
        }
    }
}

/// How far the run is. `last` is what was told before: rates are since then.
fn line(now: &Progress, last: Option<&Progress>, requests: Option<u64>) -> String {
    let (then_ok, then) = last.map_or((0, Duration::ZERO), |last| (last.ok, last.elapsed));
    let passed_s = now.elapsed.saturating_sub(then).as_secs_f64();
    let rate = if passed_s > 0.0 { now.ok.saturating_sub(then_ok) as f64 / passed_s } else { 0.0 };
    let phase = match now.phase {
        Phase::WarmUp => "warm-up",
        Phase::Window => "measuring",
        Phase::Drain => {
            return format!(
                "waiting for the last answers: {} in flight, {} queued, {} errors",
                thousands(now.in_flight as f64),
                thousands(now.queued as f64),
                thousands(now.errors as f64),
            );
        }
    };
    let us = |ns: u64| time(ns as f64 / 1000.0);
    let (latency, lag) = now.lately.map_or_else(Default::default, |lately| {
        let lag = lately.lag_p99_ns.map_or_else(String::new, |lag| format!(", lag p99 {}", us(lag)));
        (format!(", p50 {}, p99 {}", us(lately.p50_ns), us(lately.p99_ns)), lag)
    });
    let left = match requests {
        Some(requests) => {
            let over = (now.ok + now.errors).min(requests);
            format!("{} of {} requests", thousands(over as f64), thousands(requests as f64))
        }
        None => format!("{:.0} s left", now.planned.saturating_sub(now.elapsed).as_secs_f64()),
    };
    // What matters most comes first: a terminal cuts the line where it ends.
    format!(
        "{phase}, {left}: {}/s{latency}, {} errors{lag}, {} in flight, {} queued",
        thousands(rate),
        thousands(now.errors as f64),
        thousands(now.in_flight as f64),
        thousands(now.queued as f64),
    )
}
