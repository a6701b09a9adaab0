//! A run under way: built, calibrated, raced. What cannot be measured is reported and left out; the rest goes on.

use std::{
    collections::{HashMap, HashSet},
    time::Instant,
};

use anyhow::{Context as _, bail};

use crate::{
    plan::{
        cpu_plan::CpuPlan,
        resolve::{Resolved, resolve},
        run_plan::{Entry, RunPlan},
        scenario::{Placement, Scenario},
    },
    programs::{build_all::build_all, context::Context, prerequisites::Skipped, workspace::Workspace},
    records::{
        folder::{Failure, RunRecord},
        record::{TrialLog, TrialRecord, Verdict, label},
    },
    registry::{OperationName, Row, Tier},
    trial::{
        calibrate::{ROUNDS, calibrate},
        one::{Which, run},
    },
    verify::gate::{Gate, verify_rows},
};
use terminal::{outcome::Outcome, progress::Progress};

/// How often a trial is repeated when the instrument failed.
const REPEATS: u32 = 2;
/// After this many trials in which its server failed, a row is out of the scenario.
const FAILURES_ALLOWED: usize = 2;

/// A run under way.
pub struct Run {
    /// What is kept of it beside its trials.
    pub record: RunRecord,
    /// The CPUs that the rows are calibrated on.
    calibration_cpus: CpuPlan,
    /// Trials in which the server failed, by scenario and row.
    failed_trials: HashMap<(String, String), usize>,
    /// Rows that did not end cleanly, which was said.
    unclean: HashSet<String>,
}

impl Run {
    /// Scenarios that this host is too small for are left out, and reported.
    pub fn new(mut plan: RunPlan, skipped: Vec<Skipped>, context: &Context) -> anyhow::Result<Self> {
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
        let record =
            RunRecord { plan, skipped, conformance: None, calibration, failures, interrupted: false, time };
        Ok(Self { record, calibration_cpus, failed_trials: HashMap::new(), unclean: HashSet::new() })
    }

    /// How it ended, as far as it has.
    pub fn outcome(&self) -> Outcome {
        let is_whole =
            self.record.failures.is_empty() && !self.record.skipped.iter().any(|skipped| skipped.named);
        match (self.record.interrupted, is_whole) {
            (true, _) => Outcome::Interrupted,
            (false, false) => Outcome::Partly,
            (false, true) => Outcome::Done,
        }
    }

    fn fail(&mut self, progress: &Progress, what: &str, reason: String) {
        progress.say(&format!("error: {what}: {reason}"));
        self.record.failures.push(Failure { what: what.to_owned(), reason });
    }

    /// Builds the programs. A row whose program cannot be built is reported, and out.
    pub fn build(&mut self, context: &mut Context, workspace: &Workspace) {
        let began = Instant::now();
        let rows = self.record.plan.rows.clone();
        build_all(&rows, context, workspace, |progress, row, reason| self.fail(progress, row, reason));
        self.record.time.building_s = began.elapsed().as_secs_f64();
    }

    /// Plays the suite against the rows that were built. One that does not hold is not raced.
    pub fn verify(&mut self, context: &mut Context, gate: &Gate) -> anyhow::Result<()> {
        let began = Instant::now();
        let is_built = |row: &&Row| context.programs.contains_key(&row.name);
        let rows: Vec<Row> = self.record.plan.rows.iter().filter(is_built).cloned().collect();
        let verified = verify_rows(&rows, &[], context, gate)?;
        for verdict in &verified.rows {
            if let Some(reason) = verdict.reason() {
                context.programs.remove(&verdict.row);
                anstream::eprintln!("error: {} is not raced: {reason}", verdict.row);
                let reason = format!("not raced: {reason}");
                self.record.failures.push(Failure { what: verdict.row.clone(), reason });
            }
        }
        self.record.conformance = Some(verified.record());
        self.record.time.verifying_s = began.elapsed().as_secs_f64();
        Ok(())
    }

    /// Whether there is a row to race: the null server alone says nothing of any.
    pub fn can_race(&self, context: &Context) -> bool {
        let asked: Vec<&Row> = self.record.plan.rows.iter().collect();
        let is_null = |row: &&Row| row.tier == Tier::Calibration;
        let only_null = asked.iter().all(is_null);
        let is_left = |row: &&Row| context.programs.contains_key(&row.name);
        asked.iter().any(|row| is_left(row) && (only_null || !is_null(row)))
    }

    /// Measures what the rows can do, where a scenario's rates or operations are derived from it.
    pub fn calibrate(&mut self, context: &Context) -> anyhow::Result<()> {
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
        let wanted: Vec<OperationName> =
            OperationName::ALL.into_iter().filter(|&operation| asks(operation)).collect();
        let (calibration, unfit) = calibrate(context, &rows, &self.calibration_cpus, &wanted, &progress);
        self.record.calibration = calibration;
        for unfit in unfit {
            self.fail(&progress, &unfit.row, unfit.reason);
        }
        self.record.time.calibrating_s = began.elapsed().as_secs_f64();
        Ok(())
    }

    /// All trials, block by block; within a block scenario by scenario, so that a drift of the host falls on all.
    /// Ends early, without an error, when a person asks for it.
    pub fn trials(&mut self, context: &Context, log: &mut TrialLog) -> anyhow::Result<()> {
        let began = Instant::now();
        let plan = self.record.plan.clone();
        let mut progress = Progress::new("measuring", plan.trial_count());
        for block in 0..plan.trials as usize {
            for scenario in &plan.scenarios {
                if context.interrupt.asked() {
                    break;
                }
                self.block(&Block { context, plan: &plan, scenario, block }, log, &mut progress)?;
            }
        }
        self.record.time.trials_s = began.elapsed().as_secs_f64();
        Ok(())
    }

    /// Every row of a scenario once.
    fn block(&mut self, of: &Block<'_>, log: &mut TrialLog, progress: &mut Progress) -> anyhow::Result<()> {
        let Block { context, plan, scenario, block } = *of;
        if self.has_failed(&scenario.name) {
            return Ok(());
        }
        let cpus = context.topology.plan(scenario, block)?;
        let load = match resolve(scenario, &self.record.calibration, cpus.server.len()) {
            Ok(load) => load,
            Err(error) => {
                self.fail(progress, &scenario.name, error.to_string());
                return Ok(());
            }
        };
        for (position, entry) in plan.order(scenario, block).iter().enumerate() {
            if context.interrupt.asked() {
                break;
            }
            let name = format!("{} {}", scenario.name, label(&entry.row.name, entry.twin));
            if self.is_out(scenario, entry) {
                progress.done(&format!("{name} is out"));
                continue;
            }
            progress.doing(format!("{name}, block {} of {}", block + 1, plan.trials));
            let place = Place { position, entry, cpus: &cpus, load: &load };
            self.repeat_until_valid(of, &place, log, progress)?;
        }
        Ok(())
    }

    /// One trial, and again where the instrument failed.
    fn repeat_until_valid(
        &mut self,
        of: &Block<'_>,
        place: &Place<'_>,
        log: &mut TrialLog,
        progress: &mut Progress,
    ) -> anyhow::Result<()> {
        let Block { context, plan, scenario, block } = *of;
        let Place { position, entry, cpus, load } = *place;
        let seed = plan.arrivals_seed(scenario, block);
        for attempt in 0..=REPEATS {
            let which = Which { scenario, entry, block, position, attempt, seed, cpus: cpus.clone() };
            let Some(trial) = run(context, which, load) else { break };
            log.append(&trial).context("cannot append to the trial log")?;
            if trial.measured.is_some() {
                self.record.time.windows_s += load.window.as_secs_f64();
            }
            if let Some(reason) = trial.measured.as_ref().and_then(|measured| measured.unclean_end.as_ref())
                && self.unclean.insert(entry.row.name.clone())
            {
                progress.say(&format!(
                    "warning: {} does not end cleanly: {reason}; it is ended all the same, and its trials count",
                    entry.row.name
                ));
            }
            let name = format!("{} {}", scenario.name, trial.label());
            match &trial.verdict {
                Verdict::Invalid { reasons } if attempt < REPEATS => {
                    progress.add_steps(1);
                    progress.done(&format!("{name} again: {}", reasons.join("; ")));
                    continue;
                }
                Verdict::Invalid { reasons } => {
                    progress.done(&format!("{name} invalid: {}", reasons.join("; ")));
                }
                Verdict::Valid { .. } => progress.done(&one_line(&name, scenario, &trial)),
                Verdict::Failed { reason } => {
                    progress.done(&format!("{name} failed"));
                    self.count_failure(scenario, entry, reason, progress);
                }
            }
            break;
        }
        Ok(())
    }

    fn has_failed(&self, what: &str) -> bool {
        self.record.failures.iter().any(|failure| failure.what == what)
    }

    fn is_out(&self, scenario: &Scenario, entry: &Entry<'_>) -> bool {
        let failures = self.failed_trials.get(&(scenario.name.clone(), entry.row.name.clone()));
        self.has_failed(&entry.row.name) || failures.is_some_and(|&failures| failures >= FAILURES_ALLOWED)
    }

    /// The first failure of a row under a scenario is reported; the others are in the records.
    fn count_failure(&mut self, scenario: &Scenario, entry: &Entry<'_>, reason: &str, progress: &Progress) {
        let key = (scenario.name.clone(), entry.row.name.clone());
        let failures = self.failed_trials.entry(key).or_default();
        *failures += 1;
        if *failures == 1 {
            self.fail(progress, &format!("{} under {}", entry.row.name, scenario.name), reason.to_owned());
        }
    }
}

/// One block of one scenario.
#[derive(Clone, Copy)]
struct Block<'a> {
    context: &'a Context,
    plan: &'a RunPlan,
    scenario: &'a Scenario,
    block: usize,
}

/// A row's place in a block.
#[derive(Clone, Copy)]
struct Place<'a> {
    position: usize,
    entry: &'a Entry<'a>,
    cpus: &'a CpuPlan,
    load: &'a Resolved,
}

/// What is said of a trial where there is no bar.
fn one_line(name: &str, scenario: &Scenario, trial: &TrialRecord) -> String {
    let figure = trial.measured.as_ref().and_then(|measured| measured.stream(&scenario.rank.stream));
    let figure = figure.map_or_else(String::new, |stream| {
        let p99 = stream.p99().map_or_else(String::new, |p99| format!(", p99 {p99}"));
        format!("{:.0}/s{p99}", stream.achieved_per_second)
    });
    format!("{name}: {figure}")
}
