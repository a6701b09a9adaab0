//! One scenario's part of a report: its tables, and what may be concluded from them.

use std::time::Duration;

use race::{
    plan::{run_plan::STARTS_FOR_PLACES, scenario::Scenario},
    records::folder::Contents,
};

use crate::{conclusions::{analysis::Analysis, disturbance::{self, gate_line}, findings, instrument, itself::{Itself, both}, more, notes::notes, offered}, counts::{entered::{Entered, ranked_stream}, kept::lines}, headlines::{self, Headlines}, table::{Table, Tables, unit_of}};

/// One scenario's tables and conclusions.
#[derive(Clone, Debug)]
pub struct Section {
    /// The scenario's name.
    pub name: String,
    /// What a reader wants to know.
    pub question: String,
    /// The load, on which CPUs, and which windows count.
    pub load: Vec<String>,
    /// Why there are no places, or what else must be known before reading a table.
    pub caveats: Vec<String>,
    /// The figures of each stream, and what they took.
    pub tables: Vec<Table>,
    /// What must be known of single rows.
    pub notes: Vec<String>,
    /// What is true, and how surely.
    pub findings: Vec<String>,
    /// Each row in one figure, without the second server of the row that is compared with itself.
    pub headlines: Headlines,
}

impl Section {
    pub(crate) fn new(scenario: &Scenario, contents: &Contents) -> Self {
        let lines = lines(scenario, contents);
        let gate = gate_line(scenario, contents, &lines);
        let disturbances = disturbance::findings(scenario, contents, &lines);
        let unranked = without_places(scenario, contents);
        let ranked = unranked.is_empty();
        let was_measured =
            lines.iter().any(|line| line.starts.iter().any(|start| !start.measured.is_empty()));

        // The distributions of one row after another, of which only percentiles are kept.
        let rows: Vec<Entered<'_>> = lines.into_iter().map(|line| Entered::new(scenario, line)).collect();
        let analysis = Analysis::new(scenario, &rows);
        let unit = unit_of(&rows, &analysis, ranked_stream(scenario));
        let whole = Duration::try_from_secs_f64(contents.run.time.starts_s).unwrap_or_default();
        let tables = Tables { scenario, rows: &rows, analysis: &analysis, ranked, whole };

        let of_row = |(row, entered): (usize, &Entered<'_>)| {
            let said =
                notes(scenario, entered, contents, (&analysis.loads[row], analysis.usable_starts[row]), unit);
            (!said.is_empty()).then(|| format!("{}: {said}", entered.line.label()))
        };
        let (caveat, line) = match gate {
            Some(gate) if gate.is_raised => (Some(gate.text), None),
            gate => (None, gate.map(|gate| gate.text)),
        };
        Self {
            name: scenario.name.clone(),
            question: scenario.question.clone(),
            load: offered::describe(scenario, contents).into_iter().chain(line).collect(),
            caveats: unranked.into_iter().chain(caveat).collect(),
            tables: if was_measured { tables.all() } else { Vec::new() },
            notes: rows.iter().enumerate().filter_map(of_row).collect(),
            findings: concluded(scenario, &rows, &analysis, ranked).into_iter().chain(disturbances).collect(),
            headlines: headlines::of(scenario, &rows, &analysis, ranked),
        }
    }
}

fn concluded(scenario: &Scenario, rows: &[Entered<'_>], analysis: &Analysis, ranked: bool) -> Vec<String> {
    let mut findings = findings::draw(scenario, analysis, ranked);
    findings.extend(Itself::among(scenario, rows).iter().flat_map(Itself::findings));
    let twins = both(rows).filter(|&(row, _)| !analysis.loads[row].is_overloaded());
    findings.extend(more::finding(analysis, twins, scenario.rounds).filter(|_| ranked));
    let windows = rows.iter().map(|row| (row.line.label(), row.line.measured().collect()));
    findings.extend(instrument::findings(&windows.collect::<Vec<_>>()));
    findings
}

/// Why a table gives no places.
fn without_places(scenario: &Scenario, contents: &Contents) -> Vec<String> {
    let complete = &contents.measurements.complete;
    let windows = complete.iter().flat_map(|start| &start.windows);
    let server_cpus = windows
        .clone()
        .find(|window| window.scenario == scenario.name)
        .map(|window| window.cpus.server.len());
    let mut why = Vec::new();
    match server_cpus {
        Some(cpus) if cpus < scenario.min_server_cpus => {
            let cpus = if cpus == 1 { "One server CPU".to_owned() } else { format!("{cpus} server CPUs") };
            why.push(format!("{cpus}: cost of the stack only. No places."));
        }
        None if complete.is_empty() => return vec!["No start was finished.".to_owned()],
        None => return vec!["Nothing was measured.".to_owned()],
        _ => {}
    }
    if complete.len() < STARTS_FOR_PLACES as usize {
        why.push(format!("Fewer than {STARTS_FOR_PLACES} starts: values and intervals, no places."));
    }
    why
}
