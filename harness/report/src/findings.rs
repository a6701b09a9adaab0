//! What may be concluded from a table, in sentences: which rows are told apart and by how much, which are not, and how
//! small a difference could have been seen.

use stats::{
    compare::{Alike, Comparison, Judgement, Pair},
    noise::AaVerdict,
};

use race::plan::scenario::{Metric, Scenario};

/// The conclusions, the largest difference first.
pub(super) fn draw(scenario: &Scenario, comparison: &Comparison, ranked: bool) -> Vec<String> {
    let mut findings = Vec::new();
    if ranked {
        findings.extend(differences(scenario, comparison));
        findings.extend(ties(comparison));
    }
    if let Some(noise) = &comparison.noise {
        findings.push(format!(
            "Noise floor: over {} blocks a row differs from itself by a factor of up to {:.3}, 19 times in 20.",
            noise.blocks, noise.ratio
        ));
    }
    findings.extend(self_comparison(&comparison.aa));
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
fn differences(scenario: &Scenario, comparison: &Comparison) -> Vec<String> {
    let figure = figure(scenario);
    let mut told_apart: Vec<(f64, String)> = comparison
        .pairs
        .iter()
        .filter_map(|pair| {
            let Judgement::ToldApart { better, .. } = pair.judgement else { return None };
            let estimate = pair.estimate.as_ref().ok()?;
            let worse = if better == pair.first { pair.second } else { pair.first };
            // The ratio of the better row to the worse one, whichever of them came first.
            let turned = |ratio: f64| if better == pair.first { ratio } else { 1.0 / ratio };
            let ratio = turned(estimate.ratio);
            let interval = pair.simultaneous.map(|interval| {
                let (low, high) = (turned(interval.low), turned(interval.high));
                format!(" [{:.2}, {:.2}]", low.min(high), low.max(high))
            });
            let (better, worse) = (&comparison.rows[better].name, &comparison.rows[worse].name);
            let sentence = format!(
                "{better} has {ratio:.2}{} of the {figure} of {worse}.",
                interval.unwrap_or_default()
            );
            Some((ratio.ln().abs(), sentence))
        })
        .collect();
    told_apart.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    told_apart.into_iter().map(|(_, sentence)| sentence).collect()
}

/// One sentence for all pairs that are not.
fn ties(comparison: &Comparison) -> Option<String> {
    let name = |row: usize| comparison.rows[row].name.as_str();
    let pairs: Vec<String> = comparison
        .pairs
        .iter()
        .filter_map(|Pair { first, second, judgement, .. }| match judgement {
            Judgement::Alike { because } => {
                let why = match because {
                    Alike::NotSignificant => "",
                    Alike::WithinNoiseFloor => " (within the noise floor)",
                    Alike::Contradictory => " (contradictory)",
                };
                Some(format!("{} and {}{why}", name(*first), name(*second)))
            }
            _ => None,
        })
        .collect();
    (!pairs.is_empty()).then(|| format!("Cannot be told apart: {}.", pairs.join("; ")))
}

fn self_comparison(aa: &AaVerdict) -> Option<String> {
    let (estimate, interval, outcome) = match aa {
        AaVerdict::Agrees { estimate, interval, .. } => {
            (estimate, interval, "finds no difference, as it must")
        }
        AaVerdict::Disagrees { estimate, interval, .. } => (
            estimate,
            interval,
            "**finds a difference where there is none**: believe no other difference of this size",
        ),
        AaVerdict::NotMeasured { .. } => return None,
    };
    let interval = interval.map(|i| format!(" [{:.3}, {:.3}]", i.low, i.high)).unwrap_or_default();
    Some(format!(
        "A row compared with itself: ratio {:.3}{interval}; the comparison {outcome}.",
        estimate.ratio
    ))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use stats::{
        compare::{Series, scenario as compare},
        rank::Direction,
    };

    use super::*;
    use race::{plan::scenario::Scenarios, registry::Asked};

    fn mixed() -> Scenario {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
        Scenarios::read(&folder).unwrap().select(Asked::Named(&["mixed".to_owned()])).unwrap().remove(0)
    }

    fn series(name: &str, ranked: bool, values: [f64; 6]) -> Series {
        Series { name: name.to_owned(), ranked, values: values.map(Some).to_vec() }
    }

    fn drawn(ranked: bool) -> Vec<String> {
        let rows = [
            series("stealing", true, [12.0, 12.2, 11.9, 12.1, 12.0, 11.8]),
            series("offload", true, [3.0, 3.02, 3.01, 2.98, 3.0, 2.99]),
            series("pinned", true, [12.1, 12.0, 12.0, 12.2, 11.9, 11.9]),
            series("stealing (again)", false, [12.1, 12.1, 12.0, 12.0, 11.9, 12.0]),
        ];
        draw(&mixed(), &compare(&rows, Direction::LowerIsBetter, Some((0, 3))), ranked)
    }

    #[test]
    fn differences_name_the_better_row_first_and_ties_and_the_floor_are_said() {
        let findings = drawn(true);
        assert_eq!(findings.len(), 5, "{findings:#?}");
        assert!(findings[0].starts_with("offload has 0.25 [0.2"), "{findings:#?}");
        assert!(findings[0].contains("of the simple p99 of"), "{findings:#?}");
        assert!(findings[2].starts_with("Cannot be told apart: stealing and pinned"), "{findings:#?}");
        assert!(findings[3].starts_with("Noise floor: over 6 blocks"), "{findings:#?}");
        assert!(findings[4].contains("finds no difference, as it must"), "{findings:#?}");
    }

    #[test]
    fn a_table_without_ranks_claims_no_difference() {
        let findings = drawn(false);
        assert!(!findings.is_empty(), "the noise floor is said all the same");
        assert!(findings.iter().all(|finding| !finding.contains("offload")), "{findings:#?}");
    }
}
