//! Where two servers said different things to the same bytes.

use std::collections::HashMap;
use std::fmt;

use crate::report::{Outcome, Report};

/// A case in which two servers did not say the same: the first line that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The case.
    pub name: &'static str,
    /// Which line of the conversation, from 1.
    pub line: usize,
    /// That line of the one server; `None` if it said nothing more.
    pub one: Option<String>,
    /// That line of the other.
    pub other: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said =
            |line: &Option<String>| line.as_ref().map_or("nothing".to_owned(), |line| format!("{line:?}"));
        write!(f, "{}: line {}: {} against {}", self.name, self.line, said(&self.one), said(&self.other))
    }
}

/// Compares two reports case by case, in the order of the first. Cases that either report lacks, and those whose
/// conversation cannot be repeated exactly, are not compared.
pub fn differences(one: &Report, other: &Report) -> Vec<Difference> {
    let others: HashMap<&str, &Outcome> =
        other.outcomes.iter().map(|outcome| (outcome.name, outcome)).collect();
    let pairs = one.outcomes.iter().filter_map(|outcome| Some((outcome, *others.get(outcome.name)?)));
    pairs
        .filter(|(one, other)| !one.said.is_empty() && !other.said.is_empty())
        .filter_map(|(one, other)| difference(one, other))
        .collect()
}

fn difference(one: &Outcome, other: &Outcome) -> Option<Difference> {
    let (line, one_line, other_line) = differing_line(&one.said, &other.said)?;
    let [one_line, other_line] = [one_line, other_line].map(|line| line.map(str::to_owned));
    Some(Difference { name: one.name, line, one: one_line, other: other_line })
}

/// The first line in which two texts differ: its number from 1, and what each has there, if it has one.
pub fn differing_line<'a>(one: &'a str, other: &'a str) -> Option<(usize, Option<&'a str>, Option<&'a str>)> {
    let (mut lines, mut others) = (one.split_terminator('\n'), other.split_terminator('\n'));
    for number in 1.. {
        match (lines.next(), others.next()) {
            (None, None) => break,
            (line, other) if line == other => {}
            (line, other) => return Some((number, line, other)),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Level;
    use crate::report::Verdict;

    fn report(said: &[(&'static str, &str)]) -> Report {
        let outcomes = said.iter().map(|&(name, said)| Outcome {
            name,
            level: Level::Must,
            source: "contract",
            verdict: Verdict::Pass,
            detail: String::new(),
            said: said.to_owned(),
        });
        Report { address: ([127, 0, 0, 1], 80).into(), outcomes: outcomes.collect() }
    }

    #[test]
    fn the_first_line_that_differs_is_named() {
        let one = report(&[("a", "same\nhere\n"), ("b", "same\n")]);
        let other = report(&[("b", "same\n"), ("a", "same\nthere\nand more\n")]);
        let found = differences(&one, &other);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].to_string(), "a: line 2: \"here\" against \"there\"");
        assert_eq!(differences(&one, &one), []);
    }

    #[test]
    fn an_end_that_only_one_reaches_is_a_difference() {
        let found = differences(&report(&[("a", "x\n(closed)\n")]), &report(&[("a", "x\n")]));
        assert_eq!(found[0].to_string(), "a: line 2: \"(closed)\" against nothing");
    }

    #[test]
    fn what_cannot_be_repeated_or_was_not_played_is_not_compared() {
        let one = report(&[("a", ""), ("b", "x\n"), ("c", "y\n")]);
        let other = report(&[("a", "z\n"), ("b", "")]);
        assert_eq!(differences(&one, &other), []);
    }
}
