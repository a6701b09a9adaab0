//! `harness selftest`, case by case, and the scripted server on the other side.

use std::{
    io::IsTerminal,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use host::{cpus::CpuSet, ready::Profile};

use crate::attempt::{Surroundings, attempt};
use crate::case::Case;
use crate::judge::{Judgement, Theory, judge};
use crate::queue::Intervals;
use crate::{
    check::Verdict,
    report::{CaseReport, Report},
    script::{CaseName, Length, Script},
    server,
};
use race::plan::cpu_plan::Topology;
use terminal::{
    errln,
    interrupt::Interrupt,
    outcome::{Outcome, after},
    outln,
    output::Output,
    progress::Progress,
};

/// What a person wants of `selftest`.
#[derive(Clone, Debug)]
pub struct SelftestOptions {
    /// Only this case
    pub case: Option<CaseName>,
    /// What arrivals, delays and replicated simulations are drawn from
    pub seed: u64,
    /// Also write every check, with its figures, as JSON
    pub export_json: Option<PathBuf>,
    /// The part of each delay by which the server waits longer than it logs; every timing case must then fail
    pub lie: f64,
    /// How much time there is.
    pub length: Length,
}

/// What the scripted server is told.
#[derive(Clone, Debug)]
pub struct ScriptedOptions {
    /// The case whose script is followed
    pub script: CaseName,
    /// What everything random is drawn from
    pub seed: u64,
    /// Where the log is written at SIGTERM
    pub log: PathBuf,
    /// Poll without pause: only on a CPU that the server has for itself
    pub spin: bool,
    /// The part of each delay by which it waits longer than it logs
    pub lie: f64,
    /// Which script of the name is meant.
    pub length: Length,
}

/// How often a case is run at most.
const ATTEMPTS: u32 = 3;

/// Sets the replicated simulations' numbers apart from the arrivals' and the server's.
const SIMULATION_SEED: u64 = 0x5109_31a7_0000_0000;
/// Sets the server's numbers apart from the arrivals': both are drawn by the same method.
const SERVER_SEED: u64 = 0x5e2f_e200_0000_0000;

/// Runs `harness selftest`.
///
/// # Errors
/// There is only one CPU, the server cannot be run, or the JSON document cannot be written.
pub fn selftest(args: &SelftestOptions) -> anyhow::Result<Outcome> {
    let [server_cpu, generator_cpu] = two_cpus()?;
    let interrupt = Interrupt::listen("finished cases are kept")?;
    let export = args.export_json.as_deref().map(Output::begin).transpose()?;
    if Profile::of_this_build() == Profile::Debug {
        errln!("warning: this is a debug build, whose generator is slower than the one that measures");
    }
    let surroundings = Surroundings {
        server_cpu,
        generator_cpu,
        seed: args.seed,
        lie: args.lie,
        stop: interrupt.load().clone(),
    };
    let names: Vec<CaseName> = args.case.map_or_else(|| CaseName::ALL.into(), |case| vec![case]);
    let cases: Vec<Case> = names.into_iter().map(|name| Case::new(name, args.length)).collect();
    let mut report = Report {
        length: args.length,
        seed: args.seed,
        server_cpu: surroundings.server_cpu,
        generator_cpu: surroundings.generator_cpu,
        cases: Vec::new(),
        interrupted: false,
    };
    let ran = run_cases(&cases, &mut report, &surroundings, &interrupt);
    print(&report);
    let written = export.map_or(Ok(()), |export| export.finish_json(&report));
    after(written.map_err(Into::into), ran)?;
    Ok(match (report.interrupted, report.count(Verdict::Fail)) {
        (true, _) => Outcome::Interrupted,
        (false, 0) => Outcome::Done,
        (false, _) => Outcome::Partly,
    })
}

/// Runs `harness scripted`.
///
/// # Errors
/// See [`server::serve`].
pub fn scripted(args: &ScriptedOptions) -> anyhow::Result<Outcome> {
    server::serve(&server::Config {
        case: args.script,
        script: Script::of(args.script, args.length),
        seed: args.seed ^ SERVER_SEED,
        log: args.log.clone(),
        spin: args.spin,
        lie: args.lie,
    })?;
    Ok(Outcome::Done)
}

/// The server's CPU and the generator's. Both poll without pause: on one CPU, each would measure the other.
fn two_cpus() -> anyhow::Result<[usize; 2]> {
    let Some(pair) = Topology::of_this_host()?.two() else {
        let allowed = CpuSet::allowed()?;
        bail!(
            "the instrument cannot be judged on one CPU ({allowed}): the scripted server and the generator need one each; \
             widen the mask of this process (taskset, cgroup)"
        );
    };
    Ok(pair)
}

/// What was finished is in the report, whatever ends the rest.
fn run_cases(
    cases: &[Case],
    report: &mut Report,
    surroundings: &Surroundings,
    interrupt: &Interrupt,
) -> anyhow::Result<()> {
    let progress = Progress::new("self-test", cases.len());
    let mut time = TimeLimit::new(report.length, cases);
    for case in cases {
        progress.doing(case.name.name());
        time.first_attempt(case);
        let found = run_case(case, surroundings, &time, interrupt)?;
        if interrupt.asked() {
            report.interrupted = true;
            break;
        }
        progress.done(&format!("{}: {} checks", case.name.name(), found.checks.len()));
        report.cases.push(found);
    }
    Ok(())
}

/// Runs a case until the machine lets it be judged, as often as there is time.
fn run_case(
    case: &Case,
    surroundings: &Surroundings,
    time: &TimeLimit,
    interrupt: &Interrupt,
) -> anyhow::Result<CaseReport> {
    let theory = theory_of(case, surroundings.seed);
    let once = || {
        let began = Instant::now();
        let runs = attempt(case, surroundings)
            .with_context(|| format!("case {} cannot be run", case.name.name()))?;
        let Judgement { checks, warnings } = judge(case, &runs, theory.as_ref());
        let disturbances = runs.iter().map(|run| run.disturbance).collect();
        let report = CaseReport { case: case.name, attempts: 1, disturbances, checks, warnings };
        anyhow::Ok((report, began.elapsed()))
    };
    let (mut best, mut took) = once()?;
    // A real disagreement is not measured away.
    while best.verdict() == Verdict::CannotTell
        && best.attempts < ATTEMPTS
        && !interrupt.asked()
        && time.allows(took)
    {
        let attempts = best.attempts + 1;
        let next;
        (next, took) = once()?;
        if next.verdict() != Verdict::CannotTell || next.doubts() < best.doubts() {
            best = next;
        }
        best.attempts = attempts;
    }
    Ok(best)
}

fn theory_of(case: &Case, seed: u64) -> Option<Theory> {
    let queue = case.queue()?;
    let window_s = case.runs.first()?.window.as_secs_f64();
    Some(Theory { queue, intervals: Intervals::simulate(&queue, window_s, seed ^ SIMULATION_SEED) })
}

/// How long a self-test may take, so that repeating does not make it late.
struct TimeLimit {
    ends: Instant,
    /// What the first attempts of the cases to come will take.
    reserved: Duration,
}

impl TimeLimit {
    fn new(length: Length, cases: &[Case]) -> Self {
        let limit = match length {
            Length::Full => Duration::from_secs(235),
            Length::Short => Duration::from_millis(19_000),
        };
        Self { ends: Instant::now() + limit, reserved: cases.iter().map(Case::duration).sum() }
    }

    fn first_attempt(&mut self, case: &Case) {
        self.reserved = self.reserved.saturating_sub(case.duration());
    }

    /// Whether something may still take so long.
    fn allows(&self, more: Duration) -> bool {
        Instant::now() + more + self.reserved <= self.ends
    }
}

fn print(report: &Report) {
    let Report { server_cpu, generator_cpu, .. } = report;
    outln!("scripted server on CPU {server_cpu}, generator on CPU {generator_cpu}; times in us\n");
    let table = report.table();
    let table = if std::io::stdout().is_terminal() { Report::coloured(&table) } else { table };
    outln!("{table}\n\n{}", report.remarks().trim_end());
}
