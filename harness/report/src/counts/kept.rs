//! Which windows of a row count: what each start has of it, with the gate and without.
//!
//! Nothing that was measured of a row has a part in it but whether its server kept to the contract: a window counts by its own
//! accounts and by what others did to the machine meanwhile.

use std::collections::BTreeSet;

use race::{
    plan::{
        run_plan::{Entry, label},
        scenario::Scenario,
    },
    records::{
        folder::{Contents, GateRecord, RunRecord},
        log::{ServerRecord, StartRecord},
        window::{Measured, Verdict, WindowRecord},
    },
    registry::Row,
    start::kept::{choose_gate, passes},
};
use stats::fisher::Kept;

/// One line of a table: a row, or its second server, with its windows in every start that was finished.
#[derive(Clone, Debug)]
pub(crate) struct Line<'a> {
    pub(crate) row: &'a Row,
    pub(crate) twin: bool,
    /// The starts that were finished, in their order.
    pub(crate) starts: Vec<Start<'a>>,
    /// Why nothing of the row counts in any start: it answered wrongly.
    pub(crate) failed: Option<&'a str>,
}

/// What one start has of a row.
#[derive(Clone, Debug)]
pub(crate) struct Start<'a> {
    /// Which, counted from 0.
    pub(crate) number: usize,
    /// Its server's life; `None` where the row was out of the race already.
    pub(crate) server: Option<&'a ServerRecord>,
    /// Everything that was measured, whether it counts or not.
    pub(crate) measured: Vec<&'a WindowRecord>,
    /// How many rounds it was to be measured in; 0 where nothing of it counts.
    pub(crate) planned: usize,
    /// By round, the first attempt that counts by itself and by the gate.
    gated: Vec<Option<Window<'a>>>,
    /// By round, the first attempt that counts by itself.
    ungated: Vec<Option<Window<'a>>>,
}

/// Which windows are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// Those that count.
    Gated,
    /// Those that would, whatever others did to the machine.
    Ungated,
}

/// A window that counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Window<'a> {
    pub(crate) record: &'a WindowRecord,
    pub(crate) measured: &'a Measured,
}

/// The gate of a run; that which its records lead to where the run ended before it was written down. `None` without any start.
pub(crate) fn gate_of(contents: &Contents) -> Option<GateRecord> {
    gate(&contents.run, &contents.measurements.complete)
}

fn gate(run: &RunRecord, complete: &[StartRecord]) -> Option<GateRecord> {
    run.gate.or_else(|| complete.first().map(choose_gate))
}

/// How many CPUs the servers had under `scenario`; `None` where nothing of it was measured.
pub(crate) fn server_cpus(scenario: &Scenario, complete: &[StartRecord]) -> Option<usize> {
    let mut windows = complete.iter().flat_map(|start| &start.windows);
    let own = windows.find(|window| window.scenario == scenario.name);
    own.map(|window| window.cpus.server.len())
}

/// The lines of a scenario's tables. One tier after another: rows of different tiers are never ranked together, and are not read
/// together either.
pub(crate) fn lines<'a>(scenario: &Scenario, contents: &'a Contents) -> Vec<Line<'a>> {
    lines_so_far(scenario, &contents.run, &contents.measurements.complete)
}

/// The same of a run that may be under way.
pub(crate) fn lines_so_far<'a>(
    scenario: &Scenario,
    run: &'a RunRecord,
    complete: &'a [StartRecord],
) -> Vec<Line<'a>> {
    let gate = gate(run, complete);
    let mut entries = run.plan.entries(scenario);
    entries.sort_by_key(|entry| entry.row.tier);
    entries.into_iter().map(|entry| Line::of(scenario, entry, complete, gate.as_ref())).collect()
}

impl<'a> Start<'a> {
    /// What `record` has of a server, of `measured`, in up to so many rounds. Planned were those of which there is a window, whatever became of
    /// it: a row that was overloaded in all earlier starts is measured in one.
    fn of(
        record: &'a StartRecord,
        server: Option<&'a ServerRecord>,
        measured: Vec<&'a WindowRecord>,
        gate: Option<&GateRecord>,
        rounds: usize,
    ) -> Self {
        let counts = server.is_none_or(|server| server.fault.is_none());
        let planned: BTreeSet<usize> = measured.iter().map(|window| window.round).collect();
        let first = |passes: &dyn Fn(&WindowRecord) -> bool| {
            let of_round = |round: usize| {
                let attempts =
                    measured.iter().filter(|window| counts && window.round == round && passes(window));
                let valid = attempts.filter_map(|record| Some(Window { record, measured: record.valid()? }));
                valid.min_by_key(|window| window.record.attempt)
            };
            (0..rounds).map(of_round).collect()
        };
        Self {
            number: record.start,
            server,
            planned: if counts { planned.len() } else { 0 },
            gated: first(&|window| gate.is_some_and(|gate| passes(gate, window))),
            ungated: first(&|_| true),
            measured,
        }
    }

    /// Its windows by round.
    pub(crate) fn windows(&self, which: Which) -> &[Option<Window<'a>>] {
        match which {
            Which::Gated => &self.gated,
            Which::Ungated => &self.ungated,
        }
    }

    /// As if only some of its rounds had been.
    fn of_rounds(&self, is_one: impl Fn(usize) -> bool) -> Self {
        let some = |windows: &[Option<Window<'a>>]| -> Vec<Option<Window<'a>>> {
            windows
                .iter()
                .enumerate()
                .filter(|(round, _)| is_one(*round))
                .map(|(_, window)| *window)
                .collect()
        };
        let (gated, ungated) = (some(&self.gated), some(&self.ungated));
        Self {
            number: self.number,
            server: self.server,
            planned: if self.planned > 0 { gated.len() } else { 0 },
            gated,
            ungated,
            measured: self.measured.iter().filter(|window| is_one(window.round)).copied().collect(),
        }
    }

    /// As if nothing of it counted.
    fn without_score(self) -> Self {
        let none = vec![None; self.gated.len()];
        Self { planned: 0, gated: none.clone(), ungated: none, ..self }
    }
}

impl<'a> Line<'a> {
    fn of(
        scenario: &Scenario,
        Entry { row, twin }: Entry<'a>,
        complete: &'a [StartRecord],
        gate: Option<&GateRecord>,
    ) -> Self {
        let is_of = |window: &WindowRecord| window.scenario == scenario.name && window.row == row.name;
        let starts = complete.iter().map(|record| {
            let measured = record.windows.iter().filter(|window| is_of(window) && window.twin == twin);
            let server = record.servers.iter().find(|server| {
                (server.row == row.name && server.twin == twin) && server.scenarios.contains(&scenario.name)
            });
            Start::of(record, server, measured.collect(), gate, scenario.all_rounds())
        });
        let starts: Vec<Start<'_>> = starts.collect();
        // Both servers are the same program: what one of them answered, the other would have.
        let failed = complete.iter().flat_map(|start| &start.windows).filter(|window| is_of(window));
        let failed = failed.filter_map(failure).next();
        match failed {
            Some(_) => {
                Self { row, twin, starts: starts.into_iter().map(Start::without_score).collect(), failed }
            }
            None => Self { row, twin, starts, failed },
        }
    }

    /// The same with the rounds of one step of the scenario's ladder alone, as if there had been no others.
    pub(crate) fn at_step(&self, scenario: &Scenario, step: usize) -> Self {
        let starts = self.starts.iter().map(|start| start.of_rounds(|round| scenario.step_of(round) == step));
        Self { starts: starts.collect(), ..*self }
    }

    /// How tables call it.
    pub(crate) fn label(&self) -> String {
        label(&self.row.name, self.twin)
    }

    /// The windows that count.
    pub(crate) fn windows(&self) -> impl Iterator<Item = Window<'a>> {
        self.starts.iter().flat_map(|start| start.gated.iter().flatten().copied())
    }

    /// The figures of the windows that count.
    pub(crate) fn measured(&self) -> impl Iterator<Item = &'a Measured> {
        self.windows().map(|window| window.measured)
    }

    /// How many of the windows that were planned count, in starts in which anything does.
    pub(crate) fn kept(&self) -> Kept {
        let planned: usize = self.starts.iter().map(|start| start.planned).sum();
        let kept = self.windows().count();
        Kept { kept: kept as u64, dropped: planned.saturating_sub(kept) as u64 }
    }

    /// The windows of rounds in which none counts, as they were measured first.
    pub(crate) fn dropped(&self) -> impl Iterator<Item = &'a WindowRecord> {
        self.starts.iter().filter(|start| start.planned > 0).flat_map(|start| {
            let counts = |round| start.gated.iter().flatten().any(|window| window.record.round == round);
            let is_dropped = move |window: &&&WindowRecord| window.attempt == 0 && !counts(window.round);
            start.measured.iter().filter(is_dropped).copied()
        })
    }

    /// Starts in which the row's server had a fault, with the fault.
    pub(crate) fn faults(&self) -> impl Iterator<Item = (usize, &'a str)> {
        self.starts.iter().filter_map(|start| Some((start.number, start.server?.fault.as_deref()?)))
    }
}

/// What a server failed at in a window, so that its row has no score.
fn failure(window: &WindowRecord) -> Option<&str> {
    match &window.verdict {
        Verdict::Failed { reason } => Some(reason),
        Verdict::Valid { .. } | Verdict::Invalid { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made_up::{around, cell, disturbed, only_scenario, raced, repeat, section, window};

    const ROWS: [&str; 2] = ["work-stealing", "rayon-offload"];

    fn all_around(us: u64) -> Contents {
        raced("mixed", &ROWS, (6, 2), |_| around(us))
    }

    fn line<'a>(contents: &'a Contents, label: &str) -> Line<'a> {
        lines(only_scenario(contents), contents).into_iter().find(|line| line.label() == label).unwrap()
    }

    /// The mean time of each round's window, microseconds and rounded.
    fn means(start: &Start<'_>, which: Which) -> Vec<Option<u64>> {
        let mean = |window: &Window<'_>| {
            let times = window.measured.streams[0].response_times();
            (times.answered().mean_ns().unwrap() / 1e5).round() as u64 * 100
        };
        start.windows(which).iter().map(|window| window.as_ref().map(mean)).collect()
    }

    #[test]
    fn a_window_that_the_gate_drops_is_replaced_by_its_repetition() {
        let mut contents = all_around(800);
        window(&mut contents, "work-stealing", 1, 0).measured = Some(disturbed(8_000));
        repeat(&mut contents, "work-stealing", (1, 0), around(1_600));
        window(&mut contents, "work-stealing", 1, 1).measured = Some(disturbed(8_000));
        repeat(&mut contents, "work-stealing", (1, 1), disturbed(1_600));
        let line = line(&contents, "work-stealing");
        assert_eq!(means(&line.starts[1], Which::Gated), [Some(2_000), None]);
        assert_eq!(means(&line.starts[1], Which::Ungated), [Some(10_000), Some(10_000)]);
        assert_eq!(line.kept(), Kept { kept: 11, dropped: 1 });
        assert_eq!(line.dropped().count(), 1);
    }

    #[test]
    fn a_window_that_passes_is_not_replaced_by_a_repetition_that_a_stricter_gate_led_to() {
        let mut contents = all_around(800);
        window(&mut contents, "work-stealing", 0, 0).measured = Some(disturbed(8_000));
        repeat(&mut contents, "work-stealing", (0, 0), around(1_600));
        contents.run.gate = Some(GateRecord { step: 0.10, passing: 0.6 });
        assert_eq!(means(&line(&contents, "work-stealing").starts[0], Which::Gated)[0], Some(10_000));
    }

    #[test]
    fn an_invalid_window_counts_for_nothing_with_the_gate_or_without() {
        let mut contents = all_around(800);
        let reasons = vec!["simple: Little's law is off by 6.0%".to_owned()];
        window(&mut contents, "work-stealing", 0, 0).verdict = Verdict::Invalid { reasons };
        let line = line(&contents, "work-stealing");
        for which in [Which::Gated, Which::Ungated] {
            assert_eq!(means(&line.starts[0], which), [None, Some(1_000)]);
        }
        let section = section(&contents);
        assert!(section.notes[0].contains("1 of 12 windows invalid: simple: Little's law"));
        assert!(section.load.last().unwrap().ends_with("35 of 36 (97%); dropped for their own accounts 1"));
    }

    #[test]
    fn what_a_server_with_a_fault_was_measured_before_counts_for_nothing() {
        let mut contents = all_around(800);
        let servers = contents.measurements.complete[2].servers.iter_mut();
        let server = servers.into_iter().find(|server| server.row == "rayon-offload").unwrap();
        server.fault = Some("it hung while thawing".to_owned());
        let of_row = line(&contents, "rayon-offload");
        for which in [Which::Gated, Which::Ungated] {
            assert_eq!(means(&of_row.starts[2], which), [None, None]);
        }
        assert_eq!(of_row.kept(), Kept { kept: 10, dropped: 0 });
        assert_eq!(line(&contents, "work-stealing").kept(), Kept { kept: 12, dropped: 0 });
        let section = section(&contents);
        let note =
            "rayon-offload: start 3 void: it hung while thawing; half of its windows count in 5 of 6 starts";
        assert_eq!(section.notes, [note]);
        assert_eq!(cell(&section, "rayon-offload", "place"), "-");
        assert_eq!(cell(&section, "work-stealing", "place"), "1-2");
    }

    #[test]
    fn a_row_that_answered_wrongly_once_has_no_score() {
        let mut contents = all_around(800);
        let reason = "simple: 1 wrong answers under load, the first: nonsense".to_owned();
        window(&mut contents, "work-stealing", 4, 1).verdict = Verdict::Failed { reason };
        for label in ["work-stealing", "work-stealing (again)"] {
            assert_eq!(line(&contents, label).windows().count(), 0, "{label}");
        }
        let section = section(&contents);
        assert!(section.notes[0].starts_with("work-stealing: no score, since it failed: simple: 1 wrong"));
        assert_eq!(cell(&section, "work-stealing", "p99, us"), "-");
    }

    #[test]
    fn an_overloaded_row_owes_one_round_of_each_later_start() {
        let mut contents = all_around(800);
        for start in &mut contents.measurements.complete {
            let first = start.start == 0;
            start.windows.retain(|window| first || window.row != "rayon-offload" || window.round == 0);
            let own = start.windows.iter_mut().filter(|window| window.row == "rayon-offload");
            own.for_each(|window| window.measured.as_mut().unwrap().streams[0].answered_in_window = 60);
        }
        assert_eq!(line(&contents, "rayon-offload").kept(), Kept { kept: 7, dropped: 0 });
    }

    #[test]
    fn a_start_that_was_not_finished_counts_for_nothing_and_is_said() {
        let mut contents = all_around(800);
        let last = contents.measurements.complete.pop().unwrap();
        contents.measurements.incomplete.push(last);
        assert_eq!(line(&contents, "work-stealing").windows().count(), 10);
        let text = crate::markdown(&contents);
        assert!(text.contains("**5 of 6 starts were finished.**"), "{text}");
        assert!(text.contains("One start was begun and not finished: nothing of it counts."), "{text}");
        assert!(text.contains("**Fewer than 6 starts: values and intervals, no places.**"), "{text}");
    }

    #[test]
    fn a_gate_that_was_not_written_down_is_that_which_the_first_start_leads_to() {
        let mut contents = raced("mixed", &ROWS, (6, 2), |_| disturbed(800));
        contents.run.gate = None;
        assert_eq!(gate_of(&contents).map(|gate| gate.step), Some(0.10));
        assert_eq!(line(&contents, "work-stealing").windows().count(), 12);
    }
}
