//! What a reader must know of a row beside its figures.

use race::{
    plan::scenario::Scenario,
    records::{
        folder::Contents,
        record::{Measured, StreamRecord, Verdict},
    },
    registry::OperationName,
    trial::soundness::allowed_lag_us,
};
use stats::{Digest, overload::Load};
use terminal::numbers::thousands;

use super::{analysis::RowLoad, line::Line};

/// All of it, in one cell.
pub(super) fn notes(scenario: &Scenario, line: &Line<'_>, contents: &Contents, load: &RowLoad) -> String {
    let mut notes = Vec::new();
    notes.extend(overloaded(load));
    let count =
        |wanted: fn(&Verdict) -> bool| line.trials.iter().filter(|trial| wanted(&trial.verdict)).count();
    let valid = line.valid.len();
    let mut say = |number: usize, what: &str| {
        if number > 0 {
            notes.push(format!("{what} {number} of {valid}"));
        }
    };
    say(
        count(|v| matches!(v, Verdict::Valid { generator_bound: true, .. })),
        "lower bound (generator busy) in",
    );
    let late =
        line.valid.iter().filter(|measured| measured.streams.iter().any(is_instrument_visible)).count();
    if late > 0 {
        notes.push(format!("instrument visible in {late} of {valid}"));
    }
    let streams = || line.valid.iter().flat_map(|measured| &measured.streams);
    let [by_stamp, by_read] =
        [0, 1].map(|at| streams().map(|it| it.timed_by_stamp_and_by_read[at]).sum::<u64>());
    if by_read > 0 {
        let part = 100.0 * by_read as f64 / (by_stamp + by_read) as f64;
        notes.push(format!("{part:.1}% of answers timed when they were read"));
    }
    let invalid = count(|verdict| matches!(verdict, Verdict::Invalid { .. }));
    if invalid > 0 {
        notes.push(format!("{invalid} invalid, repeated"));
    }
    if let Some(reason) = line.trials.iter().find_map(|trial| match &trial.verdict {
        Verdict::Failed { reason } => Some(reason),
        _ => None,
    }) {
        notes.push(format!("failed: {reason}"));
    }
    // In whichever trials: how a program ends says nothing of the instrument.
    let ended: Vec<&Measured> = line.trials.iter().filter_map(|trial| trial.measured.as_ref()).collect();
    let unclean: Vec<&String> = ended.iter().filter_map(|measured| measured.unclean_end.as_ref()).collect();
    if let Some(reason) = unclean.first() {
        notes.push(format!("did not end cleanly in {} of {}: {reason}", unclean.len(), ended.len()));
    }
    let stolen =
        line.valid.iter().filter_map(|measured| Some(measured.machine.as_ref()?.stolen)).fold(0.0, f64::max);
    if stolen > 0.01 {
        notes.push(format!("up to {:.0}% of the CPUs stolen by the hypervisor", 100.0 * stolen));
    }
    let asks_complex = scenario.streams.iter().any(|stream| stream.operation == OperationName::Complex);
    if let Some((_, ratio)) =
        contents.run.calibration.operation_differs().iter().find(|(row, _)| *row == line.row.name)
        && asks_complex
    {
        notes.push(format!("operation differs: complex costs {ratio:.2} of the median row's CPU time"));
    }
    notes.join("; ")
}

/// Whether the generator's own lateness is a part of the tail that is printed: a tenth, and more than 100 us.
fn is_instrument_visible(stream: &StreamRecord) -> bool {
    let us = |digest: &Option<Digest>| digest.as_ref().map(|digest| digest.p99.ns() as f64 / 1000.0);
    let (lag, response) = (us(&stream.lag), us(&stream.response));
    lag.zip(response).is_some_and(|(lag, response)| lag > allowed_lag_us(response))
}

/// What an overloaded row carries instead of having response times.
fn overloaded(load: &RowLoad) -> Option<String> {
    let short = load.short.as_ref()?;
    let of = format!(
        "{} of {}/s of {}",
        thousands(short.answered_per_second),
        thousands(short.due_per_second),
        short.stream
    );
    match load.load {
        Load::Carried => None,
        Load::AtTheEdge { overloaded, starts } => {
            Some(format!("overloaded in {overloaded} of {starts} starts: {of}"))
        }
        Load::Overloaded => Some(format!("overloaded: {of}")),
    }
}
