//! What a self-test found: one table for people, one JSON document for programs.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};
use serde::Serialize;

use crate::{
    check::{Check, Unit, Verdict},
    observed::Disturbance,
    script::{CaseName, Length},
};

/// A whole self-test.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Full or short.
    pub length: Length,
    /// What everything random was drawn from.
    pub seed: u64,
    /// Where the scripted server ran.
    pub server_cpu: usize,
    /// Where the generator ran.
    pub generator_cpu: usize,
    /// The cases that were run.
    pub cases: Vec<CaseReport>,
    /// A person ended it before all cases were run.
    pub interrupted: bool,
}

/// One case.
#[derive(Clone, Debug, Serialize)]
pub struct CaseReport {
    /// Its name.
    pub case: CaseName,
    /// How often it was run: more than once when the machine disturbed it.
    pub attempts: u32,
    /// How much the machine disturbed each run of the best attempt, whose checks these are.
    pub disturbances: Vec<Disturbance>,
    /// What was compared.
    pub checks: Vec<Check>,
    /// What a person must be told beside the figures.
    pub warnings: Vec<String>,
}

impl CaseReport {
    /// The worst verdict of its checks; a case without any has shown nothing.
    pub fn verdict(&self) -> Verdict {
        self.checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::CannotTell)
    }

    /// How many checks did not pass.
    pub(crate) fn doubts(&self) -> usize {
        self.checks.iter().filter(|check| check.verdict != Verdict::Pass).count()
    }
}

impl Report {
    /// How many checks ended so.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.cases.iter().flat_map(|case| &case.checks).filter(|check| check.verdict == verdict).count()
    }

    /// The table, in plain text.
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table
            .load_style(ASCII_MARKDOWN)
            .set_header(["case", "check", "expected", "found", "allowed", "verdict"]);
        for case in &self.cases {
            for check in &case.checks {
                let found =
                    check.found.map_or_else(|| "nothing".to_owned(), |found| shown(check.unit, found));
                table.add_row([
                    case.case.name().to_owned(),
                    check.check.clone(),
                    shown(check.unit, check.expected),
                    found,
                    allowed(check),
                    name(check.verdict).to_owned(),
                ]);
            }
        }
        for column in 2..5 {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    }

    /// What is said below the table.
    pub fn remarks(&self) -> String {
        let mut text = String::new();
        for case in &self.cases {
            for warning in &case.warnings {
                line(&mut text, &format!("warning: {}: {warning}", case.case.name()));
            }
        }
        for case in self.cases.iter().filter(|case| case.verdict() != Verdict::Pass) {
            line(&mut text, &disturbance_of(case));
        }
        let [pass, cannot_tell, fail] =
            [Verdict::Pass, Verdict::CannotTell, Verdict::Fail].map(|verdict| self.count(verdict));
        line(&mut text, &format!("{pass} PASS, {fail} FAIL, {cannot_tell} CANNOT TELL (seed {})", self.seed));
        if cannot_tell > 0 {
            line(
                &mut text,
                "CANNOT TELL: out of bounds by no more than the disturbances can explain; repeat on a quieter machine",
            );
        }
        if self.interrupted {
            line(&mut text, "interrupted: some cases were not run, or not to their end");
        }
        text
    }

    /// The verdicts in colour, for a terminal.
    pub fn coloured(table: &str) -> String {
        [("PASS", "\x1b[32m"), ("FAIL", "\x1b[1;31m"), ("CANNOT TELL", "\x1b[33m")]
            .into_iter()
            .fold(table.to_owned(), |text, (word, colour)| {
                text.replace(&format!("| {word}"), &format!("| {colour}{word}\x1b[0m"))
            })
    }
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn disturbance_of(case: &CaseReport) -> String {
    let mut text = format!("{}: attempts: {}, the best one", case.case.name(), case.attempts);
    for disturbance in &case.disturbances {
        let percent = |share: f64| 100.0 * share;
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "; stolen {:.2}%, generator without CPU {:.2}%, server without CPU {:.2}%, sent late {:.2}%, longest {:.1?}",
            percent(disturbance.stolen),
            percent(disturbance.generator_starved),
            percent(disturbance.server_starved),
            percent(disturbance.late),
            std::time::Duration::from_nanos(disturbance.longest_ns),
        );
    }
    text
}

fn name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::CannotTell => "CANNOT TELL",
        Verdict::Fail => "FAIL",
    }
}

/// Times in microseconds, since that is the unit of what is allowed.
fn shown(unit: Unit, figure: f64) -> String {
    match unit {
        Unit::Nanoseconds => format!("{:.0} us", figure / 1000.0),
        Unit::Count => format!("{figure}"),
    }
}

fn allowed(check: &Check) -> String {
    let number = |figure: f64| match check.unit {
        Unit::Nanoseconds => format!("{:.0}", figure / 1000.0),
        Unit::Count => format!("{figure}"),
    };
    match check.high {
        Some(high) if high == check.low => "exactly".to_owned(),
        Some(high) => format!("{} to {}", number(check.low), number(high)),
        None => format!("{} or more", number(check.low)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Truth;

    fn report() -> Report {
        let mut slow = stats::Histogram::new();
        (0..100).for_each(|_| slow.record_ns(5_250_000));
        let truth = Truth::about(5e6, 1e5);
        let disturbance = Disturbance {
            stolen: 0.001,
            generator_starved: 0.002,
            server_starved: 0.003,
            late: 0.0004,
            longest_ns: 4_200_000,
        };
        let case = |case, checks, warnings| CaseReport {
            case,
            attempts: 2,
            disturbances: vec![disturbance],
            checks,
            warnings,
        };
        let waits = vec!["closed loop hides a stall".to_owned()];
        Report {
            length: Length::Short,
            seed: 1,
            server_cpu: 0,
            generator_cpu: 1,
            cases: vec![
                case(CaseName::Stall, vec![Check::exactly("requests", 800, 800, false)], waits),
                case(
                    CaseName::Constant,
                    vec![
                        Check::percentile("service p50, log", &truth, &slow, 0.5, 0.01),
                        Check::percentile("service p99.9, log", &truth, &slow, 0.999, 1.0),
                        Check::percentile("response p50, log", &truth, &stats::Histogram::new(), 0.5, 0.01),
                    ],
                    Vec::new(),
                ),
            ],
            interrupted: false,
        }
    }

    #[test]
    fn every_check_is_a_row_and_every_doubt_has_its_reason() {
        insta::assert_snapshot!("report", format!("{}\n{}", report().table(), report().remarks()));
    }

    #[test]
    fn the_worst_check_is_the_verdict_of_a_case() {
        let mut cases = report().cases;
        assert_eq!([cases[0].verdict(), cases[1].verdict()], [Verdict::Pass, Verdict::Fail]);
        cases[0].checks.clear();
        assert_eq!(cases[0].verdict(), Verdict::CannotTell);
    }

    #[test]
    fn colours_leave_the_text_as_it_is() {
        let table = report().table();
        let coloured = Report::coloured(&table);
        assert_ne!(coloured, table);
        let plain = anstream::adapter::strip_str(&coloured).to_string();
        assert_eq!(plain, table);
    }
}
