//! The comparison of a scenario's rows: which of them can be told apart, and what rank that leaves each.
//!
//! Two rows are told apart if both hold: Holm's procedure over all judged pairs rejects that their ratio is 1, at a
//! family-wise 5%, and the ratio is beyond the noise floor. The second can only take claims away. What a value means
//! is not known here: a trial's censored percentile comes in as its lower bound, which favours the row that has it.

use std::fmt;

use serde::Serialize;

use crate::holm;
use crate::noise::{self, AaVerdict, NoiseFloor};
use crate::pair::{self, Estimate, Interval, NoEstimate, has_logarithm};
use crate::rank::{Direction, Order, Rank};
use crate::summary::{Summary, summarise};

/// The probability that any row of a scenario is told apart from one that is no different.
pub const FAMILY_ALPHA: f64 = 0.05;

/// Valid blocks that a row needs for a rank: with fewer, not even its median has an interval at 95%.
pub const BLOCKS_FOR_A_RANK: usize = 6;

/// One row's figures under a scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The row's name.
    pub name: String,
    /// Whether it takes part in pairs, noise floor and ranks. One that does not is only summarised.
    pub ranked: bool,
    /// Its value in every block, in any one unit; `None` where the block has no valid trial of it.
    pub values: Vec<Option<f64>>,
}

/// What may be said about a scenario's rows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Which values are good.
    pub direction: Direction,
    /// The rows, in the order given.
    pub rows: Vec<Row>,
    /// Every two ranked rows, once, in the order of the rows.
    pub pairs: Vec<Pair>,
    /// The spread of ranked rows between blocks; `None` when fewer than two of them have blocks in common.
    pub noise: Option<NoiseFloor>,
    /// Whether identical rows came out as such.
    pub aa: AaVerdict,
}

/// One row's part of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The row's name.
    pub name: String,
    /// Its figures; `None` without a valid trial, or when a value is not finite.
    pub summary: Option<Summary>,
    /// Its rank, or why it has none.
    pub verdict: Verdict,
}

/// A rank or the reason for none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The places that it may have among the rows with ranks.
    Ranked(Rank),
    /// It is not in the ranking.
    NoRank {
        /// Why.
        reason: NoRank,
    },
}

/// Why a row has no rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoRank {
    /// It was not entered for a rank.
    NotEntered,
    /// Fewer than [`BLOCKS_FOR_A_RANK`] blocks have a valid trial of it.
    TooFewBlocks {
        /// How many have.
        valid: usize,
    },
    /// A value is zero, negative or not finite, and has no ratio to another.
    NotPositive {
        /// The block, counted from 0.
        block: usize,
    },
}

/// Two ranked rows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pair {
    /// The first row, as an index into the rows; its value is the ratio's numerator.
    pub first: usize,
    /// The second row.
    pub second: usize,
    /// Their ratio, or why there is none.
    pub estimate: Result<Estimate, NoEstimate>,
    /// The 95% t interval for the ratio of this pair by itself: among many pairs, some of these miss. Like the next two,
    /// `None` where the ratio has no spread.
    pub individual: Option<Interval>,
    /// Bonferroni's interval, at `0.05 / m` for m judged pairs: with 95% all of them are right at once.
    pub simultaneous: Option<Interval>,
    /// The interval at the level at which Holm's procedure judged this pair: it leaves 1 out exactly if the procedure
    /// rejects. It explains that decision; the chance that all of these are right is not known to be 95%.
    pub judged: Option<Interval>,
    /// The p-value adjusted by Holm's procedure; `None` for a pair outside the family.
    pub adjusted_p: Option<f64>,
    /// What is claimed of the two.
    pub judgement: Judgement,
}

/// What is claimed of two rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// One is better.
    ToldApart {
        /// Which, as an index into the rows.
        better: usize,
        /// Whether this follows from other pairs only: it is better than a third row that is better than the other.
        implied: bool,
    },
    /// They cannot be told apart.
    Alike {
        /// Why not.
        because: Alike,
    },
    /// No claim was tried, since one of them has no rank or they have no ratio.
    NotJudged,
}

/// Why two rows cannot be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Alike {
    /// Holm's procedure does not reject that their ratio is 1.
    NotSignificant,
    /// Their ratio is one that a row may show against itself.
    WithinNoiseFloor,
    /// Claims about rows with different blocks missing go in a circle.
    Contradictory,
}

impl fmt::Display for NoRank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotEntered => f.write_str("not entered for a rank"),
            Self::TooFewBlocks { valid } => {
                write!(f, "{valid} valid blocks, and a rank needs {BLOCKS_FOR_A_RANK}; run more trials")
            }
            Self::NotPositive { block } => {
                write!(f, "its value in block {block} is not positive and has no ratio")
            }
        }
    }
}

impl Comparison {
    /// The rank of the row with this index, if it has one.
    pub fn rank_of(&self, row: usize) -> Option<&Rank> {
        match &self.rows.get(row)?.verdict {
            Verdict::Ranked(rank) => Some(rank),
            Verdict::NoRank { .. } => None,
        }
    }

    /// Two ranked rows, in whichever order they are named. Its ratio is [`Pair::first`] over [`Pair::second`].
    pub fn pair(&self, a: usize, b: usize) -> Option<&Pair> {
        self.pairs.iter().find(|pair| (pair.first, pair.second) == (a.min(b), a.max(b)))
    }

    /// Which of two rows is better, if they are told apart.
    pub fn better(&self, a: usize, b: usize) -> Option<usize> {
        match self.pair(a, b)?.judgement {
            Judgement::ToldApart { better, .. } => Some(better),
            Judgement::Alike { .. } | Judgement::NotJudged => None,
        }
    }
}

/// Compares the rows of one scenario. `aa` names two rows known to be identical; at least one of them should not be
/// `ranked`, since the pair is to check the noise floor from outside. All vectors of values are of the same blocks.
pub fn scenario(rows: &[Series], direction: Direction, aa: Option<(usize, usize)>) -> Comparison {
    let unranked: Vec<Option<NoRank>> = rows.iter().map(why_no_rank).collect();
    let noise = noise_floor(rows);
    let mut pairs = measure_pairs(rows);
    judge(&mut pairs, &unranked);
    let claims = claim(&mut pairs, noise.as_ref(), direction);

    let order = Order::new(rows.len(), &claims);
    apply(&mut pairs, &order);
    let summaries: Vec<Option<Summary>> = rows.iter().map(summary_of).collect();
    let verdicts = verdicts(rows, &unranked, &summaries, &claims, direction);
    let rows_out = rows.iter().zip(summaries).zip(verdicts);
    Comparison {
        direction,
        rows: rows_out
            .map(|((row, summary), verdict)| Row { name: row.name.clone(), summary, verdict })
            .collect(),
        pairs,
        noise,
        aa: check_aa(rows, noise.as_ref(), aa),
    }
}

fn why_no_rank(row: &Series) -> Option<NoRank> {
    let valid = row.values.iter().flatten().count();
    if !row.ranked {
        Some(NoRank::NotEntered)
    } else if let Some(block) =
        row.values.iter().position(|value| value.is_some_and(|value| !has_logarithm(value)))
    {
        Some(NoRank::NotPositive { block })
    } else if valid < BLOCKS_FOR_A_RANK {
        Some(NoRank::TooFewBlocks { valid })
    } else {
        None
    }
}

/// Over all ranked rows that have logarithms, those with too few blocks for a rank included: their spread counts.
fn noise_floor(rows: &[Series]) -> Option<NoiseFloor> {
    let usable = |row: &&Series| row.ranked && row.values.iter().flatten().all(|&value| has_logarithm(value));
    let logs = |row: &Series| row.values.iter().map(|value| value.map(f64::ln)).collect();
    NoiseFloor::of(&rows.iter().filter(usable).map(logs).collect::<Vec<_>>())
}

fn measure_pairs(rows: &[Series]) -> Vec<Pair> {
    let ranked: Vec<usize> = (0..rows.len()).filter(|&row| rows[row].ranked).collect();
    let of = |first: usize, second: usize| {
        let estimate = pair::estimate(&rows[first].values, &rows[second].values);
        Pair {
            first,
            second,
            estimate,
            individual: estimate.ok().and_then(|estimate| estimate.interval(FAMILY_ALPHA)),
            simultaneous: None,
            judged: None,
            adjusted_p: None,
            judgement: Judgement::NotJudged,
        }
    };
    ranked
        .iter()
        .enumerate()
        .flat_map(|(i, &first)| ranked[i + 1..].iter().map(move |&second| of(first, second)))
        .collect()
}

/// Runs Holm's procedure over the family: the pairs of rows that can have ranks. Which pairs those are is decided by
/// how many trials are valid and not by what they measured.
fn judge(pairs: &mut [Pair], unranked: &[Option<NoRank>]) {
    let in_family = |pair: &&mut Pair| unranked[pair.first].is_none() && unranked[pair.second].is_none();
    let mut family: Vec<(&mut Pair, Estimate)> = pairs
        .iter_mut()
        .filter(in_family)
        .filter_map(|pair| pair.estimate.ok().map(|estimate| (pair, estimate)))
        .collect();
    let p_values: Vec<f64> = family.iter().map(|(_, estimate)| estimate.p_value).collect();
    let size = p_values.len() as f64;
    for ((pair, estimate), step) in family.iter_mut().zip(holm::step_down(&p_values, FAMILY_ALPHA)) {
        pair.simultaneous = estimate.interval(FAMILY_ALPHA / size);
        pair.judged = estimate.interval(step.alpha);
        pair.adjusted_p = Some(step.adjusted_p);
        pair.judgement = Judgement::Alike { because: Alike::NotSignificant };
    }
}

/// Turns rejections into claims `(better, worse)` where the noise floor allows.
fn claim(pairs: &mut [Pair], noise: Option<&NoiseFloor>, direction: Direction) -> Vec<(usize, usize)> {
    let mut claims = Vec::new();
    for pair in pairs {
        let (Ok(estimate), Some(adjusted_p)) = (pair.estimate, pair.adjusted_p) else { continue };
        if adjusted_p > FAMILY_ALPHA {
            continue;
        }
        if !noise.is_some_and(|noise| noise.is_exceeded_by(&estimate)) {
            pair.judgement = Judgement::Alike { because: Alike::WithinNoiseFloor };
            continue;
        }
        let first_is_better = (estimate.ratio > 1.0) == (direction == Direction::HigherIsBetter);
        let (better, worse) =
            if first_is_better { (pair.first, pair.second) } else { (pair.second, pair.first) };
        pair.judgement = Judgement::ToldApart { better, implied: false };
        claims.push((better, worse));
    }
    claims
}

/// Makes the pairs say what the order says, which adds what follows and withdraws what contradicts.
fn apply(pairs: &mut [Pair], order: &Order) {
    for pair in pairs.iter_mut().filter(|pair| pair.judgement != Judgement::NotJudged) {
        let better = [(pair.first, pair.second), (pair.second, pair.first)]
            .into_iter()
            .find_map(|(better, worse)| order.is_better(better, worse).then_some(better));
        match (better, pair.judgement) {
            (None, Judgement::ToldApart { .. }) => {
                pair.judgement = Judgement::Alike { because: Alike::Contradictory };
            }
            (Some(better), Judgement::Alike { .. }) => {
                pair.judgement = Judgement::ToldApart { better, implied: true };
            }
            _ => {}
        }
    }
}

fn summary_of(row: &Series) -> Option<Summary> {
    summarise(&row.values.iter().copied().flatten().collect::<Vec<_>>())
}

/// Ranks the rows that can have ranks among themselves.
fn verdicts(
    rows: &[Series],
    unranked: &[Option<NoRank>],
    summaries: &[Option<Summary>],
    claims: &[(usize, usize)],
    direction: Direction,
) -> Vec<Verdict> {
    let mut entrants: Vec<usize> = (0..rows.len()).filter(|&row| unranked[row].is_none()).collect();
    let merit = |row: usize| {
        let median = summaries[row].map_or(0.0, |summary| summary.median.median);
        if direction == Direction::HigherIsBetter { -median } else { median }
    };
    // Names make the order, and with it the letters, independent of the order in which rows were given.
    entrants.sort_by(|&a, &b| merit(a).total_cmp(&merit(b)).then_with(|| rows[a].name.cmp(&rows[b].name)));
    let entry = |row: usize| entrants.iter().position(|&entrant| entrant == row);
    let claims: Vec<_> =
        claims.iter().filter_map(|&(better, worse)| Some((entry(better)?, entry(worse)?))).collect();
    let order = Order::new(entrants.len(), &claims);
    let mut presentation: Vec<usize> = (0..entrants.len()).collect();
    presentation.sort_by_key(|&entrant| order.places()[entrant]);
    let ranks = order.ranks(&presentation);

    let verdict = |row: usize| match entry(row) {
        Some(entrant) => Verdict::Ranked(ranks[entrant].clone()),
        None => Verdict::NoRank { reason: unranked[row].unwrap_or(NoRank::NotEntered) },
    };
    (0..rows.len()).map(verdict).collect()
}

fn check_aa(rows: &[Series], noise: Option<&NoiseFloor>, aa: Option<(usize, usize)>) -> AaVerdict {
    let not_measured = |reason: &str| AaVerdict::NotMeasured { reason: reason.to_owned() };
    let Some((first, second)) = aa else {
        return not_measured("no row was run twice");
    };
    match (rows.get(first), rows.get(second)) {
        (Some(a), Some(b)) if first != second => noise::check_identical(noise, &a.values, &b.values),
        _ => not_measured("the identical rows are not two of the scenario's rows"),
    }
}
