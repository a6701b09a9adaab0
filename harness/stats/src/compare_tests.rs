//! What a comparison claims, against truths that were put into the data.

use proptest::prelude::*;

use crate::compare::{Alike, Comparison, Judgement, NoRank, Series, Verdict, scenario};
use crate::lcg::Lcg;
use crate::noise::AaVerdict;
use crate::pair::NoEstimate;
use crate::rank::Direction;

fn series(name: &str, values: &[f64]) -> Series {
    Series { name: name.to_owned(), ranked: true, values: values.iter().copied().map(Some).collect() }
}

/// Rows with the given true levels over common block effects of 20% and noise of `spread`.
fn simulated(lcg: &mut Lcg, levels: &[f64], blocks: usize, spread: f64) -> Vec<Series> {
    let effects: Vec<f64> = (0..blocks).map(|_| 0.2 * lcg.normal()).collect();
    let mut rows = Vec::new();
    for (number, level) in levels.iter().enumerate() {
        let values =
            effects.iter().map(|effect| Some(level * (effect + spread * lcg.normal()).exp())).collect();
        rows.push(Series { name: format!("row {number}"), ranked: true, values });
    }
    rows
}

fn places(comparison: &Comparison) -> Vec<String> {
    (0..comparison.rows.len())
        .map(|row| {
            comparison.rank_of(row).map_or_else(|| "-".to_owned(), |rank| format!("{rank} {}", rank.letters))
        })
        .collect()
}

fn higher(rows: &[Series]) -> Comparison {
    scenario(rows, Direction::HigherIsBetter, None)
}

#[test]
fn rows_that_are_the_same_are_told_apart_in_at_most_five_runs_of_a_hundred() {
    let mut lcg = Lcg::new(1);
    let mut false_claims = 0;
    for _ in 0..1_000 {
        let rows = simulated(&mut lcg, &[1.0; 5], 6, 0.05);
        let claimed =
            higher(&rows).pairs.iter().any(|pair| matches!(pair.judgement, Judgement::ToldApart { .. }));
        false_claims += u32::from(claimed);
    }
    // At most 50 are expected, with a standard deviation of at most 6.9.
    assert!(false_claims <= 70, "{false_claims} of 1000");
}

#[test]
fn among_different_rows_a_false_claim_is_as_rare() {
    // Rows 0 to 2 are the same, row 3 is far off: Holm must hold its level after rejecting what is to be rejected.
    let mut lcg = Lcg::new(2);
    let (mut false_claims, mut found) = (0, 0);
    for _ in 0..1_000 {
        let comparison = higher(&simulated(&mut lcg, &[1.0, 1.0, 1.0, 2.0], 6, 0.05));
        let better = |a, b| comparison.better(a, b);
        false_claims += u32::from([(0, 1), (0, 2), (1, 2)].iter().any(|&(a, b)| better(a, b).is_some()));
        found += u32::from((0..3).all(|row| better(row, 3) == Some(3)));
    }
    assert!(false_claims <= 70, "{false_claims} of 1000");
    assert!(found >= 990, "{found} of 1000");
}

#[test]
fn every_true_place_is_among_the_places_given_in_95_of_100_runs() {
    let mut lcg = Lcg::new(4);
    let levels = [1.30, 1.18, 1.10, 1.06, 1.0];
    let mut right = 0;
    for _ in 0..500 {
        let comparison = higher(&simulated(&mut lcg, &levels, 6, 0.04));
        let holds = |row: usize| {
            comparison.rank_of(row).is_some_and(|rank| (rank.best..=rank.worst).contains(&(row + 1)))
        };
        right += u32::from((0..levels.len()).all(holds));
    }
    // At least 475 are expected, with a standard deviation of at most 4.9.
    assert!(right >= 460, "{right} of 500");
}

#[test]
fn rows_far_apart_are_ranked_in_the_order_that_the_direction_says() {
    let rows = simulated(&mut Lcg::new(5), &[3.0, 9.0, 1.0], 6, 0.01);
    assert_eq!(places(&higher(&rows)), ["2 b", "1 a", "3 c"]);
    assert_eq!(places(&scenario(&rows, Direction::LowerIsBetter, None)), ["2 b", "3 c", "1 a"]);
}

#[test]
fn five_blocks_give_values_and_intervals_but_no_rank() {
    let comparison = higher(&simulated(&mut Lcg::new(6), &[1.0, 5.0], 5, 0.01));
    for row in &comparison.rows {
        assert_eq!(row.verdict, Verdict::NoRank { reason: NoRank::TooFewBlocks { valid: 5 } });
        assert!(row.summary.is_some());
    }
    let pair = comparison.pair(1, 0).expect("both were entered");
    assert!(pair.individual.is_some_and(|interval| interval.contains(0.2)));
    assert_eq!((pair.judgement, pair.adjusted_p, pair.simultaneous), (Judgement::NotJudged, None, None));
}

#[test]
fn a_row_with_a_failed_trial_does_not_cost_the_others_their_ranks() {
    let mut rows = simulated(&mut Lcg::new(7), &[1.0, 2.0, 4.0], 6, 0.01);
    rows[2].values[3] = None;
    let comparison = higher(&rows);
    assert_eq!(places(&comparison), ["2 b", "1 a", "-"]);
    assert_eq!(comparison.pair(0, 2).map(|pair| pair.judgement), Some(Judgement::NotJudged));
}

#[test]
fn a_row_that_is_not_entered_changes_nothing_for_the_others() {
    let rows = simulated(&mut Lcg::new(8), &[1.0, 2.0], 6, 0.05);
    let mut with_ceiling = rows.clone();
    let ceiling = series("ceiling", &[9.0, 1.0, 7.0, 0.0, 3.0, 8.0]);
    with_ceiling.push(Series { ranked: false, ..ceiling });
    let (without, with) = (higher(&rows), higher(&with_ceiling));
    assert_eq!((&without.pairs, without.noise), (&with.pairs, with.noise));
    assert_eq!(without.rows[..], with.rows[..2]);
    assert_eq!(with.rows[2].verdict, Verdict::NoRank { reason: NoRank::NotEntered });
    assert!(with.rows[2].summary.is_some_and(|summary| summary.count == 6));
}

#[test]
fn a_row_that_stood_still_in_one_block_is_shown_and_not_ranked() {
    let rows =
        [series("still", &[5.0, 0.0, 5.0, 5.1, 4.9, 5.0]), series("other", &[1.0, 1.1, 1.0, 0.9, 1.0, 1.05])];
    let comparison = higher(&rows);
    assert_eq!(comparison.rows[0].verdict, Verdict::NoRank { reason: NoRank::NotPositive { block: 1 } });
    assert_eq!(comparison.pairs[0].estimate, Err(NoEstimate::NotPositive { block: 1 }));
    assert!(comparison.rows[0].summary.is_some());
    assert_eq!(places(&comparison), ["-", "1 a"]);
}

#[test]
fn rows_that_never_vary_are_not_a_crash_and_equal_ones_share_a_rank() {
    let rows = [series("a", &[2.0; 6]), series("b", &[2.0; 6]), series("c", &[3.0; 6])];
    let comparison = higher(&rows);
    // Three pairs need p below 1/60, and six blocks of one sign have 1/32.
    assert_eq!(places(&comparison), ["1-3 a", "1-3 a", "1-3 a"]);
    let two = higher(&rows[1..]);
    assert_eq!(places(&two), ["2 b", "1 a"]);
}

#[test]
fn a_significant_difference_within_the_noise_floor_is_no_difference() {
    // The first two rows differ by 1% in every block, the other two by noise of some 50%.
    let base = [100.0, 101.0, 99.0, 100.5, 99.5, 100.2];
    let steady: Vec<f64> =
        base.iter().zip([1.01, 1.011, 1.0095, 1.0102, 1.0105, 1.01]).map(|(b, r)| b * r).collect();
    let noisy = simulated(&mut Lcg::new(9), &[100.0, 100.0], 6, 0.5);
    let rows = [series("a", &base), series("b", &steady), noisy[0].clone(), noisy[1].clone()];
    let comparison = higher(&rows);
    let pair = comparison.pair(0, 1).expect("both were entered");
    assert!(pair.adjusted_p.is_some_and(|p| p < 0.001));
    assert!(pair.judged.is_some_and(|interval| !interval.contains(1.0)));
    assert_eq!(pair.judgement, Judgement::Alike { because: Alike::WithinNoiseFloor });
}

#[test]
fn identical_rows_check_the_floor_without_being_part_of_it() {
    let mut rows = simulated(&mut Lcg::new(10), &[1.0, 1.5, 2.0, 1.0], 6, 0.05);
    rows[3].ranked = false;
    let comparison = scenario(&rows, Direction::HigherIsBetter, Some((0, 3)));
    assert!(matches!(comparison.aa, AaVerdict::Agrees { .. }), "{:?}", comparison.aa);
    assert_eq!(comparison.noise, higher(&rows[..3]).noise);
    rows[3].values.iter_mut().flatten().for_each(|value| *value *= 2.0);
    let comparison = scenario(&rows, Direction::HigherIsBetter, Some((0, 3)));
    assert!(matches!(comparison.aa, AaVerdict::Disagrees { .. }), "{:?}", comparison.aa);
}

#[test]
fn without_two_identical_rows_nothing_is_checked() {
    let rows = simulated(&mut Lcg::new(12), &[1.0, 2.0], 6, 0.05);
    for aa in [None, Some((0, 0)), Some((0, 7))] {
        let comparison = scenario(&rows, Direction::HigherIsBetter, aa);
        assert!(matches!(comparison.aa, AaVerdict::NotMeasured { .. }));
    }
}

#[test]
fn no_rows_and_empty_rows_are_an_empty_comparison() {
    let comparison = higher(&[]);
    assert!(comparison.rows.is_empty() && comparison.pairs.is_empty() && comparison.noise.is_none());
    let comparison = higher(&[series("a", &[]), series("b", &[])]);
    assert_eq!(comparison.rows[0].summary, None);
    assert_eq!(comparison.pairs[0].estimate, Err(NoEstimate::TooFewCommonBlocks { common: 0 }));
}

/// Anything a harness could hand over, sensible or not.
fn any_rows() -> impl Strategy<Value = Vec<Series>> {
    let value = prop_oneof![
        8 => (0.5_f64..2.0).prop_map(Some),
        2 => (1_u8..4).prop_map(|value| Some(f64::from(value))),
        1 => Just(None),
        1 => prop_oneof![Just(0.0), Just(-1.0), Just(f64::NAN), Just(f64::INFINITY), Just(1e300), Just(1e-300)].prop_map(Some),
    ];
    let row = (prop::collection::vec(value, 0..9), prop::bool::weighted(0.9));
    prop::collection::vec(row, 0..6).prop_map(|rows| {
        let named = |(number, (values, ranked))| Series { name: format!("row {number}"), ranked, values };
        rows.into_iter().enumerate().map(named).collect()
    })
}

/// Rows that can be ranked, at levels which are partly told apart.
fn rankable_rows() -> impl Strategy<Value = Vec<Series>> {
    (any::<u64>(), prop::collection::vec(1.0_f64..1.6, 2..7))
        .prop_map(|(seed, levels)| simulated(&mut Lcg::new(seed), &levels, 6, 0.04))
}

proptest! {
    #[test]
    fn whatever_goes_in_no_number_comes_out_that_json_cannot_hold(
        rows in any_rows(), aa in proptest::option::of((0_usize..6, 0_usize..6)),
    ) {
        let comparison = scenario(&rows, Direction::LowerIsBetter, aa);
        prop_assert_eq!(comparison.rows.len(), rows.len());
        let numbers = comparison.pairs.iter().flat_map(|pair| {
            let estimate = pair.estimate.iter().flat_map(|estimate| [estimate.ratio, estimate.p_value]);
            let intervals = [pair.individual, pair.simultaneous, pair.judged].into_iter().flatten();
            let ends = intervals.flat_map(|interval| [interval.low, interval.high, interval.alpha]);
            estimate.chain(ends).chain(pair.adjusted_p).collect::<Vec<_>>()
        });
        let floor = comparison.noise.iter().flat_map(|noise| [noise.stdev_log, noise.ratio]);
        for number in numbers.chain(floor) {
            prop_assert!(number.is_finite(), "{comparison:?}");
        }
        prop_assert!(serde_json::to_string(&comparison).is_ok());
    }

    #[test]
    fn ranks_and_letters_do_not_depend_on_the_order_of_rows(rows in rankable_rows(), turn in 0_usize..6) {
        let mut turned = rows.clone();
        turned.rotate_left(turn % rows.len());
        turned.reverse();
        let (before, after) = (higher(&rows), higher(&turned));
        for (row, series) in rows.iter().enumerate() {
            let there = turned.iter().position(|other| other.name == series.name).expect("the same rows");
            prop_assert_eq!(before.rank_of(row), after.rank_of(there));
        }
    }

    #[test]
    fn pairs_ranks_and_intervals_tell_one_story(rows in rankable_rows()) {
        let comparison = higher(&rows);
        for pair in &comparison.pairs {
            let ranks = [pair.first, pair.second].map(|row| comparison.rank_of(row).expect("six valid blocks"));
            let share_a_letter = ranks[0].letters.chars().any(|letter| ranks[1].letters.contains(letter));
            match pair.judgement {
                Judgement::ToldApart { better, implied } => {
                    let worse = if better == pair.first { 1 } else { 0 };
                    prop_assert!(ranks[1 - worse].best < ranks[worse].best && !share_a_letter);
                    let judged = pair.judged.expect("there is spread");
                    prop_assert!(implied || (!judged.contains(1.0) && pair.adjusted_p.is_some_and(|p| p <= 0.05)));
                }
                Judgement::Alike { .. } => prop_assert!(share_a_letter),
                Judgement::NotJudged => prop_assert!(false, "all rows have six blocks"),
            }
            let (simultaneous, judged) = (pair.simultaneous.expect("spread"), pair.judged.expect("spread"));
            let individual = pair.individual.expect("spread");
            prop_assert!(simultaneous.low <= judged.low && judged.low <= individual.low);
            prop_assert!(simultaneous.high >= judged.high && judged.high >= individual.high);
        }
    }

    #[test]
    fn turning_values_over_turns_the_direction_over(rows in rankable_rows()) {
        let mut inverse = rows.clone();
        inverse.iter_mut().flat_map(|row| row.values.iter_mut().flatten()).for_each(|value| *value = 1.0 / *value);
        let places = |comparison: &Comparison| {
            let rank = |row| comparison.rank_of(row).map(|rank| (rank.best, rank.worst));
            (0..rows.len()).map(rank).collect::<Vec<_>>()
        };
        prop_assert_eq!(places(&higher(&rows)), places(&scenario(&inverse, Direction::LowerIsBetter, None)));
    }
}
