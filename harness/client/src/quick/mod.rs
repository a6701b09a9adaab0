//! `harness quick`: what `artillery quick` does, with an instrument that costs less and a report that reads the same.
//!
//! ```text
//! arguments -> plan -> generator -> crowd (users arrive, fail, complete) -> tally (10 s periods) -> report -> console, JSON
//! ```
//!
//! The subject here is the *user*: one that arrives, sends its requests in turn on a connection of its own, opens
//! another where the server says that it closes, and is out at its first request without an answer. The generator (package
//! `load`), whose subject is the request that is due, makes the load; session lengths, counts by period and first bytes
//! by class of status belong to users, and are counted here by a witness of the generator's connections. It is a closed
//! loop and says so: it is for comparing with what is known from that tool, never for ranking rows.
//!
//! Where the original and the generator have different rules, the generator's hold: a request has ten seconds from being
//! sent to the last byte of its answer, and a handshake as many (the original: ten from the start of both to the first
//! byte); what is no HTTP/1.x, or is followed by bytes that nobody asked for, is one kind of failure.
//!
//! Facts about the original in these modules were observed on artillery 2.0.21, against servers that answer, refuse,
//! reset, close and stay silent.

mod cause;
mod console;
mod crowd;
mod ending;
mod json;
mod plan;
pub mod report;
mod tally;

use std::{
    cell::Cell,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::bail;
use jiff::{Timestamp, tz::TimeZone};
use load::{ErrorKind, Observer, Progress};

use crate::{connecting, target::Target};
use console::Console;
use crowd::Crowd;
use ending::Ending;
use plan::ARRIVALS_LAST;
pub use plan::QuickOptions;
use report::{Report, Run};
use terminal::{
    errln,
    interrupt::Interrupt,
    outcome::{Outcome, after},
    output::Output,
    shell::quoted,
};

/// Runs `harness quick`.
///
/// # Errors
/// The URL names nothing that can be loaded, the report cannot be written, there are more users than connections
/// allowed, or no request was answered.
pub fn quick(args: &QuickOptions) -> anyhow::Result<Outcome> {
    let target = Target::parse(&args.url)?;
    target.notes.iter().for_each(|note| errln!("note: {note}"));
    let interrupt = Interrupt::listen("what was measured is kept")?;
    let output = args.output.as_deref().map(Output::begin).transpose()?;
    let crowd = Arc::new(Crowd::new(path_of(&target)));
    let plan = plan::plan(args, &target, &crowd)?;
    let console = Console::new(TimeZone::system(), args.quiet);
    let watch = Watch { crowd: &crowd, console: &console, arriving: Cell::new(true) };
    let outcome = load::run(&plan, &watch, interrupt.load())?;
    let took = Duration::from_secs_f64(outcome.window_s) + wait_out_arrivals(outcome.window_s, &interrupt);
    watch.look(took);

    let (arrived, under_way) = crowd.numbers();
    let ending = Ending { interrupted: interrupt.asked(), took, planned: args.count, arrived, under_way };
    let (run, announced) = crowd.conclude(ending.interrupted);
    run.intermediate[announced..].iter().for_each(|report| console.period(report));
    console.summary(&run, &ending, Timestamp::now());
    let written = output.map_or(Ok(()), |output| output.finish_json(&run));
    match (&written, &args.output) {
        (Ok(()), Some(path)) => console.written(path),
        // Where else is it now?
        (Err(_), _) if args.quiet => {
            Console::new(TimeZone::system(), false).summary(&run, &ending, Timestamp::now());
        }
        _ => {}
    }
    warn(&run, &ending, args);
    after(written.map_err(Into::into), ended(&run, &ending, &outcome, &target))
}

fn ended(run: &Run, ending: &Ending, outcome: &load::Outcome, target: &Target) -> anyhow::Result<Outcome> {
    if ending.interrupted { Ok(Outcome::Interrupted) } else { judge(run, outcome, target) }
}

/// How the run went, and what to do about what failed: what failed here is told apart from what the server failed at.
fn judge(run: &Run, outcome: &load::Outcome, target: &Target) -> anyhow::Result<Outcome> {
    let users = &outcome.streams[0];
    let of_connections = connecting::advice_on(&users.failed_attempts);
    let of_answers = users
        .first_unreadable
        .as_ref()
        .filter(|first| first.kind == ErrorKind::TooLarge)
        .map(|first| format!("answers were too large: {}; raise --max-head", first.reason));
    if run.aggregate.counter("http.responses").is_none() {
        let advice = of_connections.or(of_answers);
        let advice = advice.as_deref().unwrap_or("check that an HTTP server listens there");
        bail!("no request to {target} was answered ({}); {advice}", causes(&run.aggregate));
    }
    if let Some(advice) = of_connections {
        let told = connecting::told(&users.failed_attempts);
        errln!("warning: connections failed: {told}; {advice}");
    }
    if let Some(advice) = of_answers {
        errln!("warning: {advice}");
    }
    Ok(if connecting::are_local(&users.failed_attempts) { Outcome::Partly } else { Outcome::Done })
}

/// Says what time it is while the run goes on.
struct Watch<'a> {
    crowd: &'a Crowd,
    console: &'a Console,
    /// The time for arrivals is not over.
    arriving: Cell<bool>,
}

impl Observer for Watch<'_> {
    fn window_opened(&self) {
        self.console.phase("started", Timestamp::now());
    }

    fn progress(&self, progress: &Progress) {
        self.look(progress.elapsed);
    }
}

impl Watch<'_> {
    fn look(&self, elapsed: Duration) {
        if elapsed >= ARRIVALS_LAST && self.arriving.replace(false) {
            self.console.phase("completed", Timestamp::now());
        }
        let elapsed_ns = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        while let Some(report) = self.crowd.period_over(elapsed_ns) {
            self.console.period(&report);
        }
    }
}

/// The phase lasts as long as it is said to, even if its last user has left before. Returns how long that was.
fn wait_out_arrivals(ran_s: f64, interrupt: &Interrupt) -> Duration {
    /// How soon Ctrl-C is seen.
    const NAP: Duration = Duration::from_millis(50);
    let rest = ARRIVALS_LAST.saturating_sub(Duration::from_secs_f64(ran_s));
    let began = Instant::now();
    while !interrupt.asked() && began.elapsed() < rest {
        thread::sleep(NAP.min(rest.saturating_sub(began.elapsed())));
    }
    began.elapsed()
}

/// What the original calls an endpoint: the path without its query.
fn path_of(target: &Target) -> &str {
    target.path.split_once('?').map_or(target.path.as_str(), |(path, _)| path)
}

/// What a reader of the summary should know, on stderr so that what reads stdout is not disturbed.
fn warn(run: &Run, ending: &Ending, args: &QuickOptions) {
    let redirects = run.aggregate.answers_with(load::is_redirect);
    if redirects > 0 {
        errln!(
            "warning: {redirects} answers were redirects, which artillery would have followed; load the URL that they lead to"
        );
    }
    if ending.interrupted {
        errln!("warning: interrupted: the report covers only what was done until then ({ending})");
    }
    let answered = run.aggregate.counter("http.responses").is_some();
    if let Some(rate) =
        run.aggregate.rate("http.request_rate").filter(|rate| *rate > 0 && answered && !args.quiet)
    {
        errln!(
            "warning: quick is a closed loop: while the server stalls its users send nothing, so the times above hide the stall \
             (coordinated omission); `harness load --rate {rate} {}` shows it",
            quoted(&args.url)
        );
    }
}

/// `40 ECONNREFUSED`.
fn causes(report: &Report) -> String {
    let named =
        report.counters.iter().filter_map(|(name, n)| Some(format!("{n} {}", name.strip_prefix("errors.")?)));
    named.collect::<Vec<_>>().join(", ")
}
