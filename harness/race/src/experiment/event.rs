//! One event: it is brought about, and what comes of it is waited for.

use std::{
    io,
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use host::class::SchedulingClass;
use rustix::process::Signal;

use super::{
    asking::{Answer, Asker, NoAnswer, somebody_new},
    subject::Subject,
    watched::{Watched, all_end_by},
};
use crate::{
    plan::experiment::EventKind, programs::instance::InstanceError, records::experiment::RestartedBy,
};

/// How often the processes of a tree are looked at while some are to come.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// A process that has answered a request for a fault lives on, or ends within this.
const ENDS_BEHIND_AN_ANSWER: Duration = Duration::from_millis(250);
/// One that has lost the connection on which it was asked takes no longer to end: it may write a core.
const ENDS_WITHOUT_AN_ANSWER: Duration = Duration::from_secs(5);
/// How long an answer to such a request is waited for.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// So many connections are tried to reach the worker whose turn it is.
const CONNECTIONS_TRIED: usize = 64;

/// What happened.
#[derive(Clone, Debug)]
pub(super) struct Happened {
    pub(super) kind: EventKind,
    /// When, by both clocks.
    pub(super) at: Instant,
    pub(super) wall: String,
    pub(super) hit: Vec<u32>,
    pub(super) new: Vec<u32>,
    pub(super) answer: Option<String>,
    /// Since then.
    pub(super) ended: Option<Duration>,
    pub(super) replaced: Option<Duration>,
    pub(super) done: Option<Duration>,
    pub(super) restarted_by: Option<RestartedBy>,
    /// What went otherwise than it should.
    pub(super) problem: Option<String>,
}

/// Why an event did not happen, and no other can.
#[derive(Debug, thiserror::Error)]
pub(super) enum Impossible {
    #[error("no worker process is left to kill")]
    NoWorker,
    #[error(
        "the server answers {0} to POST /fault: with its fault_args it does not fail where it is asked to"
    )]
    NoFault(u16),
    #[error("nobody could be asked to fail: {0}")]
    Unreachable(NoAnswer),
    #[error("the server's processes cannot be seen: {0}")]
    Unseen(#[from] io::Error),
    #[error(transparent)]
    Server(#[from] InstanceError),
    #[error("the registry does not say by which signal the row is reloaded")]
    NoSignal,
}

impl From<rustix::io::Errno> for Impossible {
    fn from(error: rustix::io::Errno) -> Self {
        Self::Unseen(error.into())
    }
}

impl Happened {
    fn now(kind: EventKind, hit: Vec<u32>) -> Self {
        Self {
            kind,
            at: Instant::now(),
            wall: jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string(),
            hit,
            new: Vec::new(),
            answer: None,
            ended: None,
            replaced: None,
            done: None,
            restarted_by: None,
            problem: None,
        }
    }
}

/// How long an event is waited for.
#[derive(Clone, Copy)]
pub(super) struct Patience<'a> {
    pub(super) deadline: Duration,
    /// Whether the generator runs at raised priority on CPUs that it shares: then whoever probes does, too, or what it waits for a CPU would
    /// count as the server's.
    pub(super) raised: bool,
    /// Whether nobody wants to know any more.
    pub(super) given_up: &'a (dyn Fn() -> bool + Sync),
}

/// Brings about an event of `kind`, and waits for what comes of it, with so much patience.
pub(super) fn strike(
    subject: &mut Subject<'_>,
    kind: EventKind,
    patience: Patience<'_>,
) -> Result<Happened, Impossible> {
    let had_ended = subject.alive()?.server.has_ended();
    if had_ended {
        subject.restart()?;
    }
    let mut happened = match (kind, kind.asked()) {
        (EventKind::Reload, _) => reload(subject, patience),
        (kind, Some(target)) => ask_for(subject, kind, target, patience),
        (_, None) => kill(subject, patience),
    }?;
    if had_ended {
        let before = "the server had ended since the event before and was started again";
        let also = happened.problem.map_or_else(String::new, |problem| format!("; {problem}"));
        happened.problem = Some(format!("{before}{also}"));
    }
    Ok(happened)
}

/// SIGKILL of the oldest worker: of two that are replaced, each in turn.
fn kill(subject: &mut Subject<'_>, patience: Patience<'_>) -> Result<Happened, Impossible> {
    let known = pids_of_workers(subject)?;
    let oldest = *known.first().ok_or(Impossible::NoWorker)?;
    let victim = Watched::open(oldest)?;
    let mut happened = Happened::now(EventKind::Kill, vec![oldest]);
    victim.send(Signal::KILL);
    replacement(subject, &victim, known, &mut happened, patience)?;
    Ok(happened)
}

/// Asks the oldest worker to fail, or the server where it has none.
fn ask_for(
    subject: &mut Subject<'_>,
    kind: EventKind,
    target: &str,
    patience: Patience<'_>,
) -> Result<Happened, Impossible> {
    let mut known = pids_of_workers(subject)?;
    let (mut asker, pid) = reach(subject, known.first().copied())?;
    let asked = pid.unwrap_or(subject.alive()?.server.pid());
    if !known.contains(&asked) {
        known.push(asked);
    }
    let victim = Watched::open(asked)?;
    let mut happened = Happened::now(kind, vec![asked]);
    let answer = asker.ask("POST", target);
    let ends_within = match &answer {
        Ok(Answer { status: status @ (400 | 403 | 404 | 405 | 501), .. }) => {
            return Err(Impossible::NoFault(*status));
        }
        Ok(_) => ENDS_BEHIND_AN_ANSWER,
        Err(_) => ENDS_WITHOUT_AN_ANSWER,
    };
    happened.answer = Some(match answer {
        Ok(answer) => answer.status.to_string(),
        Err(none) => none.to_string(),
    });
    if victim.ends_by(Instant::now() + ends_within) {
        replacement(subject, &victim, known, &mut happened, patience)?;
    }
    Ok(happened)
}

/// A connection to process `wanted`, or to another one where that cannot be had; and to which.
fn reach(subject: &Subject<'_>, wanted: Option<u32>) -> Result<(Asker, Option<u32>), Impossible> {
    let connect = || Asker::connect(subject.address(), ANSWERS_WITHIN).map_err(Impossible::Unreachable);
    let Some(path) = subject.row().pid_path() else { return Ok((connect()?, None)) };
    for _ in 1..CONNECTIONS_TRIED {
        let mut asker = connect()?;
        match asker.pid(path) {
            Some(pid) if wanted.is_none_or(|wanted| wanted == pid) => return Ok((asker, Some(pid))),
            _ => {}
        }
    }
    let mut asker = connect()?;
    let pid = asker.pid(path);
    Ok((asker, pid))
}

/// Has the server replace its workers.
fn reload(subject: &mut Subject<'_>, patience: Patience<'_>) -> Result<Happened, Impossible> {
    let signal =
        subject.row().reload.as_ref().and_then(|reload| reload.signal()).ok_or(Impossible::NoSignal)?;
    let known = pids_of_workers(subject)?;
    let old = known.iter().map(|pid| Watched::open(*pid)).collect::<Result<Vec<_>, _>>()?;
    let mut happened = Happened::now(EventKind::Reload, known.clone());
    let (at, deadline) = (happened.at, happened.at + patience.deadline);
    subject.alive()?.server.send(signal);
    let over = || (patience.given_up)() || Instant::now() >= deadline;
    let enough = AtomicBool::new(false);
    let row = subject.row();
    thread::scope(|scope| {
        let probe = Probe { address: subject.address(), known: &known, deadline, enough: &enough };
        let probing = row.pid_path().map(|path| scope.spawn(move || probe.run(path, patience)));
        let new = loop {
            let alive = subject.alive()?;
            let all_gone = all_end_by(&old, Instant::now() + LOOK_EVERY);
            let new = new_workers(subject, &known)?;
            if all_gone && new.len() >= old.len() {
                happened.done = Some(at.elapsed());
                break new;
            }
            if over() || alive.server.has_ended() {
                break new;
            }
            if all_gone {
                thread::sleep(LOOK_EVERY);
            }
        };
        if happened.done.is_none() {
            // Nobody comes any more.
            enough.store(true, Ordering::Relaxed);
            let left = old.iter().filter(|old| !old.has_ended()).count();
            let (all, came) = (old.len(), new.len());
            let ended = if subject.alive()?.server.has_ended() { "the server ended: " } else { "" };
            happened.problem = Some(format!(
                "{ended}after {:.1} s, {left} of {all} old workers were there and {came} new ones",
                at.elapsed().as_secs_f64()
            ));
        }
        happened.new = new;
        happened.replaced = replaced_at(probing, &enough, patience).map(|(_, when)| when - at);
        Ok::<(), Impossible>(())
    })?;
    if subject.alive()?.server.has_ended() {
        subject.restart()?;
        happened.restarted_by = Some(RestartedBy::Harness);
    }
    Ok(happened)
}

/// Raises the priority of the calling thread, which starts no process: one would inherit it.
fn raise(patience: Patience<'_>) {
    if patience.raised {
        // Tried beforehand; where it fails here, the figures are a little worse.
        let _ = SchedulingClass::Fifo.apply_to_current_thread();
    }
}

/// Looks for a process that was not there before, by its answers.
#[derive(Clone, Copy)]
struct Probe<'a> {
    address: SocketAddr,
    known: &'a [u32],
    deadline: Instant,
    /// Raised when nobody wants to know any more.
    enough: &'a AtomicBool,
}

impl Probe<'_> {
    fn run(self, path: &str, patience: Patience<'_>) -> Option<(u32, Instant)> {
        raise(patience);
        somebody_new(self.address, path, self.known, self.deadline, self.enough)
    }
}

type Probing<'scope> = thread::ScopedJoinHandle<'scope, Option<(u32, Instant)>>;

/// What a thread that probes has found, once it has, or its deadline has come, or nobody wants to know any more.
fn replaced_at(
    probing: Option<Probing<'_>>,
    enough: &AtomicBool,
    patience: Patience<'_>,
) -> Option<(u32, Instant)> {
    let probing = probing?;
    while !probing.is_finished() {
        if (patience.given_up)() {
            enough.store(true, Ordering::Relaxed);
        }
        thread::sleep(Duration::from_millis(1));
    }
    probing.join().unwrap_or_default()
}

/// Waits until `victim` has ended and another process is in its place: one of the server's, or the server that the harness starts again
/// where it is gone. `known` were there before.
fn replacement(
    subject: &mut Subject<'_>,
    victim: &Watched,
    known: Vec<u32>,
    happened: &mut Happened,
    patience: Patience<'_>,
) -> Result<(), Impossible> {
    let (at, deadline) = (happened.at, happened.at + patience.deadline);
    let over = || (patience.given_up)() || Instant::now() >= deadline;
    let enough = AtomicBool::new(false);
    let row = subject.row();
    thread::scope(|scope| {
        let probe = Probe { address: subject.address(), known: &known, deadline, enough: &enough };
        let probing = row.pid_path().map(|path| scope.spawn(move || probe.run(path, patience)));
        while !victim.ends_by(Instant::now() + LOOK_EVERY) && !over() {}
        happened.ended = victim.has_ended().then(|| at.elapsed());
        let restarted = loop {
            if subject.alive()?.server.has_ended() {
                let restarted = subject.restart();
                if restarted.is_err() {
                    enough.store(true, Ordering::Relaxed);
                }
                restarted?;
                let workers = pids_of_workers(subject)?;
                let server = subject.alive()?.server.pid();
                happened.new = if workers.is_empty() { vec![server] } else { workers };
                break RestartedBy::Harness;
            }
            happened.new = new_workers(subject, &known)?;
            if !happened.new.is_empty() {
                break RestartedBy::Server;
            }
            if over() {
                break RestartedBy::Nobody;
            }
            thread::sleep(LOOK_EVERY);
        };
        happened.restarted_by = Some(restarted);
        if restarted == RestartedBy::Nobody {
            enough.store(true, Ordering::Relaxed);
            happened.problem =
                Some(format!("no other process was in its place after {:.1} s", at.elapsed().as_secs_f64()));
        }
        let replaced = replaced_at(probing, &enough, patience);
        happened.replaced = replaced.map(|(_, when)| when - at);
        if restarted != RestartedBy::Nobody && row.pid_path().is_some() && replaced.is_none() {
            happened.problem =
                Some("the process in its place answered nobody before the deadline".to_owned());
        }
        Ok(())
    })
}

fn pids_of_workers(subject: &Subject<'_>) -> Result<Vec<u32>, Impossible> {
    Ok(subject.alive()?.tree.workers()?.iter().map(|member| member.pid).collect())
}

fn new_workers(subject: &Subject<'_>, known: &[u32]) -> Result<Vec<u32>, Impossible> {
    Ok(pids_of_workers(subject)?.into_iter().filter(|pid| !known.contains(pid)).collect())
}
