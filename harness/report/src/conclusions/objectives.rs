//! What one may want of a row, and which rows serve it best: of the controlled tier, by the same statistics as places.

use race::{
    plan::scenario::{Pacing, Scenario},
    records::folder::Contents,
    registry::{OperationName, Tier},
};
use stats::{
    Direction,
    decide::{Decision, Decisions, FAMILY_ALPHA, FEWEST_STARTS, Pair, decide},
    places::{Place, Places, Standing, places, places_where_both_agree},
    power::{POWER, starts_for},
};

use crate::{
    conclusions::analysis::Analysis,
    counts::{
        compared::{Compared, Figure},
        entered::Entered,
        times,
    },
};

/// What one may want: what the records know, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Objective {
    /// As many answers as can be had.
    Throughput,
    /// As little CPU time for each.
    Cpu,
    /// As short a wait for the cheap ones, 99 times of 100.
    CheapTail,
    /// As little memory.
    Memory,
}

/// What is known of it under one scenario.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Choice {
    /// The scenario does not ask for it: an open loop offers a fixed rate, and a closed one has no response times.
    NotAsked,
    /// The table gives no places, or there are not two rows.
    NotCompared,
    /// The rows that may be the best: one, or several that cannot be told apart from the one that seems so.
    Among {
        /// By name, the one that seems best first.
        best: Vec<String>,
        /// Of so many that carried the load and could be measured.
        of: usize,
        /// How much longer the run would have to measure to tell that one from the others; nothing where one is best.
        more: Option<More>,
    },
}

/// How much longer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum More {
    /// About so many seconds.
    Seconds(f64),
    /// More than a day.
    NoRun,
}

const DAY_S: f64 = 24.0 * 3600.0;

impl Objective {
    pub(crate) const ALL: [Self; 4] = [Self::Throughput, Self::Cpu, Self::CheapTail, Self::Memory];

    /// In a table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Throughput => "throughput",
            Self::Cpu => "CPU a request",
            Self::CheapTail => "p99 of cheap ones",
            Self::Memory => "memory",
        }
    }

    fn direction(self) -> Direction {
        match self {
            Self::Throughput => Direction::HigherIsBetter,
            Self::Cpu | Self::CheapTail | Self::Memory => Direction::LowerIsBetter,
        }
    }

    /// The figure that tells it under `scenario`, and the stream that it is of, as an index.
    fn figure(self, scenario: &Scenario) -> Option<(Figure, usize)> {
        let position =
            |wanted: &dyn Fn(&race::plan::scenario::Stream) -> bool| scenario.streams.iter().position(wanted);
        match self {
            Self::Throughput => {
                Some((Figure::Throughput, position(&|stream| stream.pacing == Pacing::Closed)?))
            }
            Self::CheapTail => {
                let is_cheap = |stream: &race::plan::scenario::Stream| {
                    stream.operation == OperationName::Simple && stream.pacing != Pacing::Closed
                };
                Some((Figure::Percentile(0.99), position(&is_cheap)?))
            }
            Self::Cpu => Some((Figure::CpuPerRequest, 0)),
            Self::Memory => Some((Figure::Memory, 0)),
        }
    }

    /// Which rows serve it best under `scenario`.
    pub(crate) fn choose(
        self,
        scenario: &Scenario,
        contents: &Contents,
        rows: &[Entered<'_>],
        analysis: &Analysis,
    ) -> Choice {
        let Some((figure, stream)) = self.figure(scenario) else { return Choice::NotAsked };
        let is_member = |row: &usize| rows[*row].line.row.tier == Tier::Controlled && !rows[*row].line.twin;
        let members: Vec<usize> = (0..rows.len()).filter(is_member).collect();
        let of_members = members.iter().map(|&row| (&rows[row].line, &rows[row].streams[stream]));
        let compared = Compared::of(figure, &scenario.streams[stream].name, of_members);
        let standing = |(at, &row): (usize, &usize)| match analysis.loads[row].is_overloaded() {
            true => Standing::Overloaded,
            false if compared.usable_starts(at) < FEWEST_STARTS => Standing::Unplaced,
            false => Standing::Measured,
        };
        let standings: Vec<Standing> = members.iter().enumerate().map(standing).collect();
        let entered: Vec<usize> =
            (0..members.len()).filter(|&at| standings[at] != Standing::Overloaded).collect();
        let decisions = decide(&compared.every_pair(&entered), FAMILY_ALPHA);
        let claims = decisions.claims(self.direction());
        let placed = match figure {
            Figure::Percentile(q) => {
                let name = &scenario.streams[stream].name;
                let observed = members.iter().map(|&row| match &rows[row].observed {
                    Some(observed) if rows[row].ranked_stream == stream && observed.q == q => {
                        observed.clone()
                    }
                    _ => times::observed(&rows[row].line, name, q),
                });
                let observed = Compared::Merged(observed.collect());
                let observed = decide(&observed.every_pair(&entered), FAMILY_ALPHA);
                places_where_both_agree(&standings, &claims, &observed.claims(self.direction()))
            }
            _ => places(&standings, &claims),
        };
        let name = |at: usize| rows[members[at]].line.row.name.clone();
        among(&placed, &standings, &decisions, self.direction(), &name, seconds_a_start(contents))
    }
}

/// The rows that may have the first place.
fn among(
    placed: &Places,
    standings: &[Standing],
    decisions: &Decisions,
    direction: Direction,
    name: &dyn Fn(usize) -> String,
    seconds_a_start: f64,
) -> Choice {
    let of = standings.iter().filter(|standing| **standing == Standing::Measured).count();
    if of < 2 {
        return Choice::NotCompared;
    }
    let may_be_first = |&at: &usize| matches!(&placed.rows[at], Place::Held(rank) if rank.best == 1);
    let mut best: Vec<usize> = (0..standings.len()).filter(may_be_first).collect();
    // How far a row seems to be ahead of the others, whatever can be told of that.
    let lead = |at: usize| -> f64 {
        let pairs = decisions.pairs.iter();
        pairs.map(|pair| ahead(pair, at, direction)).sum()
    };
    best.sort_by(|&a, &b| lead(b).total_cmp(&lead(a)));
    let more = best.split_first().and_then(|(&first, others)| {
        let pairs = others.iter().filter_map(|&other| decisions.pair(first, other));
        let seconds = pairs.map(|pair| seconds_to_tell(pair, decisions, seconds_a_start));
        seconds.reduce(|a, b| if b > a || b.is_nan() { b } else { a })
    });
    let more = more.map(|seconds| if seconds <= DAY_S { More::Seconds(seconds) } else { More::NoRun });
    Choice::Among { best: best.into_iter().map(name).collect(), of, more }
}

/// By how much `row` seems ahead in a pair, as a log ratio; less than nothing where it seems behind.
fn ahead(pair: &Pair, row: usize, direction: Direction) -> f64 {
    let Some(contrast) = pair.contrast else { return 0.0 };
    let larger = match direction {
        Direction::HigherIsBetter => contrast.mean_log,
        Direction::LowerIsBetter => -contrast.mean_log,
    };
    match row {
        row if row == pair.first => larger,
        row if row == pair.second => -larger,
        _ => 0.0,
    }
}

/// How much longer the run would have to be to find the difference that this pair seems to have; infinite where no run would.
fn seconds_to_tell(pair: &Pair, decisions: &Decisions, seconds_a_start: f64) -> f64 {
    if matches!(pair.decision, Decision::Differ { .. }) {
        return 0.0;
    }
    let needed = pair.contrast.and_then(|contrast| {
        let alpha = decisions.alpha / decisions.family.max(1) as f64;
        let starts = starts_for(contrast.stdev_log, contrast.mean_log, alpha, POWER)?;
        Some(starts.saturating_sub(contrast.starts) as f64 * seconds_a_start)
    });
    needed.unwrap_or(f64::INFINITY)
}

/// What a start of all servers took.
fn seconds_a_start(contents: &Contents) -> f64 {
    contents.run.time.starts_s / contents.measurements.complete.len().max(1) as f64
}
