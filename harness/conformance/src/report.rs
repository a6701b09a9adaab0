//! What the suite found, as data and as text.

use std::fmt;
use std::net::SocketAddr;

use serde::Serialize;

use crate::verdict::{DESYNC, Level, Verdict};

/// One case with its verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The case's name.
    pub name: &'static str,
    /// How binding it is.
    pub level: Level,
    /// Who requires it.
    pub source: &'static str,
    /// The judgement.
    pub verdict: Verdict,
    /// What was found; empty for a pass.
    pub detail: String,
    /// What the server said in the whole conversation, with what may differ between two right servers masked, so that
    /// rows can be compared with one another. Empty where the conversation cannot be repeated exactly.
    #[serde(skip)]
    pub said: String,
}

impl Outcome {
    /// Whether bytes that were no request were answered: what lets an attacker put words into another client's mouth,
    /// and so a failure however binding the case is.
    pub fn is_desync(&self) -> bool {
        self.verdict == Verdict::Fail && self.detail.starts_with(DESYNC)
    }
}

/// All cases of a run, in the suite's order. As text, one line a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The server that was judged.
    pub address: SocketAddr,
    /// What was found.
    pub outcomes: Vec<Outcome>,
}

impl Report {
    /// What failed at `level` or a more binding one, and every desync.
    pub fn failures(&self, level: Level) -> impl Iterator<Item = &Outcome> {
        self.of(Verdict::Fail, level)
    }

    /// What deviates from the contract in a safe way, at `level` or a more binding one.
    pub fn warnings(&self, level: Level) -> impl Iterator<Item = &Outcome> {
        self.of(Verdict::Warn, level)
    }

    /// What the server said, by the cases' names, as [`crate::differences()`] compares it.
    pub fn said(&self) -> impl Iterator<Item = (&str, &str)> {
        self.outcomes.iter().map(|outcome| (outcome.name, outcome.said.as_str()))
    }

    /// How many cases have this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.verdict == verdict).count()
    }

    /// How many cases of exactly this level passed, and how many there are; those that were skipped do not count.
    pub fn passed_of(&self, level: Level) -> (usize, usize) {
        let judged = |outcome: &&Outcome| outcome.level == level && outcome.verdict != Verdict::Skip;
        let passed = |outcome: &&Outcome| outcome.verdict == Verdict::Pass;
        let all = self.outcomes.iter().filter(judged);
        (all.clone().filter(passed).count(), all.count())
    }

    fn of(&self, verdict: Verdict, level: Level) -> impl Iterator<Item = &Outcome> {
        self.outcomes.iter().filter(move |outcome| {
            outcome.verdict == verdict && (outcome.level >= level || outcome.is_desync())
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.outcomes.iter().map(|outcome| outcome.name.len()).max().unwrap_or(0);
        for Outcome { name, level, source, verdict, detail, .. } in &self.outcomes {
            let line = format!("{verdict}  {level:<6}  {source:<16}  {name:<width$}  {detail}");
            writeln!(f, "{}", line.trim_end())?;
        }
        let [passed, warned, failed, skipped] =
            [Verdict::Pass, Verdict::Warn, Verdict::Fail, Verdict::Skip].map(|verdict| self.count(verdict));
        write!(f, "{passed} passed, {warned} warned, {failed} failed, {skipped} skipped")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcomes: &[(Level, Verdict, &str)]) -> Report {
        let outcome = |&(level, verdict, detail): &(Level, Verdict, &str)| Outcome {
            name: "a case",
            level,
            source: "contract",
            verdict,
            detail: detail.to_owned(),
            said: String::new(),
        };
        Report { address: ([127, 0, 0, 1], 80).into(), outcomes: outcomes.iter().map(outcome).collect() }
    }

    #[test]
    fn a_desync_is_a_failure_at_every_level() {
        let report = report(&[
            (Level::May, Verdict::Fail, "desync: the next request got another's answer"),
            (Level::May, Verdict::Fail, "status is 400, not 200"),
            (Level::Must, Verdict::Warn, "closed without an answer"),
        ]);
        assert_eq!(report.failures(Level::Must).count(), 1);
        assert_eq!(report.failures(Level::May).count(), 2);
        assert_eq!(report.warnings(Level::Must).count(), 1);
    }

    #[test]
    fn cases_are_counted_by_their_own_level_and_skipped_ones_not_at_all() {
        let report = report(&[
            (Level::Should, Verdict::Pass, ""),
            (Level::Should, Verdict::Warn, "otherwise"),
            (Level::Should, Verdict::Skip, "not known"),
            (Level::Must, Verdict::Pass, ""),
        ]);
        assert_eq!(report.passed_of(Level::Should), (1, 2));
        assert_eq!(report.passed_of(Level::Must), (1, 1));
        assert_eq!(report.passed_of(Level::May), (0, 0));
    }
}
