//! `harness bench`: a whole run, from the data that describes it to the tables that it leaves.

mod list;

use std::time::Duration;

use anyhow::bail;

use crate::{
    cli::BenchArgs,
    context::Context,
    environment::{Environment, host_name, sha256_of},
    folder::{Folder, TimeSpent},
    interrupt::Interrupt,
    prerequisites,
    progress::about,
    registry::{Asked, Registry, Row},
    report,
    run::Run,
    run_plan::RunPlan,
    scenario::{Placement, Scenarios},
    verify::{self, Conformance, Gate},
    workspace::Workspace,
};

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
    let registry = registry.with(&args.with)?;
    let scenarios = Scenarios::read(&args.scenarios.clone().unwrap_or_else(|| workspace.scenarios()))?;
    if args.list {
        list::print(&registry, &scenarios, workspace.root());
        return Ok(Outcome::Done);
    }
    let mut rows = registry.select(Asked::of(&args.only, args.all))?;
    let skipped = prerequisites::skip(&mut rows, workspace.root(), &args.only);
    for skipped in &skipped {
        let kind = if skipped.named { "error" } else { "warning" };
        anstream::eprintln!("{kind}: skipped: {skipped}");
    }
    if rows.is_empty() {
        bail!("no row is left to race: what they need is missing");
    }
    let plan = plan(args, rows, &scenarios)?;
    let mut context = Context::new(Interrupt::listen("finished trials are kept")?)?;
    let mut run = Run::new(plan, skipped, &context)?;
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
    environment.required = prerequisites::versions(&run.record.plan.rows, workspace.root(), &context.guard);
    for said in prerequisites::unexpected(&run.record.plan.rows, &environment.required) {
        anstream::eprintln!("warning: {said}");
    }
    run.build(&mut context, &workspace);
    for (row, built) in &context.programs {
        environment.programs.insert(row.clone(), sha256_of(&built.program)?);
        for (package, binary) in &built.uses {
            environment.programs.insert(format!("{row} uses {package}"), sha256_of(binary)?);
        }
    }
    folder.write_environment(&environment)?;
    folder.write_run(&run.record)?;
    if args.unverified {
        run.record.conformance = Some(Conformance::Unverified);
    } else {
        let root = workspace.root().to_owned();
        run.verify(&mut context, &Gate { folder: verify::cache_folder(&workspace), root, fresh: false })?;
    }
    folder.write_run(&run.record)?;
    let mut log = folder.trial_log()?;
    if run.can_race(&context) {
        run.calibrate(&context)?;
        folder.write_run(&run.record)?;
        run.trials(&context, &mut log)?;
    } else if !context.interrupt.asked() {
        anstream::eprintln!("error: no row is left to race");
    }
    run.record.interrupted = context.interrupt.asked();
    folder.write_run(&run.record)?;

    let markdown = report::write(&folder)?;
    if args.out.is_none() && !run.record.interrupted {
        report::publish(&workspace)?;
    }
    anstream::println!("\n{}", report::for_terminal(&markdown));
    let TimeSpent { building_s, verifying_s, calibrating_s, trials_s, .. } = run.record.time;
    anstream::println!(
        "{} in all, {} of it building and verifying; {:.0}% of the rest was spent in measuring windows",
        about(Duration::from_secs_f64((building_s + verifying_s + calibrating_s + trials_s).round())),
        about(Duration::from_secs_f64((building_s + verifying_s).round())),
        100.0 * run.record.time.measuring_share(),
    );
    anstream::println!("The records are in {}", folder.path().display());
    Ok(run.outcome())
}

fn plan(args: &BenchArgs, rows: Vec<Row>, scenarios: &Scenarios) -> anyhow::Result<RunPlan> {
    let mut scenarios = scenarios.select(Asked::of(&args.scenario, args.all))?;
    if let Some(window) = args.duration {
        scenarios.iter_mut().for_each(|scenario| scenario.window = window);
    }
    scenarios.retain(|scenario| rows.iter().any(|row| scenario.suits(row)));
    if scenarios.is_empty() {
        bail!("none of these rows serves what these scenarios ask for");
    }
    let seed = args.seed.unwrap_or_else(|| jiff::Timestamp::now().as_nanosecond().unsigned_abs() as u64);
    let with = rows.iter().filter(|row| row.is_given).map(|row| row.name.clone()).collect();
    Ok(RunPlan { rows, with, scenarios, trials: args.trials, seed })
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
