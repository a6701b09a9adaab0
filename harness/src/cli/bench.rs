//! `harness bench`: a whole run, from the data that describes it to the tables that it leaves.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, bail};
use host::{cpus::CpuSet, ready::Profile};

use super::{
<<<<<<< main
    bench_args::BenchArgs,
    bench_plan::{plan, scenario_of_load},
    list, show,
=======
    list,
    server_host::{ServerHostArgs, There},
    show,
>>>>>>> d823d83
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

<<<<<<< main
=======
pub(super) const EXAMPLES: &str = "\
Examples:
  cargo bench-all                                     the usual rows, about a quarter of an hour
  cargo bench-all --all                               every row and every scenario, in an hour
  cargo bench-all --list                              the rows and scenarios that there are
  cargo bench-all --dry-run                           the plan, and how long it would take
  cargo bench-all --scenario mixed --only work-stealing,rayon-offload
  cargo bench-all --scenario churn,skew               further loads: `churn` is churn-1 and churn-10
  cargo bench-all --only ceiling --with \"name=my,cmd=./my --port {port},ready=http\"
  cargo bench-all --budget 2m --out /tmp/lap          a quick look, without places
  cargo bench-all --profile publish                   ten starts of six rounds and more, about half an hour
  cargo bench-all --load \"simple=900/s, complex(5ms)=240/s\" --objective \"simple p99<5ms\"
                                                      your own load: who holds it, and how much more
  cargo bench-all --scenario curve --objective \"p99<10ms\"
                                                      latency against throughput, and up to which rate
  cargo bench-all --scenario crash,reload --profile quick
                                                      experiments: each row alone, six events of a kind
  cargo bench-all --server-host me@node1              the servers there, and the load from here
  cargo bench-all --resume results/2026-11-21-host    goes on where that run was ended
  cargo bench-all --seed 42                           the same order and the same arrivals again

A start is one life of all servers; in it, every row is measured once a round, in random order, for a fraction of a second, while
all others stand still. Starts are what is compared: six are the least for places. How many there are is fixed beforehand.

A load is operations with their rates, separated by commas: simple=900/s, or complex(5ms)=240/s of requests that take 5 ms each
(complex, randoms, delay). It is raced as it is said and, for how much room there is, at 0.5, 1.4 and 2 times that, in six starts where
nothing else is said; --print-scenario writes it as a file for harness/scenarios/, which --scenario races again. An objective is a
percentile (p50, p90, p95, p99, p99.9) of a stream and what it is to be below: simple p99<5ms.

Experiments (crash, reload) come last and take their own time, whatever the budget: one row at a time is alive, alone, and things happen to
it under load.";

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Only these rows (see --list), separated by commas
    #[arg(long, value_name = "ROW,...", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Only these scenarios (see --list), separated by commas
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub scenario: Vec<String>,
    /// Also a server of your own, such as "name=my,cmd=./my --port {port},ready=http" (repeatable); without ready=http it is
    /// given --listen and --cpus and prints a ready line; operations=simple+complex where it has not all
    #[arg(long, value_name = "ROW", value_parser = Row::from_command_line)]
    pub with: Vec<Row>,
    /// Also the rows and scenarios that are for request alone, but for experiments, which are asked for by name
    #[arg(long, conflicts_with = "only")]
    pub all: bool,
    /// A load of your own instead of scenarios, such as "simple=900/s, complex(5ms)=240/s"
    #[arg(long, value_name = "LOAD", value_parser = LoadLine::from_str, conflicts_with = "scenario", help_heading = "Your own load")]
    pub load: Option<LoadLine>,
    /// What is wanted, such as "simple p99<5ms": which rows hold it is said, and up to which rate where a scenario has several
    #[arg(long, value_name = "OBJECTIVE", value_parser = Objective::from_str, help_heading = "Your own load")]
    pub objective: Option<Objective>,
    /// Connections in all, in equal shares of the load's parts; 64 a part where nothing is said
    #[arg(long, value_name = "N", requires = "load", value_parser = within::whole(1..=1_000_000_u32), help_heading = "Your own load")]
    pub connections: Option<u32>,
    /// Close each connection after so many requests, and open another
    #[arg(long, value_name = "N", requires = "load", value_parser = within::whole(1..=1_000_000_u32), help_heading = "Your own load")]
    pub churn: Option<u32>,
    /// Requests for so long, then none for so long, and again, such as 100ms,400ms; the load's rates stay the mean over both (of
    /// `harness load --bursts` they are those within a burst)
    #[arg(long, alias = "bursts", value_name = "ON,OFF", requires = "load", value_parser = values::bursts, help_heading = "Your own load")]
    pub burst: Option<values::Bursts>,
    /// Print the load as a scenario in TOML, and measure nothing
    #[arg(long, requires = "load", help_heading = "Your own load")]
    pub print_scenario: bool,
    /// How long measuring may take: as many starts of all servers as fit, with fewer rounds where these would be fewer than places need
    /// [default: 12m; an hour with --all alone; with --load six starts]
    #[arg(long, value_name = "TIME", value_parser = within::time(SHORTEST_BUDGET..=LONGEST_BUDGET))]
    pub budget: Option<Duration>,
    /// How thorough: `publish` has ten starts of at least six rounds, however long that takes; `quick` two starts, and six events of a kind
    /// in experiments
    #[arg(long, value_enum, conflicts_with = "budget")]
    pub profile: Option<Thoroughness>,
    /// How often all servers are started, instead of what fits the budget; of experiments alone, passes of each row, instead of one
    #[arg(long, value_name = "N", conflicts_with = "budget", value_parser = within::whole(1..=1000_u32))]
    pub starts: Option<u32>,
    /// Rounds of each start under each scenario, instead of what the scenario says
    #[arg(long, value_name = "N", value_parser = within::whole(1..=1000_u32))]
    pub rounds: Option<u32>,
    /// Trials are gone: what became of them is said
    #[arg(long, hide = true, value_name = "N")]
    pub trials: Option<String>,
    /// Measuring window (such as 150ms or 1s), instead of what the scenario says
    #[arg(long, value_name = "S", value_parser = within::time(SHORTEST_WINDOW..=LONGEST_WINDOW))]
    pub duration: Option<Duration>,
    /// Seed of the order of rows and of all arrivals; a new one each time where nothing is said
    #[arg(long, value_name = "N", value_parser = within::whole(0..=u64::MAX))]
    pub seed: Option<u64>,
    /// Results folder, instead of results/DATE-HOST
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Replace the run that is in the results folder
    #[arg(long, requires = "out")]
    pub replace: bool,
    /// Go on with the run in this folder, which was ended early: its plan, its programs and its host must be the same
    #[arg(long, value_name = "RUN", conflicts_with_all = ["only", "scenario", "load", "objective", "with", "all", "budget", "profile", "starts", "rounds", "duration", "seed", "out", "unverified", "rehearsal"])]
    pub resume: Option<PathBuf>,
    /// Registry of rows, instead of harness/servers.toml
    #[arg(long, value_name = "FILE")]
    pub registry: Option<PathBuf>,
    /// Folder of scenarios, instead of harness/scenarios
    #[arg(long, value_name = "DIR")]
    pub scenarios: Option<PathBuf>,
    /// Race the rows without asking whether they keep the contract; the report says so
    #[arg(long)]
    pub unverified: bool,
    /// Measure although another run measures on this host: each then measures the other as well
    #[arg(long)]
    pub beside_others: bool,
    /// Race debug builds, to see that a race works: the figures mean nothing, and are never published
    #[arg(long, hide = true)]
    pub rehearsal: bool,
    /// Print the plan and measure nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print the rows and scenarios that there are
    #[arg(long)]
    pub list: bool,
    #[command(flatten)]
    pub servers: ServerHostArgs,
}

/// How thorough a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Thoroughness {
    /// Good enough for results/: ten starts of at least six rounds
    Publish,
    /// To see whether all works: two starts, and six events of a kind
    Quick,
}

>>>>>>> d823d83
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
    let mut run = Run::new(plan(args, rows, field, &context.topology)?, skipped, context)?;
    out!("{}", describe(&run.record.plan, &context.topology)?);
    if args.dry_run {
        return Ok(Prepared::Told(run.outcome()));
    }
    warn_of_priority(&run.record.plan, context);
    let alone = alone(args)?;
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
    environment.server_host = there.as_ref().map(|there| there.record.clone());
    run.build(context, workspace);
    environment.programs = sha256_of_rows(&run.record.plan.rows, context, workspace.root())?;
    folder.write_environment(&environment)?;
    if args.unverified {
        run.record.conformance = Some(Conformance::Unverified);
    }
    folder.write_run(&run.record)?;
    Ok(Prepared::Race(Box::new(Race { run, folder, _alone: alone })))
}

/// A run that was ended early, as it was begun.
fn resume(path: &Path, field: &Field, args: &BenchArgs, context: &mut Context) -> anyhow::Result<Prepared> {
    let Field { registry, scenarios, workspace, command, there } = field;
    let mut environment = Environment::capture(workspace, command.clone())?;
    environment.server_host = there.as_ref().map(|there| there.record.clone());
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
    let alone = alone(args)?;
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

fn alone(args: &BenchArgs) -> anyhow::Result<Option<Alone>> {
    match args.beside_others || args.rehearsal {
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

<<<<<<< main
=======
fn plan(
    args: &BenchArgs,
    rows: Vec<Row>,
    field: &Field,
    topology: &Topology,
) -> anyhow::Result<RunPlan> {
    let cpus = match &field.there {
        Some(there) => there.cpus_of_one_host(),
        None => CpuSet::allowed()?.len(),
    };
    let mut scenarios = match scenario_of_load(args, cpus)? {
        Some(own) => {
            HostLimits::of_this_host().check(&own, &topology.plan(&own, 0)?)?;
            vec![own]
        }
        None => field.scenarios.select(Asked::of(&args.scenario, args.all))?,
    };
    let is_everything = args.all && args.scenario.is_empty() && args.load.is_none();
    if is_everything {
        // They take their own time, more than all others together, and are of another kind: asked for by name.
        scenarios.retain(|scenario| scenario.experiment.is_none());
    }
    if field.there.is_some() {
        There::only_loads(&scenarios)?;
    }
    if let (Some(objective), None) = (&args.objective, &args.load) {
        want(objective, &mut scenarios)?;
    }
    if let Some(window) = args.duration {
        for scenario in &mut scenarios {
            scenario.window = window;
            // What a file says of bursts holds for the windows that it says.
            let path = format!("{} with windows of {window:?}", scenario.name);
            scenario.check().map_err(|reason| ScenarioError::Parse { path, reason })?;
        }
    }
    let publish = args.profile == Some(Thoroughness::Publish);
    for scenario in &mut scenarios {
        match args.rounds {
            Some(rounds) => scenario.rounds = rounds as usize,
            // A ladder has as many rounds as it has steps.
            None if publish && scenario.ladder.is_none() => {
                scenario.rounds = scenario.rounds.max(PUBLISHED_ROUNDS);
            }
            None => {}
        }
    }
    let only_experiments = scenarios.iter().all(|scenario| scenario.experiment.is_some());
    for experiment in scenarios.iter_mut().filter_map(|scenario| scenario.experiment.as_mut()) {
        if args.profile == Some(Thoroughness::Quick) {
            experiment.at_most(QUICK_EVENTS);
        }
        // Beside starts of all servers, of which there may be many, each pass of an experiment would be as many.
        if let Some(starts) = args.starts.filter(|_| only_experiments) {
            experiment.starts = starts;
        }
    }
    let rows = with_variants(rows, &mut scenarios, topology);
    let asked = scenarios.clone();
    scenarios.retain(|scenario| rows.iter().any(|row| scenario.suits(row)));
    if scenarios.is_empty() {
        let because = |row: &Row, scenario: &Scenario| match scenario.unsuited(row) {
            Some(Unsuited::Because(reason)) => Some(format!("{} in {}: {reason}", row.name, scenario.name)),
            _ => None,
        };
        let all = asked.iter().flat_map(|scenario| rows.iter().filter_map(move |row| because(row, scenario)));
        let why: Vec<String> = all.take(MOST_REASONS).collect();
        bail!("none of these rows can do what these scenarios ask for ({})", why.join("; "));
    }
    let seed = args.seed.unwrap_or_else(|| jiff::Timestamp::now().as_nanosecond().unsigned_abs() as u64);
    let with = rows.iter().filter(|row| row.is_given).map(|row| row.name.clone()).collect();
    let plan = RunPlan { rows, with, scenarios, starts: 0, seed };
    let usual = if is_everything { WHOLE_BUDGET } else { USUAL_BUDGET };
    let starts = match (args.starts, args.profile) {
        _ if plan.compared().next().is_none() => Some(0),
        (Some(starts), _) => Some(starts),
        (None, Some(Thoroughness::Publish)) => Some(PUBLISHED_STARTS),
        (None, Some(Thoroughness::Quick)) => Some(QUICK_STARTS),
        // What one asks for oneself is to be there soon, and a budget that is given divides as ever.
        (None, None) if args.load.is_some() && args.budget.is_none() => Some(STARTS_FOR_PLACES),
        (None, None) => None,
    };
    let plan = match starts {
        Some(starts) => RunPlan { starts, ..plan },
        None => fitted(&plan, args.budget.unwrap_or(usual), args.rounds.is_some())?,
    };
    if plan.starts == 0 && plan.passes().is_empty() {
        let why: Vec<String> = plan
            .scenarios
            .iter()
            .flat_map(|scenario| {
                plan.left_out(scenario).into_iter().map(move |left_out| (scenario, left_out))
            })
            .map(|(scenario, (row, reason))| format!("{} in {}: {reason}", row.name, scenario.name))
            .collect();
        bail!("none of these rows has an event in these experiments ({})", why.join("; "));
    }
    Ok(plan)
}

/// Has `objective` asked of every scenario that can answer it.
fn want(objective: &Objective, scenarios: &mut [Scenario]) -> Result<(), ObjectiveRefused> {
    let mut refused = Vec::new();
    let mut is_asked = false;
    for scenario in scenarios {
        match scenario.want(objective) {
            Ok(()) => is_asked = true,
            Err(reason) => refused.push(format!("{}: {reason}", scenario.name)),
        }
    }
    if is_asked { Ok(()) } else { Err(ObjectiveRefused(refused.join("; "))) }
}

>>>>>>> d823d83
fn create_folder(args: &BenchArgs, workspace: &Workspace) -> anyhow::Result<Folder> {
    match &args.out {
        Some(path) => Ok(Folder::create(path, args.replace)?),
        None => {
            let date = jiff::Zoned::now().strftime("%Y-%m-%d").to_string();
            Ok(Folder::create_dated(&workspace.results(), &date, &host_name())?)
        }
    }
}
