//! What may be concluded from a table, in sentences: which rows are told apart and by how much, which are not, and how
//! small a difference could have been seen.

use race::plan::scenario::Scenario;
use stats::{
    decide::{Decision, FEWEST_STARTS, Pair},
    rank::Direction,
    ratio::Interval,
};

use crate::{conclusions::analysis::{Analysis, Family, direction}, tables::numbers::ratio, headlines::figure_of};

/// The conclusions, the largest difference first.
pub(crate) fn draw(scenario: &Scenario, analysis: &Analysis, ranked: bool) -> Vec<String> {
    let mut findings = Vec::new();
    if ranked {
        findings.extend(analysis.families.iter().flat_map(|family| differences(scenario, analysis, family)));
        findings.extend(analysis.families.iter().filter_map(|family| ties(analysis, family)));
        findings.extend(instrument_visible(analysis));
        let unplaced = analysis.unplaced();
        if !unplaced.is_empty() {
            findings.push(format!(
                "Without a place, since windows of fewer than {FEWEST_STARTS} starts count: {}; the places of others leave room \
                 for them.",
                unplaced.join(", ")
            ));
        }
    }
    findings
}

/// One sentence for each pair that is told apart, with the better row first.
fn differences(scenario: &Scenario, analysis: &Analysis, family: &Family) -> Vec<String> {
    let figure = figure_of(scenario);
    let mut told_apart: Vec<(f64, String)> = family
        .decisions
        .pairs
        .iter()
        .filter_map(|pair| {
            let Decision::Differ { larger } = pair.decision else { return None };
            let contrast = pair.contrast.as_ref()?;
            let smaller = if larger == pair.first { pair.second } else { pair.first };
            let (better, worse) = match direction(scenario) {
                Direction::HigherIsBetter => (larger, smaller),
                Direction::LowerIsBetter => (smaller, larger),
            };
            // The ratio of the better row to the worse one, whichever of them came first.
            let turned = |ratio: f64| if better == pair.first { ratio } else { 1.0 / ratio };
            let shown = ratio(turned(contrast.ratio()));
            let bracketed = |interval: &Interval| {
                let (low, high) = (turned(interval.low), turned(interval.high));
                format!(" [{}, {}]", ratio(low.min(high)), ratio(low.max(high)))
            };
            let simultaneous = family.decisions.simultaneous(pair);
            let interval = simultaneous.as_ref().map(bracketed).unwrap_or_default();
            // Holm's procedure judges a pair at another level than that at which all intervals hold at once.
            let undecided = simultaneous.filter(|interval| interval.contains(1.0));
            let judged = undecided.and_then(|_| family.decisions.judged(pair));
            let judged = judged.map(|interval| format!(" (judged in its turn:{})", bracketed(&interval)));
            let judged = judged.unwrap_or_default();
            let (better, worse) = (&analysis.labels[better], &analysis.labels[worse]);
            let sentence = format!("{better} has {shown}{interval} of the {figure} of {worse}{judged}.");
            Some((contrast.mean_log.abs(), sentence))
        })
        .collect();
    told_apart.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    told_apart.into_iter().map(|(_, sentence)| sentence).collect()
}

/// One sentence for all pairs of a tier that are not, with how large a difference would have been found.
fn ties(analysis: &Analysis, family: &Family) -> Option<String> {
    let alike: Vec<&Pair> = family
        .decisions
        .pairs
        .iter()
        .filter(|pair| matches!(pair.decision, Decision::Alike | Decision::OnlyBounded))
        .collect();
    let name = |row: usize| analysis.labels[row].as_str();
    let shown: Vec<String> = alike
        .iter()
        .map(|pair| {
            let found = family.decisions.detectable(pair);
            let found = found
                .map_or_else(String::new, |found| format!(" (a ratio of {} would have been)", ratio(found)));
            format!("{} and {}{found}", name(pair.first), name(pair.second))
        })
        .collect();
    (!shown.is_empty()).then(|| format!("Cannot be told apart: {}.", shown.join("; ")))
}

/// One sentence for the pairs that the generator's lateness keeps from being told apart.
fn instrument_visible(analysis: &Analysis) -> Option<String> {
    let name = |row: usize| analysis.labels[row].as_str();
    let pairs: Vec<String> = analysis
        .instrument_visible
        .iter()
        .map(|&(better, worse)| format!("{} and {}", name(better), name(worse)))
        .collect();
    (!pairs.is_empty()).then(|| {
        format!(
            "Instrument visible, and places shared: {}; they differ by response time, and not with the generator's lateness.",
            pairs.join("; ")
        )
    })
}
#[cfg(test)]
mod tests {
    use race::{
        fixtures::run::Wanted,
        records::{folder::Contents, window::Measured},
    };

    use crate::{
        made_up::{around, cell, raced, section, windows},
        section::Section,
    };

    const ROWS: [&str; 4] = ["work-stealing", "rayon-offload", "fork-per-core", "single-thread"];

    /// A window whose times depend on row and start: one row is four times as fast as two that are alike, and one answers 130 of
    /// 1,000.
    fn measured(wanted: Wanted<'_>) -> Measured {
        // Knuth's multiplicative hash.
        let of_row = usize::from(wanted.entry.row.name.as_bytes()[0]) + usize::from(wanted.entry.twin);
        let by_chance = (((wanted.start * 101 + wanted.round * 37 + of_row) * 2_654_435_761) >> 8) % 7;
        let us = 2_000 + 8 * by_chance as u64;
        let mut measured = match wanted.entry.row.name.as_str() {
            "rayon-offload" => around(us / 4),
            _ => around(us),
        };
        if wanted.entry.row.name == "single-thread" {
            measured.streams[0].answered_in_window = 65;
        }
        measured
    }

    fn run() -> Contents {
        raced("mixed", &ROWS, (6, 2), measured)
    }

    fn places(section: &Section) -> [String; 4] {
        ROWS.map(|row| cell(section, row, "place"))
    }

    #[test]
    fn differences_name_the_better_row_first_and_ties_and_what_chance_does_are_said() {
        let findings = section(&run()).findings;
        assert!(
            findings[0].starts_with("rayon-offload has 0.2")
                && findings[0].contains(" of the simple p99 of ")
        );
        assert!(
            findings[2].starts_with("Cannot be told apart: fork-per-core and work-stealing (a ratio of 1.0")
        );
        assert!(findings[3].starts_with("A row against itself, 6 starts: ratio "), "{findings:#?}");
        assert!(findings[3].contains("no difference is found, and a ratio of 1.0"), "{findings:#?}");
        assert!(findings[4].starts_with("fork-per-core against itself by each figure"), "{findings:#?}");
        assert!(findings[5].starts_with("What more would bring, by fork-per-core and"), "{findings:#?}");
    }

    #[test]
    fn a_pair_that_was_told_apart_in_its_turn_shows_the_interval_that_did() {
        let rows = ["work-stealing", "rayon-offload", "fork-per-core"];
        let contents = raced("mixed", &rows, (6, 2), |wanted| match wanted.entry.row.name.as_str() {
            "rayon-offload" => around(500),
            // t is some 3.2 with 5 degrees of freedom: p is between 5% and a third of that.
            "fork-per-core" => around(2_000 + 80 * [4, 1, 5, 2, 6, 0][wanted.start]),
            _ => around(2_000),
        });
        let findings = section(&contents).findings;
        let told = findings.iter().find(|finding| finding.starts_with("work-stealing has ")).unwrap();
        let interval = |text: &str| -> Vec<f64> {
            let inner = text.split('[').nth(1).unwrap().split(']').next().unwrap();
            inner.split(", ").map(|end| end.parse().unwrap()).collect()
        };
        let (all, own) = told.split_once(" (judged in its turn:").unwrap();
        assert!(interval(all)[0] < 1.0 && interval(all)[1] > 1.0 && interval(own)[1] < 1.0, "{told}");
    }

    #[test]
    fn an_overloaded_row_is_last_by_rule_and_enters_no_comparison() {
        let section = section(&run());
        assert_eq!(places(&section), ["2-3", "1", "2-3", "4"]);
        assert!(section.notes.contains(&"single-thread: overloaded: 65 of 500/s of simple".to_owned()));
        assert_eq!(["p95, us", "p99, us"].map(|of| cell(&section, "single-thread", of)), ["-", "overloaded"]);
        assert_eq!(cell(&section, "single-thread", "achieved"), "13.0%");
        assert!(section.findings.iter().all(|finding| !finding.contains("single-thread")));
        assert!(section.headlines.rows.iter().any(|row| row.figure == "overloaded"));
    }

    #[test]
    fn a_row_with_too_few_starts_leaves_room_in_the_places_of_others() {
        let mut contents = run();
        for start in &mut contents.measurements.complete[..1] {
            start.windows.retain(|window| window.row != "rayon-offload");
        }
        let section = section(&contents);
        // It may be better than both, or worse; overloaded rows are behind all the same.
        assert_eq!(places(&section), ["1-3", "-", "1-3", "3-4"]);
        let said = "Without a place, since windows of fewer than 6 starts count: rayon-offload; the places of others leave";
        assert!(section.findings.iter().any(|finding| finding.starts_with(said)), "{:#?}", section.findings);
    }

    #[test]
    fn a_place_holds_only_where_the_generators_lateness_does_not_undo_it() {
        let mut contents = run();
        for window in windows(&mut contents).filter(|window| window.row == "rayon-offload") {
            let us = 2_000 + 8 * ((5 * window.start + window.round) % 7) as u64;
            let simple = &mut window.measured.as_mut().unwrap().streams[0];
            simple.observed = around(us).streams[0].observed.clone();
        }
        let section = section(&contents);
        assert_eq!(places(&section), ["1-3", "1-3", "1-3", "4"]);
        let said = section.findings.iter().find(|finding| finding.starts_with("Instrument visible")).unwrap();
        assert!(
            said.contains("rayon-offload and work-stealing")
                && said.contains("rayon-offload and fork-per-core")
        );
    }

    #[test]
    fn a_table_without_places_claims_no_difference() {
        let section = section(&raced("mixed", &ROWS, (5, 2), measured));
        assert_eq!(section.caveats, ["Fewer than 6 starts: values and intervals, no places."]);
        assert!(!section.findings.is_empty(), "what the instrument found of itself is said all the same");
        assert!(section.findings.iter().all(|finding| !finding.contains("rayon-offload")), "{section:#?}");
        assert!(section.tables[0].columns.iter().all(|heading| heading != "place"));
    }
}
