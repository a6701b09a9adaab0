//! Places for all rows of a table, those included that could not be measured and those that did not carry the load.
//!
//! A place is a range, from the best that the claims allow to the worst ([`crate::rank`]). Three things widen or forbid it:
//!
//! - Overloaded rows are last by rule and share their places: they have no figure to compare.
//! - Rows that could not be placed may belong anywhere. With u of them a place a-b becomes a-(b+u), so that no row has a
//!   place among survivors only; they are listed.
//! - By response time a claim needs the order as observed (received - due, the generator's lateness included) to agree.
//!   Where it does not, the instrument is visible in the figure, and the two rows share a place.
//!
//! Claims may follow from others: if A is better than B and B than C, A is better than C. So hiding a row may take away what
//! was known through it alone; direct claims stay (see [`crate::decide`]).

use std::fmt;

use serde::Serialize;

use crate::rank::{Order, Rank};

/// What is known of a row before claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It has a figure, in enough starts to be placed by.
    Measured,
    /// It did not carry the load that was offered ([`crate::overload`]).
    Overloaded,
    /// It could not be measured, or in too few starts.
    Unplaced,
}

/// The place of one row. Prints as `2`, as `1-3` when there are several, and as `-` when there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Its range among all rows of the table, with the letters of the groups that it is alike with.
    Held(Rank),
    /// Behind every measured row.
    Overloaded {
        /// One more than the number of measured rows.
        best: usize,
        /// The number of rows in the table.
        worst: usize,
    },
    /// None.
    Unplaced,
}

/// The places of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Places {
    /// In the order of the rows.
    pub rows: Vec<Place>,
    /// Rows that could not be placed, as indices: u of them.
    pub unplaced: Vec<usize>,
    /// Pairs `(better, worse)` by response time of which the order as observed does not say the same.
    pub instrument_visible: Vec<(usize, usize)>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held(rank) => rank.fmt(f),
            Self::Overloaded { best, worst } if best == worst => write!(f, "{best}"),
            Self::Overloaded { best, worst } => write!(f, "{best}-{worst}"),
            Self::Unplaced => f.write_str("-"),
        }
    }
}

/// Places by a figure that the generator's lateness is not part of, from claims `(better, worse)` about rows. Claims about
/// rows that are not [`Standing::Measured`] are ignored.
pub fn places(standings: &[Standing], claims: &[(usize, usize)]) -> Places {
    from_order(standings, &order_of(standings, claims), Vec::new())
}

/// Places by response time: a claim holds where it follows both from those by response time and from those as observed.
pub fn places_where_both_agree(
    standings: &[Standing],
    by_response: &[(usize, usize)],
    as_observed: &[(usize, usize)],
) -> Places {
    let (response, observed) = (order_of(standings, by_response), order_of(standings, as_observed));
    let of_order = |order: &Order| -> Vec<(usize, usize)> {
        let rows = 0..standings.len();
        let pairs = rows.clone().flat_map(|a| rows.clone().map(move |b| (a, b)));
        pairs.filter(|&(a, b)| order.is_better(a, b)).collect()
    };
    let (agreed, visible) = of_order(&response)
        .into_iter()
        .partition::<Vec<_>, _>(|&(better, worse)| observed.is_better(better, worse));
    // What both orders say is an order again: nothing new follows from it.
    from_order(standings, &Order::new(standings.len(), &agreed), visible)
}

fn order_of(standings: &[Standing], claims: &[(usize, usize)]) -> Order {
    let measured = |row: usize| standings.get(row) == Some(&Standing::Measured);
    let claims: Vec<_> = claims.iter().copied().filter(|&(a, b)| measured(a) && measured(b)).collect();
    Order::new(standings.len(), &claims)
}

fn from_order(standings: &[Standing], order: &Order, instrument_visible: Vec<(usize, usize)>) -> Places {
    let with = |standing: Standing| (0..standings.len()).filter(move |&row| standings[row] == standing);
    let measured: Vec<usize> = with(Standing::Measured).collect();
    let unplaced: Vec<usize> = with(Standing::Unplaced).collect();
    // The order among the measured rows alone, so that the others widen places in one way only.
    let among: Vec<(usize, usize)> = (0..measured.len())
        .flat_map(|a| (0..measured.len()).map(move |b| (a, b)))
        .filter(|&(a, b)| order.is_better(measured[a], measured[b]))
        .collect();
    let among = Order::new(measured.len(), &among);
    let mut presentation: Vec<usize> = (0..measured.len()).collect();
    presentation.sort_by_key(|&row| among.places()[row]);
    let mut ranks = among.ranks(&presentation).into_iter();
    let place = |standing: &Standing| match standing {
        Standing::Measured => {
            let rank = ranks.next().expect("a rank for every measured row");
            Place::Held(Rank { worst: rank.worst + unplaced.len(), ..rank })
        }
        Standing::Overloaded => Place::Overloaded { best: measured.len() + 1, worst: standings.len() },
        Standing::Unplaced => Place::Unplaced,
    };
    let rows = standings.iter().map(place).collect();
    Places { rows, unplaced, instrument_visible }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Standing::{Measured, Overloaded, Unplaced};
    use super::*;

    fn shown(places: &Places) -> Vec<String> {
        places.rows.iter().map(Place::to_string).collect()
    }

    #[test]
    fn overloaded_rows_are_last_and_unplaced_ones_leave_room_behind_everyone() {
        let standings = [Measured, Overloaded, Measured, Unplaced, Measured, Overloaded];
        let all = places(&standings, &[(0, 2), (0, 4)]);
        // Row 0 is the best of three; one row of unknown place may be before or behind any of them.
        assert_eq!(shown(&all), ["1-2", "4-6", "2-4", "-", "2-4", "4-6"]);
        assert_eq!(all.unplaced, [3]);
        let complete = places(&[Measured, Overloaded, Measured], &[(2, 0)]);
        assert_eq!(shown(&complete), ["2", "3", "1"]);
    }

    #[test]
    fn claims_about_rows_without_a_figure_are_ignored() {
        let standings = [Measured, Overloaded, Unplaced];
        assert_eq!(places(&standings, &[(1, 0), (2, 0), (0, 9)]), places(&standings, &[]));
    }

    #[test]
    fn without_a_placed_row_there_are_no_places() {
        assert_eq!(shown(&places(&[Unplaced, Unplaced], &[(0, 1)])), ["-", "-"]);
        assert!(places(&[], &[]).rows.is_empty());
    }

    #[test]
    fn a_claim_that_the_observed_order_does_not_share_shares_a_place() {
        let standings = [Measured; 3];
        let response = [(0, 1), (0, 2), (1, 2)];
        let agreed = places_where_both_agree(&standings, &response, &[(0, 2), (1, 2)]);
        assert_eq!(shown(&agreed), ["1-2", "1-2", "3"]);
        assert_eq!(agreed.instrument_visible, [(0, 1)]);
        // The opposite order is no agreement either, and what only the observed order says is nothing.
        let turned = places_where_both_agree(&standings, &[(0, 1)], &[(1, 0), (1, 2)]);
        assert_eq!(shown(&turned), ["1-3", "1-3", "1-3"]);
        assert_eq!(turned.instrument_visible, [(0, 1)]);
    }

    #[test]
    fn a_claim_that_follows_in_one_order_agrees_with_a_direct_one_in_the_other() {
        let agreed = places_where_both_agree(&[Measured; 3], &[(0, 2)], &[(0, 1), (1, 2)]);
        assert_eq!(shown(&agreed), ["1-2", "1-3", "2-3"]);
        assert!(agreed.instrument_visible.is_empty());
    }

    type Claims = Vec<(usize, usize)>;

    fn any_table() -> impl Strategy<Value = (Vec<Standing>, Claims, Claims)> {
        let standing = prop_oneof![4 => Just(Measured), 1 => Just(Overloaded), 1 => Just(Unplaced)];
        prop::collection::vec(standing, 1..9).prop_flat_map(|standings| {
            let rows = standings.len();
            let claims = || prop::collection::vec((0..rows, 0..rows), 0..16);
            (Just(standings), claims(), claims())
        })
    }

    fn range(place: &Place) -> Option<(usize, usize)> {
        match place {
            Place::Held(rank) => Some((rank.best, rank.worst)),
            Place::Overloaded { best, worst } => Some((*best, *worst)),
            Place::Unplaced => None,
        }
    }

    proptest! {
        #[test]
        fn the_order_in_which_rows_are_given_does_not_matter(
            (standings, response, observed) in any_table(), keys in prop::collection::vec(any::<u32>(), 9),
        ) {
            let rows = standings.len();
            let mut old: Vec<usize> = (0..rows).collect();
            old.sort_by_key(|&row| keys[row]);
            let new = |row: usize| old.iter().position(|&before| before == row).expect("a permutation");
            let renamed = |claims: &[(usize, usize)]| -> Vec<_> {
                claims.iter().map(|&(a, b)| (new(a), new(b))).collect()
            };
            let shuffled: Vec<Standing> = old.iter().map(|&row| standings[row]).collect();
            let before = places_where_both_agree(&standings, &response, &observed);
            let after = places_where_both_agree(&shuffled, &renamed(&response), &renamed(&observed));
            for row in 0..rows {
                prop_assert_eq!(range(&before.rows[row]), range(&after.rows[new(row)]));
            }
            let mut visible = renamed(&before.instrument_visible);
            visible.sort_unstable();
            prop_assert_eq!(visible, after.instrument_visible);
        }

        #[test]
        fn asking_for_agreement_only_ever_widens((standings, response, observed) in any_table()) {
            let (alone, both) =
                (places(&standings, &response), places_where_both_agree(&standings, &response, &observed));
            for (alone, both) in alone.rows.iter().zip(&both.rows) {
                if let (Some(alone), Some(both)) = (range(alone), range(both)) {
                    prop_assert!(both.0 <= alone.0 && alone.1 <= both.1);
                }
            }
            prop_assert_eq!(places_where_both_agree(&standings, &response, &response), alone);
        }

        #[test]
        fn the_true_place_is_among_the_places_when_the_claims_are_true(
            (standings, chosen, _) in any_table(), truth in prop::collection::vec(any::<u32>(), 9),
        ) {
            // Smaller is better; overloaded rows truly are the worst, unplaced ones are anywhere.
            let merit = |row: usize| (standings[row] == Overloaded, truth[row], row);
            let claims: Vec<_> =
                chosen.into_iter().map(|(a, b)| if merit(a) < merit(b) { (a, b) } else { (b, a) }).collect();
            let claims: Vec<_> = claims.into_iter().filter(|(a, b)| a != b).collect();
            for (row, place) in places(&standings, &claims).rows.iter().enumerate() {
                let true_place = 1 + (0..standings.len()).filter(|&other| merit(other) < merit(row)).count();
                if let Some((best, worst)) = range(place) {
                    prop_assert!((best..=worst).contains(&true_place), "{true_place} not in {best}-{worst}");
                }
            }
        }
    }
}
