//! Which windows of a row count: what each start has of it, with the gate and without.
//!
//! Nothing that was measured of a row has a part in it but whether its server kept to the contract: a window counts by its own
//! accounts and by what others did to the machine meanwhile.

use std::slice;

use race::{
    plan::{
        run_plan::{Entry, label},
        scenario::Scenario,
    },
    records::{
        folder::{Contents, GateRecord},
        log::{ServerRecord, StartRecord},
        window::{Measured, Verdict, WindowRecord},
    },
    registry::Row,
    start::kept::{choose_gate, is_overloaded, passes},
};
use stats::fisher::Kept;

/// One line of a table: a row, or its second server, with its windows in every start that was finished.
#[derive(Clone, Debug)]
pub(super) struct Line<'a> {
    pub(super) row: &'a Row,
    pub(super) twin: bool,
    /// The starts that were finished, in their order.
    pub(super) starts: Vec<Start<'a>>,
    /// Why nothing of the row counts in any start: it answered wrongly.
    pub(super) failed: Option<&'a str>,
}

/// What one start has of a row.
#[derive(Clone, Debug)]
pub(super) struct Start<'a> {
    /// Which, counted from 0.
    pub(super) number: usize,
    /// Its server's life; `None` where the row was out of the race already.
    pub(super) server: Option<&'a ServerRecord>,
    /// Everything that was measured, whether it counts or not.
    pub(super) measured: Vec<&'a WindowRecord>,
    /// How many rounds it was to be measured in; 0 where nothing of it counts.
    pub(super) planned: usize,
    /// By round, the first attempt that counts by itself and by the gate.
    gated: Vec<Option<Window<'a>>>,
    /// By round, the first attempt that counts by itself.
    ungated: Vec<Option<Window<'a>>>,
}

/// Which windows are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// Those that count.
    Gated,
    /// Those that would, whatever others did to the machine.
    Ungated,
}

/// A window that counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window<'a> {
    pub(super) record: &'a WindowRecord,
    pub(super) measured: &'a Measured,
}

/// The gate of a run; that which its records lead to where the run ended before it was written down. `None` without any start.
pub(super) fn gate_of(contents: &Contents) -> Option<GateRecord> {
    contents.run.gate.or_else(|| contents.measurements.complete.first().map(choose_gate))
}

/// The lines of a scenario's tables. One tier after another: rows of different tiers are never ranked together, and are not read
/// together either.
pub(super) fn lines<'a>(scenario: &Scenario, contents: &'a Contents) -> Vec<Line<'a>> {
    let complete = &contents.measurements.complete;
    let gate = gate_of(contents);
    let mut entries = contents.run.plan.entries(scenario);
    entries.sort_by_key(|entry| entry.row.tier);
    entries.into_iter().map(|entry| Line::of(scenario, entry, complete, gate.as_ref())).collect()
}

impl<'a> Start<'a> {
    /// Its windows by round.
    pub(super) fn windows(&self, which: Which) -> &[Option<Window<'a>>] {
        match which {
            Which::Gated => &self.gated,
            Which::Ungated => &self.ungated,
        }
    }
}

impl<'a> Line<'a> {
    fn of(
        scenario: &Scenario,
        Entry { row, twin }: Entry<'a>,
        complete: &'a [StartRecord],
        gate: Option<&GateRecord>,
    ) -> Self {
        // Both servers are the same program: what one of them answered, the other would have.
        let of_row = |window: &&'a WindowRecord| window.scenario == scenario.name && window.row == row.name;
        let failed =
            complete.iter().flat_map(|start| &start.windows).filter(of_row).find_map(|window| match &window
                .verdict
            {
                Verdict::Failed { reason } => Some(reason.as_str()),
                _ => None,
            });
        let mut always_overloaded = true;
        let starts = complete.iter().enumerate().map(|(at, record)| {
            let own = record.windows.iter().filter(of_row).filter(|window| window.twin == twin);
            let measured: Vec<&WindowRecord> = own.collect();
            let server = record.servers.iter().find(|server| {
                (server.row == row.name && server.twin == twin) && server.scenarios.contains(&scenario.name)
            });
            let counts = failed.is_none() && server.is_none_or(|server| server.fault.is_none());
            let rounds = if at > 0 && always_overloaded { 1 } else { scenario.rounds };
            always_overloaded &= is_overloaded(slice::from_ref(record), scenario, &row.name, twin);
            let first = |counted: &dyn Fn(&WindowRecord) -> bool| {
                let of_round = |round: usize| {
                    let mut attempts: Vec<Window<'a>> = measured
                        .iter()
                        .filter(|window| counts && window.round == round && counted(window))
                        .filter_map(|record| Some(Window { record, measured: record.valid()? }))
                        .collect();
                    attempts.sort_by_key(|window| window.record.attempt);
                    attempts.first().copied()
                };
                (0..scenario.rounds).map(of_round).collect()
            };
            Start {
                number: record.start,
                server,
                planned: if counts && !measured.is_empty() { rounds } else { 0 },
                gated: first(&|window| gate.is_some_and(|gate| passes(gate, window))),
                ungated: first(&|_| true),
                measured,
            }
        });
        Self { row, twin, starts: starts.collect(), failed }
    }

    /// How tables call it.
    pub(super) fn label(&self) -> String {
        label(&self.row.name, self.twin)
    }

    /// The windows that count.
    pub(super) fn windows(&self) -> impl Iterator<Item = Window<'a>> {
        self.starts.iter().flat_map(|start| start.gated.iter().flatten().copied())
    }

    /// The figures of the windows that count.
    pub(super) fn measured(&self) -> impl Iterator<Item = &'a Measured> {
        self.windows().map(|window| window.measured)
    }

    /// How many of the windows that were planned count, in starts in which anything does.
    pub(super) fn kept(&self) -> Kept {
        let planned: usize = self.starts.iter().map(|start| start.planned).sum();
        let kept = self.windows().count();
        Kept { kept: kept as u64, dropped: planned.saturating_sub(kept) as u64 }
    }

    /// Starts in which the row's server had a fault, with the fault.
    pub(super) fn faults(&self) -> impl Iterator<Item = (usize, &'a str)> {
        self.starts.iter().filter_map(|start| Some((start.number, start.server?.fault.as_deref()?)))
    }
}
