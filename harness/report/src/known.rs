//! What is known of a run that is under way, in a line: for patience, and for nothing else (METHODOLOGY.md, "Starts, rounds and windows").
//!
//! It is computed between two starts, so that it takes no more than it needs: the figure that rows are compared by, and none other.

use std::time::Duration;

use race::{
    plan::{ladder::Ladder, run_plan::STARTS_FOR_PLACES, scenario::Scenario},
    records::{folder::RunRecord, log::StartRecord},
    registry::Tier,
};
use stats::{
    decide::{Decision, FAMILY_ALPHA, decide},
    fisher::Kept,
};
use terminal::progress::about;

use crate::counts::{
    carried::RowLoad,
    compared::{Compared, Figure, ranked, ranked_windows},
    kept::{Line, Which, lines_so_far, server_cpus},
    times,
};

/// What is known of one scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The scenario.
    pub scenario: String,
    /// Pairs of rows of one tier that both carried the load, and how many of them can be told apart; nothing before there are enough
    /// starts, or where the scenario gives no places.
    pub pairs: Option<Pairs>,
    /// Windows that count, and those that do not.
    pub kept: Kept,
}

/// Every two rows of a tier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pairs {
    /// So many can be told apart.
    pub told_apart: usize,
    /// Of so many.
    pub all: usize,
}

/// What the starts that were finished say of each scenario, as the report would with no others.
pub fn known_so_far(run: &RunRecord, complete: &[StartRecord]) -> Vec<Known> {
    run.plan.compared().map(|scenario| Known::of(scenario, run, complete)).collect()
}

/// The same in a line, with the time that is left.
pub fn said_so_far(run: &RunRecord, complete: &[StartRecord]) -> String {
    let (planned, done) = (run.plan.starts as usize, complete.len());
    let mut parts = Vec::new();
    let enough = STARTS_FOR_PLACES as usize;
    if planned < enough {
        parts.push(format!("no row will be told from another, which takes {enough} starts"));
    } else if done < enough {
        let more = enough - done;
        parts.push(format!("nothing can be told before start {enough}, which takes {more} more"));
    }
    parts.extend(known_so_far(run, complete).iter().map(Known::said));
    parts.extend(time_left(run, done));
    format!("after start {done} of {planned}: {}", parts.join("; "))
}

/// If the starts that are left take as long as those that were finished.
fn time_left(run: &RunRecord, done: usize) -> Option<String> {
    let left = (run.plan.starts as usize).saturating_sub(done);
    let seconds = run.time.starts_s * left as f64 / done.max(1) as f64;
    let time = Duration::try_from_secs_f64(seconds.round()).ok().filter(|time| !time.is_zero())?;
    let measuring = 100.0 * run.time.windows_s / run.time.starts_s.max(f64::MIN_POSITIVE);
    Some(format!("{} left, of which measuring {measuring:.0}%", about(time)))
}

impl Known {
    fn of(scenario: &Scenario, run: &RunRecord, complete: &[StartRecord]) -> Self {
        let mut lines = lines_so_far(scenario, run, complete);
        let kept = lines.iter().map(Line::kept).sum();
        if let Some(step) = scenario.ladder.as_ref().and_then(Ladder::own_step) {
            lines = lines.iter().map(|line| line.at_step(scenario, step)).collect();
        }
        let has_enough_cpus =
            server_cpus(scenario, complete).is_some_and(|cpus| cpus >= scenario.min_server_cpus);
        let has_places =
            complete.len() >= STARTS_FOR_PLACES as usize && has_enough_cpus && scenario.has_own_step();
        let pairs = has_places.then(|| Pairs::of(scenario, &lines));
        Self { scenario: scenario.name.clone(), pairs, kept }
    }

    /// `mixed: 21 of 28 pairs told apart, kept 87%`.
    fn said(&self) -> String {
        let Self { scenario, pairs, kept: Kept { kept, dropped } } = self;
        let told = match pairs {
            Some(Pairs { all: 0, .. }) => Some("no two rows to compare".to_owned()),
            Some(Pairs { told_apart, all }) => Some(format!("{told_apart} of {all} pairs told apart")),
            None => None,
        };
        let kept = match kept + dropped {
            0 => "nothing measured".to_owned(),
            all => format!("kept {:.0}%", 100.0 * *kept as f64 / all as f64),
        };
        let parts: Vec<String> = told.into_iter().chain([kept]).collect();
        format!("{scenario}: {}", parts.join(", "))
    }
}

impl Pairs {
    /// As the report's pairs: of those that carried the load, tier by tier.
    fn of(scenario: &Scenario, lines: &[Line<'_>]) -> Self {
        let stream = &scenario.rank.stream;
        let compared = match ranked(scenario) {
            Figure::Percentile(q) => {
                Compared::Merged(lines.iter().map(|line| times::response(line, stream, q)).collect())
            }
            _ => Compared::Windows(
                lines.iter().map(|line| ranked_windows(scenario, line, Which::Gated)).collect(),
            ),
        };
        let mut pairs = Self::default();
        for tier in Tier::COMPARED {
            let is_member = |&at: &usize| {
                let line = &lines[at];
                line.row.tier == tier && !line.twin && !RowLoad::of(scenario, line).is_overloaded()
            };
            let members: Vec<usize> = (0..lines.len()).filter(is_member).collect();
            let decisions = decide(&compared.every_pair(&members), FAMILY_ALPHA);
            let differ = |pair: &&stats::decide::Pair| matches!(pair.decision, Decision::Differ { .. });
            pairs.told_apart += decisions.pairs.iter().filter(differ).count();
            pairs.all += decisions.pairs.len();
        }
        pairs
    }
}

#[cfg(test)]
mod tests {
    use race::{
        fixtures::run::{Wanted, rows, run, scenario},
        records::{folder::Contents, window::Measured},
    };

    use super::*;
    use crate::{
        made_up::{around, disturbed, section},
        model::Exact,
    };

    /// One row of three is faster; the others differ by chance alone.
    fn measured(wanted: &Wanted<'_>) -> Measured {
        let by_chance = (wanted.start * 5 + wanted.round * 3) % 11;
        let us = if wanted.entry.row.name == "rayon-offload" { 300 } else { 900 };
        let odd = if wanted.entry.row.name == "single-thread" { wanted.start as u64 % 2 * 9 } else { 4 };
        around(us + by_chance as u64 + odd)
    }

    fn contents(starts: u32) -> Contents {
        let rows = rows(&["work-stealing", "rayon-offload", "single-thread", "ceiling"]);
        run(rows, vec![scenario("mixed", 2)], starts, |wanted| measured(&wanted))
    }

    fn after(contents: &Contents, starts: usize) -> (Vec<Known>, String) {
        let complete = &contents.measurements.complete[..starts];
        (known_so_far(&contents.run, complete), said_so_far(&contents.run, complete))
    }

    #[test]
    fn before_enough_starts_it_says_how_many_are_missing() {
        let (known, said) = after(&contents(8), 2);
        assert_eq!((known.len(), known[0].pairs), (1, None));
        // The run's ten minutes, over two starts, would be half an hour over the other six.
        assert_eq!(
            said,
            "after start 2 of 8: nothing can be told before start 6, which takes 4 more; mixed: kept 100%; 30 minutes left, of \
             which measuring 55%"
        );
        let (_, said) = after(&contents(4), 2);
        assert!(said.contains("no row will be told from another, which takes 6 starts"), "{said}");
    }

    #[test]
    fn with_enough_it_says_what_the_report_would_say() {
        let contents = contents(8);
        let (known, said) = after(&contents, 6);
        assert_eq!(known[0].pairs, Some(Pairs { told_apart: 2, all: 3 }));
        assert!(
            said.starts_with("after start 6 of 8: mixed: 2 of 3 pairs told apart, kept 100%; "),
            "{said}"
        );
        // All of them: the report's own.
        let (known, said) = after(&contents, 8);
        let section = section(&contents);
        let pairs = section.beneath.iter().find(|table| table.id == "pairs").unwrap();
        let told = pairs.column("told_apart").unwrap();
        let apart = pairs.lines().filter(|(_, cells)| cells[told].text == "yes").count();
        assert_eq!(known[0].pairs, Some(Pairs { told_apart: apart, all: pairs.lines().count() }));
        assert!(!said.contains("left"), "{said}");
    }

    #[test]
    fn what_was_dropped_is_counted_as_the_report_counts_it() {
        let rows = rows(&["work-stealing", "rayon-offload"]);
        let contents = run(rows, vec![scenario("mixed", 4)], 6, |wanted| match wanted.round {
            0 => disturbed(900),
            _ => measured(&wanted),
        });
        let (known, said) = after(&contents, 6);
        assert_eq!(known[0].kept, Kept { kept: 54, dropped: 18 });
        assert!(said.contains("kept 75%"), "{said}");
        let section = section(&contents);
        let costs = section.beneath.iter().find(|table| table.id == "costs").unwrap();
        let kept = costs.column("kept_percent").unwrap();
        assert_eq!(costs.groups[0].rows[0][kept].exact, Some(Exact::of(75.0)));
    }
}
