//! What a scenario's windows say of its rows: which carried the load, which differ, and the places that this leaves.
//!
//! A start is the unit: it gives one value of each row. Holm's procedure over the pairs of one tier decides who differs, and
//! nothing else does; what chance does to a row and itself is reported beside it.

use race::{
    plan::scenario::{Metric, Scenario},
    registry::Tier,
};
use stats::{
    Direction,
    decide::{Decisions, FAMILY_ALPHA, FEWEST_STARTS, decide},
    places::{Place, Standing, places, places_where_both_agree},
};

use crate::counts::{
    carried::RowLoad,
    compared::{Compared, ranked},
    entered::Entered,
};

/// The rows of one tier.
#[derive(Clone, Debug)]
pub(crate) struct Family {
    /// Its rows, as indices into the scenario's.
    pub(crate) members: Vec<usize>,
    pub(crate) decisions: Decisions,
}

/// One scenario's conclusions.
#[derive(Clone, Debug)]
pub(crate) struct Analysis {
    /// How rows are called, in the order in which they were entered.
    pub(crate) labels: Vec<String>,
    pub(crate) families: Vec<Family>,
    /// Pairs `(better, worse)` by response time that share places, since the order as observed does not say the same.
    pub(crate) instrument_visible: Vec<(usize, usize)>,
    /// Whether each row carried its load.
    pub(crate) loads: Vec<RowLoad>,
    /// In how many starts each row has half of its windows: fewer than a comparison needs, and it has no place.
    pub(crate) usable_starts: Vec<usize>,
    /// The figure that rows are compared by.
    pub(crate) compared: Compared,
    /// The place of each row among its tier's; none for a twin and for the null server.
    places: Vec<Option<Place>>,
}

impl Analysis {
    pub(crate) fn new(scenario: &Scenario, rows: &[Entered<'_>]) -> Self {
        let loads: Vec<RowLoad> = rows.iter().map(|row| RowLoad::of(scenario, &row.line)).collect();
        let figures = rows.iter().map(|row| (&row.line, row.ranked_times()));
        let compared = Compared::of(ranked(scenario), &scenario.rank.stream, figures);
        let usable_starts: Vec<usize> = (0..rows.len()).map(|row| compared.usable_starts(row)).collect();
        // Response times leave out the generator's lateness: a place must hold with it as well.
        let observed: Option<Vec<_>> = rows.iter().map(|row| row.observed.clone()).collect();
        let observed = observed.map(Compared::Merged);
        let standing = |row: usize| match loads[row].is_overloaded() {
            true => Standing::Overloaded,
            false if usable_starts[row] < FEWEST_STARTS => Standing::Unplaced,
            false => Standing::Measured,
        };
        let direction = direction(scenario);
        let mut found = vec![None; rows.len()];
        let mut families = Vec::new();
        let mut instrument_visible = Vec::new();
        for tier in Tier::COMPARED {
            let is_member = |row: &usize| rows[*row].line.row.tier == tier && !rows[*row].line.twin;
            let members: Vec<usize> = (0..rows.len()).filter(is_member).collect();
            let entered: Vec<usize> =
                members.iter().copied().filter(|&row| !loads[row].is_overloaded()).collect();
            let decisions = decide(&compared.every_pair(&entered), FAMILY_ALPHA);
            let local = |row: usize| members.iter().position(|&member| member == row);
            let claims = |decisions: &Decisions| -> Vec<(usize, usize)> {
                let claims = decisions.claims(direction).into_iter();
                claims.filter_map(|(better, worse)| local(better).zip(local(worse))).collect()
            };
            let standings: Vec<Standing> = members.iter().map(|&row| standing(row)).collect();
            let places = match &observed {
                Some(observed) => {
                    let as_observed = decide(&observed.every_pair(&entered), FAMILY_ALPHA);
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
        let labels = rows.iter().map(|row| row.line.label()).collect();
        Self { labels, families, instrument_visible, loads, usable_starts, compared, places: found }
    }

    /// A row's place; none where its tier has no other row.
    pub(crate) fn place_of(&self, row: usize) -> Option<&Place> {
        let alone = |family: &Family| family.members.contains(&row) && family.members.len() < 2;
        self.places[row].as_ref().filter(|_| !self.families.iter().any(alone))
    }

    /// The rows that have no place although their tier has more than one, by name.
    pub(crate) fn unplaced(&self) -> Vec<&str> {
        let rows = (0..self.labels.len()).filter(|&row| self.place_of(row) == Some(&Place::Unplaced));
        rows.map(|row| self.labels[row].as_str()).collect()
    }
}

/// Which figures of the scenario are good.
pub(crate) fn direction(scenario: &Scenario) -> Direction {
    match scenario.rank.by {
        Metric::Throughput => Direction::HigherIsBetter,
        Metric::P95 | Metric::P99 | Metric::IdleMemory => Direction::LowerIsBetter,
    }
}
