//! `harness load URL`: one run of the generator against any server, useful by itself.
//!
//! ```text
//! arguments -> options (a plan) -> generator, watched -> report -> summary on stdout, exported files
//! ```
//!
//! It knows no rows, scenarios or results folders: what it measured is in its report, and nowhere else.

pub mod mix;
pub mod options;
pub mod values;
pub mod wanted;

mod watch;

pub mod check;
mod found;
pub mod latency;
pub mod report;
pub mod self_checks;

mod bars;
mod export;
mod reach;
mod summary;

use std::{
    thread,
    time::{Duration, SystemTime},
};

use stats::hdr_log::TimeRange;

use options::{OptionError, Prepared};
use report::{Circumstances, Report};
use terminal::{
    errln,
    interrupt::Interrupt,
    out,
    outcome::{Outcome, all_of},
    outln,
    output::Output,
};
use wanted::LoadOptions;
use watch::Watch;

/// Runs `harness load`. `command` is what the person typed.
///
/// # Errors
/// The command line makes no plan, the server cannot be reached, or an export cannot be written.
pub fn load(args: &LoadOptions, command: String) -> anyhow::Result<Outcome> {
    let mut prepared = Prepared::new(args)?;
    prepared.notes.iter().for_each(|note| errln!("note: {note}"));
    let interrupt = Interrupt::listen("what was measured until now is shown")?;
    let json = args.export_json.as_deref().map(Output::begin).transpose()?;
    let hdr = args.export_hdr.as_deref().map(Output::begin).transpose()?;
    if let (Some(json), Some(hdr), Some(path)) = (&json, &hdr, &args.export_json)
        && json.is_same_file(hdr)
    {
        return Err(OptionError::SameFile(path.clone()).into());
    }
    let is_reached = reach::reach(&prepared.target, args.timeout, &interrupt)?;

    let waited_in_vain = |start| wait_until(start, &interrupt, args.quiet);
    if !is_reached || args.start_at.is_some_and(waited_in_vain) {
        outln!("interrupted before the start; nothing was measured");
        return Ok(Outcome::Interrupted);
    }
    let watch = Watch::new(args.quiet, args.requests);
    prepared.plan.progress_every = watch.progress_every();
    prepared.plan.live = watch.is_seen();
    let started = jiff::Timestamp::now().to_string();
    let outcome = load::run(&prepared.plan, &watch, interrupt.load())?;
    let window = watch.opened_at().map(|at| TimeRange::new(at, Duration::from_secs_f64(outcome.window_s)));
    let window_opened = watch.opened_at().and_then(|at| jiff::Timestamp::try_from(at).ok());
    let circumstances = Circumstances {
        command,
        started,
        window_opened: window_opened.map(|at| at.to_string()),
        steal: watch.steal(),
    };
    drop(watch);

    let report = Report::new(&prepared, &outcome, circumstances);
    // First what a person sees, which no file can keep from it.
    out!("{}", summary::render(&report));
    let json = json.map(|json| json.finish_json(&report));
    let hdr = hdr.map(|hdr| hdr.finish(|out| export::log_of(&report, &outcome, window).write(out)));
    all_of(json.into_iter().chain(hdr))?;
    Ok(match (report.interrupted, report.is_good()) {
        (true, _) => Outcome::Interrupted,
        (false, true) => Outcome::Done,
        (false, false) => Outcome::Partly,
    })
}

/// How long before its start a run is handed to the generator, which then opens its connections and is told of an
/// interrupt only once it has started.
const LEAD: Duration = Duration::from_secs(5);

/// Waits until shortly before `start`. True when interrupted.
fn wait_until(start: SystemTime, interrupt: &Interrupt, quiet: bool) -> bool {
    const LOOK_EVERY: Duration = Duration::from_millis(50);
    let left = || start.duration_since(SystemTime::now()).unwrap_or_default();
    if !quiet && let Ok(at) = jiff::Timestamp::try_from(start) {
        errln!("starts at {at}, in {:.1} s", left().as_secs_f64());
    }
    while left() > LEAD && !interrupt.asked() {
        thread::sleep(LOOK_EVERY.min(left().saturating_sub(LEAD)));
    }
    interrupt.asked()
}
