//! What chance does to a row and itself, a second server of the same row in every start: printed, and applied to nothing.

use race::{plan::scenario::Scenario, records::folder::Contents};
use stats::itself::{AgainstItself, Verdict};

use crate::{
    counts::{
        carried::RowLoad,
        compared::{Compared, Figure, ranked},
        entered::Entered,
        kept::lines,
    },
    model::Said,
    numbers::ratio,
};

/// A row against itself, by every figure that rows are compared by anywhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Itself {
    /// The row.
    pub row: String,
    /// How many windows of either server count, of that which has fewer.
    pub windows: usize,
    /// The figure that the scenario ranks by; `None` with fewer than two starts that have both servers.
    pub ranked: Option<AgainstItself>,
    /// The figures by name, in the order of a table; without those of which there are fewer than two starts.
    pub figures: Vec<(String, AgainstItself)>,
}

impl Itself {
    /// From the records of a run; `None` where `scenario` has no row twice.
    pub fn of(scenario: &Scenario, contents: &Contents) -> Option<Self> {
        let lines = lines(scenario, contents);
        let name = lines.iter().find(|line| line.twin)?.row.name.as_str();
        let twins = lines.iter().filter(|line| line.row.name == name).cloned();
        let entered: Vec<Entered<'_>> = twins.map(|line| Entered::new(scenario, line)).collect();
        Self::among(scenario, &entered)
    }

    /// From all rows of a scenario.
    pub(crate) fn among(scenario: &Scenario, rows: &[Entered<'_>]) -> Option<Self> {
        let (row, twin) = both(rows)?;
        let [row, twin] = [&rows[row], &rows[twin]];
        // What an overloaded row's answers take is how long it was loaded.
        let has_times = ![row, twin].iter().any(|it| RowLoad::of(scenario, &it.line).is_overloaded());
        let against = |figure: Figure| {
            if !has_times && matches!(figure, Figure::Percentile(_)) {
                return None;
            }
            let both = [row, twin].map(|entered| (&entered.line, entered.ranked_times()));
            let compared = Compared::of(figure, &scenario.rank.stream, both);
            AgainstItself::of(&compared.by_start(0, 1)?)
        };
        let is_open = scenario.streams[row.ranked_stream].pacing.rate().is_some();
        let percentiles = [0.5, 0.9, 0.95, 0.99].map(Figure::Percentile);
        // What an open loop is answered is what it asks for.
        let figures = [Figure::Throughput, Figure::CpuPerRequest]
            .into_iter()
            .chain(percentiles)
            .filter(|figure| !(is_open && *figure == Figure::Throughput))
            .filter_map(|figure| Some((figure.name(), against(figure)?)));
        Some(Self {
            row: row.line.row.name.clone(),
            windows: row.line.windows().count().min(twin.line.windows().count()),
            ranked: against(ranked(scenario)),
            figures: figures.collect(),
        })
    }

    /// In sentences: the figure that rows are ranked by, and the others.
    pub(crate) fn findings(&self) -> Vec<Said> {
        let ranked = self.ranked.as_ref().map(|itself| {
            let detectable = itself.detectable.map_or_else(String::new, |detectable| {
                format!(", and a ratio of {} would have been found nine times in ten", ratio(detectable))
            });
            let outcome = match itself.verdict {
                Verdict::NothingFound => format!("no difference is found{detectable}"),
                Verdict::Found => {
                    "a difference is found where there is none, as chance does once in twenty".to_owned()
                }
                Verdict::NoPower => "too few starts to find anything".to_owned(),
            };
            let text = format!(
                "A row against itself, {} starts: ratio {}, which chance takes beyond {} once in twenty; {outcome}.",
                itself.contrast.starts,
                ratio(itself.contrast.ratio()),
                ratio(itself.once_in_twenty)
            );
            Said { text, is_warning: itself.verdict == Verdict::Found }
        });
        let figure = |(name, itself): &(String, AgainstItself)| {
            let found = if itself.verdict == Verdict::Found { " (found to differ)" } else { "" };
            format!("{name} {}{found}", ratio(itself.once_in_twenty))
        };
        let figures: Vec<String> = self.figures.iter().map(figure).collect();
        let all = (!figures.is_empty()).then(|| {
            format!(
                "{} against itself by each figure, the ratio that chance exceeds once in twenty: {}.",
                self.row,
                figures.join(", ")
            )
        });
        ranked.into_iter().chain(all.map(Said::from)).collect()
    }
}

/// The row that was entered twice, and its second server.
pub(crate) fn both(rows: &[Entered<'_>]) -> Option<(usize, usize)> {
    let twin = rows.iter().position(|row| row.line.twin)?;
    let name = &rows[twin].line.row.name;
    let row = rows.iter().position(|row| !row.line.twin && row.line.row.name == *name)?;
    Some((row, twin))
}

#[cfg(test)]
mod tests {
    use crate::made_up::{around, only_scenario, raced};

    use super::*;

    #[test]
    fn a_row_and_its_second_server_are_compared_by_every_figure_that_decides_anywhere() {
        let rows = ["work-stealing", "rayon-offload"];
        let contents = raced("mixed", &rows, (6, 2), |wanted| {
            let mut measured =
                around(2_000 + 20 * ((3 * wanted.start + usize::from(wanted.entry.twin)) % 4) as u64);
            measured.accounts.row.cpu_ns += 1000 * wanted.start as u64;
            measured
        });
        let itself = Itself::of(only_scenario(&contents), &contents).unwrap();
        assert_eq!((itself.row.as_str(), itself.windows), ("work-stealing", 12));
        let names: Vec<&str> = itself.figures.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["CPU a request", "p50", "p90", "p95", "p99"]);
        assert!(itself.figures.iter().all(|(_, itself)| itself.contrast.starts == 6));
        // Its CPU time is the same in every start, and its times are not.
        assert_eq!(itself.figures[0].1.once_in_twenty, 1.0);
        assert!(itself.figures[1..].iter().all(|(_, itself)| (1.001..1.1).contains(&itself.once_in_twenty)));
        let ranked = itself.ranked.unwrap();
        assert_eq!(ranked, itself.figures[4].1);
    }

    #[test]
    fn an_overloaded_row_has_no_times_to_compare_and_too_few_starts_have_no_second_server() {
        let rows = ["work-stealing", "rayon-offload"];
        let overloaded = raced("mixed", &rows, (6, 2), |_| {
            let mut measured = around(2_000);
            measured.streams[0].answered_in_window = 65;
            measured
        });
        let itself = Itself::of(only_scenario(&overloaded), &overloaded).unwrap();
        let names: Vec<&str> = itself.figures.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!((names, itself.ranked), (vec!["CPU a request"], None));
        let few = raced("mixed", &rows, (5, 2), |_| around(2_000));
        assert_eq!(Itself::of(only_scenario(&few), &few), None);
    }
}
