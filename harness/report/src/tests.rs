use race::{
    fixtures::{
        closed_loop, of_streams,
        run::{Wanted, default_rows, rows, run, scenario, write},
        spread, stream,
    },
    machine::shares::Taker,
    plan::scenario::{Pacing, Scenario},
    programs::prerequisites::Skipped,
    records::{
        conformance::{Conformance, RowConformance, Score, Status},
        folder::{Contents, Failure, RunRecord},
        log::Measurements,
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
pub(crate) fn contents() -> Contents {
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
    contents.run.conformance = Some(conformance());
    contents.run.failures =
        vec![Failure { what: "fork-per-core".to_owned(), reason: "no program".to_owned(), start: None }];
    contents
}

/// As the rows might have been verified, with what a native one would add.
fn conformance() -> Conformance {
    let row = |name: &str, tier, status, passed| RowConformance {
        row: name.to_owned(),
        tier,
        status,
        must: Score { passed, all: 210 },
        should: Score { passed: 20, all: 20 },
        may: Score { passed: 1, all: 2 },
        skipped: 0,
        deviations: Vec::new(),
    };
    let deviations = vec![Deviation {
        why: "no chunked bodies".to_owned(),
        cases: vec!["a chunk a byte".to_owned(), "trailers".to_owned()],
        by_chance: false,
    }];
    Conformance::Verified {
        rows: vec![
            row("work-stealing", Tier::Controlled, Status::Holds, 210),
            row("fork-per-core", Tier::Controlled, Status::Broken, 209),
            RowConformance { deviations, ..row("actix", Tier::Native, Status::Holds, 208) },
            row("ceiling", Tier::Calibration, Status::NotVerified, 0),
        ],
    }
}

#[test]
fn a_report_says_what_its_records_say() {
    insta::assert_snapshot!(markdown(&contents()));
}

#[test]
fn a_run_that_was_written_down_reports_the_same() {
    let parent = tempfile::tempdir().unwrap();
    let contents = contents();
    let folder = write(&contents, &parent.path().join("run")).unwrap();
    assert_eq!(crate::write(&folder).unwrap(), of(&contents));
    assert_eq!(folder.report().unwrap(), markdown(&contents));
}

#[test]
fn a_run_that_was_not_verified_says_so_where_its_tables_are_read() {
    let mut contents = contents();
    contents.run.conformance = Some(Conformance::Unverified);
    let text = markdown(&contents);
    let said = text.find("**The rows were not verified").expect("it says so");
    assert!(said < text.find("\n## mixed").unwrap(), "{text}");
    assert!(!text.contains("## Conformance"), "{text}");
}

#[test]
fn a_run_that_was_ended_early_and_gone_on_with_says_so() {
    let mut contents = contents();
    contents.run.resumed = vec!["2026-11-21T07:00:00+00:00".to_owned()];
    contents.measurements.incomplete.push(contents.measurements.complete[5].clone());
    let text = markdown(&contents);
    assert!(text.contains("gone on with: 2026-11-21T07:00:00+00:00."), "{text}");
    assert!(text.contains("One start was begun and not finished: nothing of it counts."), "{text}");
}

#[test]
fn without_records_a_report_claims_nothing() {
    let mut contents = contents();
    contents.measurements = Measurements::default();
    contents.run.gate = None;
    let text = markdown(&contents);
    assert!(text.contains("**0 of 6 starts were finished.**"), "{text}");
    assert_eq!(text.matches("**No start was finished.**").count(), 3, "{text}");
    assert!(!text.contains("place |") && !text.contains("Findings"), "{text}");
    assert_eq!(text.matches("Nothing can be said: no controlled row was measured.").count(), 6, "{text}");
}

#[test]
fn a_row_that_was_skipped_is_in_the_table_and_said_to_be() {
    let mut contents = contents();
    contents.run.skipped = vec![Skipped {
        row: "node-cluster".to_owned(),
        missing: "node".to_owned(),
        install: "apt-get install nodejs".to_owned(),
        named: false,
    }];
    let text = markdown(&contents);
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("| node-cluster")).collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines.iter().all(|line| line.contains("skipped") && line.ends_with("| k     |")), "{lines:?}");
    assert!(text.contains("k: skipped: what it needs is not installed here"), "{text}");
    assert!(text.contains("node-cluster: no node; install it with"), "{text}");
}

#[test]
fn deviations_have_a_page_of_their_own() {
    insta::assert_snapshot!(render::markdown::deviations(&of(&contents())).unwrap());
    let nobody_asked = Contents { run: RunRecord { conformance: None, ..contents().run }, ..contents() };
    assert_eq!(render::markdown::deviations(&of(&nobody_asked)), None);
}

#[test]
fn every_line_of_a_table_fits_a_page() {
    let scenarios =
        [("simple-throughput", 1), ("simple-latency", 1), ("mixed", 1)].map(|(name, n)| scenario(name, n));
    let text = markdown(&run(default_rows(), scenarios.into(), 6, measured));
    let tables = || text.lines().filter(|line| line.starts_with('|'));
    assert!(tables().count() > 60, "{text}");
    let wide: Vec<&str> = tables().filter(|line| line.chars().count() > 110).collect();
    assert!(wide.is_empty(), "{}", wide.join("\n"));
}

#[test]
fn the_summary_of_the_default_field_fits_a_page() {
    let scenarios =
        [("simple-throughput", 1), ("simple-latency", 1), ("mixed", 1)].map(|(name, n)| scenario(name, n));
    let contents = run(default_rows(), scenarios.into(), 6, measured);
    let summary = render::summary::of(&of(&contents));
    assert!(summary.lines().all(|line| line.chars().count() <= 110), "{summary}");
    assert!(summary.lines().count() <= 25, "{summary}");
    assert_eq!(summary.matches("\n- **").count(), 3, "{summary}");
    insta::assert_snapshot!(summary);
}

#[test]
fn where_a_page_has_no_room_for_all_answers_those_that_compare_nothing_go_first() {
    let mut scenarios = vec![scenario("mixed", 1)];
    scenarios.extend((1..9).map(|number| Scenario {
        name: format!("throughput-{number}"),
        min_server_cpus: 64,
        ..scenario("simple-throughput", 1)
    }));
    let contents = run(rows(&["work-stealing", "rayon-offload"]), scenarios, 6, measured);
    let summary = render::summary::of(&of(&contents));
    assert!(summary.lines().count() <= 25 && summary.contains("\n- **mixed**"), "{summary}");
    assert!(summary.contains("more scenarios are in the report"), "{summary}");
}
