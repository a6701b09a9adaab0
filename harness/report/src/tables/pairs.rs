//! Every two rows of a tier: their ratio, and whether they can be told apart.

use stats::{
    Direction,
    decide::{Decision, Pair},
    ratio::Interval,
};

use crate::{
    conclusions::{
        analysis::{Family, direction},
        field::Field,
        named::ranked_figure,
    },
    model::{Cell, Column, Exact, Group, Table},
    numbers::ratio,
};

/// The table, the largest difference first; none where there are no two rows.
pub(crate) fn of(field: &Field<'_>) -> Option<Table> {
    let families = field.analysis.families.iter();
    let groups: Vec<Group> = families.filter_map(|family| of_family(field, family)).collect();
    if groups.is_empty() || !field.is_ranked {
        return None;
    }
    let figure = ranked_figure(field.scenario);
    Some(Table {
        id: "pairs".to_owned(),
        caption: format!(
            "Every two rows of a tier: the {figure} of the first over that of the second, with an interval that holds for all pairs \
             of the tier at once, and the one by which this pair was judged in its turn (Holm); and the ratio that would have been \
             found nine times in ten."
        ),
        columns: vec![
            Column::text("first", "first"),
            Column::text("second", "second"),
            Column::number("ratio", "ratio"),
            Column::text("judged by", "judged_by"),
            Column::text("told apart", "told_apart"),
            Column::number("would be found", "detectable_ratio"),
        ],
        groups,
        legend: Vec::new(),
        is_detail: true,
    })
}

fn of_family(field: &Field<'_>, family: &Family) -> Option<Group> {
    let tier = field.rows[*family.members.first()?].line.row.tier;
    let mut pairs: Vec<&Pair> = family.decisions.pairs.iter().collect();
    let distance = |pair: &Pair| pair.contrast.map_or(-1.0, |contrast| contrast.mean_log.abs());
    pairs.sort_by(|a, b| distance(b).total_cmp(&distance(a)));
    let rows: Vec<Vec<Cell>> = pairs.into_iter().map(|pair| line(field, family, pair)).collect();
    (!rows.is_empty()).then(|| Group { heading: Some(tier.to_string()), rows })
}

/// The better of the two first, whether or not that can be told.
fn line(field: &Field<'_>, family: &Family, pair: &Pair) -> Vec<Cell> {
    let decisions = &family.decisions;
    let seems_larger = pair.contrast.is_some_and(|contrast| contrast.mean_log > 0.0);
    let first_is_better = seems_larger == (direction(field.scenario) == Direction::HigherIsBetter);
    let (first, second) = if first_is_better { (pair.first, pair.second) } else { (pair.second, pair.first) };
    let turned = |value: f64| if first == pair.first { value } else { 1.0 / value };
    let ends = |interval: Interval| {
        let (low, high) = (turned(interval.low), turned(interval.high));
        (low.min(high), low.max(high))
    };
    let bracketed = |(low, high): (f64, f64)| format!("[{}, {}]", ratio(low), ratio(high));
    let simultaneous = decisions.simultaneous(pair).map(ends);
    let judged = decisions.judged(pair).map(ends);
    let of = pair.contrast.map(|contrast| turned(contrast.ratio()));
    let shown = of.map_or_else(Cell::none, |value| Cell {
        text: ratio(value),
        interval: simultaneous.map(bracketed),
        exact: Some(match simultaneous {
            Some((low, high)) => Exact::between(value, low, high),
            None => Exact::of(value),
        }),
    });
    let told = match pair.decision {
        Decision::Differ { .. } => "yes".to_owned(),
        Decision::Alike => "no".to_owned(),
        Decision::OnlyBounded => "no: the smaller is only known from below".to_owned(),
        Decision::NotJudged { reason } => format!("not judged: {reason}"),
    };
    let detectable = decisions.detectable(pair);
    let label = |row: usize| Cell::text(&field.analysis.labels[row]);
    vec![
        label(first),
        label(second),
        shown,
        judged.map_or_else(Cell::none, |ends| Cell::text(bracketed(ends))),
        Cell::text(told),
        detectable.map_or_else(Cell::none, |value| Cell::number(ratio(value), value)),
    ]
}
