//! A run under way: built, calibrated, raced. What cannot be measured is reported and left out; the rest goes on.

use std::{collections::HashSet, time::Instant};

use anyhow::{Context as _, bail};

use crate::{
    experiment,
    measure::calibrate::{ROUNDS, calibrate},
    plan::{
        cpu_plan::CpuPlan,
        host_limits::HostLimits,
        resolve::{Resolved, resolve_steps},
        run_plan::{Entry, Pass, RunPlan},
        scenario::{Placement, Scenario},
    },
    programs::{build_all::build_all, context::Context, prerequisites::Skipped, workspace::Workspace},
    records::{
        experiment::PassName,
        folder::{Failure, Folder, RunRecord},
        log::{Entry as LogEntry, Log, ServerRecord, StartRecord},
        resume::Resumed,
        window::Verdict,
    },
    registry::{OperationName, Row, Tier},
    server_host::this_host::ThisHost,
    start::{
        failed::{FAILURES_ALLOWED, FailedStarts, fell_silent},
        group::Group,
        kept::{choose_gate, first_gate, rounds_of},
        round::{Round, UnderWay},
    },
    verify::gate::{Gate, verify_rows},
};
use terminal::{errln, interrupt::Interrupt, outcome::Outcome, progress::Progress};

const CANNOT_KEEP: &str =
    "cannot keep what was measured; what was kept before is whole, and --resume goes on from there";

const CANNOT_GO_ON: &str = "the run cannot go on; what was finished is kept, and --resume goes on from there";

/// Says in a line what the starts that were finished tell. Nothing that is measured depends on it: it is for whoever waits.
pub type SoFar<'a> = &'a dyn Fn(&RunRecord, &[StartRecord]) -> String;

/// A run under way.
pub struct Run {
    /// What is kept of it beside its windows.
    pub record: RunRecord,
    /// The CPUs that the rows are calibrated on.
    calibration_cpus: CpuPlan,
    /// The starts that were finished.
    complete: Vec<StartRecord>,
    /// The passes of experiments that were finished.
    passes: Vec<PassName>,
    /// Starts in which servers failed.
    failed_starts: FailedStarts,
    /// Rows that did not end cleanly, which was said.
    unclean: HashSet<String>,
}

impl Run {
    /// Scenarios that this host is too small for are left out, and reported.
    pub fn new(mut plan: RunPlan, skipped: Vec<Skipped>, context: &Context) -> anyhow::Result<Self> {
        let mut failures = Vec::new();
        let limits = HostLimits::of_this_host();
        let fits = |scenario: &Scenario| -> anyhow::Result<()> {
            Ok(limits.check(scenario, &context.topology.plan(scenario, 0)?)?)
        };
        plan.scenarios.retain(|scenario| match fits(scenario) {
            Ok(()) => true,
            Err(error) => {
                errln!("error: {error}");
                failures.push(Failure {
                    what: scenario.name.clone(),
                    reason: error.to_string(),
                    start: None,
                });
                false
            }
        });
        let calibration_cpus = calibration_cpus(&plan, context)?;
        let (calibration, time) = Default::default();
        let record = RunRecord {
            plan,
            skipped,
            conformance: None,
            calibration,
            gate: None,
            failures,
            interrupted: false,
            resumed: Vec::new(),
            time,
        };
        Ok(Self::from_parts(record, calibration_cpus, Vec::new(), Vec::new()))
    }

    /// Goes on with a run that was cut short: it decides from its records what it would have decided without that.
    ///
    /// # Errors
    /// This host is too small for it.
    pub fn resume(resumed: &Resumed, context: &Context) -> anyhow::Result<Self> {
        let (mut record, complete) = (resumed.run().clone(), resumed.complete().to_vec());
        record.resumed.push(jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%:z").to_string());
        record.interrupted = false;
        // The record is written just before its start is finished.
        record.gate = complete.first().map(|first| record.gate.unwrap_or_else(|| choose_gate(first)));
        let calibration_cpus = calibration_cpus(&record.plan, context)?;
        Ok(Self::from_parts(record, calibration_cpus, complete, resumed.passes().to_vec()))
    }

    fn from_parts(
        record: RunRecord,
        calibration_cpus: CpuPlan,
        complete: Vec<StartRecord>,
        passes: Vec<PassName>,
    ) -> Self {
        let failed_starts = FailedStarts::of(&complete);
        Self { record, calibration_cpus, complete, passes, failed_starts, unclean: HashSet::new() }
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

    fn fail(&mut self, progress: &Progress, what: &str, reason: String, start: Option<usize>) {
        progress.say(&format!("error: {what}: {reason}"));
        self.record.failures.push(Failure { what: what.to_owned(), reason, start });
    }

    /// Builds the programs of the rows that are in the race. A row whose program cannot be built is reported, and out.
    pub fn build(&mut self, context: &mut Context, workspace: &Workspace) {
        let began = Instant::now();
        let rows: Vec<Row> = self.record.plan.rows.iter().filter(|row| !self.is_out(row)).cloned().collect();
        build_all(&rows, context, workspace, |progress, row, reason| self.fail(progress, row, reason, None));
        self.record.time.building_s += began.elapsed().as_secs_f64();
    }

    /// Plays the suite against the rows that were built. One that does not hold is not raced. A run that is resumed has the very programs
    /// that were verified. What a person interrupts leaves no trace.
    pub fn verify(&mut self, context: &mut Context, gate: &Gate) -> anyhow::Result<()> {
        if self.record.conformance.is_some() {
            return Ok(());
        }
        let began = Instant::now();
        let is_built = |row: &&Row| context.programs.contains_key(&row.name);
        // A variant is the program of its row, and verified with it.
        let is_row = |row: &&Row| row.variant.is_none();
        let rows: Vec<Row> = self.record.plan.rows.iter().filter(is_built).filter(is_row).cloned().collect();
        let verified = verify_rows(&rows, &[], context, gate)?;
        self.record.time.verifying_s += began.elapsed().as_secs_f64();
        if verified.interrupted {
            return Ok(());
        }
        for verdict in &verified.rows {
            if let Some(reason) = verdict.reason() {
                let of = self.record.plan.rows.iter().filter(|row| row.origin() == verdict.row);
                of.for_each(|row| drop(context.programs.remove(&row.name)));
                errln!("error: {} is not raced: {reason}", verdict.row);
                let reason = format!("not raced: {reason}");
                self.record.failures.push(Failure { what: verdict.row.clone(), reason, start: None });
            }
        }
        self.record.conformance = Some(verified.record());
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

    /// Measures what the rows can do, where a scenario's rates or operations are derived from it, and it is not known from before the
    /// run was resumed. What a person interrupts leaves no trace.
    pub fn calibrate(&mut self, context: &Context) -> anyhow::Result<()> {
        let plan = &self.record.plan;
        let rows: Vec<_> = plan
            .rows
            .iter()
            .filter(|row| row.variant.is_none() && context.programs.contains_key(&row.name))
            .cloned()
            .collect();
        let asks =
            |operation| plan.compared().any(|s| s.streams.iter().any(|stream| stream.operation == operation));
        let derived = plan.compared().any(Scenario::needs_calibration);
        if !derived || !self.record.calibration.rows.is_empty() || context.interrupt.asked() {
            return Ok(());
        }
        let began = Instant::now();
        let progress = Progress::new("calibrating", rows.len() * ROUNDS);
        let wanted: Vec<OperationName> =
            OperationName::ALL.into_iter().filter(|&operation| asks(operation)).collect();
        // Where the generator is, so that nothing of the harness runs on the server's CPUs.
        let _pinned = self.calibration_cpus.generator.pin_current_thread().ok();
        let (calibration, unfit) = calibrate(context, &rows, &self.calibration_cpus, &wanted, &progress);
        self.record.time.calibrating_s += began.elapsed().as_secs_f64();
        context.reachable().context(CANNOT_GO_ON)?;
        if context.interrupt.asked() {
            return Ok(());
        }
        self.record.calibration = calibration;
        for unfit in unfit {
            self.fail(&progress, &unfit.row, unfit.reason, None);
        }
        Ok(())
    }

    /// All starts that are left. Ends early, without an error, when a person asks for it: the start under way counts for nothing then.
    /// Between two of them, while no server runs, `so_far` says what those before came to.
    ///
    /// # Errors
    /// The disk is full, or the servers' host cannot be asked any more: the start under way counts for nothing then, either.
    pub fn starts(
        &mut self,
        context: &Context,
        folder: &Folder,
        log: &mut Log,
        so_far: Option<SoFar<'_>>,
    ) -> anyhow::Result<()> {
        let plan = self.record.plan.clone();
        let of_one = plan.window_count() / plan.starts.max(1) as usize;
        let mut progress = Progress::new("measuring", of_one * self.left().len());
        self.each_start(folder, log, &context.interrupt, |run, under_way| {
            if let Some(so_far) = so_far.filter(|_| !run.complete.is_empty()) {
                progress.doing("comparing what is known so far");
                progress.say(&so_far(&run.record, &run.complete));
            }
            for group in plan.groups() {
                let of = Of { context, plan: &plan, start: under_way.record.start };
                run.group(of, &group, under_way, &mut progress)?;
                context.reachable().context(CANNOT_GO_ON)?;
            }
            Ok(())
        })
    }

    /// All passes of experiments that are left, one row alive at a time. Ends early, without an error, when a person asks for it: the pass
    /// under way counts for nothing then. A row that fails in one has a record that says so, and the others go on.
    ///
    /// # Errors
    /// The disk is full.
    pub fn experiments(&mut self, context: &Context, folder: &Folder, log: &mut Log) -> anyhow::Result<()> {
        let plan = self.record.plan.clone();
        let is_left = |pass: &&Pass<'_>| {
            let is_done = self.passes.iter().any(|done| pass.is(&done.scenario, &done.row, done.start));
            !is_done && !self.is_out(pass.row) && context.programs.contains_key(&pass.row.name)
        };
        let all = plan.passes();
        let left: Vec<&Pass<'_>> = all.iter().filter(is_left).collect();
        if left.is_empty() || context.interrupt.asked() {
            return Ok(());
        }
        let mut progress = Progress::new("experiments", left.iter().map(|pass| pass.events.len()).sum());
        let host = ThisHost::default();
        for pass in left {
            let (began, before) = (Instant::now(), self.record.time.starts_s);
            if self.is_out(pass.row) {
                progress.skip(pass.events.len());
                continue;
            }
            let cpus = context.topology.plan(pass.scenario, pass.start)?;
            let measured = experiment::record(context, &host, log, (&plan, pass, &cpus), &progress)
                .context(CANNOT_KEEP)?;
            let Some(measured) = measured else { break };
            let failed = match &measured.verdict {
                Verdict::Failed { reason } => Some(reason),
                // What was measured until then stands.
                Verdict::Valid { .. } | Verdict::Invalid { .. } => measured.cut_short.as_ref(),
            };
            if let Some(reason) = failed {
                let what = format!("{} in {}", pass.row.name, pass.scenario.name);
                self.fail(&progress, &what, reason.clone(), None);
            }
            let happened = measured.events;
            progress.skip(pass.events.len().saturating_sub(happened));
            self.passes.push(measured.of);
            self.record.time.starts_s = before + began.elapsed().as_secs_f64();
            self.record.time.windows_s += measured.measured.map_or(0.0, |measured| measured.window_s);
            folder.write_run(&self.record).context(CANNOT_KEEP)?;
            log.sync().context(CANNOT_KEEP)?;
        }
        Ok(())
    }

    /// The starts that were not finished, in their order.
    fn left(&self) -> Vec<usize> {
        let is_complete = |start: &usize| self.complete.iter().any(|complete| complete.start == *start);
        (0..self.record.plan.starts as usize).filter(|start| !is_complete(start)).collect()
    }

    /// Has `measure` measure each start that is left, and keeps the books: at every instant the folder holds all starts that were
    /// finished, and at most one that was not.
    fn each_start(
        &mut self,
        folder: &Folder,
        log: &mut Log,
        interrupt: &Interrupt,
        mut measure: impl FnMut(&mut Self, &mut UnderWay<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let (began, before) = (Instant::now(), self.record.time.starts_s);
        for start in self.left() {
            if interrupt.asked() {
                break;
            }
            let at = jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string();
            log.append(&LogEntry::Begun { start, at }).context(CANNOT_KEEP)?;
            let mut under_way = UnderWay { log, record: StartRecord { start, ..StartRecord::default() } };
            measure(self, &mut under_way)?;
            if interrupt.asked() {
                break;
            }
            if self.complete.is_empty() {
                self.record.gate = Some(choose_gate(&under_way.record));
            }
            self.complete.push(under_way.record);
            self.record.time.starts_s = before + began.elapsed().as_secs_f64();
            // What is concluded from a start is on disk before the start counts: the other way round, a run that was killed in between
            // would have starts whose failures nobody knows.
            folder.write_run(&self.record).context(CANNOT_KEEP)?;
            log.append(&LogEntry::Complete { start }).context(CANNOT_KEEP)?;
            log.sync().context(CANNOT_KEEP)?;
        }
        self.record.time.starts_s = before + began.elapsed().as_secs_f64();
        Ok(())
    }

    /// One life of the servers of a group of scenarios.
    fn group(
        &mut self,
        of: Of<'_>,
        scenarios: &[&Scenario],
        under_way: &mut UnderWay<'_>,
        progress: &mut Progress,
    ) -> anyhow::Result<()> {
        let Of { context, plan, start } = of;
        let cpus = context.topology.plan(scenarios[0], start)?;
        let mut loads: Vec<(&Scenario, Vec<Resolved>)> = Vec::new();
        for scenario in
            scenarios.iter().filter(|scenario| !self.has_failed(&scenario.name)).copied().collect::<Vec<_>>()
        {
            match resolve_steps(scenario, &self.record.calibration, cpus.server.len()) {
                Ok(load) => loads.push((scenario, load)),
                Err(error) => self.fail(progress, &scenario.name, error.to_string(), None),
            }
        }
        let Some(first_load) = loads.iter().find_map(|(_, steps)| steps.first()) else { return Ok(()) };
        let asked: Vec<&Scenario> = loads.iter().map(|(scenario, _)| *scenario).collect();
        let mut group = Group::new(&asked, start, cpus);
        for entry in plan.servers(&asked, start) {
            if context.is_over() {
                break;
            }
            if self.is_out(entry.row) {
                continue;
            }
            let doing = |what: &str| {
                progress.doing(format!("{what} {}, start {} of {}", entry.label(), start + 1, plan.starts));
            };
            doing("starting");
            // The null server answers one operation only, whatever is first.
            let suited = loads.iter().find(|(scenario, _)| plan.entries(scenario).contains(&entry));
            let load = suited.and_then(|(_, steps)| steps.first()).unwrap_or(first_load);
            if let Some(fault) = group.add(context, entry, load, || doing("warming up"))
                && !context.is_over()
            {
                self.count_failure(progress, entry, start, &fault);
            }
        }
        let gate = self.record.gate.unwrap_or_else(first_gate);
        for (scenario, steps) in &loads {
            for round in plan.rounds(scenario, start) {
                let Some(load) = steps.get(scenario.step_of(round)) else { continue };
                let entries: Vec<Entry<'_>> = plan
                    .order(scenario, start, round)
                    .into_iter()
                    .filter(|entry| {
                        let rounds = rounds_of(&self.complete, scenario, &entry.row.name, entry.twin);
                        round < rounds && group.measures(*entry)
                    })
                    .collect();
                let (windows, before) = (plan.entries(scenario).len(), under_way.record.windows.len());
                progress.skip(windows - entries.len());
                let round = Round { context, plan, scenario, load, start, round, gate: &gate };
                let failed = |progress: &Progress, entry: Entry<'_>, fault: &str| {
                    self.count_failure(progress, entry, start, fault);
                };
                round.run(&entries, &mut group, under_way, progress, failed).context(CANNOT_KEEP)?;
                let measured = under_way.record.windows.len() - before;
                self.record.time.windows_s += measured as f64 * load.window.as_secs_f64();
                if context.is_over() {
                    return Ok(());
                }
            }
        }
        for (window, silence) in fell_silent(&under_way.record) {
            if let Some(row) = plan.rows.iter().find(|row| row.name == window.row) {
                self.count_failure(progress, Entry { row, twin: window.twin }, start, &silence);
            }
        }
        progress.doing(format!("stopping the servers of start {} of {}", start + 1, plan.starts));
        for server in group.stop() {
            self.count_end(progress, &server);
            under_way.server(server).context(CANNOT_KEEP)?;
        }
        Ok(())
    }

    fn has_failed(&self, what: &str) -> bool {
        self.record.failures.iter().any(|failure| failure.what == what)
    }

    fn is_out(&self, row: &Row) -> bool {
        self.has_failed(&row.name) || self.failed_starts.is_out(&row.name)
    }

    /// Each failure is reported once; after so many, the row is out.
    fn count_failure(&mut self, progress: &Progress, entry: Entry<'_>, start: usize, reason: &str) {
        let row = &entry.row.name;
        if self.failed_starts.count(row, start) {
            let what = format!("{} in start {}", entry.label(), start + 1);
            self.fail(progress, &what, reason.to_owned(), Some(start));
            if self.failed_starts.is_out(row) {
                let reason = format!("is out of the race after {FAILURES_ALLOWED} starts in which it failed");
                self.fail(progress, row, reason, Some(start));
            }
        }
    }

    /// How a server ended, where that was not as it should be.
    fn count_end(&mut self, progress: &Progress, server: &ServerRecord) {
        let Some(row) = self.record.plan.rows.iter().find(|row| row.name == server.row).cloned() else {
            return;
        };
        if let Some(fault) = &server.fault {
            self.count_failure(progress, Entry { row: &row, twin: server.twin }, server.start, fault);
        }
        if let Some(reason) = &server.unclean_end
            && self.unclean.insert(row.name.clone())
        {
            progress.say(&format!(
                "warning: {} does not end cleanly: {reason}; it is ended all the same, and its windows count",
                row.name
            ));
        }
    }
}

/// Where rows are calibrated: on a split where there is one, so that the generator takes nothing from the server.
fn calibration_cpus(plan: &RunPlan, context: &Context) -> anyhow::Result<CpuPlan> {
    let Some(first) = plan.scenarios.first() else { bail!("no scenario fits this host") };
    let split = plan.scenarios.iter().find(|scenario| scenario.placement == Placement::Split);
    Ok(match split {
        Some(scenario) => context.topology.plan(scenario, 0)?,
        None => {
            let split = Scenario { placement: Placement::Split, server_cpus: None, ..first.clone() };
            context.topology.plan(&split, 0).or_else(|_| context.topology.plan(first, 0))?
        }
    })
}

/// Which start of what.
#[derive(Clone, Copy, Debug)]
struct Of<'a> {
    context: &'a Context,
    plan: &'a RunPlan,
    start: usize,
}

#[cfg(test)]
mod tests;
