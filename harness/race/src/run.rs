//! A run under way: built, calibrated, raced. What cannot be measured is reported and left out; the rest goes on.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Instant,
};

use anyhow::{Context as _, bail};

use crate::{
    machine::edge::Edges,
    measure::calibrate::{ROUNDS, calibrate},
    plan::{
        cpu_plan::CpuPlan,
        resolve::{Resolved, resolve},
        run_plan::{Entry, RunPlan},
        scenario::{Placement, Scenario},
    },
    programs::{build_all::build_all, context::Context, prerequisites::Skipped, workspace::Workspace},
    records::{
        folder::{Failure, Folder, RunRecord},
        log::{Entry as LogEntry, Log, ServerRecord, StartRecord},
    },
    registry::{OperationName, Row, Tier},
    start::{
        group::Group,
        kept::{choose_gate, first_gate, rounds_of},
        round::{Round, UnderWay},
    },
    verify::gate::{Gate, verify_rows},
};
use terminal::{outcome::Outcome, progress::Progress};

/// After this many starts in which its server failed, a row is out of the race.
const FAILURES_ALLOWED: usize = 2;
const CANNOT_APPEND: &str =
    "cannot keep what was measured; what was kept before is whole, and --resume goes on from there";

/// A run under way.
pub struct Run {
    /// What is kept of it beside its windows.
    pub record: RunRecord,
    /// The CPUs that the rows are calibrated on.
    calibration_cpus: CpuPlan,
    /// The starts that were finished.
    complete: Vec<StartRecord>,
    /// Starts in which a server failed, by row.
    failed_starts: HashMap<String, BTreeSet<usize>>,
    /// Rows that did not end cleanly, which was said.
    unclean: HashSet<String>,
    /// Seconds of this call's starts that are in the record.
    spent_here: f64,
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
        let record = RunRecord {
            plan,
            skipped,
            conformance: None,
            calibration,
            gate: None,
            failures,
            interrupted: false,
            time,
        };
        Ok(Self {
            record,
            calibration_cpus,
            complete: Vec::new(),
            failed_starts: HashMap::new(),
            unclean: HashSet::new(),
            spent_here: 0.0,
        })
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
        // Where the generator is, so that nothing of the harness runs on the server's CPUs.
        let _pinned = self.calibration_cpus.generator.pin_current_thread().ok();
        let (calibration, unfit) = calibrate(context, &rows, &self.calibration_cpus, &wanted, &progress);
        self.record.calibration = calibration;
        for unfit in unfit {
            self.fail(&progress, &unfit.row, unfit.reason);
        }
        self.record.time.calibrating_s = began.elapsed().as_secs_f64();
        Ok(())
    }

    /// All starts. Ends early, without an error, when a person asks for it: the start under way counts for nothing then.
    ///
    /// # Errors
    /// The disk is full.
    pub fn starts(&mut self, context: &Context, folder: &Folder, log: &mut Log) -> anyhow::Result<()> {
        let began = Instant::now();
        let plan = self.record.plan.clone();
        let left =
            (0..plan.starts as usize).filter(|start| !self.complete.iter().any(|it| it.start == *start));
        let left: Vec<usize> = left.collect();
        let of_one = plan.window_count() / plan.starts.max(1) as usize;
        let mut progress = Progress::new("measuring", of_one * left.len());
        let mut edges = Edges::default();
        for start in left {
            let at = jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string();
            log.append(&LogEntry::Begun { start, at }).context(CANNOT_APPEND)?;
            let mut under_way = UnderWay { log, record: StartRecord { start, ..StartRecord::default() } };
            for group in plan.groups() {
                let of = Of { context, plan: &plan, start };
                self.group(of, &group, &mut edges, &mut under_way, &mut progress).context(CANNOT_APPEND)?;
            }
            if context.interrupt.asked() {
                break;
            }
            let record = under_way.record;
            log.append(&LogEntry::Complete { start }).context(CANNOT_APPEND)?;
            log.sync().context(CANNOT_APPEND)?;
            if self.record.gate.is_none() {
                self.record.gate = Some(choose_gate(&record));
            }
            self.complete.push(record);
            self.record.time.starts_s += began.elapsed().as_secs_f64() - self.spent_here;
            self.spent_here = began.elapsed().as_secs_f64();
            folder.write_run(&self.record)?;
        }
        self.record.time.starts_s += began.elapsed().as_secs_f64() - self.spent_here;
        Ok(())
    }

    /// One life of the servers of a group of scenarios.
    fn group(
        &mut self,
        of: Of<'_>,
        scenarios: &[&Scenario],
        edges: &mut Edges,
        under_way: &mut UnderWay<'_>,
        progress: &mut Progress,
    ) -> anyhow::Result<()> {
        let Of { context, plan, start } = of;
        let cpus = context.topology.plan(scenarios[0], start)?;
        let mut loads: Vec<(&Scenario, Resolved)> = Vec::new();
        for scenario in
            scenarios.iter().filter(|scenario| !self.has_failed(&scenario.name)).copied().collect::<Vec<_>>()
        {
            match resolve(scenario, &self.record.calibration, cpus.server.len()) {
                Ok(load) => loads.push((scenario, load)),
                Err(error) => self.fail(progress, &scenario.name, error.to_string()),
            }
        }
        let Some((_, first_load)) = loads.first() else { return Ok(()) };
        let asked: Vec<&Scenario> = loads.iter().map(|(scenario, _)| *scenario).collect();
        let mut group = Group::new(&asked, start, cpus);
        for entry in plan.servers(&asked, start) {
            if context.interrupt.asked() {
                break;
            }
            if self.is_out(entry.row) {
                continue;
            }
            progress.doing(format!("starting {}, start {} of {}", entry.label(), start + 1, plan.starts));
            // The null server answers one operation only, whatever is first.
            let suited = loads.iter().find(|(scenario, _)| plan.entries(scenario).contains(&entry));
            let load = suited.map_or(first_load, |(_, load)| load);
            if let Some(fault) = group.add(context, edges, entry, load)
                && !context.interrupt.asked()
            {
                self.count_failure(progress, entry, start, &fault);
            }
        }
        let gate = self.record.gate.unwrap_or_else(first_gate);
        for (scenario, load) in &loads {
            for round in 0..scenario.rounds {
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
                round.run(&entries, &mut group, edges, under_way, progress, |progress, entry, fault| {
                    self.count_failure(progress, entry, start, fault);
                })?;
                let measured = under_way.record.windows.len() - before;
                self.record.time.windows_s += measured as f64 * load.window.as_secs_f64();
                if context.interrupt.asked() {
                    return Ok(());
                }
            }
        }
        for server in group.stop() {
            self.count_end(progress, &server);
            under_way.log.append(&LogEntry::Server(server.clone()))?;
            under_way.record.servers.push(server);
        }
        Ok(())
    }

    fn has_failed(&self, what: &str) -> bool {
        self.record.failures.iter().any(|failure| failure.what == what)
    }

    fn is_out(&self, row: &Row) -> bool {
        let failures = self.failed_starts.get(&row.name).map_or(0, BTreeSet::len);
        self.has_failed(&row.name) || failures >= FAILURES_ALLOWED
    }

    /// Each failure is reported once; after so many, the row is out.
    fn count_failure(&mut self, progress: &Progress, entry: Entry<'_>, start: usize, reason: &str) {
        let row = &entry.row.name;
        let failures = self.failed_starts.entry(row.clone()).or_default();
        if failures.insert(start) {
            let out = failures.len() >= FAILURES_ALLOWED;
            let what = format!("{} in start {}", entry.label(), start + 1);
            self.fail(progress, &what, reason.to_owned());
            if out {
                let reason = format!("is out of the race after {FAILURES_ALLOWED} starts in which it failed");
                self.fail(progress, row, reason);
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

/// Which start of what.
#[derive(Clone, Copy, Debug)]
struct Of<'a> {
    context: &'a Context,
    plan: &'a RunPlan,
    start: usize,
}
