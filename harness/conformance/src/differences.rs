//! Where two servers said different things to the same bytes.

use std::collections::HashMap;
use std::fmt;

/// A case in which two servers did not say the same: the first line that differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference<'a> {
    /// The case.
    pub name: &'a str,
    /// Which line of the conversation, from 1.
    pub line: usize,
    /// That line of the one server; `None` if it said nothing more.
    pub one: Option<&'a str>,
    /// That line of the other.
    pub other: Option<&'a str>,
}

impl fmt::Display for Difference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = |line: Option<&str>| line.map_or("nothing".to_owned(), |line| format!("{line:?}"));
        write!(f, "{}: line {}: {} against {}", self.name, self.line, said(self.one), said(self.other))
    }
}

/// Compares what two servers said, each given as cases by name and [`crate::Outcome::said`]: the number of cases that can be
/// compared, and those that differ, in the order of the first. Cases that either lacks, and those whose conversation
/// cannot be repeated exactly, are not compared.
pub fn differences<'a>(
    one: impl IntoIterator<Item = (&'a str, &'a str)>,
    other: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> (usize, Vec<Difference<'a>>) {
    let others: HashMap<&str, &str> = other.into_iter().filter(|(_, said)| !said.is_empty()).collect();
    let mut compared = 0;
    let mut found = Vec::new();
    for (name, said) in one.into_iter().filter(|(_, said)| !said.is_empty()) {
        let Some(other) = others.get(name) else { continue };
        compared += 1;
        found.extend(difference(name, said, other));
    }
    (compared, found)
}

fn difference<'a>(name: &'a str, one: &'a str, other: &'a str) -> Option<Difference<'a>> {
    let (mut lines, mut others) = (one.split_terminator('\n'), other.split_terminator('\n'));
    for line in 1.. {
        match (lines.next(), others.next()) {
            (None, None) => break,
            (one, other) if one == other => {}
            (one, other) => return Some(Difference { name, line, one, other }),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_differs_is_named() {
        let one = [("a", "same\nhere\n"), ("b", "same\n")];
        let other = [("b", "same\n"), ("a", "same\nthere\nand more\n")];
        let (compared, found) = differences(one, other);
        assert_eq!((compared, found.len()), (2, 1));
        assert_eq!(found[0].to_string(), "a: line 2: \"here\" against \"there\"");
        assert_eq!(differences(one, one), (2, Vec::new()));
    }

    #[test]
    fn an_end_that_only_one_reaches_is_a_difference() {
        let (_, found) = differences([("a", "x\n(closed)\n")], [("a", "x\n")]);
        assert_eq!(found[0].to_string(), "a: line 2: \"(closed)\" against nothing");
    }

    #[test]
    fn what_cannot_be_repeated_or_was_not_played_is_not_compared() {
        let one = [("a", ""), ("b", "x\n"), ("c", "y\n")];
        assert_eq!(differences(one, [("a", "z\n"), ("b", "")]), (0, Vec::new()));
    }
}
