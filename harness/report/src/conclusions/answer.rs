//! A scenario's answer in one sentence, made from its statistics and from nothing else.

use race::{plan::scenario::Metric, registry::Tier};
use stats::{Direction, decide::Decision, exceedances::Support, places::Place};

use crate::{
    conclusions::{
        analysis::{Family, direction},
        field::Field,
        named::{listed, ranked_figure},
    },
    counts::{
        compared::{Figure, ranked},
        entered::ranked_value,
        times::name_of,
    },
    numbers::times_as,
};

/// So many rows are named where they cannot be told apart.
const NAMED: usize = 4;

/// The sentence.
pub(crate) fn of(field: &Field<'_>) -> String {
    let is_controlled = |&row: &usize| field.rows[row].line.row.tier == Tier::Controlled;
    let all: Vec<usize> = field.by_figure().into_iter().filter(is_controlled).collect();
    let (overloaded, carried): (Vec<usize>, Vec<usize>) =
        all.iter().partition(|&&row| field.analysis.loads[row].is_overloaded());
    let measured: Vec<usize> =
        carried.into_iter().filter(|&row| ranked_value(field.scenario, &field.rows[row]).is_some()).collect();
    let sentence = match (measured.as_slice(), overloaded.len()) {
        ([], 0) => return "Nothing can be said: no controlled row was measured.".to_owned(),
        ([], _) => return all_overloaded(field, &overloaded),
        ([only], _) => format!("Only {} was measured, {}", name(field, *only), figure(field, *only)),
        (rows, _) if !field.is_ranked => range(field, rows),
        (rows, _) => best(field, rows),
    };
    match overloaded.as_slice() {
        [] => format!("{sentence}."),
        rows => {
            let names: Vec<&str> = rows.iter().map(|&row| name(field, row)).collect();
            let are = if rows.len() == 1 { "is" } else { "are" };
            format!("{sentence}; {} {are} overloaded.", listed(&names, "and"))
        }
    }
}

fn name<'a>(field: &'a Field<'_>, row: usize) -> &'a str {
    &field.rows[row].line.row.name
}

/// `p99 0.194 ms [0.188, 0.201]`.
fn figure(field: &Field<'_>, row: usize) -> String {
    let (figure, interval) = figure_and_interval(field, row);
    format!("{figure}{interval}")
}

/// The same without its interval, where nothing is claimed.
fn figure_alone(field: &Field<'_>, row: usize) -> String {
    figure_and_interval(field, row).0
}

fn figure_and_interval(field: &Field<'_>, row: usize) -> (String, String) {
    let entered = &field.rows[row];
    let unit = field.ranked_unit();
    let what = match field.scenario.rank.by.percentile() {
        Some(q) => name_of(q),
        None if field.scenario.rank.by == Metric::Throughput => "requests/s".to_owned(),
        None => ranked_figure(field.scenario),
    };
    let is_supported = match ranked(field.scenario) {
        Figure::Percentile(q) => entered.ranked_times().support(q) == Support::Enough,
        _ => true,
    };
    match ranked_value(field.scenario, entered).filter(|_| is_supported) {
        None => (format!("{what} with too little behind it to print"), String::new()),
        Some(value) => {
            let cell = unit.cell(&value);
            let interval = cell.interval.map(|interval| format!(" {interval}")).unwrap_or_default();
            let figure = match field.scenario.rank.by {
                Metric::Throughput | Metric::IdleMemory => format!("{} {what}", cell.text),
                Metric::P95 | Metric::P99 => format!("{what} {} {}", cell.text, unit.name()),
            };
            (figure, interval)
        }
    }
}

/// Without places: from where to where.
fn range(field: &Field<'_>, rows: &[usize]) -> String {
    let (first, last) = (rows[0], rows[rows.len() - 1]);
    let ceiling = (0..field.rows.len()).find(|&row| field.rows[row].line.row.tier == Tier::Calibration);
    let ceiling = ceiling.filter(|_| field.scenario.rank.by == Metric::Throughput);
    let beside =
        ceiling.map(|row| format!("; the null server has {}", figure_alone(field, row))).unwrap_or_default();
    format!(
        "The rows are not compared; their figures go from {} ({}) to {} ({}){beside}",
        name(field, first),
        figure_alone(field, first),
        name(field, last),
        figure_alone(field, last)
    )
}

fn best(field: &Field<'_>, rows: &[usize]) -> String {
    let said = match &field.scenario.best {
        Some(best) => best.clone(),
        None => match direction(field.scenario) {
            Direction::HigherIsBetter => format!("Most {}", ranked_figure(field.scenario)),
            Direction::LowerIsBetter if field.scenario.rank.by == Metric::IdleMemory => {
                format!("Fewest {}", ranked_figure(field.scenario))
            }
            Direction::LowerIsBetter => format!("Shortest {}", ranked_figure(field.scenario)),
        },
    };
    let may_be_first =
        |&&row: &&usize| matches!(field.analysis.place_of(row), Some(Place::Held(rank)) if rank.best == 1);
    let leaders: Vec<usize> = rows.iter().filter(may_be_first).copied().collect();
    let others: Vec<usize> = rows.iter().filter(|row| !leaders.contains(row)).copied().collect();
    let names = |rows: &[usize], last: &str| {
        let names: Vec<&str> = rows.iter().map(|&row| name(field, row)).collect();
        listed(&names, last)
    };
    let Some(family) = field.analysis.families.iter().find(|family| family.members.contains(&rows[0])) else {
        return range(field, rows);
    };
    match leaders.as_slice() {
        [] => range(field, rows),
        [one] => {
            let next = others.first().and_then(|&next| next_takes(field, family, *one, next));
            let next = next.map(|next| format!("; {next}")).unwrap_or_default();
            let ties = ties(field, family, &others).map(|ties| format!("; {ties}")).unwrap_or_default();
            format!("{said}: {}, {}{next}{ties}", name(field, *one), figure(field, *one))
        }
        all if all.len() == rows.len() => format!(
            "{said}: cannot be told; {} rows are between {} ({}) and {} ({})",
            all.len(),
            figure(field, all[0]),
            name(field, all[0]),
            figure(field, all[all.len() - 1]),
            name(field, all[all.len() - 1]),
        ),
        several if several.len() <= NAMED => format!(
            "{said}: {}, which cannot be told apart; {} seems ahead with {}",
            names(several, "or"),
            name(field, several[0]),
            figure(field, several[0])
        ),
        several => format!(
            "{said}: one of {} rows that cannot be told apart; {} seems ahead with {}",
            several.len(),
            name(field, several[0]),
            figure(field, several[0])
        ),
    }
}

/// `the next, rayon-offload, takes 9.7 times as long [6.0, 11]`; nothing where the two cannot be told apart.
fn next_takes(field: &Field<'_>, family: &Family, first: usize, next: usize) -> Option<String> {
    let pair = family.decisions.pair(first, next)?;
    let Decision::Differ { .. } = pair.decision else { return None };
    let ratio = pair.contrast?.ratio();
    let interval = family.decisions.simultaneous(pair)?;
    // The larger value over the smaller one, whichever of the rows came first.
    let is_turned = ratio < 1.0;
    let turned = |value: f64| if is_turned { 1.0 / value } else { value };
    let (low, high) = (turned(interval.low), turned(interval.high));
    let interval = format!("[{}, {}]", times_as(low.min(high)), times_as(low.max(high)));
    let (times, next) = (times_as(turned(ratio)), name(field, next));
    Some(match direction(field.scenario) {
        Direction::HigherIsBetter => format!("{times} times as many as the next, {next} {interval}"),
        Direction::LowerIsBetter if field.scenario.rank.by == Metric::IdleMemory => {
            format!("the next, {next}, takes {times} times as much {interval}")
        }
        Direction::LowerIsBetter => format!("the next, {next}, takes {times} times as long {interval}"),
    })
}

/// Of the others, those who cannot be told apart.
fn ties(field: &Field<'_>, family: &Family, others: &[usize]) -> Option<String> {
    let is_tie = |pair: &&stats::decide::Pair| {
        matches!(pair.decision, Decision::Alike | Decision::OnlyBounded)
            && others.contains(&pair.first)
            && others.contains(&pair.second)
    };
    let tied: Vec<_> = family.decisions.pairs.iter().filter(is_tie).collect();
    match tied.as_slice() {
        [] => None,
        [one] => {
            Some(format!("{} and {} cannot be told apart", name(field, one.first), name(field, one.second)))
        }
        several => Some(format!("of the others {} pairs cannot be told apart", several.len())),
    }
}

fn all_overloaded(field: &Field<'_>, rows: &[usize]) -> String {
    let notes = rows.iter().filter_map(|&row| Some((row, field.analysis.loads[row].note()?)));
    match notes.clone().next() {
        Some((row, note)) if rows.len() == 1 => format!("{}: {note}.", name(field, row)),
        Some((row, note)) => {
            format!("No controlled row carried the load; for one, {}: {note}.", name(field, row))
        }
        None => "No controlled row carried the load.".to_owned(),
    }
}
