//! Ranks for rows of which some cannot be told apart.
//!
//! "Cannot be told apart" is no equivalence: A and B may be alike, and B and C, and A better than C all the same. Ranks
//! that are single numbers must then either part rows that are alike or join rows that are not. So a row gets all the
//! places that the evidence leaves it: from one more than the number of rows better than it, down to as many less than
//! the last as there are rows worse than it. In the example A has 1-2, B 1-3 and C 2-3. These facts hold, and are tested:
//!
//! - of two rows told apart, the better has the better first place, and no worse a last one;
//! - two rows that are alike share at least one place, and a letter;
//! - two rows told apart share no letter, though they may share a place;
//! - if all claims put in are true, every row's true place is among its places, so that claims at a family-wise 5% make
//!   ranges that are all right at once with 95% (Mohamad, van Zwet, Solari and Goeman, Simultaneous Confidence Intervals
//!   for Ranks, Computational Statistics and Data Analysis 2021);
//! - a row's places do not depend on the order in which rows are given.
//!
//! The letters are those of a compact letter display (Piepho, An Algorithm for a Letter-Based Representation of All-Pairwise
//! Comparisons, Journal of Computational and Graphical Statistics 13, 2004): rows share one exactly if they are alike.
//!
//! It knows claims only, and neither values nor how a claim was come by.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which values are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Throughput, for example.
    HigherIsBetter,
    /// Latency, for example.
    LowerIsBetter,
}

/// The places that a row may have. Prints as `2`, or as `1-3` when there are several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rank {
    /// The first place it may have: one more than the number of rows that are better.
    pub best: usize,
    /// The last place it may have: the number of rows less those that are worse.
    pub worst: usize,
    /// The groups of rows, one letter each, with all of which it is alike; never empty.
    pub letters: String,
}

impl fmt::Display for Rank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.best == self.worst {
            write!(f, "{}", self.best)
        } else {
            write!(f, "{}-{}", self.best, self.worst)
        }
    }
}

/// Claims that one row is better than another, with all that follows from them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// `better[a][b]`: a is better than b.
    better: Vec<Vec<bool>>,
}

impl Order {
    /// From claims `(better, worse)` about rows `0..rows`; a claim about another row is ignored.
    ///
    /// What follows is added: if A is better than B and B than C, then A is better than C, which is true whenever the
    /// two claims are, so that it costs no level. Claims that go in a circle contradict each other and are withdrawn; with
    /// rows compared over the same blocks they cannot arise.
    pub fn new(rows: usize, claims: &[(usize, usize)]) -> Self {
        let mut reaches = vec![vec![false; rows]; rows];
        for &(better, worse) in claims.iter().filter(|(better, worse)| *better < rows && *worse < rows) {
            reaches[better][worse] = true;
        }
        // Warshall's transitive closure.
        for through in 0..rows {
            let onwards = reaches[through].clone();
            for from in reaches.iter_mut().filter(|from| from[through]) {
                from.iter_mut().zip(&onwards).for_each(|(reached, onward)| *reached |= onward);
            }
        }
        let strictly = |a: usize, b: usize| reaches[a][b] && !reaches[b][a];
        Self { better: (0..rows).map(|a| (0..rows).map(|b| strictly(a, b)).collect()).collect() }
    }

    /// Whether row `a` is better than row `b`.
    pub fn is_better(&self, a: usize, b: usize) -> bool {
        self.better[a][b]
    }

    /// Whether neither row is better than the other.
    pub fn are_alike(&self, a: usize, b: usize) -> bool {
        !self.better[a][b] && !self.better[b][a]
    }

    /// Each row's first and last place, in the order of the rows.
    pub fn places(&self) -> Vec<(usize, usize)> {
        let rows = self.better.len();
        let better_than = |row: usize| (0..rows).filter(|&other| self.better[other][row]).count();
        let worse_than = |row: usize| (0..rows).filter(|&other| self.better[row][other]).count();
        (0..rows).map(|row| (1 + better_than(row), rows - worse_than(row))).collect()
    }

    /// The ranks, in the order of the rows. Letters are given out along `presentation`, the rows in the order in which a
    /// table shows them: it decides which letters say what must be said, and nothing else.
    pub fn ranks(&self, presentation: &[usize]) -> Vec<Rank> {
        let mut ranks: Vec<Rank> = self
            .places()
            .into_iter()
            .map(|(best, worst)| Rank { best, worst, letters: String::new() })
            .collect();
        for (number, group) in self.groups(presentation).iter().enumerate() {
            let letter = letter(number);
            group.iter().for_each(|&row| ranks[row].letters.push_str(&letter));
        }
        ranks
    }

    /// Groups of rows that are all alike, such that every two rows that are alike meet in one. Each uncovered pair is made
    /// as large a group as the order allows, which needs at most one group a pair; the display with all largest groups can
    /// need exponentially many.
    fn groups(&self, presentation: &[usize]) -> Vec<Vec<usize>> {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (position, &first) in presentation.iter().enumerate() {
            // A row meets itself first, so that one unlike any other has a letter; last, so that others' groups serve.
            let others = presentation[position + 1..].iter().copied();
            for second in others.filter(|&second| self.are_alike(first, second)).chain([first]) {
                if groups.iter().any(|group| group.contains(&first) && group.contains(&second)) {
                    continue;
                }
                let mut group = vec![first, second];
                group.dedup();
                for &row in presentation {
                    if !group.contains(&row) && group.iter().all(|&member| self.are_alike(member, row)) {
                        group.push(row);
                    }
                }
                groups.push(group);
            }
        }
        groups
    }
}

/// `a` to `z`, then `a1` to `z1` and so on, each of which reads as one.
fn letter(number: usize) -> String {
    let letter = char::from(b'a' + (number % 26) as u8);
    match number / 26 {
        0 => letter.to_string(),
        round => format!("{letter}{round}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn shown(rows: usize, claims: &[(usize, usize)]) -> Vec<String> {
        let presentation: Vec<usize> = (0..rows).collect();
        let ranks = Order::new(rows, claims).ranks(&presentation);
        ranks.iter().map(|rank| format!("{rank} {}", rank.letters)).collect()
    }

    #[test]
    fn a_row_between_two_that_differ_shares_places_and_letters_with_both() {
        assert_eq!(shown(3, &[(0, 2)]), ["1-2 a", "1-3 ab", "2-3 b"]);
    }

    #[test]
    fn rows_all_told_apart_have_one_place_each() {
        assert_eq!(shown(3, &[(0, 1), (1, 2), (0, 2)]), ["1 a", "2 b", "3 c"]);
    }

    #[test]
    fn rows_of_which_none_is_told_apart_share_every_place() {
        assert_eq!(shown(3, &[]), ["1-3 a", "1-3 a", "1-3 a"]);
    }

    #[test]
    fn two_groups_are_two_groups() {
        assert_eq!(shown(4, &[(0, 2), (0, 3), (1, 2), (1, 3)]), ["1-2 a", "1-2 a", "3-4 b", "3-4 b"]);
    }

    #[test]
    fn what_follows_from_two_claims_is_claimed() {
        assert_eq!(shown(3, &[(0, 1), (1, 2)]), ["1 a", "2 b", "3 c"]);
    }

    #[test]
    fn claims_that_go_in_a_circle_are_withdrawn_and_the_others_stay() {
        assert_eq!(shown(4, &[(0, 1), (1, 2), (2, 0), (2, 3)]), ["1-3 a", "1-3 a", "1-3 a", "4 b"]);
    }

    #[test]
    fn a_single_row_is_first_and_no_rows_are_nothing() {
        assert_eq!(shown(1, &[]), ["1 a"]);
        assert!(shown(0, &[(0, 1)]).is_empty());
    }

    #[test]
    fn letters_go_on_after_z_without_two_meaning_the_same() {
        let letters: BTreeSet<String> = (0..100).map(letter).collect();
        assert_eq!((letters.len(), letter(25), letter(26)), (100, "z".to_owned(), "a1".to_owned()));
    }

    /// Letters, each with the number that may follow it.
    fn split(letters: &str) -> BTreeSet<&str> {
        let starts: Vec<usize> =
            letters.char_indices().filter(|(_, c)| c.is_ascii_alphabetic()).map(|(at, _)| at).collect();
        let ends = starts.iter().skip(1).copied().chain([letters.len()]);
        starts.iter().zip(ends).map(|(&from, to)| &letters[from..to]).collect()
    }

    fn any_claims() -> impl Strategy<Value = (usize, Vec<(usize, usize)>)> {
        (1_usize..9).prop_flat_map(|rows| (Just(rows), prop::collection::vec((0..rows, 0..rows), 0..20)))
    }

    proptest! {
        #[test]
        fn a_better_row_never_ranks_behind_one_it_is_told_apart_from((rows, claims) in any_claims()) {
            let order = Order::new(rows, &claims);
            let places = order.places();
            for (a, b) in (0..rows).flat_map(|a| (0..rows).map(move |b| (a, b))) {
                if order.is_better(a, b) {
                    prop_assert!(places[a].0 < places[b].0 && places[a].1 < places[b].1, "{places:?}");
                }
            }
        }

        #[test]
        fn rows_that_are_alike_share_a_place((rows, claims) in any_claims()) {
            let order = Order::new(rows, &claims);
            let places = order.places();
            for (a, b) in (0..rows).flat_map(|a| (0..rows).map(move |b| (a, b))) {
                prop_assert!(1 <= places[a].0 && places[a].0 <= places[a].1 && places[a].1 <= rows);
                if order.are_alike(a, b) {
                    prop_assert!(places[a].0.max(places[b].0) <= places[a].1.min(places[b].1), "{places:?}");
                }
            }
        }

        #[test]
        fn rows_share_a_letter_exactly_if_they_are_alike((rows, claims) in any_claims()) {
            let order = Order::new(rows, &claims);
            let ranks = order.ranks(&(0..rows).collect::<Vec<_>>());
            for (a, b) in (0..rows).flat_map(|a| (0..rows).map(move |b| (a, b))) {
                let shared = split(&ranks[a].letters).intersection(&split(&ranks[b].letters)).count();
                prop_assert_eq!(order.are_alike(a, b), shared > 0, "{:?}", ranks);
            }
        }

        #[test]
        fn the_true_place_is_among_the_places_when_the_claims_are_true(
            rows in 1_usize..9, chosen in prop::collection::vec(any::<bool>(), 64),
        ) {
            // Row 0 truly is the best and the last row the worst; some of the true claims are made.
            let pairs = (0..rows).flat_map(|a| (a + 1..rows).map(move |b| (a, b)));
            let claims: Vec<_> = pairs.zip(chosen).filter_map(|(claim, made)| made.then_some(claim)).collect();
            for (row, (best, worst)) in Order::new(rows, &claims).places().into_iter().enumerate() {
                prop_assert!((best..=worst).contains(&(row + 1)));
            }
        }

        #[test]
        fn the_order_in_which_rows_are_given_does_not_matter(
            (rows, claims) in any_claims(), keys in prop::collection::vec(any::<u32>(), 9),
        ) {
            let mut new_name: Vec<usize> = (0..rows).collect();
            new_name.sort_by_key(|&row| keys[row]);
            let renamed: Vec<_> = claims.iter().map(|&(a, b)| (new_name[a], new_name[b])).collect();
            let (before, after) = (Order::new(rows, &claims), Order::new(rows, &renamed));
            let presentation: Vec<usize> = (0..rows).collect();
            let (before, after) = (before.ranks(&presentation), after.ranks(&new_name));
            for row in 0..rows {
                prop_assert_eq!(&before[row], &after[new_name[row]]);
            }
        }
    }
}
