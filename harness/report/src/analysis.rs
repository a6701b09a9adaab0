//! What a scenario's trials say of its rows: which carried the load, which differ, and the places that this leaves.
//!
//! The start of a server is the unit: a block gives one value of each row. Holm's procedure over the pairs of one tier decides
//! who differs, and nothing else does; what chance does to a row and itself is reported beside it.

use std::time::Duration;

use race::{
    plan::scenario::{Metric, Scenario},
    records::record::Measured,
    registry::Tier,
};
use stats::{
    Direction,
    decide::{Decisions, FAMILY_ALPHA, FEWEST_STARTS, decide},
    itself::AgainstItself,
    overload::{Carried, Load, Offered, over_starts},
    places::{Place, Standing, places, places_where_both_agree},
    rounds::{Windows, every_pair, log_ratios, usable_starts},
};

use super::headlines::{observed_figure, ranked_figure};

/// One row's starts, or those of the second entry of the row that is compared with itself.
pub(super) struct Entered<'a> {
    /// How it is called.
    pub(super) label: String,
    pub(super) tier: Tier,
    pub(super) twin: bool,
    /// What was measured, by block; `None` where the block has no valid trial of it.
    pub(super) starts: Vec<Option<&'a Measured>>,
}

/// The rows of one tier.
#[derive(Clone, Debug)]
pub(super) struct Family {
    /// Its rows, as indices into the scenario's.
    pub(super) members: Vec<usize>,
    pub(super) decisions: Decisions,
}

/// One scenario's conclusions.
#[derive(Clone, Debug)]
pub(super) struct Analysis {
    /// How rows are called, in the order in which they were entered.
    pub(super) labels: Vec<String>,
    pub(super) families: Vec<Family>,
    /// The place of each row among its tier's; none for a twin and for the null server.
    pub(super) places: Vec<Option<Place>>,
    /// Pairs `(better, worse)` by response time that share places, since the order as observed does not say the same.
    pub(super) instrument_visible: Vec<(usize, usize)>,
    /// Whether each row carried its load, by the stream that it failed at if it did not.
    pub(super) loads: Vec<RowLoad>,
    /// The row that was entered twice.
    pub(super) itself: Option<AgainstItself>,
}

/// Whether a row carried its load.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RowLoad {
    pub(super) load: Load,
    /// The stream with the least part of its load carried, where the load was too much in any start.
    pub(super) short: Option<Short>,
}

/// What a row carried of a stream.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Short {
    pub(super) stream: String,
    /// Answers a second within the windows.
    pub(super) answered_per_second: f64,
    /// Requests due a second.
    pub(super) due_per_second: f64,
}

impl Analysis {
    pub(super) fn new(scenario: &Scenario, rows: &[Entered<'_>]) -> Self {
        let loads: Vec<RowLoad> = rows.iter().map(|row| load_of(scenario, row)).collect();
        let values = values(rows, |measured| ranked_figure(scenario, measured));
        let observed = values_observed(scenario, rows);
        let standing = |row: usize| match loads[row].load {
            Load::Overloaded => Standing::Overloaded,
            _ if usable_starts(&values[row]) < FEWEST_STARTS => Standing::Unplaced,
            _ => Standing::Measured,
        };
        let direction = direction(scenario);
        let mut found = vec![None; rows.len()];
        let mut families = Vec::new();
        let mut instrument_visible = Vec::new();
        for tier in [Tier::Controlled, Tier::Native, Tier::Reference] {
            let members: Vec<usize> =
                (0..rows.len()).filter(|&row| rows[row].tier == tier && !rows[row].twin).collect();
            let entered: Vec<usize> =
                members.iter().copied().filter(|&row| loads[row].load != Load::Overloaded).collect();
            let decisions = decide(&every_pair(&values, &entered), FAMILY_ALPHA);
            let local = |row: usize| members.iter().position(|&member| member == row);
            let claims = |decisions: &Decisions| -> Vec<(usize, usize)> {
                let claims = decisions.claims(direction).into_iter();
                claims.filter_map(|(better, worse)| local(better).zip(local(worse))).collect()
            };
            let standings: Vec<Standing> = members.iter().map(|&row| standing(row)).collect();
            let places = match &observed {
                // Response times leave out the generator's lateness: a place must hold with it as well.
                Some(observed) => {
                    let as_observed = decide(&every_pair(observed, &entered), FAMILY_ALPHA);
                    places_where_both_agree(&standings, &claims(&decisions), &claims(&as_observed))
                }
                None => places(&standings, &claims(&decisions)),
            };
            let named = |&(better, worse): &(usize, usize)| (members[better], members[worse]);
            instrument_visible.extend(places.instrument_visible.iter().map(named));
            for (&row, place) in members.iter().zip(places.rows) {
                found[row] = Some(place);
            }
            families.push(Family { members, decisions });
        }
        let twin = rows.iter().position(|row| row.twin);
        let original = twin.and_then(|twin| {
            let name = rows[twin].label.strip_suffix(" (again)")?;
            rows.iter().position(|row| row.label == name)
        });
        let itself = original
            .zip(twin)
            .and_then(|(row, twin)| AgainstItself::of(&log_ratios(&values[row], &values[twin]).ok()?));
        let labels = rows.iter().map(|row| row.label.clone()).collect();
        Self { labels, families, places: found, instrument_visible, loads, itself }
    }

    /// The rows that have no place although their tier has more than one, by name.
    pub(super) fn unplaced(&self) -> Vec<&str> {
        let several = self.families.iter().filter(|family| family.members.len() > 1);
        several
            .flat_map(|family| &family.members)
            .filter(|&&row| self.places[row] == Some(Place::Unplaced))
            .map(|&row| self.labels[row].as_str())
            .collect()
    }
}

/// A figure of each row by start, of which each has one window.
fn values(rows: &[Entered<'_>], figure: impl Fn(&Measured) -> Option<f64>) -> Vec<Vec<Windows>> {
    let of_row = |row: &Entered<'_>| row.starts.iter().map(|start| vec![start.and_then(&figure)]).collect();
    rows.iter().map(of_row).collect()
}

/// The response times as observed, where the scenario compares by response time.
fn values_observed(scenario: &Scenario, rows: &[Entered<'_>]) -> Option<Vec<Vec<Windows>>> {
    (scenario.rank.by == Metric::P99).then(|| values(rows, |measured| observed_figure(scenario, measured)))
}

/// Which figures of the scenario are good.
pub(super) fn direction(scenario: &Scenario) -> Direction {
    match scenario.rank.by {
        Metric::Throughput => Direction::HigherIsBetter,
        Metric::P99 => Direction::LowerIsBetter,
    }
}

/// A row is overloaded where it did not carry one of its open loops in most starts.
fn load_of(scenario: &Scenario, row: &Entered<'_>) -> RowLoad {
    let mut worst = RowLoad { load: Load::Carried, short: None };
    let rank = |load: Load| match load {
        Load::Carried => 0,
        Load::AtTheEdge { overloaded, .. } => overloaded,
        Load::Overloaded => usize::MAX,
    };
    for stream in &scenario.streams {
        let starts: Vec<Vec<Offered>> = row
            .starts
            .iter()
            .map(|start| start.and_then(|it| offered(it, &stream.name)).into_iter().collect())
            .collect();
        let load = over_starts(&starts);
        let carried = Carried::of(&starts.concat());
        let part = |short: &Short| short.answered_per_second / short.due_per_second;
        let short = carried.answered_per_second().zip(carried.due_per_second()).map(|(answered, due)| {
            Short { stream: stream.name.clone(), answered_per_second: answered, due_per_second: due }
        });
        let shorter = short.filter(|short| {
            load != Load::Carried && worst.short.as_ref().is_none_or(|worst| part(short) < part(worst))
        });
        worst = RowLoad {
            load: if rank(load) > rank(worst.load) { load } else { worst.load },
            short: shorter.or(worst.short),
        };
    }
    worst
}

/// What was offered to a stream in one window, and answered in it; `None` for a closed loop. Only what the backlog grew by is
/// known of it: what was due and not answered.
fn offered(measured: &Measured, stream: &str) -> Option<Offered> {
    let stream = measured.stream(stream)?;
    stream.offered_per_second?;
    let answered = (stream.achieved_per_second * measured.window_s).round() as u64;
    Some(Offered {
        due: stream.due,
        answered,
        window: Duration::from_secs_f64(measured.window_s),
        backlog_before: 0,
        backlog_after: stream.due.saturating_sub(answered),
    })
}
