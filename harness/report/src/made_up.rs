//! Runs for this crate's tests, with only what a test is about.

use race::{
    fixtures::{
        of_streams,
        run::{Wanted, rows, run, scenario},
        spread, stream,
    },
    plan::scenario::Scenario,
    records::{
        folder::Contents,
        window::{Measured, WindowRecord},
    },
};

use crate::{model::Section, section};

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

/// The run's scenario.
pub(crate) fn only_scenario(contents: &Contents) -> &Scenario {
    &contents.run.plan.scenarios[0]
}

/// What is said of it.
pub(crate) fn section(contents: &Contents) -> Section {
    section::of(only_scenario(contents), contents).0
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
