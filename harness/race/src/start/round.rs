//! One round: every row once, in random order, under the very same load; and again what something disturbed.

use std::io;

use crate::{
    measure::validity::judge,
    plan::{
        resolve::Resolved,
        run_plan::{Entry, RunPlan},
        scenario::Scenario,
    },
    programs::context::Context,
    records::{
        folder::GateRecord,
        log::{Entry as LogEntry, Log, ServerRecord, StartRecord},
        window::{Measured, Verdict, WindowRecord},
    },
    start::{
        group::Group,
        kept::{causes, passes},
    },
};
use terminal::progress::Progress;

/// Which round of a run this is.
#[derive(Clone, Copy, Debug)]
pub struct Round<'a> {
    /// The surroundings.
    pub context: &'a Context,
    /// The plan.
    pub plan: &'a RunPlan,
    /// Under which scenario.
    pub scenario: &'a Scenario,
    /// Its load, in absolute numbers.
    pub load: &'a Resolved,
    /// The start.
    pub start: usize,
    /// The round.
    pub round: usize,
    /// Which windows are repeated.
    pub gate: &'a GateRecord,
}

/// The start that is under way: what it left goes into the log as it comes, and is kept for what is concluded at its end.
#[derive(Debug)]
pub struct UnderWay<'a> {
    /// Where it is appended.
    pub log: &'a mut Log,
    /// What it left so far.
    pub record: StartRecord,
}

impl UnderWay<'_> {
    /// Appends a window.
    ///
    /// # Errors
    /// The disk is full.
    pub fn window(&mut self, window: WindowRecord) -> io::Result<()> {
        let entry = LogEntry::Window(Box::new(window));
        self.log.append(&entry)?;
        if let LogEntry::Window(window) = entry {
            self.record.windows.push(*window);
        }
        Ok(())
    }

    /// Appends a server's life.
    ///
    /// # Errors
    /// The disk is full.
    pub fn server(&mut self, server: ServerRecord) -> io::Result<()> {
        self.log.append(&LogEntry::Server(server.clone()))?;
        self.record.servers.push(server);
        Ok(())
    }
}

impl<'a> Round<'a> {
    /// Measures `entries`, which are those of the plan's order that are still in the race. Ends early, and has said nothing, when a
    /// person asks for it, or the servers' host cannot be asked any more. What a row could not do is told to `failed`.
    ///
    /// # Errors
    /// The disk is full.
    pub fn run(
        &self,
        entries: &[Entry<'a>],
        group: &mut Group<'a>,
        under_way: &mut UnderWay<'_>,
        progress: &mut Progress,
        mut failed: impl FnMut(&Progress, Entry<'a>, &str),
    ) -> io::Result<()> {
        let mut again: Vec<(usize, Entry<'a>)> = Vec::new();
        for attempt in 0..2 {
            let places: Vec<(usize, Entry<'a>)> = match attempt {
                0 => entries.iter().copied().enumerate().collect(),
                _ => std::mem::take(&mut again),
            };
            for (position, entry) in places {
                if self.context.is_over() {
                    return Ok(());
                }
                let name = format!(
                    "start {}, round {}: {} {}",
                    self.start + 1,
                    self.round + 1,
                    self.scenario.name,
                    entry.label()
                );
                progress.doing(format!(
                    "measuring {} {}, start {}, round {}",
                    self.scenario.name,
                    entry.label(),
                    self.start + 1,
                    self.round + 1
                ));
                let Some(window) = self.window(position, entry, attempt, group) else {
                    progress.done(&format!("{name} has no window"));
                    let fault = group.fault(entry).unwrap_or_default().to_owned();
                    if !self.context.is_over() {
                        failed(progress, entry, &fault);
                    }
                    continue;
                };
                if self.context.is_over() {
                    return Ok(());
                }
                progress.done(&one_line(&name, self.scenario, &window, self.gate));
                if let Verdict::Failed { reason } = &window.verdict {
                    failed(progress, entry, reason);
                } else if attempt == 0 && !(window.valid().is_some() && passes(self.gate, &window)) {
                    progress.add_steps(1);
                    again.push((position, entry));
                }
                under_way.window(window)?;
            }
        }
        // While all of them stand still: writing to the disk takes CPU time.
        under_way.log.sync()
    }

    fn window(
        &self,
        position: usize,
        entry: Entry<'a>,
        attempt: u32,
        group: &mut Group<'a>,
    ) -> Option<WindowRecord> {
        let seed = self.plan.arrivals_seed(self.scenario, self.start, self.round);
        let began = jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string();
        let measured = group.window(self.context, entry, self.load, seed)?;
        Some(WindowRecord {
            scenario: self.scenario.name.clone(),
            row: entry.row.name.clone(),
            twin: entry.twin,
            tier: entry.row.tier,
            start: self.start,
            round: self.round,
            position,
            attempt,
            seed,
            began,
            cpus: group.cpus().clone(),
            verdict: judge(&measured, !causes(self.gate, &measured).is_empty()),
            measured: Some(measured),
        })
    }
}

/// What is said of a window where there is no bar.
fn one_line(name: &str, scenario: &Scenario, window: &WindowRecord, gate: &GateRecord) -> String {
    let Some(measured) = &window.measured else { return name.to_owned() };
    let figure = measured.stream(&scenario.rank.stream).map_or_else(String::new, |stream| {
        let q = scenario.rank.by.percentile().unwrap_or(0.5);
        let time = stream.response_times().quantile(q);
        let time = time.map_or_else(String::new, |time| format!(", p{} {time}", 100.0 * q));
        format!("{:.0}/s{time}", measured.answered_per_second(stream))
    });
    let but = match &window.verdict {
        Verdict::Invalid { reasons } => format!(" (invalid: {})", reasons.join("; ")),
        Verdict::Failed { reason } => format!(" (failed: {reason})"),
        Verdict::Valid { .. } => dropped_for(gate, measured),
    };
    format!("{name}: {figure}{but}")
}

fn dropped_for(gate: &GateRecord, measured: &Measured) -> String {
    let causes: Vec<String> = causes(gate, measured).iter().map(ToString::to_string).collect();
    if causes.is_empty() { String::new() } else { format!(" (disturbed: {})", causes.join(", ")) }
}
