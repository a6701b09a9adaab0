//! `harness quick`: what `artillery quick` does, with an instrument that costs less and a report that reads the same.
//!
//! ```text
//! arguments -> users (arrive, send in turn, fail or complete) -> tally (10 s periods) -> report -> console, JSON
//! ```
//!
//! The subject here is the *user*: one that arrives, sends its requests in turn on a connection of its own, opens
//! another where the server says that it closes, and is out at its first request without an answer. Session lengths,
//! counts by period and first bytes by class of status belong to users, and the generator (package `load`), whose
//! subject is the request that is due, rightly knows none of them; so the small loop in `users` is separate and uses
//! that package's request and response parser. It is a closed loop and says so: it is for comparing with what is known
//! from that tool, never for ranking rows.
//!
//! Facts about the original in these modules were observed on artillery 2.0.21, against servers that answer, refuse,
//! reset, close and stay silent.

mod connection;
mod console;
mod json;
pub mod report;
mod tally;
mod users;

use std::{
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use anyhow::bail;
use jiff::{Timestamp, tz::TimeZone};
use load::{Request, RunError};

use crate::{bench::Outcome, cli::QuickArgs, interrupt::Interrupt, target::Target};
use console::Console;
use report::{Report, Run};
use tally::Tally;
use users::{Ending, Moment, PATIENCE, Users};

/// Why there is no report where one was asked for.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the report to `{path}`: {error}; choose another file with --output")]
pub struct OutputError {
    path: PathBuf,
    error: io::Error,
}

/// Runs `harness quick`.
///
/// # Errors
/// The URL names nothing that can be loaded, the report cannot be written, there are more users than connections
/// allowed, or no request was answered.
pub fn quick(args: &QuickArgs) -> anyhow::Result<Outcome> {
    let target = Target::parse(&args.url)?;
    if let Some(path) = &args.output {
        ensure_writable(path)?;
    }
    let request = Request::new("GET", &target.path, &target.host, HEADERS, b"")?;
    let users = Users {
        address: target.address,
        request,
        count: args.count,
        requests_each: args.num,
        patience: PATIENCE,
        interrupt: Interrupt::listen("what was measured is kept")?,
    };
    users.ensure_enough_descriptors().map_err(RunError::from)?;

    let console = Console::new(TimeZone::system(), args.quiet);
    let mut tally = Tally::new(Timestamp::now(), path_of(&target));
    let ending = users.run(&mut tally, &mut |moment| match moment {
        Moment::PhaseStarted => console.phase("started", Timestamp::now()),
        Moment::PhaseCompleted => console.phase("completed", Timestamp::now()),
        Moment::PeriodOver(report) => console.period(report),
    })?;
    let announced = tally.announced();
    let run = tally.conclude(ending.interrupted);
    run.intermediate[announced..].iter().for_each(|report| console.period(report));
    console.summary(&run, &ending, Timestamp::now());
    if let Some(path) = &args.output {
        write(path, &run)?;
        console.written(path);
    }
    warn(&run, &ending, args);
    if ending.interrupted {
        return Ok(Outcome::Interrupted);
    }
    if run.aggregate.counter("http.responses").is_none() {
        bail!(
            "no request to {target} was answered ({}); check that an HTTP server listens there",
            causes(&run.aggregate)
        );
    }
    Ok(Outcome::Done)
}

/// Sent by the original too: a server that compresses shall do the same work. The content is counted as it comes.
const HEADERS: &[(&str, &str)] = &[
    ("user-agent", concat!("harness-quick/", env!("CARGO_PKG_VERSION"))),
    ("accept-encoding", "gzip, deflate, br"),
    ("connection", "keep-alive"),
];

/// What the original calls an endpoint: the path without its query.
fn path_of(target: &Target) -> &str {
    target.path.split_once('?').map_or(target.path.as_str(), |(path, _)| path)
}

/// Known before the run rather than after it. What the file holds stays until there is something to replace it.
fn ensure_writable(path: &Path) -> Result<(), OutputError> {
    let opened = OpenOptions::new().append(true).create(true).open(path);
    opened.map(drop).map_err(|error| OutputError { path: path.to_owned(), error })
}

fn write(path: &Path, run: &Run) -> Result<(), OutputError> {
    let text = serde_json::to_string_pretty(run).map_err(io::Error::from);
    text.and_then(|text| fs::write(path, text)).map_err(|error| OutputError { path: path.to_owned(), error })
}

/// What a reader of the summary should know, on stderr so that what reads stdout is not disturbed.
fn warn(run: &Run, ending: &Ending, args: &QuickArgs) {
    let redirects = run.aggregate.answers_of_class(3);
    if redirects > 0 {
        anstream::eprintln!(
            "warning: {redirects} answers were redirects, which artillery would have followed; load the URL that they lead to"
        );
    }
    if ending.interrupted {
        anstream::eprintln!(
            "warning: interrupted: the report covers only what was done until then ({ending})"
        );
    }
    let answered = run.aggregate.counter("http.responses").is_some();
    if let Some(rate) =
        run.aggregate.rate("http.request_rate").filter(|rate| *rate > 0 && answered && !args.quiet)
    {
        anstream::eprintln!(
            "warning: quick is a closed loop: while the server stalls its users send nothing, so the times above hide the stall \
             (coordinated omission); `harness load --rate {rate} '{}'` shows it",
            args.url
        );
    }
}

/// `40 ECONNREFUSED`.
fn causes(report: &Report) -> String {
    let named =
        report.counters.iter().filter_map(|(name, n)| Some(format!("{n} {}", name.strip_prefix("errors.")?)));
    named.collect::<Vec<_>>().join(", ")
}
