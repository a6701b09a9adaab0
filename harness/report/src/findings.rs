//! What may be concluded from a table, in sentences: which rows are told apart and by how much, which are not, and how
//! small a difference could have been seen.

use race::plan::scenario::Scenario;
use stats::{
    decide::{Decision, FEWEST_STARTS, Pair},
    rank::Direction,
};

use super::{
    analysis::{Analysis, Family, direction},
    headlines::figure_of,
};

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
