//! What more starts, or more rounds of each, would bring.

use stats::{components::Components, decide::Decision};

use crate::conclusions::analysis::Analysis;

/// In one sentence, from the row that was entered twice, `itself`, or else the pair that is nearest to a tie; `None` where neither
/// has two starts with more than a window.
pub(crate) fn finding(analysis: &Analysis, itself: Option<(usize, usize)>, rounds: usize) -> Option<String> {
    let (first, second) = itself.or_else(|| closest_tie(analysis))?;
    let within = analysis.compared.within_starts(first, second);
    let components = Components::of(&within)?;
    let now = (components.starts, rounds);
    let shrinks = |then| components.shrinks_to(now, then).map(|part| format!("{:.0}%", 100.0 * part));
    let (starts, rounds) = (shrinks((2 * now.0, now.1))?, shrinks((now.0, 2 * now.1))?);
    let percent = |variance: f64| 100.0 * variance.sqrt().exp_m1();
    Some(format!(
        "What more would bring, by {} and {}: their ratio differs by {:.1}% from start to start and by {:.1}% from window to \
         window; twice the starts would narrow an interval to {starts} of its width, twice the rounds to {rounds}.",
        analysis.labels[first],
        analysis.labels[second],
        percent(components.between_starts),
        percent(components.within_starts),
    ))
}

fn closest_tie(analysis: &Analysis) -> Option<(usize, usize)> {
    let pairs = analysis.families.iter().flat_map(|family| &family.decisions.pairs);
    let ties = pairs.filter(|pair| pair.decision == Decision::Alike);
    let distance = |pair: &&stats::decide::Pair| pair.contrast.map_or(f64::INFINITY, |it| it.mean_log.abs());
    ties.min_by(|a, b| distance(a).total_cmp(&distance(b))).map(|pair| (pair.first, pair.second))
}
