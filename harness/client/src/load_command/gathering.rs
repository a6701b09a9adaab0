//! One part of a load among others: what it brings to the meeting, and what it leaves there.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use load::Plan;
use race::records::environment::sha256_of_bytes;
use stats::hdr_log::HdrLog;
use terminal::{interrupt::Interrupt, outcome::Outcome, outln};

use super::{
    options::Prepared,
    report::Report,
    wanted::{LoadOptions, PartsOptions},
};
use crate::{
    clock::{Clock, ClockRecord, HostId, Steady},
    gather::{
        agreed,
        error::GatherError,
        meeting::{Found, Meeting},
        wanted::{Terms, Wanted},
    },
};

/// Comes to the folder, where one is given, and takes the seed that all draw from.
///
/// # Errors
/// See [`Meeting::join`].
pub(super) fn join<'a>(
    args: &LoadOptions,
    prepared: &mut Prepared,
    given_up: &'a dyn Fn() -> bool,
) -> anyhow::Result<Joined<'a>> {
    let Some(folder) = &args.parts.gather else { return Ok(Joined::Alone) };
    let plan = agreed::agreed(prepared, args.start_at, args.parts.share_host);
    let terms = Terms {
        part: prepared.plan.part,
        within: args.parts.gather_within,
        lead: args.parts.gather_lead,
        share_host: args.parts.share_host,
        apart: args.parts.apart,
    };
    let wanted = Wanted { folder, plan: &plan, seed: args.seed, terms };
    let Some(meeting) = Meeting::join(&wanted, prepared.plan.seed, given_up)? else {
        return Ok(Joined::GivenUp);
    };
    prepared.plan.seed = meeting.seed();
    Ok(Joined::With(Box::new(meeting)))
}

/// With whom a load is made.
pub(super) enum Joined<'a> {
    /// Nobody.
    Alone,
    /// The other parts.
    With(Box<Meeting<'a>>),
    /// A person does not want it any more.
    GivenUp,
}

/// When the load begins, by the clock here: as all parts agree, or as a person said.
///
/// # Errors
/// Others did not come, or the start is over.
pub(super) fn start(
    args: &LoadOptions,
    meeting: Option<&Meeting<'_>>,
    clock: Option<&ClockRecord>,
    interrupt: &Interrupt,
) -> anyhow::Result<Start> {
    let here = |there: SystemTime| clock.map_or(there, |clock| clock.here(there));
    let Some(meeting) = meeting else {
        return Ok(args.start_at.map_or(Start::AtOnce, |at| Start::At(here(at))));
    };
    let load = interrupt.load().clone();
    meeting.ready(move || load.stop())?;
    let there = || clock.map_or_else(SystemTime::now, |clock| clock.there(SystemTime::now()));
    Ok(meeting.start(args.start_at, there)?.map_or(Start::Never, |at| Start::At(here(at))))
}

/// When a load begins.
pub(super) enum Start {
    /// As soon as it can.
    AtOnce,
    /// Then, by the clock here.
    At(SystemTime),
    /// A person does not want it any more.
    Never,
}

/// Whether the window is where the clock here says, where others go by that.
///
/// # Errors
/// The clock was set meanwhile.
pub(super) fn steady(args: &LoadOptions, since: &Steady) -> anyhow::Result<()> {
    let PartsOptions { gather, clock, .. } = &args.parts;
    let is_alone = gather.is_none() && args.start_at.is_none() && matches!(clock, Clock::Own);
    match since.was_set() {
        Some(set) if !is_alone => Err(anyhow::anyhow!(
            "the clock of {} was {set} while the load was made, so that its window is not where it says: stop what sets it (chrony, ntpd, \
             the hypervisor), and start all parts again",
            HostId::own().name
        )),
        _ => Ok(()),
    }
}

/// How long another part may still be at work when this one has ended: parts end their windows together, and then wait for answers.
pub(super) fn patience(plan: &Plan) -> Duration {
    plan.timeout
}

/// Leaves what this part found.
///
/// # Errors
/// Its window never opened, or the folder cannot be written to.
pub(super) fn deliver(
    meeting: &Meeting<'_>,
    report: &Report,
    log: &HdrLog,
    opened_at: Option<SystemTime>,
) -> anyhow::Result<()> {
    let opened_at = opened_at.ok_or_else(|| anyhow::anyhow!("its window never opened"))?;
    let mut bytes = Vec::new();
    log.write(&mut bytes)?;
    let found = Found {
        clock: report.clock.clone(),
        opened_s: opened_at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64(),
        window_s: report.window_s,
        is_good: report.is_good(),
        log_sha256: sha256_of_bytes(&bytes),
        report: serde_json::to_value(report)?,
    };
    Ok(meeting.deliver(&bytes, found)?)
}

/// Says why this part gave up; but not that it did because of another, which has said so itself.
pub(super) fn tell(meeting: &Meeting<'_>, error: &anyhow::Error) {
    if !matches!(error.downcast_ref(), Some(GatherError::Failed { .. })) {
        meeting.fail(&format!("{error:#}"));
    }
}

/// Whether nobody wants the load any more.
pub(super) fn asked(interrupt: &Interrupt) -> impl Fn() -> bool {
    let interrupt = interrupt.clone();
    move || interrupt.asked()
}

/// How a load ends that never began: by another part's failure, or because a person wished it, which the others are told.
pub(super) fn not_started(meeting: Option<&Meeting<'_>>) -> anyhow::Result<Outcome> {
    if let Some(meeting) = meeting {
        if let Some(error) = meeting.trouble() {
            return Err(error.into());
        }
        meeting.fail("it was interrupted before the start");
    }
    outln!("interrupted before the start; nothing was measured");
    Ok(Outcome::Interrupted)
}
