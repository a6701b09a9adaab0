//! Races as any other: by [`Run`], under the scenario `simple-latency`, with the windows that a row gets in a default run.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use host::{cpus::CpuSet, ready::Profile};
use race::{
    plan::{
        cpu_plan::CpuPlan,
        run_plan::RunPlan,
        scenario::{Metric, Pacing, RankBy, Rate, Scenario},
        scenarios::Scenarios,
    },
    programs::{builder::Built, context::Context, start_environment, workspace::Workspace},
    records::{
        conformance::Conformance,
        environment::{Environment, sha256_of},
        folder::{Contents, Folder},
    },
    registry::{Asked, Row},
    run::Run,
};
use terminal::interrupt::Interrupt;

/// Starts that the default field gets within the default budget (race's `budget` holds that to a test).
pub(super) const STARTS: u32 = 8;
/// The scenario whose windows the races have.
const SCENARIO: &str = "simple-latency";

/// What all races have in common.
#[derive(Debug)]
pub(super) struct Races {
    pub(super) context: Context,
    /// This program, which is also the servers'.
    pub(super) program: PathBuf,
    pub(super) scenario: Scenario,
    pub(super) environment: Environment,
    workspace: Workspace,
}

impl Races {
    /// # Errors
    /// This is no checkout, or the scenario is not in it.
    pub(super) fn new(command: String, interrupt: Interrupt) -> anyhow::Result<Self> {
        let workspace = Workspace::at_or_above(&std::env::current_dir()?)?;
        let scenarios = Scenarios::read(&workspace.scenarios())?;
        let scenario = scenarios.select(Asked::Named(&[SCENARIO.to_owned()]))?.remove(0);
        let environment = Environment::capture(&workspace, command)?;
        let program = std::env::current_exe().context("cannot tell this program's own path")?;
        Ok(Self { context: Context::new(interrupt)?, program, scenario, environment, workspace })
    }

    /// Where server and generator run.
    ///
    /// # Errors
    /// There is only one CPU.
    pub(super) fn cpus(&self) -> anyhow::Result<CpuPlan> {
        let plan = self.context.topology.plan(&on_one_cpu(self.scenario.clone()), 0);
        plan.with_context(|| {
            let allowed = CpuSet::allowed().map_or_else(|_| String::new(), |cpus| format!(" ({cpus})"));
            format!("the comparison cannot be held to what is planted on one CPU{allowed}")
        })
    }

    /// Makes `rows` known to the context.
    ///
    /// # Errors
    /// This program cannot be found again.
    pub(super) fn enter(&mut self, rows: &[Row]) -> anyhow::Result<()> {
        self.context.programs = programs(rows, self.workspace.root())?;
        Ok(())
    }

    /// Races `rows` at `per_second`, and leaves a results folder at `path`, which is new. A person who interrupts it gets fewer starts.
    ///
    /// # Errors
    /// The folder is taken, cannot be written or read, or this host is too small.
    pub(super) fn race(
        &mut self,
        rows: Vec<Row>,
        per_second: f64,
        (starts, seed): (u32, u64),
        path: &Path,
    ) -> anyhow::Result<Contents> {
        self.enter(&rows)?;
        let folder = Folder::create(path, false)?;
        let mut environment = self.environment.clone();
        environment.started = now();
        environment.start = Some(start_environment::StartRecord::of(&rows, &start_environment::own()));
        let program = sha256_of(&self.program)?;
        environment.programs = rows.iter().map(|row| (row.name.clone(), program.clone())).collect();
        folder.write_environment(&environment)?;
        let scenarios = vec![at_rate(self.scenario.clone(), per_second)];
        let plan = RunPlan { rows, with: Vec::new(), scenarios, starts, seed };
        let mut run = Run::new(plan, Vec::new(), &self.context)?;
        run.record.conformance = Some(Conformance::Unverified);
        folder.write_run(&run.record)?;
        let mut log = folder.log()?;
        run.starts(&self.context, &folder, &mut log, None)?;
        run.record.interrupted = self.context.interrupt.asked();
        folder.write_run(&run.record)?;
        Ok(folder.contents()?)
    }
}

/// What starts `rows`.
fn programs(rows: &[Row], root: &Path) -> anyhow::Result<HashMap<String, Built>> {
    let built = |row: &Row| {
        let built = Built::of(row, root, &HashMap::new(), Profile::Release);
        Ok((row.name.clone(), built.with_context(|| format!("cannot start {}", row.name))?))
    };
    rows.iter().map(built).collect()
}

/// This instant, RFC 3339.
fn now() -> String {
    jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// The servers have one thread: more CPUs would stand idle beside it.
fn on_one_cpu(scenario: Scenario) -> Scenario {
    Scenario { server_cpus: Some(1), min_server_cpus: 1, ..scenario }
}

/// The scenario at a fixed rate, compared by p99: the figure that notes on stalls are about.
pub(super) fn at_rate(scenario: Scenario, per_second: f64) -> Scenario {
    let mut scenario = on_one_cpu(scenario);
    scenario.rank = RankBy { stream: scenario.rank.stream, by: Metric::P99 };
    for stream in &mut scenario.streams {
        stream.pacing = Pacing::Poisson { rate: Rate::PerSecond(per_second) };
    }
    scenario
}
