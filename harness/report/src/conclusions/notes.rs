//! What a reader must know of a row beside its figures.

use race::{
    machine::memory::Counted,
    measure::soundness::allowed_lag_us,
    plan::scenario::Scenario,
    records::{
        folder::Contents,
        window::{Measured, Verdict},
    },
    registry::OperationName,
};
use stats::{exceedances::Support, summary::median_interval};

use crate::{
    conclusions::workers,
    counts::{
        carried::RowLoad,
        compared::{Figure, ranked},
        entered::Entered,
        kept::{Line, Which},
        times::name_of,
    },
    numbers::Unit,
};

/// From this part of the server's CPUs on, what the kernel's threads did for a row is spoken of.
const KERNEL: f64 = 0.01;

/// All of it, in one line; empty where there is nothing to know.
pub(crate) fn notes(
    scenario: &Scenario,
    row: &Entered<'_>,
    contents: &Contents,
    (load, usable_starts): (&RowLoad, usize),
    unit: Unit,
) -> String {
    let line = &row.line;
    let mut notes = Vec::new();
    let starts = line.starts.len();
    notes.extend(line.failed.map(|reason| format!("no score, since it failed: {reason}")));
    notes.extend(load.note());
    notes.extend(line.faults().map(|(start, reason)| format!("start {} void: {reason}", start + 1)));
    if !load.is_overloaded() {
        if usable_starts < starts && line.failed.is_none() {
            notes.push(format!("half of its windows count in {usable_starts} of {starts} starts"));
        }
        notes.extend(stalls(scenario, row, unit));
        notes.extend(compared_unprinted(scenario, row));
    }
    let windows = line.windows().count();
    let mut say = |number: usize, what: &str| {
        if number > 0 {
            notes.push(format!("{what} {number} of {windows} windows"));
        }
    };
    say(lower_bounds(line), "lower bound (generator busy) in");
    say(instrument_visible(scenario, row), "instrument visible in");
    notes.extend(ports(line));
    notes.extend(timed_when_read(line));
    notes.extend(invalid(line));
    notes.extend(unclean(line));
    notes.extend(by_the_kernel(line));
    let streams: Vec<&str> = scenario.streams.iter().map(|stream| stream.name.as_str()).collect();
    notes.extend(workers::note(line, &streams));
    if line.measured().any(|measured| measured.accounts.row.memory.counted == Counted::Repeatedly) {
        notes.push("RSS counts pages that processes share once for each".to_owned());
    }
    let asks_complex = scenario.streams.iter().any(|stream| stream.operation == OperationName::Complex);
    if let Some((_, ratio)) =
        contents.run.calibration.operation_differs().iter().find(|(name, _)| *name == line.row.name)
        && asks_complex
    {
        notes.push(format!("operation differs: complex costs {ratio:.2} of the median row's CPU time"));
    }
    notes.join("; ")
}

/// In how many windows the generator was the bottleneck, so that a throughput is a lower bound.
fn lower_bounds(line: &Line<'_>) -> usize {
    let is_bound = |verdict: &Verdict| matches!(verdict, Verdict::Valid { generator_bound: true });
    line.windows().filter(|window| is_bound(&window.record.verdict)).count()
}

/// Whether a throughput is that, for the table: in most windows.
pub(crate) fn is_lower_bound(line: &Line<'_>) -> bool {
    2 * lower_bounds(line) > line.windows().count()
}

/// Whether the percentile by which rows are compared is due to some windows and not to all.
pub(crate) fn stalls_now_and_then(scenario: &Scenario, row: &Entered<'_>) -> bool {
    let Figure::Percentile(q) = ranked(scenario) else { return false };
    row.ranked_times().tail(q).is_some_and(|tail| tail.stalls_now_and_then())
}

/// How that is said.
fn stalls(scenario: &Scenario, row: &Entered<'_>, unit: Unit) -> Option<String> {
    let Figure::Percentile(q) = ranked(scenario) else { return None };
    let tail = row.ranked_times().tail(q).filter(|_| stalls_now_and_then(scenario, row))?;
    Some(format!(
        "stalls now and then: its median window has a {} of {} {}",
        name_of(q),
        unit.show(tail.median_of_windows_ns? / 1000.0),
        unit.name()
    ))
}

/// Where rows are compared by a percentile that is not printed: the spread over starts is in the comparison, however few moments are
/// behind it.
fn compared_unprinted(scenario: &Scenario, row: &Entered<'_>) -> Option<String> {
    let Figure::Percentile(q) = ranked(scenario) else { return None };
    let is_unprinted = matches!(row.ranked_times().support(q), Support::Needs { .. });
    is_unprinted
        .then(|| format!("compared by a {} that is not printed, since too little is behind it", name_of(q)))
}

/// In how many windows the generator's own lateness is a part of the tail that is printed: a tenth, and more than 100 us.
pub(crate) fn instrument_visible(scenario: &Scenario, row: &Entered<'_>) -> usize {
    let is_visible = |start: usize, round: usize, measured: &Measured| {
        scenario.streams.iter().zip(&row.streams).any(|(stream, times)| {
            let lag = measured.stream(&stream.name).and_then(|record| record.lag.as_ref());
            let p99 = times.tail(0.99).and_then(|tail| tail.starts[start].windows[round]);
            let us = |ns: u64| ns as f64 / 1000.0;
            lag.zip(p99).is_some_and(|(lag, p99)| us(lag.p99.ns()) > allowed_lag_us(us(p99.ns())))
        })
    };
    let starts = row.line.starts.iter().enumerate();
    let windows = starts.flat_map(|(at, start)| {
        start.windows(Which::Gated).iter().enumerate().map(move |(round, window)| (at, round, window))
    });
    let visible = windows.filter(|(start, round, window)| {
        window.is_some_and(|window| is_visible(*start, *round, window.measured))
    });
    visible.count()
}

/// In how many windows over half of the local ports were taken when it began: then each attempt to connect looks for a free one for long.
fn ports(line: &Line<'_>) -> Option<String> {
    let is_short = |measured: &&Measured| measured.ports.is_some_and(|ports| 2 * ports.taken > ports.range);
    let short = line.measured().filter(is_short).count();
    (short > 0).then(|| {
        format!("over half of the local ports were taken in {short} of {} windows", line.measured().count())
    })
}

fn timed_when_read(line: &Line<'_>) -> Option<String> {
    let streams = || line.measured().flat_map(|measured| &measured.streams);
    let [by_stamp, by_read] =
        [0, 1].map(|at| streams().map(|it| it.timed_by_stamp_and_by_read[at]).sum::<u64>());
    let part = 100.0 * by_read as f64 / (by_stamp + by_read).max(1) as f64;
    (by_read > 0).then(|| format!("{part:.1}% of answers timed when they were read"))
}

fn invalid(line: &Line<'_>) -> Option<String> {
    let all = || line.starts.iter().flat_map(|start| &start.measured);
    let reasons = all().filter_map(|window| match &window.verdict {
        Verdict::Invalid { reasons } => reasons.first(),
        _ => None,
    });
    let first = reasons.clone().next()?;
    Some(format!("{} of {} windows invalid: {first}", reasons.count(), all().count()))
}

/// In whichever starts: how a program ends says nothing of the instrument.
fn unclean(line: &Line<'_>) -> Option<String> {
    let servers = || line.starts.iter().filter_map(|start| start.server);
    let reasons = servers().filter_map(|server| server.unclean_end.as_ref());
    let first = reasons.clone().next()?;
    Some(format!("did not end cleanly in {} of {} starts: {first}", reasons.count(), servers().count()))
}

fn by_the_kernel(line: &Line<'_>) -> Option<String> {
    let shares: Vec<f64> = line.measured().map(|measured| measured.accounts.kernel_share()).collect();
    let share = median_interval(&shares)?.median;
    (share > KERNEL)
        .then(|| format!("the kernel's threads did {:.0}% of the CPUs' time for it", 100.0 * share))
}

#[cfg(test)]
mod tests {
    use race::fixtures::{of_streams, spread, stream};

    use super::*;
    use crate::made_up::{around, cell, raced, section, windows};

    const ROWS: [&str; 2] = ["work-stealing", "rayon-offload"];

    /// What is said of work-stealing where `change` was done to all its windows.
    fn said(change: impl Fn(&mut Measured)) -> String {
        let contents = raced("mixed", &ROWS, (6, 2), |wanted| {
            let mut measured = around(800);
            if wanted.entry.row.name == "work-stealing" && !wanted.entry.twin {
                change(&mut measured);
            }
            measured
        });
        section(&contents).notes.join("\n")
    }

    #[test]
    fn of_a_row_with_nothing_to_know_nothing_is_said() {
        assert_eq!(said(|_| {}), "");
    }

    #[test]
    fn a_stall_of_30_ms_in_some_windows_is_seen_and_said() {
        let stalled = |at: usize| {
            let mut times = spread(800, 500);
            (0..15).for_each(|more| times[at + more] = 30_000 + 100 * more as u64);
            of_streams(1.0, vec![stream("simple", 1.0, &times)])
        };
        let contents = raced("mixed", &ROWS, (12, 2), |wanted| {
            match wanted.entry.row.name == "work-stealing" && wanted.round == 0 {
                true => stalled(30 * wanted.start),
                false => around(800),
            }
        });
        let section = section(&contents);
        let stalls = "stalls now and then: its median window has a p99 of 16.0 ms";
        assert!(section.notes[0].starts_with("work-stealing: "), "{:?}", section.notes);
        assert_eq!(cell(&section, "work-stealing", "p99, ms"), "30.4 [30.4, 30.4]");
        assert_eq!(cell(&section, "rayon-offload", "p99, ms"), "1.20 [1.20, 1.20]");
        assert!(section.notes[0].contains(stalls), "{:?}", section.notes);
        assert!(section.notes.iter().all(|note| !note.starts_with("rayon-offload")), "{:?}", section.notes);
        assert_eq!(cell(&section, "rayon-offload", "place"), "1");
    }

    #[test]
    fn where_the_instrument_shows_in_a_figure_it_is_said() {
        let late = |measured: &mut Measured| measured.streams[0].lag = race::fixtures::digest_of(200);
        assert_eq!(said(late), "work-stealing: instrument visible in 12 of 12 windows");
        let read = |measured: &mut Measured| measured.streams[0].timed_by_stamp_and_by_read = [375, 125];
        assert_eq!(said(read), "work-stealing: 25.0% of answers timed when they were read");
    }

    #[test]
    fn windows_that_began_with_few_ports_left_are_told_of() {
        let short = |measured: &mut Measured| {
            measured.ports = Some(race::records::window::PortsRecord { range: 1_000, taken: 501 });
        };
        assert_eq!(said(short), "work-stealing: over half of the local ports were taken in 12 of 12 windows");
    }

    #[test]
    fn a_generator_that_was_the_bottleneck_makes_a_figure_a_lower_bound() {
        let mut contents = raced("mixed", &ROWS, (6, 2), |_| around(800));
        let first = windows(&mut contents).next().unwrap();
        first.verdict = Verdict::Valid { generator_bound: true };
        let label = first.label();
        let note = format!("{label}: lower bound (generator busy) in 1 of 12 windows");
        assert_eq!(section(&contents).notes, [note]);
    }

    #[test]
    fn a_program_that_did_not_end_cleanly_is_told_of_in_whichever_starts() {
        let mut contents = raced("mixed", &ROWS, (6, 2), |_| around(800));
        let servers = &mut contents.measurements.complete[3].servers;
        let server = servers.iter_mut().find(|server| server.row == "rayon-offload").unwrap();
        server.unclean_end = Some("exit 1".to_owned());
        let note = "rayon-offload: did not end cleanly in 1 of 6 starts: exit 1";
        assert_eq!(section(&contents).notes, [note]);
    }

    #[test]
    fn what_a_row_took_otherwise_than_it_seems_is_said() {
        let uneven =
            |measured: &mut Measured| measured.streams[0].answers_by_worker = [("t0".to_owned(), 500)].into();
        assert_eq!(
            said(uneven),
            "work-stealing: busiest worker has 2.0 times its share of simple in the median window"
        );
        let kernel = |measured: &mut Measured| measured.accounts.shares.kernel_ns = 63_600_000;
        assert_eq!(said(kernel), "work-stealing: the kernel's threads did 3% of the CPUs' time for it");
        let repeatedly = |measured: &mut Measured| measured.accounts.row.memory.counted = Counted::Repeatedly;
        assert_eq!(said(repeatedly), "work-stealing: RSS counts pages that processes share once for each");
    }
}
