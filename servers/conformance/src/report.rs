//! What the suite found, as data and as text.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::case::Level;

/// The judgement on one case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As required.
    Pass,
    /// Otherwise than the contract says, but safe: for example an invalid request refused with another
    /// error status.
    Warn,
    /// Not as required.
    Fail,
    /// Not judged, because the options lack what it needs.
    Skip,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "pass",
            Self::Warn => "WARN",
            Self::Fail => "FAIL",
            Self::Skip => "skip",
        })
    }
}

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

/// All cases of a run, in the suite's order. As text, one line a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The server that was judged.
    pub address: SocketAddr,
    /// What was found.
    pub outcomes: Vec<Outcome>,
}

impl Report {
    /// What failed at `level` or a more binding one.
    pub fn failures(&self, level: Level) -> impl Iterator<Item = &Outcome> {
        self.of(Verdict::Fail, level)
    }

    /// What deviates from the contract in a safe way, at `level` or a more binding one.
    pub fn warnings(&self, level: Level) -> impl Iterator<Item = &Outcome> {
        self.of(Verdict::Warn, level)
    }

    /// How many cases have this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.verdict == verdict).count()
    }

    fn of(&self, verdict: Verdict, level: Level) -> impl Iterator<Item = &Outcome> {
        self.outcomes.iter().filter(move |outcome| outcome.verdict == verdict && outcome.level >= level)
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
