//! One scenario's part of a report, put together from its tables, its plots and what may be concluded from them.

use race::{
    plan::{ladder::Ladder, run_plan::STARTS_FOR_PLACES, scenario::Scenario},
    records::folder::Contents,
};

use crate::{
    conclusions::{
        analysis::Analysis,
        answer,
        disturbance::{self, gate_line},
        field::Field,
        findings, generators, instrument,
        itself::{Itself, both},
        more,
        notes::notes,
        objectives::{Choice, Objective},
        offered,
    },
    counts::{
        entered::Entered,
        kept::{lines, server_cpus},
    },
    ladders::Climbed,
    model::{Said, Section},
    plots,
    tables::{choices, costs, figures, pairs, scaling, times, workers},
};

/// The section, and what the scenario says of each objective.
pub(crate) fn of(scenario: &Scenario, contents: &Contents) -> (Section, choices::OfScenario) {
    let lines = lines(scenario, contents);
    let gate = gate_line(scenario, contents, &lines);
    let disturbances = disturbance::findings(scenario, contents, &lines);
    let unranked = without_places(scenario, contents);
    let is_ranked = unranked.is_empty();
    let was_measured = lines.iter().any(|line| line.starts.iter().any(|start| !start.measured.is_empty()));
    let climbed = Climbed::of(scenario, contents, &lines);
    let (caveat, line) = match gate {
        Some(gate) if gate.is_raised => (Some(gate.text), None),
        gate => (None, gate.map(|gate| gate.text)),
    };
    let windows: Vec<_> =
        lines.iter().map(|line| (line.label(), line.measured().collect::<Vec<_>>())).collect();
    let instrument = instrument::findings(&windows).into_iter().chain(generators::findings(&windows));
    let instrument: Vec<Said> = instrument.collect();
    // Rows are compared under the scenario's own load; along a ladder that does not offer it, under none.
    let lines = match scenario.ladder.as_ref().map(Ladder::own_step) {
        None => lines,
        Some(Some(step)) => lines.iter().map(|line| line.at_step(scenario, step)).collect(),
        Some(None) => Vec::new(),
    };

    // The distributions of one row after another on each CPU, of which only percentiles are kept.
    let rows = Entered::all(scenario, lines);
    let analysis = Analysis::new(scenario, &rows);
    let field = Field { scenario, contents, rows: &rows, analysis: &analysis, is_ranked };
    let choose = |objective: &Objective| match is_ranked {
        true => objective.choose(scenario, contents, &rows, &analysis),
        false => Choice::NotCompared,
    };
    let chosen = (scenario.name.clone(), Objective::ALL.iter().map(choose).collect());

    let unit = field.unit_of(rows.first().map_or(0, |row| row.ranked_stream));
    let of_row = |(row, entered): (usize, &Entered<'_>)| {
        let known = (&analysis.loads[row], analysis.usable_starts[row]);
        let said = notes(scenario, entered, contents, known, unit);
        (!said.is_empty()).then(|| format!("{}: {said}", entered.line.label()))
    };
    let itself = Itself::among(scenario, &rows);
    let concluded = concluded(&field, itself.as_ref()).into_iter().chain(instrument);
    let is_compared = was_measured && scenario.has_own_step();
    let of_ladder = climbed.as_ref();
    let section = Section {
        name: scenario.name.clone(),
        question: scenario.question.clone(),
        answer: match of_ladder.and_then(Climbed::answer) {
            Some(answer) => answer,
            None if is_compared || !was_measured => answer::of(&field),
            None => "Nothing was wanted of the times: the tables say what they were at each rate.".to_owned(),
        },
        load: offered::describe(scenario, contents).into_iter().chain(line).collect(),
        caveats: unranked.into_iter().chain(caveat).collect(),
        figures: is_compared.then(|| figures::of(&field)),
        beside: of_ladder
            .into_iter()
            .flat_map(|it| [it.objective_table(), it.times_table()])
            .flatten()
            .collect(),
        beneath: (if is_compared { beneath(&field) } else { Vec::new() })
            .into_iter()
            .chain(of_ladder.and_then(Climbed::curve_table))
            .collect(),
        plots: of_ladder
            .map_or_else(Vec::new, Climbed::plots)
            .into_iter()
            .chain(if scenario.has_own_step() { plots::of(&field, itself.as_ref()) } else { Vec::new() })
            .collect(),
        notes: rows.iter().enumerate().filter_map(of_row).collect(),
        findings: choices::sentences(&chosen)
            .into_iter()
            .map(Said::from)
            .chain(concluded)
            .chain(disturbances)
            .collect(),
    };
    (section, chosen)
}

fn beneath(field: &Field<'_>) -> Vec<crate::model::Table> {
    let streams = (0..field.scenario.streams.len()).map(|stream| times::of(field, stream));
    let streams = streams.chain(workers::of(field)).chain(scaling::of(field));
    streams.chain([costs::of(field)]).chain(pairs::of(field)).collect()
}

fn concluded(field: &Field<'_>, itself: Option<&Itself>) -> Vec<Said> {
    let Field { scenario, rows, analysis, is_ranked, .. } = *field;
    let mut concluded: Vec<Said> = findings::draw(analysis, is_ranked).into_iter().map(Said::from).collect();
    concluded.extend(itself.into_iter().flat_map(Itself::findings));
    let twins = both(rows).filter(|&(row, _)| !analysis.loads[row].is_overloaded());
    let more = more::finding(analysis, twins, scenario.rounds).filter(|_| is_ranked);
    concluded.extend(more.map(Said::from));
    concluded
}

/// Why a table gives no places.
fn without_places(scenario: &Scenario, contents: &Contents) -> Vec<String> {
    let complete = &contents.measurements.complete;
    let mut why = Vec::new();
    match server_cpus(scenario, complete) {
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
