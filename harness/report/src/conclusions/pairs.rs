//! Rows of a scenario two by two, each pair by itself: for whoever knows beforehand what the comparison must find, or must not.
//!
//! It is what the tables compare, from the choice of windows on. What is left out is the family: Holm's procedure over all pairs.

use race::{plan::scenario::Scenario, records::folder::Contents};
use stats::{fisher::Kept, rounds::StartRatio, tail::RowTail};

use crate::counts::{
    compared::{Compared, Figure, cpu_per_request},
    entered::Entered,
    kept::lines,
    middle::of_starts,
};

/// The rows of a scenario, with what counts of them.
#[derive(Debug)]
pub struct Rows<'a> {
    scenario: &'a Scenario,
    entered: Vec<Entered<'a>>,
}

impl<'a> Rows<'a> {
    /// From the records of a run.
    pub fn of(scenario: &'a Scenario, contents: &'a Contents) -> Self {
        let lines = lines(scenario, contents).into_iter();
        Self { scenario, entered: lines.map(|line| Entered::new(scenario, line)).collect() }
    }

    /// The log ratio of the rows that tables call `first` and `second` in every start, by a figure of the stream that the scenario
    /// compares by; `None` where there is no such row, or a value without a ratio.
    pub fn log_ratios(&self, figure: Figure, first: &str, second: &str) -> Option<Vec<StartRatio>> {
        let both = [self.row(first)?, self.row(second)?];
        let both = both.map(|entered| (&entered.line, entered.ranked_times()));
        Compared::of(figure, &self.scenario.rank.stream, both).by_start(0, 1)
    }

    /// A percentile of the row that tables call `label`, of the stream that the scenario compares by: one of 0.5, 0.9, 0.95, 0.99 and
    /// 0.999.
    pub fn tail(&self, label: &str, q: f64) -> Option<&RowTail> {
        self.row(label)?.ranked_times().tail(q)
    }

    /// CPU time per right answer of the row that tables call `label`, microseconds: the median over starts.
    pub fn cpu_per_request_us(&self, label: &str) -> Option<f64> {
        of_starts(&cpu_per_request(&self.row(label)?.line))
    }

    /// How many windows count, of all rows, and how many were dropped.
    pub fn kept(&self) -> Kept {
        self.entered.iter().map(|entered| entered.line.kept()).sum()
    }

    fn row(&self, label: &str) -> Option<&Entered<'a>> {
        self.entered.iter().find(|entered| entered.line.label() == label)
    }
}

#[cfg(test)]
mod tests {
    use race::fixtures::{
        of_streams,
        run::{rows, run, scenario},
        spread, stream,
    };
    use stats::itself::AgainstItself;

    use super::*;
    use crate::conclusions::itself::Itself;

    #[test]
    fn a_pair_is_what_the_tables_compare() {
        let scenarios = vec![scenario("simple-latency", 2)];
        let contents = run(rows(&["work-stealing", "rayon-offload"]), scenarios, 6, |wanted| {
            let twin = usize::from(wanted.entry.twin);
            let us = 300 + ((wanted.start * 5 + wanted.round * 3 + twin * 2) % 11) as u64;
            let mut measured = of_streams(0.25, vec![stream("simple", 0.25, &spread(us, 1000))]);
            measured.accounts.row.cpu_ns += 1000 * us;
            measured
        });
        let scenario = &contents.run.plan.scenarios[0];
        let pairs = Rows::of(scenario, &contents);
        let itself = Itself::of(scenario, &contents).unwrap();
        let (row, twin) = ("work-stealing", "work-stealing (again)");
        assert_eq!(itself.row, row);
        for (name, figure) in [
            ("CPU a request", Figure::CpuPerRequest),
            ("p50", Figure::Percentile(0.5)),
            ("p95", Figure::Percentile(0.95)),
            ("p99", Figure::Percentile(0.99)),
        ] {
            let (_, in_the_table) = itself.figures.iter().find(|(figure, _)| figure == name).unwrap();
            let starts = pairs.log_ratios(figure, row, twin).unwrap();
            assert_eq!(AgainstItself::of(&starts).as_ref(), Some(in_the_table), "{name}");
            let back = pairs.log_ratios(figure, twin, row).unwrap();
            assert_eq!(starts[3].log_ratio.map(|log| -log), back[3].log_ratio, "{name}");
        }
        assert_eq!(pairs.kept(), Kept { kept: 36, dropped: 0 });
        assert!(pairs.tail(row, 0.99).is_some_and(|tail| !tail.stalls_now_and_then()));
        assert!(pairs.cpu_per_request_us(row).is_some_and(|us| us > 0.0));
        assert_eq!(pairs.log_ratios(Figure::CpuPerRequest, row, "nobody"), None);
    }
}
