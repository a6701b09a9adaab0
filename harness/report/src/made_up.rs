//! Runs for this crate's tests, with only what a test is about.

use race::{
    fixtures::{
        experiment::experiment,
        of_streams, row,
        run::{Wanted, rows, run, scenario},
        spread, stream,
    },
    plan::{
        experiment::{EventKind, Faults},
        scenario::Scenario,
    },
    records::{
        experiment::{EventRecord, ExperimentRecord, RestartedBy},
        folder::Contents,
        window::{Measured, WindowRecord},
    },
    registry::{Reload, Row, Tier, WorkerProcesses},
};

use crate::{experiments, model::Section, section};

/// A run of `names` under the scenario `name`, with so many rounds in each of so many starts.
pub(crate) fn raced(
    name: &str,
    names: &[&str],
    (starts, rounds): (u32, usize),
    measured: impl Fn(Wanted<'_>) -> Measured,
) -> Contents {
    run(rows(names), vec![scenario(name, rounds)], starts, measured)
}

/// A window of a second with 500 requests of the stream `simple`, whose times lie between `us` and half as much again.
pub(crate) fn around(us: u64) -> Measured {
    of_streams(1.0, vec![stream("simple", 1.0, &spread(us, 500))])
}

/// What a window is of a row that is an M/M/1 queue with the service rate `mu`, to which `rate` requests a second are offered: so many
/// quantiles of its exponential response times, in an order that is nearly that of chance. Beyond `mu` it is overloaded.
pub(crate) fn queue(mu: f64, rate: f64) -> Measured {
    const WINDOW_S: f64 = 4.0;
    let count = (rate * WINDOW_S).round();
    let left = |at: u64| 1.0 - (at as f64 * 0.618_033_988_75).fract();
    let mean_us = 1e6 / (mu - rate).max(1.0);
    let times: Vec<u64> =
        (1..=count as u64).map(|at| (-left(at).max(1e-9).ln() * mean_us).ceil().min(3e6) as u64).collect();
    let mut stream = stream("simple", WINDOW_S, &times);
    stream.offered_per_second = Some(rate);
    if rate >= mu {
        stream.answered_in_window = (mu * WINDOW_S) as u64;
    }
    of_streams(WINDOW_S, vec![stream])
}

/// A run of these rows, each a queue with its service rate, under a scenario that offers `rate` of its step.
pub(crate) fn climbed(scenario: Scenario, queues: &[(&str, f64)], rate: impl Fn(usize) -> f64) -> Contents {
    let names: Vec<&str> = queues.iter().map(|(name, _)| *name).collect();
    run(rows(&names), vec![scenario], 6, |wanted| {
        let mu = queues.iter().find(|(name, _)| *name == wanted.entry.row.name).map_or(1.0, |(_, mu)| *mu);
        queue(mu, rate(wanted.scenario.step_of(wanted.round)))
    })
}

/// From 100 to 1,000 a second in seven equal ratios: a step of `curve`.
pub(crate) fn of_curve(step: usize) -> f64 {
    100.0 * 10_f64.powf(step as f64 / 7.0)
}

/// A window in which others took 5% of the server's CPUs.
pub(crate) fn disturbed(us: u64) -> Measured {
    let mut measured = around(us);
    measured.accounts.shares.foreign_ns = measured.accounts.stretch_ns / 10;
    measured
}

/// Every window of a run that was finished.
pub(crate) fn windows(contents: &mut Contents) -> impl Iterator<Item = &mut WindowRecord> {
    contents.measurements.complete.iter_mut().flat_map(|start| &mut start.windows)
}

/// The window of `row` in one round, and not of its second server.
pub(crate) fn window<'a>(
    contents: &'a mut Contents,
    row: &str,
    start: usize,
    round: usize,
) -> &'a mut WindowRecord {
    let is_it = |window: &&mut WindowRecord| {
        (window.row.as_str(), window.twin, window.start, window.round) == (row, false, start, round)
    };
    windows(contents).find(is_it).expect("it was measured")
}

/// Adds a repetition of the window of `row` in one round.
pub(crate) fn repeat(contents: &mut Contents, row: &str, (start, round): (usize, usize), measured: Measured) {
    let first = window(contents, row, start, round).clone();
    let again = WindowRecord { attempt: 1, measured: Some(measured), ..first };
    contents.measurements.complete[start].windows.push(again);
}

/// Rows as experiments meet them: one with a primary, one of threads, and two of others, of which one has no reload.
pub(crate) fn supervised() -> Vec<Row> {
    let workers = || Some(WorkerProcesses { children_of: WorkerProcesses::SERVER.to_owned() });
    let told = || Some(vec!["--faults".to_owned()]);
    let (hup, none) = (Reload::Signal("SIGHUP".to_owned()), |why: &str| Some(Reload::None(why.to_owned())));
    let reference = |name: &str| Row { tier: Tier::Reference, workers: workers(), ..row(name) };
    vec![
        Row { workers: workers(), reload: Some(hup.clone()), fault_args: told(), ..row("fork-per-core") },
        Row {
            reload: none("one process: a restart is all there is"),
            fault_args: told(),
            ..row("work-stealing")
        },
        Row { reload: none("Node's cluster has no reload"), ..reference("node-cluster") },
        Row { reload: Some(hup), ..reference("pm2") },
    ]
}

/// A run of the experiment `name` alone, of so many events of a kind, in which `change` makes of each pass what a test is about.
pub(crate) fn experimented(
    name: &str,
    rows: Vec<Row>,
    events: usize,
    change: impl Fn(&mut ExperimentRecord),
) -> Contents {
    let mut scenario = scenario(name, 1);
    let experiment_of = scenario.experiment.as_mut().expect("it is an experiment");
    experiment_of.events = events;
    let few = |faults: &Faults| Faults { events: None, ..*faults };
    experiment_of.faults = experiment_of.faults.iter().map(few).collect();
    let asked = experiment_of.clone();
    let mut contents = run(rows, Vec::new(), 1, |_| around(800));
    contents.run.gate = None;
    contents.measurements.complete.clear();
    contents.run.plan.scenarios = vec![scenario];
    for row in &contents.run.plan.rows {
        let Ok(kinds) = asked.events_of(row) else { continue };
        let mut record = experiment(name, &row.name, &kinds);
        record.pass.tier = row.tier;
        for event in &mut record.events {
            as_known_of(row, event);
        }
        if row.workers.is_none() {
            record.pass.primary = None;
        }
        change(&mut record);
        contents.measurements.experiments.push(record);
    }
    contents
}

/// What would have been seen of a row: one of threads survives a panic and nothing else, and one that does not say who answers has no time
/// until another does.
fn as_known_of(row: &Row, event: &mut EventRecord) {
    if row.pid_path().is_none() {
        event.replaced_ns = None;
    }
    if row.workers.is_none() && event.kind == EventKind::Panic {
        (event.ended_ns, event.replaced_ns, event.restarted_by) = (None, None, None);
        event.answer = Some("500".to_owned());
        event.failed.clear();
        event.reset = 0;
        let count = event.slices.due.len();
        event.slices.answered = event.slices.due.clone();
        event.slices.errors = vec![0; count];
        event.slices.max_us = vec![2_000; count];
    } else if row.workers.is_none() {
        event.restarted_by = Some(RestartedBy::Harness);
    }
}

/// The run's scenario.
pub(crate) fn only_scenario(contents: &Contents) -> &Scenario {
    &contents.run.plan.scenarios[0]
}

/// What is said of it.
pub(crate) fn section(contents: &Contents) -> Section {
    let scenario = only_scenario(contents);
    match &scenario.experiment {
        Some(experiment) => experiments::of(scenario, experiment, contents),
        None => section::of(scenario, contents).0,
    }
}

/// What is found of it, in sentences.
pub(crate) fn findings(contents: &Contents) -> Vec<String> {
    section(contents).findings.into_iter().map(|said| said.text).collect()
}

/// The cell of `row` under `heading`, in the first table that has it.
pub(crate) fn cell(section: &Section, row: &str, heading: &str) -> String {
    let found = section.tables().find_map(|table| {
        let column = table.columns.iter().position(|column| column.heading == heading)?;
        let (_, cells) = table.lines().find(|(_, cells)| cells[0].text == row)?;
        Some(cells[column].whole_text())
    });
    found.unwrap_or_else(|| panic!("no cell of {row} under {heading} in {section:#?}"))
}
