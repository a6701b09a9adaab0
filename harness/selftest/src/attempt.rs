//! One case, once: the scripted server started, loaded and ended, its log read.

use std::{ffi::OsString, path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use host::{cpus::CpuSet, launch::Launch};
use load::{Exactly, Plan, Request, StopHandle, Stream, Wait};

use crate::{
    case::{Case, RunSpec},
    clock::now_ns,
    log::Log,
    observed::{Disturbance, Observed, Reported},
    script::Length,
    server::BODY,
};
use race::{machine::sample::MachineSample, programs::context::guard_command};

const READY_WITHIN: Duration = Duration::from_secs(10);
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// The controlling thread shares the server's CPU: it sleeps.
const PROGRESS_EVERY: Duration = Duration::from_secs(3600);

/// What all attempts have in common.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    pub(crate) server_cpu: usize,
    pub(crate) generator_cpu: usize,
    pub(crate) seed: u64,
    pub(crate) lie: f64,
    pub(crate) stop: StopHandle,
}

/// Runs `case` and returns what was seen of each of its runs.
///
/// # Errors
/// The server cannot be started or does not end cleanly, its log is not whole, or the generator cannot do its work.
pub(crate) fn attempt(case: &Case, surroundings: &Surroundings) -> anyhow::Result<Vec<Observed>> {
    let folder = tempfile::tempdir().context("cannot create a folder for the scripted server's log")?;
    let path = folder.path().join("log.csv");
    let mut server = Launch::new(std::env::current_exe()?)
        .args(arguments(case, surroundings, &path))
        .cpus(CpuSet::from_iter([surroundings.server_cpu]))
        .guarded_by(guard_command()?)
        .spawn()
        .context("the scripted server")?;
    let ready = server.ready(READY_WITHIN).context("the scripted server")?;
    let runs = case
        .runs
        .iter()
        .map(|spec| drive(spec, ready.address, surroundings))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let exit = server.stop(STOP_WITHIN).context("the scripted server")?;
    if !exit.is_clean() {
        let last = exit.stderr.last().map_or("it said nothing", String::as_str);
        bail!("the scripted server did not end cleanly ({}): {last}", exit.ended);
    }
    let log = Log::read(&path)?;
    Ok(runs.into_iter().map(|run| run.with(&log)).collect())
}

fn arguments(case: &Case, surroundings: &Surroundings, log: &Path) -> Vec<OsString> {
    let mut arguments: Vec<OsString> =
        ["scripted", "--spin", "--script", case.name.name()].map(OsString::from).into();
    arguments.extend(["--seed".into(), surroundings.seed.to_string().into()]);
    arguments.extend(["--lie".into(), surroundings.lie.to_string().into()]);
    arguments.extend(["--log".into(), log.into()]);
    if case.length == Length::Short {
        arguments.push("--short".into());
    }
    arguments
}

/// What is known of a run before the log is.
struct Driven {
    time: std::ops::Range<u64>,
    outcome: load::Outcome,
    stolen: f64,
}

fn drive(
    spec: &RunSpec,
    address: std::net::SocketAddr,
    surroundings: &Surroundings,
) -> anyhow::Result<Driven> {
    let Surroundings { server_cpu, generator_cpu, seed, .. } = *surroundings;
    let request = Request::get("/", &address.to_string())?;
    let check = Arc::new(Exactly { status: 200, body: BODY.to_vec() });
    let stream = Stream::new("scripted", request, check, spec.pacing, spec.connections);
    let mut plan = Plan::new(address, vec![stream]);
    plan.cpus = vec![generator_cpu];
    plan.wait = Wait::Spin;
    // Whatever is sent is judged, so that both books hold the same requests.
    plan.warm_up = Duration::ZERO;
    plan.window = spec.window;
    plan.timeout = spec.timeout;
    plan.progress_every = PROGRESS_EVERY;
    plan.seed = seed;
    let (before, began_ns) = (MachineSample::take()?, now_ns());
    let outcome = load::run(&plan, &(), &surroundings.stop)?;
    let (after, ended_ns) = (MachineSample::take()?, now_ns());
    let set = |cpu| CpuSet::from_iter([cpu]);
    let used = after.since(&before, &set(server_cpu), &set(generator_cpu), Duration::ZERO);
    Ok(Driven { time: began_ns..ended_ns, outcome, stolen: used.stolen })
}

impl Driven {
    fn with(self, log: &Log) -> Observed {
        let log = log.within(&self.time);
        let reported = Reported::of(&self.outcome.streams[0]);
        let disturbance = Disturbance::of(&self.outcome, &reported, &log, self.stolen);
        Observed { log, reported, disturbance }
    }
}
