//! `harness bench`: a whole run, from the data that describes it to the tables that it leaves.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, bail};
use host::{cpus::CpuSet, ready::Profile};

use super::{
    bench_args::BenchArgs,
    bench_plan::{plan, scenario_of_load},
    list,
    server_host::There,
    show,
};
use race::{
    machine::alone::Alone,
    plan::{describe::describe, own_load, run_plan::RunPlan, scenario::Placement, scenarios::Scenarios},
    programs::{
        context::Context,
        made_of::sha256_of_rows,
        prerequisites,
        start_environment::{self, StartRecord},
        workspace::Workspace,
    },
    records::{
        conformance::Conformance,
        environment::{Environment, host_name},
        folder::{Folder, TimeSpent},
        resume::{Resumed, Today},
    },
    registry::{Asked, Registry},
    run::Run,
    verify::gate::{Gate, cache_folder},
};
use terminal::{
    errln,
    interrupt::Interrupt,
    out,
    outcome::{Outcome, all_of},
    outln,
    progress::about,
    shell::quoted,
};

/// An option that was, and what to say instead.
#[derive(Debug, thiserror::Error)]
#[error(
    "--trials is gone: a trial is now a start of many short windows; say --starts {0}, or --budget 12m for as many as fit"
)]
pub(crate) struct TrialsAreGone(String);

/// Runs `harness bench`. `command` is what the person typed.
///
/// # Errors
/// The command line, the registry or the scenarios are wrong, or nothing can be written.
pub(crate) fn bench(args: &BenchArgs, command: String) -> anyhow::Result<Outcome> {
    if let Some(trials) = &args.trials {
        return Err(TrialsAreGone(trials.clone()).into());
    }
    let workspace = Workspace::at_or_above(&std::env::current_dir()?)?;
    let registry = Registry::read(&args.registry.clone().unwrap_or_else(|| workspace.registry()))?;
    let registry = registry.with(&args.with)?;
    let scenarios = Scenarios::read(&args.scenarios.clone().unwrap_or_else(|| workspace.scenarios()))?;
    if args.list {
        list::print(&registry, &scenarios, workspace.root())?;
        return Ok(Outcome::Done);
    }
    if args.print_scenario {
        return print_scenario(args);
    }
    let interrupt = Interrupt::listen("finished starts are kept, and --resume goes on from there")?;
    let mut context = Context::new(interrupt)?;
    let there = args.servers.take(&mut context, args.beside_others || args.rehearsal)?;
    let field = Field { registry, scenarios, workspace, command, there };
    let race = match &args.resume {
        Some(path) => resume(path, &field, args, &mut context)?,
        None => begin(args, &field, &mut context)?,
    };
    match race {
        Prepared::Told(outcome) => Ok(outcome),
        Prepared::Race(race) => run_race(*race, args, &field.workspace, &mut context),
    }
}

/// Prints the scenario of a load of one's own.
fn print_scenario(args: &BenchArgs) -> anyhow::Result<Outcome> {
    let Some(scenario) = scenario_of_load(args, CpuSet::allowed()?.len())? else { return Ok(Outcome::Done) };
    outln!("# harness/scenarios/{}.toml: cargo bench-all --scenario {}", scenario.name, scenario.name);
    out!("{}", own_load::to_toml(&scenario)?);
    Ok(Outcome::Done)
}

/// What there is to be raced.
struct Field {
    registry: Registry,
    scenarios: Scenarios,
    workspace: Workspace,
    command: String,
    /// Where the servers run, if not here.
    there: Option<There>,
}

/// A race that is about to be measured: its programs are built, and what it is made with is written.
struct Race {
    run: Run,
    folder: Folder,
    _alone: Option<Alone>,
}

enum Prepared {
    Race(Box<Race>),
    /// The plan was all that was asked for.
    Told(Outcome),
}

/// A new run.
fn begin(args: &BenchArgs, field: &Field, context: &mut Context) -> anyhow::Result<Prepared> {
    let Field { registry, scenarios, workspace, command, there } = field;
    let mut rows = registry.select(Asked::of(&args.only, args.all))?;
    if there.is_some() {
        There::keep(&mut rows, &args.only)?;
    }
    let skipped = prerequisites::skip(&mut rows, workspace.root(), &args.only);
    for skipped in &skipped {
        let kind = if skipped.named { "error" } else { "warning" };
        errln!("{kind}: skipped: {skipped}");
    }
    if rows.is_empty() {
        bail!("no row is left to race: what they need is missing");
    }
    if args.rehearsal {
        context.profile = Profile::Debug;
    }
    let mut run =
        Run::new(plan(args, rows, scenarios, there.as_ref(), &context.topology)?, skipped, context)?;
    out!("{}", describe(&run.record.plan, &context.topology)?);
    if args.dry_run {
        return Ok(Prepared::Told(run.outcome()));
    }
    warn_of_priority(&run.record.plan, context);
    let alone = alone(args, there.as_ref())?;
    let folder = create_folder(args, workspace)?;
    let mut environment = Environment::capture(workspace, command.clone())?;
    environment.required = prerequisites::versions(&run.record.plan.rows, workspace.root(), &context.guard);
    for said in prerequisites::unexpected(&run.record.plan.rows, &environment.required) {
        errln!("warning: {said}");
    }
    environment.rehearsal = args.rehearsal;
    let start = StartRecord::of(&run.record.plan.rows, &start_environment::own());
    environment.start = Some(match there {
        Some(there) => there.start(start),
        None => start,
    });
    record_hosts(&mut environment, there.as_ref());
    run.build(context, workspace);
    environment.programs = sha256_of_rows(&run.record.plan.rows, context, workspace.root())?;
    folder.write_environment(&environment)?;
    if args.unverified {
        run.record.conformance = Some(Conformance::Unverified);
    }
    folder.write_run(&run.record)?;
    Ok(Prepared::Race(Box::new(Race { run, folder, _alone: alone })))
}

/// Which other hosts take part, if any do.
fn record_hosts(environment: &mut Environment, there: Option<&There>) {
    environment.server_host = there.map(|there| there.record.clone());
    environment.generator_hosts = there.map(|there| there.generators.clone()).unwrap_or_default();
}

/// A run that was ended early, as it was begun.
fn resume(path: &Path, field: &Field, args: &BenchArgs, context: &mut Context) -> anyhow::Result<Prepared> {
    let Field { registry, scenarios, workspace, command, there } = field;
    let mut environment = Environment::capture(workspace, command.clone())?;
    record_hosts(&mut environment, there.as_ref());
    let today = Today { rows: registry.rows(), scenarios: scenarios.all(), environment: &environment };
    let resumed = Resumed::of(Folder::open(path), today)?;
    if resumed.environment().rehearsal {
        context.profile = Profile::Debug;
    }
    let mut run = Run::resume(&resumed, context)?;
    let (starts, complete) = (run.record.plan.starts, resumed.complete().len());
    let (passes, done) = (run.record.plan.passes().len(), resumed.passes().len());
    let of_passes =
        if passes > 0 { format!(" and {done} of {passes} passes of experiments") } else { String::new() };
    outln!("{complete} of {starts} starts{of_passes} of {} were finished", path.display());
    if args.dry_run {
        return Ok(Prepared::Told(run.outcome()));
    }
    warn_of_priority(&run.record.plan, context);
    let alone = alone(args, there.as_ref())?;
    run.build(context, workspace);
    if context.interrupt.asked() {
        return Ok(Prepared::Told(Outcome::Interrupted));
    }
    resumed.same_programs(&sha256_of_rows(&run.record.plan.rows, context, workspace.root())?)?;
    let folder = resumed.folder().clone();
    folder.write_run(&run.record)?;
    Ok(Prepared::Race(Box::new(Race { run, folder, _alone: alone })))
}

/// What is said where a file of a run cannot be written at its end.
const NOT_KEPT: &str = "what the run came to is shown above and not kept; make room there, and `harness report RUN` draws it again";

/// Has the race measured, and shows the tables.
fn run_race(
    race: Race,
    args: &BenchArgs,
    workspace: &Workspace,
    context: &mut Context,
) -> anyhow::Result<Outcome> {
    let Race { mut run, folder, .. } = race;
    let measured = measure(&mut run, &folder, workspace, context);
    run.record.interrupted = context.interrupt.asked();
    // What was finished is shown, whatever becomes of the files.
    let kept = folder.write_run(&run.record).context(NOT_KEPT);
    let contents = match folder.contents_of(run.record.clone()) {
        Ok(contents) if measured.is_ok() || !contents.measurements.complete.is_empty() => contents,
        contents => {
            let read = contents.map(|_nothing| ()).map_err(Into::into);
            return all_of([read, kept, measured]).map(|()| run.outcome());
        }
    };
    let report = report::of(&contents);
    outln!("");
    show::print(&report, false);
    outln!("");
    say_where(&run, &folder, args);
    let reported = report::files::write(&folder, &contents, &report).context(NOT_KEPT);
    all_of([reported, kept, measured]).map(|()| run.outcome())
}

/// Asks whether the rows keep the contract, and measures.
fn measure(
    run: &mut Run,
    folder: &Folder,
    workspace: &Workspace,
    context: &mut Context,
) -> anyhow::Result<()> {
    let root = workspace.root().to_owned();
    run.verify(context, &Gate { folder: cache_folder(workspace), root, fresh: false })?;
    folder.write_run(&run.record)?;
    let mut log = folder.log()?;
    if run.can_race(context) {
        run.calibrate(context)?;
        folder.write_run(&run.record)?;
        run.starts(context, folder, &mut log, Some(&report::said_so_far))?;
        run.experiments(context, folder, &mut log)?;
    } else if !context.interrupt.asked() {
        errln!("error: no row is left to race");
    }
    Ok(())
}

/// Where the time went, where the records are, and how to go on.
fn say_where(run: &Run, folder: &Folder, args: &BenchArgs) {
    let TimeSpent { building_s, verifying_s, calibrating_s, starts_s, .. } = run.record.time;
    outln!(
        "{} in all, {} of it building and verifying; {:.0}% of the rest was spent in measuring windows",
        about(Duration::from_secs_f64((building_s + verifying_s + calibrating_s + starts_s).round())),
        about(Duration::from_secs_f64((building_s + verifying_s).round())),
        100.0 * run.record.time.measuring_share(),
    );
    outln!("The records are in {}", folder.path().display());
    if run.record.interrupted && args.resume.is_none() {
        outln!("Go on with: cargo bench-all --resume {}", quoted(folder.path()));
    }
}

fn alone(args: &BenchArgs, there: Option<&There>) -> anyhow::Result<Option<Alone>> {
    match args.beside_others || args.rehearsal || there.is_some_and(There::keeps_alone) {
        true => Ok(None),
        false => Ok(Some(Alone::on_this_host()?)),
    }
}

fn warn_of_priority(plan: &RunPlan, context: &Context) {
    if !context.may_raise_priority && plan.scenarios.iter().any(|s| s.placement == Placement::Shared) {
        errln!(
            "warning: the generator cannot raise its priority on shared CPUs; run as root, or allow real-time \
             priority (ulimit -r), or its own lateness may show in the figures"
        );
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
