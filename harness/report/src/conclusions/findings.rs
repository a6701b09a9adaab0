//! What may be concluded from a table, in sentences: which rows cannot be told apart, and which have no place.

use stats::decide::{Decision, FEWEST_STARTS, Pair};

use crate::conclusions::analysis::{Analysis, Family};

/// The conclusions; none where there are no places.
pub(crate) fn draw(analysis: &Analysis, ranked: bool) -> Vec<String> {
    let mut findings = Vec::new();
    if ranked {
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

/// Pairs that are named one by one; what is beyond is in the table of pairs.
const NAMED: usize = 6;

/// One sentence for all pairs of a tier that cannot be told apart.
fn ties(analysis: &Analysis, family: &Family) -> Option<String> {
    let is_tie = |pair: &&Pair| matches!(pair.decision, Decision::Alike | Decision::OnlyBounded);
    let alike: Vec<&Pair> = family.decisions.pairs.iter().filter(is_tie).collect();
    let judged = family.decisions.family;
    let name = |row: usize| analysis.labels[row].as_str();
    let named = alike.iter().map(|pair| format!("{} and {}", name(pair.first), name(pair.second)));
    match alike.len() {
        0 => None,
        count if count > NAMED => Some(format!("Cannot be told apart: {count} of {judged} pairs.")),
        count => Some(format!(
            "Cannot be told apart: {count} of {judged} pairs, {}.",
            named.collect::<Vec<_>>().join("; ")
        )),
    }
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
        made_up::{around, cell, findings, raced, section, windows},
        model::{Cell, Section},
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
    fn objectives_ties_and_what_chance_does_are_said_in_this_order() {
        let findings = findings(&run());
        let begins = [
            "By CPU a request no row can be told to be the best",
            "Best by p99 of cheap ones: rayon-offload.",
            "By memory no row can be told to be the best",
            "Cannot be told apart: 1 of 3 pairs, fork-per-core and work-stealing.",
            "A row against itself, 6 starts: ratio ",
            "fork-per-core against itself by each figure",
            "What more would bring, by fork-per-core and",
        ];
        for (finding, begin) in findings.iter().zip(begins) {
            assert!(finding.starts_with(begin), "{finding}: {begin}");
        }
        assert!(findings[4].contains("no difference is found, and a ratio of 1.0"), "{findings:#?}");
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
        let section = section(&contents);
        let pairs = section.beneath.iter().find(|table| table.id == "pairs").unwrap();
        let is_it = |row: &&[Cell]| row[0].text == "work-stealing" && row[1].text == "fork-per-core";
        let told = pairs.lines().map(|(_, row)| row).find(is_it).unwrap();
        let interval = |text: &str| -> Vec<f64> {
            let inner = text.split('[').nth(1).unwrap().split(']').next().unwrap();
            inner.split(", ").map(|end| end.parse().unwrap()).collect()
        };
        let (all, own) = (interval(&told[2].whole_text()), interval(&told[3].text));
        assert!(all[0] < 1.0 && all[1] > 1.0 && own[1] < 1.0, "{told:?}");
        assert_eq!(told[4].text, "yes");
    }

    #[test]
    fn an_overloaded_row_is_last_by_rule_and_enters_no_comparison() {
        let section = section(&run());
        assert_eq!(places(&section), ["2-3", "1", "2-3", "4"]);
        assert!(section.notes.contains(&"single-thread: overloaded: 65 of 500/s of simple".to_owned()));
        let cells = ["p95, us", "simple p99, us"].map(|of| cell(&section, "single-thread", of));
        assert_eq!(cells, ["-", "overloaded"]);
        assert_eq!(cell(&section, "single-thread", "answered"), "13.0%");
        assert_eq!(cell(&section, "single-thread", "notes"), "o");
        assert!(section.findings.iter().all(|finding| !finding.text.contains("single-thread")));
        assert!(section.answer.ends_with("; single-thread is overloaded."), "{}", section.answer);
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
        assert!(
            section.findings.iter().any(|finding| finding.text.starts_with(said)),
            "{:#?}",
            section.findings
        );
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
        let mut said = section.findings.iter().map(|finding| &finding.text);
        let said = said.find(|finding| finding.starts_with("Instrument visible")).unwrap();
        assert!(
            said.contains("rayon-offload and work-stealing")
                && said.contains("rayon-offload and fork-per-core")
        );
        assert_eq!(cell(&section, "rayon-offload", "notes"), "i");
    }

    #[test]
    fn a_table_without_places_claims_no_difference() {
        let section = section(&raced("mixed", &ROWS, (5, 2), measured));
        assert_eq!(section.caveats, ["Fewer than 6 starts: values and intervals, no places."]);
        assert!(!section.findings.is_empty(), "what the instrument found of itself is said all the same");
        assert!(
            section.findings.iter().all(|finding| !finding.text.contains("rayon-offload")),
            "{section:#?}"
        );
        assert!(section.tables().all(|table| table.column("place").is_none() && table.id != "pairs"));
    }
}
