//! What may be concluded from a table, in sentences: which rows are told apart and by how much, which are not, and how
//! small a difference could have been seen.

use stats::{
    decide::{Decision, Pair},
    itself::Verdict,
    rank::Direction,
};

use super::analysis::{Analysis, Family, direction};
use race::plan::scenario::{Metric, Scenario};

/// The conclusions, the largest difference first.
pub(super) fn draw(scenario: &Scenario, analysis: &Analysis, ranked: bool) -> Vec<String> {
    let mut findings = Vec::new();
    if ranked {
        findings.extend(analysis.families.iter().flat_map(|family| differences(scenario, analysis, family)));
        findings.extend(analysis.families.iter().filter_map(|family| ties(analysis, family)));
        findings.extend(instrument_visible(analysis));
        let unplaced = analysis.unplaced();
        if !unplaced.is_empty() {
            findings.push(format!(
                "Without a place for want of valid trials: {}; the places of others leave room for them.",
                unplaced.join(", ")
            ));
        }
    }
    findings.extend(self_comparison(analysis));
    findings
}

fn figure(scenario: &Scenario) -> String {
    let of = if scenario.streams.len() > 1 { format!("{} ", scenario.rank.stream) } else { String::new() };
    match scenario.rank.by {
        Metric::Throughput => format!("{of}requests/s"),
        Metric::P99 => format!("{of}p99"),
    }
}

/// One sentence for each pair that is told apart, with the better row first.
fn differences(scenario: &Scenario, analysis: &Analysis, family: &Family) -> Vec<String> {
    let figure = figure(scenario);
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
            let ratio = turned(contrast.ratio());
            let interval = family.decisions.simultaneous(pair).map(|interval| {
                let (low, high) = (turned(interval.low), turned(interval.high));
                format!(" [{:.2}, {:.2}]", low.min(high), low.max(high))
            });
            let (better, worse) = (&analysis.labels[better], &analysis.labels[worse]);
            let interval = interval.unwrap_or_default();
            Some((ratio.ln().abs(), format!("{better} has {ratio:.2}{interval} of the {figure} of {worse}.")))
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
            let found =
                found.map_or_else(String::new, |ratio| format!(" (a ratio of {ratio:.2} would have been)"));
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

/// What chance does to a row and itself: printed, and applied to nothing.
fn self_comparison(analysis: &Analysis) -> Option<String> {
    let itself = analysis.itself.as_ref()?;
    let starts = itself.contrast.starts;
    let detectable = itself.detectable.map_or_else(String::new, |ratio| {
        format!(", and a ratio of {ratio:.2} would have been found nine times in ten")
    });
    let outcome = match itself.verdict {
        Verdict::NothingFound => format!("no difference is found{detectable}"),
        Verdict::Found => {
            "**a difference is found where there is none**, as chance does once in twenty".to_owned()
        }
        Verdict::NoPower => "too few starts to find anything".to_owned(),
    };
    Some(format!(
        "A row against itself, {starts} starts: ratio {:.3}, which chance takes beyond {:.3} once in twenty; {outcome}.",
        itself.contrast.ratio(),
        itself.once_in_twenty
    ))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use race::{
        fixtures::{always, sound},
        plan::scenario::Scenarios,
        records::record::Measured,
        registry::{Asked, Tier},
    };

    use super::*;
    use crate::analysis::Entered;

    fn mixed() -> Scenario {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
        Scenarios::read(&folder).unwrap().select(Asked::Named(&["mixed".to_owned()])).unwrap().remove(0)
    }

    /// A row whose trials have these p99 of simple, milliseconds, and which answers so much of what is due.
    fn measured(p99_ms: [f64; 6], carried: f64) -> Vec<Measured> {
        let trial = |ms: f64| {
            let mut measured = sound();
            let simple = &mut measured.streams[0];
            simple.response = always((1000.0 * ms) as u64);
            simple.observed = simple.response.clone();
            simple.achieved_per_second = carried * simple.due as f64 / measured.window_s;
            measured
        };
        p99_ms.map(trial).to_vec()
    }

    fn analysed(rows: &[(&str, Vec<Measured>)]) -> Analysis {
        let entered = |(label, trials): &(&str, Vec<Measured>)| -> (String, bool, Vec<Measured>) {
            ((*label).to_owned(), label.ends_with("(again)"), trials.clone())
        };
        let kept: Vec<_> = rows.iter().map(entered).collect();
        let entered: Vec<Entered<'_>> = kept
            .iter()
            .map(|(label, twin, trials)| Entered {
                label: label.clone(),
                tier: Tier::Controlled,
                twin: *twin,
                starts: (0..6).map(|start| trials.get(start)).collect(),
            })
            .collect();
        Analysis::new(&mixed(), &entered)
    }

    fn rows() -> Vec<(&'static str, Vec<Measured>)> {
        vec![
            ("stealing", measured([12.0, 12.2, 11.9, 12.1, 12.0, 11.8], 1.0)),
            ("offload", measured([3.0, 3.02, 3.01, 2.98, 3.0, 2.99], 1.0)),
            ("pinned", measured([12.1, 12.0, 12.0, 12.2, 11.9, 11.9], 1.0)),
            ("single", measured([900.0; 6], 0.13)),
            ("stealing (again)", measured([12.1, 12.1, 12.0, 12.0, 11.9, 12.0], 1.0)),
        ]
    }

    #[test]
    fn differences_name_the_better_row_first_and_ties_and_what_chance_does_are_said() {
        let findings = draw(&mixed(), &analysed(&rows()), true);
        assert_eq!(findings.len(), 4, "{findings:#?}");
        assert!(findings[0].starts_with("offload has 0.25 [0.2"), "{findings:#?}");
        assert!(findings[0].contains("of the simple p99 of"), "{findings:#?}");
        assert!(
            findings[2].starts_with("Cannot be told apart: stealing and pinned (a ratio of"),
            "{findings:#?}"
        );
        assert!(findings[3].starts_with("A row against itself, 6 starts: ratio "), "{findings:#?}");
        assert!(findings[3].contains("no difference is found"), "{findings:#?}");
    }

    #[test]
    fn an_overloaded_row_is_last_by_rule_and_enters_no_comparison() {
        let analysis = analysed(&rows());
        let places: Vec<String> = analysis.places.iter().flatten().map(ToString::to_string).collect();
        assert_eq!(places, ["2-3", "1", "2-3", "4"]);
        let short = analysis.loads[3].short.as_ref().unwrap();
        assert_eq!((short.answered_per_second.round(), short.due_per_second.round()), (130.0, 1000.0));
        assert!(draw(&mixed(), &analysis, true).iter().all(|finding| !finding.contains("single")));
    }

    #[test]
    fn a_row_with_too_few_trials_leaves_room_in_the_places_of_others() {
        let mut rows = rows();
        rows[1].1.truncate(5);
        let analysis = analysed(&rows);
        let places: Vec<String> = analysis.places.iter().flatten().map(ToString::to_string).collect();
        // It may be better than both, or worse; overloaded rows are behind all the same.
        assert_eq!(places, ["1-3", "-", "1-3", "3-4"]);
        let findings = draw(&mixed(), &analysis, true);
        assert!(
            findings
                .iter()
                .any(|finding| finding.starts_with("Without a place") && finding.contains("offload"))
        );
    }

    #[test]
    fn a_place_holds_only_where_the_generators_lateness_does_not_undo_it() {
        let mut rows = rows();
        rows[1].1.iter_mut().for_each(|trial| trial.streams[0].observed = always(12_000));
        let analysis = analysed(&rows);
        let places: Vec<String> = analysis.places.iter().flatten().map(ToString::to_string).collect();
        assert_eq!(places, ["1-3", "1-3", "1-3", "4"]);
        let findings = draw(&mixed(), &analysis, true);
        let said = findings.iter().find(|finding| finding.starts_with("Instrument visible")).unwrap();
        assert!(said.contains("offload and stealing") && said.contains("offload and pinned"), "{said}");
    }

    #[test]
    fn a_table_without_ranks_claims_no_difference() {
        let findings = draw(&mixed(), &analysed(&rows()), false);
        assert!(!findings.is_empty(), "what chance does is said all the same");
        assert!(findings.iter().all(|finding| !finding.contains("offload")), "{findings:#?}");
    }
}
