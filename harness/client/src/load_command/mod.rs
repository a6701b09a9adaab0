//! `harness load URL`: one run of the generator against any server, useful by itself.
//!
//! ```text
//! arguments -> options (a plan) -> generator, watched -> report -> summary on stdout, exported files
//!                    (a part of a load: meets the others before, and leaves its report and its log for them)
//! ```
//!
//! It knows no rows, scenarios or results folders: what it measured is in its report, and nowhere else.

pub mod mix;
pub mod options;
pub mod part;
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
mod gathering;
mod percentiles;
mod reach;
mod summary;
mod words;

use std::{
    path::PathBuf,
    thread,
    time::{Duration, SystemTime},
};

use stats::hdr_log::{HdrLog, TimeRange};

use crate::{clock::Steady, gather::meeting::Meeting};
use gathering::{Joined, Start};
use options::{OptionError, Prepared};
use part::own_name;
use report::{Circumstances, Report};
use terminal::{
    errln,
    interrupt::Interrupt,
    out,
    outcome::{Outcome, after, all_of},
    output::Output,
};
use wanted::LoadOptions;
use watch::Watch;

/// Runs `harness load`. `command` is what the person typed.
///
/// # Errors
/// The command line makes no plan, the server cannot be reached, an export cannot be written, or the other parts of the load are not
/// what they should be.
pub fn load(args: &LoadOptions, command: String) -> anyhow::Result<Outcome> {
    let mut prepared = Prepared::new(args)?;
    prepared.notes.iter().for_each(|note| errln!("note: {note}"));
    let interrupt = Interrupt::listen("what was measured until now is shown")?;
    let part = prepared.plan.part;
    let export = |path: &Option<PathBuf>| path.as_deref().map(|path| own_name(path, part));
    let (json, hdr) = (export(&args.export_json), export(&args.export_hdr));
    let json = json.as_deref().map(Output::begin).transpose()?;
    let hdr = hdr.as_deref().map(Output::begin).transpose()?;
    if let (Some(json), Some(hdr), Some(path)) = (&json, &hdr, &args.export_json)
        && json.is_same_file(hdr)
    {
        return Err(OptionError::SameFile(path.clone()).into());
    }
    let given_up = gathering::asked(&interrupt);
    let meeting = match gathering::join(args, &mut prepared, &given_up)? {
        Joined::Alone => None,
        Joined::With(meeting) => Some(meeting),
        Joined::GivenUp => return gathering::not_started(None),
    };
    let meeting = meeting.as_deref();
    let found = match measure(args, command, &mut prepared, meeting, &interrupt) {
        Ok(Some(found)) => found,
        Ok(None) => return gathering::not_started(meeting),
        Err(error) => {
            if let Some(meeting) = meeting {
                gathering::tell(meeting, &error);
            }
            return Err(error);
        }
    };
    let Found { report, log, opened_at, clock } = found;
    // First what a person sees, which no file can keep from it.
    out!("{}", summary::render(&report));
    let json = json.map(|json| json.finish_json(&report));
    let hdr = hdr.map(|hdr| hdr.finish(|out| log.write(out)));
    let written = all_of(json.into_iter().chain(hdr)).map_err(anyhow::Error::from);
    let kept = after(written, clock);
    let ended = match (report.interrupted, report.is_good()) {
        (true, _) => Outcome::Interrupted,
        (false, true) => Outcome::Done,
        (false, false) => Outcome::Partly,
    };
    let Some(meeting) = meeting else { return kept.map(|()| ended) };
    if let Some(trouble) = meeting.trouble() {
        return Err(trouble.into());
    }
    if report.interrupted {
        meeting.fail("it was interrupted before its window was over");
        return kept.map(|()| ended);
    }
    if let Err(error) = kept.and_then(|()| gathering::deliver(meeting, &report, &log, opened_at)) {
        gathering::tell(meeting, &error);
        return Err(error);
    }
    let are_all_there = meeting.all_delivered(gathering::patience(&prepared.plan))?;
    Ok(if are_all_there { ended } else { Outcome::Interrupted })
}

/// What a load found.
struct Found {
    report: Report,
    log: HdrLog,
    opened_at: Option<SystemTime>,
    /// Whether the clock that all parts go by is still known.
    clock: anyhow::Result<()>,
}

/// Makes the load, with the other parts where there are some. `None` when interrupted before its start.
fn measure(
    args: &LoadOptions,
    command: String,
    prepared: &mut Prepared,
    meeting: Option<&Meeting<'_>>,
    interrupt: &Interrupt,
) -> anyhow::Result<Option<Found>> {
    let steady = Steady::since_now();
    let clock = args.parts.clock.record()?;
    if !reach::reach(&prepared.target, args.timeout, interrupt)? {
        return Ok(None);
    }
    prepared.plan.start_at = match gathering::start(args, meeting, clock.as_ref(), interrupt)? {
        Start::AtOnce => None,
        Start::At(at) => Some(at),
        Start::Never => return Ok(None),
    };
    if prepared.plan.start_at.is_some_and(|start| wait_until(start, interrupt, args.quiet)) {
        return Ok(None);
    }
    let requests = args.requests.map(|all| prepared.plan.part.part_of(all));
    let watch = Watch::new(args.quiet, requests, prepared.plan.warm_up);
    prepared.plan.progress_every = watch.progress_every();
    prepared.plan.live = watch.is_seen();
    let started = jiff::Timestamp::now().to_string();
    let outcome = load::run(&prepared.plan, &watch, interrupt.load())?;
    let opened_at = watch.opened_at();
    let window = opened_at.map(|at| TimeRange::new(at, Duration::from_secs_f64(outcome.window_s)));
    let window_opened = opened_at.and_then(|at| jiff::Timestamp::try_from(at).ok());
    let steal = watch.steal();
    drop(watch);
    let (clock, is_known) = match clock.map(|before| args.parts.clock.and_now(before)).transpose() {
        Ok(clock) => (clock, Ok(())),
        Err(error) => (None, Err(error)),
    };
    let is_known = is_known.and_then(|()| gathering::steady(args, &steady));
    let window_opened = window_opened.map(|at| at.to_string());
    let circumstances = Circumstances { command, started, window_opened, clock, steal };
    let report = Report::new(prepared, &outcome, circumstances);
    let log = export::log_of(&report, &outcome, window);
    Ok(Some(Found { report, log, opened_at, clock: is_known }))
}

/// How long before its start a run is handed to the generator, which then opens its connections and is told of an
/// interrupt only once it has started.
const LEAD: Duration = Duration::from_secs(5);

/// Waits until shortly before `start`. True when interrupted, or when another part failed.
fn wait_until(start: SystemTime, interrupt: &Interrupt, quiet: bool) -> bool {
    const LOOK_EVERY: Duration = Duration::from_millis(50);
    let left = || start.duration_since(SystemTime::now()).unwrap_or_default();
    if !quiet
        && !left().is_zero()
        && let Ok(at) = jiff::Timestamp::try_from(start)
    {
        errln!("starts at {at}, in {:.1} s", left().as_secs_f64());
    }
    while left() > LEAD && !interrupt.load().is_stopped() {
        thread::sleep(LOOK_EVERY.min(left().saturating_sub(LEAD)));
    }
    interrupt.load().is_stopped()
}
