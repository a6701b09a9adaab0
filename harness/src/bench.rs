//! `harness bench`: a whole run, from the data that describes it to the tables that it leaves.

use std::{
    collections::HashMap,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use crate::{
    builder,
    calibrate::{ROUNDS, calibrate},
    cli::BenchArgs,
    context::Context,
    cpu_plan::CpuPlan,
    environment::{Environment, host_name, sha256_of},
    folder::{Failure, Folder, RunRecord, TimeSpent},
    interrupt::Interrupt,
    progress::{Progress, about},
    record::{TrialLog, TrialRecord, Verdict, label},
    registry::{OperationName, Registry},
    report,
    resolve::resolve,
    run_plan::RunPlan,
    scenario::{Placement, Scenario, Scenarios},
    trial::{self, Which},
    workspace::Workspace,
};

/// How often a trial is repeated when the instrument failed.
const REPEATS: u32 = 2;
/// After this many trials in which its server failed, a row is out of the scenario.
const FAILURES_ALLOWED: usize = 2;

/// How a command ended, apart from errors of the command itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All was done.
    Done,
    /// Something could not be measured; the rest was.
    Partly,
    /// A person ended it; what was finished is kept.
    Interrupted,
}

/// Runs `harness bench`. `command` is what the person typed.
///
/// # Errors
/// The command line, the registry or the scenarios are wrong, or nothing can be written.
pub fn bench(args: &BenchArgs, command: String) -> anyhow::Result<Outcome> {
    let workspace = Workspace::at_or_above(&std::env::current_dir()?)?;
    let registry = Registry::read(&args.registry.clone().unwrap_or_else(|| workspace.registry()))?;
    let scenarios = Scenarios::read(&args.scenarios.clone().unwrap_or_else(|| workspace.scenarios()))?;
    let plan = plan(args, &registry, &scenarios)?;
    if args.list {
        print_list(&registry, &scenarios);
        return Ok(Outcome::Done);
    }
    let mut context = Context::new(Interrupt::listen()?)?;
    let mut run = Run::new(plan, &context)?;
    anstream::print!("{}", run.record.plan.describe(&context.topology)?);
    if args.dry_run {
        return Ok(run.outcome());
    }
    if !context.may_raise_priority
        && run.record.plan.scenarios.iter().any(|s| s.placement == Placement::Shared)
    {
        anstream::eprintln!(
            "warning: the generator cannot raise its priority on shared CPUs; run as root, or allow real-time \
             priority (ulimit -r), or its own lag may make trials invalid"
        );
    }

    let folder = create_folder(args, &workspace)?;
    let mut environment = Environment::capture(&workspace, command)?;
    run.build(&mut context, &workspace);
    for (row, built) in &context.programs {
        environment.programs.insert(row.clone(), sha256_of(&built.program)?);
    }
    folder.write_environment(&environment)?;
    folder.write_run(&run.record)?;
    run.calibrate(&context)?;
    folder.write_run(&run.record)?;
    run.trials(&context, &mut folder.trial_log()?)?;
    run.record.interrupted = context.interrupt.asked();
    folder.write_run(&run.record)?;

    let markdown = report::write(&folder)?;
    if args.out.is_none() && !run.record.interrupted {
        report::publish(&workspace)?;
    }
    anstream::println!("\n{}", report::for_terminal(&markdown));
    let TimeSpent { building_s, calibrating_s, trials_s, .. } = run.record.time;
    anstream::println!(
        "{} in all, {} of it building; {:.0}% of the rest was spent in measuring windows",
        about(Duration::from_secs_f64((building_s + calibrating_s + trials_s).round())),
        about(Duration::from_secs_f64(building_s.round())),
        100.0 * run.record.time.measuring_share(),
    );
    anstream::println!("The records are in {}", folder.path().display());
    Ok(run.outcome())
}

fn plan(args: &BenchArgs, registry: &Registry, scenarios: &Scenarios) -> anyhow::Result<RunPlan> {
    let mut scenarios = scenarios.select(&args.scenario)?;
    if let Some(window) = args.duration {
        scenarios.iter_mut().for_each(|scenario| scenario.window = window);
    }
    let rows = registry.select(&args.only)?;
    scenarios.retain(|scenario| rows.iter().any(|row| scenario.suits(row)));
    if scenarios.is_empty() {
        bail!("none of these rows serves what these scenarios ask for");
    }
    let seed = args.seed.unwrap_or_else(|| jiff::Timestamp::now().as_nanosecond().unsigned_abs() as u64);
    Ok(RunPlan { rows, scenarios, trials: args.trials, seed })
}

fn print_list(registry: &Registry, scenarios: &Scenarios) {
    let names = registry.rows().iter().map(|row| &row.name).chain(scenarios.all().iter().map(|s| &s.name));
    let widest = names.map(String::len).max().unwrap_or(0);
    anstream::println!("Rows (--only)");
    for row in registry.rows() {
        anstream::println!("  {:widest$}  {}: {}", row.name, row.tier, row.about);
    }
    anstream::println!("Scenarios (--scenario)");
    for scenario in scenarios.all() {
        anstream::println!("  {:widest$}  {}", scenario.name, scenario.question);
    }
}

fn create_folder(args: &BenchArgs, workspace: &Workspace) -> anyhow::Result<Folder> {
    match &args.out {
        Some(path) => Ok(Folder::create(path, args.replace)?),
        None => {
            let date = jiff::Zoned::now().strftime("%Y-%m-%d").to_string();
            Ok(Folder::create_dated(&workspace.results(), &date, &host_name())?)
        }
    }
}

/// A run under way.
struct Run {
    record: RunRecord,
    /// The CPUs that the rows are calibrated on.
    calibration_cpus: CpuPlan,
}

impl Run {
    /// Scenarios that this host is too small for are left out, and reported.
    fn new(mut plan: RunPlan, context: &Context) -> anyhow::Result<Self> {
        let mut failures = Vec::new();
        plan.scenarios.retain(|scenario| match context.topology.plan(scenario, 0) {
            Ok(_) => true,
            Err(error) => {
                anstream::eprintln!("error: {error}");
                failures.push(Failure { what: scenario.name.clone(), reason: error.to_string() });
                false
            }
        });
        let Some(first) = plan.scenarios.first() else { bail!("no scenario fits this host") };
        // On a split where there is one, so that the generator takes nothing from the server.
        let split = plan.scenarios.iter().find(|scenario| scenario.placement == Placement::Split);
        let calibration_cpus = match split {
            Some(scenario) => context.topology.plan(scenario, 0)?,
            None => {
                let split = Scenario { placement: Placement::Split, server_cpus: None, ..first.clone() };
                context.topology.plan(&split, 0).or_else(|_| context.topology.plan(first, 0))?
            }
        };
        let (calibration, time) = Default::default();
        let record = RunRecord { plan, calibration, failures, interrupted: false, time };
        Ok(Self { record, calibration_cpus })
    }

    fn outcome(&self) -> Outcome {
        match (self.record.interrupted, self.record.failures.is_empty()) {
            (true, _) => Outcome::Interrupted,
            (false, false) => Outcome::Partly,
            (false, true) => Outcome::Done,
        }
    }

    fn fail(&mut self, progress: &Progress, what: &str, reason: String) {
        progress.say(&format!("error: {what}: {reason}"));
        self.record.failures.push(Failure { what: what.to_owned(), reason });
    }

    fn build(&mut self, context: &mut Context, workspace: &Workspace) {
        let began = Instant::now();
        let progress = Progress::new("building", self.record.plan.rows.len());
        // Rows of one package share its binary.
        let mut built = HashMap::new();
        for row in self.record.plan.rows.clone() {
            if context.interrupt.asked() {
                break;
            }
            progress.doing(row.name.clone());
            let program = match built.get(&format!("{:?}", row.program)) {
                Some(program) => Ok(Clone::clone(program)),
                None => builder::build(&row, workspace.root(), &context.guard, &context.interrupt, |krate| {
                    progress.doing(format!("{}: {krate}", row.name));
                }),
            };
            match program {
                Ok(program) => {
                    progress.done(&row.name);
                    built.insert(format!("{:?}", row.program), program.clone());
                    context.programs.insert(row.name, program);
                }
                Err(_) if context.interrupt.asked() => break,
                Err(error) => self.fail(&progress, &row.name, error.to_string()),
            }
        }
        self.record.time.building_s = began.elapsed().as_secs_f64();
    }

    /// Measures what the rows can do, where a scenario's rates or operations are derived from it.
    fn calibrate(&mut self, context: &Context) -> anyhow::Result<()> {
        let plan = &self.record.plan;
        let rows: Vec<_> =
            plan.rows.iter().filter(|row| context.programs.contains_key(&row.name)).cloned().collect();
        let asks = |operation| {
            plan.scenarios.iter().any(|s| s.streams.iter().any(|stream| stream.operation == operation))
        };
        let derived = plan.scenarios.iter().any(Scenario::needs_calibration);
        if !derived || context.interrupt.asked() {
            return Ok(());
        }
        let began = Instant::now();
        let progress = Progress::new("calibrating", rows.len() * ROUNDS);
        let complex = asks(OperationName::Complex);
        let (calibration, unfit) = calibrate(context, &rows, &self.calibration_cpus, complex, &progress);
        self.record.calibration = calibration;
        for unfit in unfit {
            self.fail(&progress, &unfit.row, unfit.reason);
        }
        self.record.time.calibrating_s = began.elapsed().as_secs_f64();
        Ok(())
    }

    /// All trials, block by block; within a block scenario by scenario, so that a drift of the host falls on all.
    fn trials(&mut self, context: &Context, log: &mut TrialLog) -> anyhow::Result<()> {
        let began = Instant::now();
        let plan = self.record.plan.clone();
        let mut progress = Progress::new("measuring", plan.trial_count());
        let mut failed: HashMap<(String, String), usize> = HashMap::new();
        for block in 0..plan.trials as usize {
            for scenario in &plan.scenarios {
                if self.record.failures.iter().any(|failure| failure.what == scenario.name) {
                    continue;
                }
                let cpus = context.topology.plan(scenario, block)?;
                let load = match resolve(scenario, &self.record.calibration, cpus.server.len()) {
                    Ok(load) => load,
                    Err(_) if context.interrupt.asked() => return Ok(()),
                    Err(error) => {
                        self.fail(&progress, &scenario.name, error.to_string());
                        continue;
                    }
                };
                let seed = plan.arrivals_seed(scenario, block);
                for (position, entry) in plan.order(scenario, block).iter().enumerate() {
                    let key = (scenario.name.clone(), label(&entry.row.name, entry.twin));
                    let is_out = self.record.failures.iter().any(|failure| failure.what == entry.row.name)
                        || failed.get(&key).is_some_and(|&failures| failures >= FAILURES_ALLOWED);
                    if is_out {
                        progress.done(&format!("{} {} is out", scenario.name, key.1));
                        continue;
                    }
                    progress.doing(format!("{} {}, block {}", scenario.name, key.1, block + 1));
                    for attempt in 0..=REPEATS {
                        let cpus = cpus.clone();
                        let which = Which { scenario, entry, block, position, attempt, seed, cpus };
                        let Some(trial) = trial::run(context, which, &load) else {
                            self.record.time.trials_s = began.elapsed().as_secs_f64();
                            return Ok(());
                        };
                        log.append(&trial).context("cannot append to the trial log")?;
                        if trial.measured.is_some() {
                            self.record.time.windows_s += load.window.as_secs_f64();
                        }
                        match &trial.verdict {
                            Verdict::Valid { .. } => progress.done(&one_line(scenario, &trial)),
                            Verdict::Invalid { reasons } if attempt < REPEATS => {
                                progress.add_steps(1);
                                progress.done(&format!(
                                    "{} {} again: {}",
                                    scenario.name,
                                    key.1,
                                    reasons.join("; ")
                                ));
                                continue;
                            }
                            Verdict::Invalid { reasons } => {
                                progress.done(&format!(
                                    "{} {} invalid: {}",
                                    scenario.name,
                                    key.1,
                                    reasons.join("; ")
                                ));
                            }
                            Verdict::Failed { reason } => {
                                progress.done(&format!("{} {} failed", scenario.name, key.1));
                                let failures = failed.entry(key.clone()).or_default();
                                *failures += 1;
                                let what = format!("{} under {}", entry.row.name, scenario.name);
                                let known = self.record.failures.iter().any(|failure| failure.what == what);
                                if !known {
                                    self.fail(&progress, &what, reason.clone());
                                }
                            }
                        }
                        break;
                    }
                }
            }
        }
        self.record.time.trials_s = began.elapsed().as_secs_f64();
        Ok(())
    }
}

/// What is said of a trial where there is no bar.
fn one_line(scenario: &Scenario, trial: &TrialRecord) -> String {
    let figure = trial.measured.as_ref().and_then(|measured| measured.stream(&scenario.rank.stream));
    let figure = figure.map_or_else(String::new, |stream| {
        let p99 = stream.p99().map_or_else(String::new, |p99| format!(", p99 {p99}"));
        format!("{:.0}/s{p99}", stream.achieved_per_second)
    });
    format!("{} {}: {figure}", scenario.name, trial.label())
}

/// The folder that a command means: the one that was given, or the newest published run.
///
/// # Errors
/// There is no published run.
pub fn folder_or_newest(folder: Option<&PathBuf>, workspace: &Workspace) -> anyhow::Result<Folder> {
    match folder {
        Some(path) => Ok(Folder::open(path)),
        None => crate::folder::runs_below(&workspace.results())
            .pop()
            .context("results/ holds no run yet: `cargo bench-all` makes one"),
    }
}
