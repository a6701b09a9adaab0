use race::{
    fixtures::{
        closed_loop, of_streams,
        run::{Wanted, environment, rows, run, scenario, write},
        spread, stream,
    },
    machine::shares::Taker,
    plan::scenario::Pacing,
    records::{
        conformance::{Conformance, RowConformance, Score, Status},
        folder::Failure,
        window::Measured,
    },
    registry::{Deviation, Tier},
};

use super::*;

/// Times of the first stream, microseconds: one row is four times as slow as the other, and no two starts are quite alike.
fn simple_us(wanted: &Wanted<'_>) -> u64 {
    let slow = if wanted.entry.row.name == "rayon-offload" { 1 } else { 4 };
    let by_chance = (wanted.start * 5 + wanted.round * 3 + usize::from(wanted.entry.twin) * 2) % 11;
    slow * (300 + by_chance as u64)
}

/// A window of any scenario as it might be.
fn measured(wanted: Wanted<'_>) -> Measured {
    let window_s = wanted.scenario.window.as_secs_f64();
    let us = simple_us(&wanted);
    let streams = wanted.scenario.streams.iter().map(|of| match (of.name.as_str(), of.pacing) {
        ("simple", Pacing::Closed) => {
            let mut closed = stream("simple", window_s, &spread(us, 4_000_000 / us));
            (closed.offered_per_second, closed.lag, closed.queue_wait) = (None, None, None);
            closed
        }
        ("simple", _) => stream("simple", window_s, &spread(us, 1000)),
        (name, _) => stream(name, window_s, &spread(20_000, 120)),
    });
    let mut measured = of_streams(window_s, streams.collect());
    if !wanted.scenario.is_open_loop() {
        measured.closed_loop = Some(closed_loop(64, 40.0, 23.9));
    }
    let shares = &mut measured.accounts.shares;
    shares.foreign_ns = measured.accounts.stretch_ns / 500;
    shares.takers = vec![Taker { name: "kdamond.0".to_owned(), pid: 30, ns: shares.foreign_ns / 2 }];
    measured
}

/// Three rows, one of them overloaded in `mixed`, and the null server.
fn contents() -> Contents {
    let scenarios =
        [("simple-throughput", 2), ("simple-latency", 2), ("mixed", 2)].map(|(name, n)| scenario(name, n));
    let rows = rows(&["work-stealing", "rayon-offload", "single-thread", "ceiling"]);
    let mut contents = run(rows, scenarios.into(), 6, |wanted| {
        let mut measured = measured(wanted);
        if (wanted.scenario.name.as_str(), wanted.entry.row.name.as_str()) == ("mixed", "single-thread") {
            measured.streams[0].answered_in_window = 130;
        }
        measured
    });
    contents.run.failures =
        vec![Failure { what: "fork-per-core".to_owned(), reason: "no program".to_owned(), start: None }];
    contents
}

#[test]
fn a_report_says_what_its_records_say() {
    insta::assert_snapshot!(markdown(&contents()));
}
