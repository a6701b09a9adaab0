//! Whether a row keeps the contract as its tier must: a pure function of the outcomes and of what the registry lists.
//!
//! It refuses to know where the outcomes come from, a server or the cache.

use std::fmt;

use conformance::{Level, Verdict};
use serde::Serialize;

use super::play::PlayedCase;
use crate::records::conformance::Score;
use crate::registry::{Deviation, Row, Tier};

/// Of the SHOULD cases, controlled rows pass at least this share, in percent.
const SHOULD_PERCENT: usize = 95;

/// What kind of finding it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The server answered bytes that were a body.
    Desync,
    /// Not as required.
    Fail,
    /// Otherwise than the contract says, but safe.
    Warn,
    /// Not judged, though the row must show it.
    NotJudged,
    /// Listed as a deviation, and passes.
    NoLonger,
    /// Another controlled row says something else.
    Differs,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Desync => "DESYNC",
            Self::Fail => "FAIL",
            Self::Warn => "WARN",
            Self::NotJudged => "NOT JUDGED",
            Self::NoLonger => "NO LONGER",
            Self::Differs => "DIFFERS",
        })
    }
}

/// Something about one case that a person must see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind it is.
    pub kind: Kind,
    /// The case's name.
    pub case: String,
    /// How binding the case is.
    pub level: Level,
    /// Who requires it.
    pub source: String,
    /// What was found.
    pub detail: String,
    /// Whether the row does not hold because of it.
    pub breaks: bool,
}

/// The judgement on a row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// Cases that bind everybody.
    pub must: Score,
    /// Cases whose requirement has exceptions.
    pub should: Score,
    /// Cases that nobody is owed.
    pub may: Score,
    /// Cases that were not judged.
    pub skipped: usize,
    /// The listed deviations, by reason.
    pub deviations: Vec<Deviation>,
    /// What is to be seen, in the suite's order.
    pub findings: Vec<Finding>,
}

impl Judgement {
    /// Whether the row may be raced.
    pub fn holds(&self) -> bool {
        !self.findings.iter().any(|finding| finding.breaks)
    }
}

/// Judges the outcomes of `row`.
pub fn judge(row: &Row, cases: &[PlayedCase]) -> Judgement {
    let score = |level| {
        let judged = || cases.iter().filter(move |c| c.level == level && c.verdict != Verdict::Skip);
        Score { passed: judged().filter(|c| c.verdict == Verdict::Pass).count(), all: judged().count() }
    };
    let should = score(Level::Should);
    let findings = match row.tier {
        Tier::Controlled => {
            let too_few = should.passed * 100 < should.all * SHOULD_PERCENT;
            cases.iter().filter_map(|case| controlled(case, too_few)).collect()
        }
        _ if row.is_given => as_found(cases).0,
        Tier::Native | Tier::Reference | Tier::Calibration => listed_exactly(row, cases),
    };
    let deviations = if row.is_given { as_found(cases).1 } else { row.deviations.clone() };
    Judgement {
        must: score(Level::Must),
        should,
        may: score(Level::May),
        skipped: cases.iter().filter(|case| case.verdict == Verdict::Skip).count(),
        deviations,
        findings,
    }
}

/// Every MUST passes and is judged. A SHOULD that does not pass is told, and breaks where `too_few` pass.
fn controlled(case: &PlayedCase, too_few: bool) -> Option<Finding> {
    let kind = kind_of(case)?;
    match case.level {
        _ if kind == Kind::Desync => Some(finding(kind, case, case.detail.clone(), true)),
        Level::Must => Some(finding(kind, case, case.detail.clone(), true)),
        Level::Should if too_few => {
            let detail = format!("{} (under {SHOULD_PERCENT}% of SHOULD pass)", case.detail);
            Some(finding(kind, case, detail, true))
        }
        Level::Should => Some(finding(kind, case, case.detail.clone(), kind == Kind::NotJudged)),
        Level::May => None,
    }
}

/// Of a row that nobody listed anything of: what breaks it whatever is listed, and what it does not pass.
fn as_found(cases: &[PlayedCase]) -> (Vec<Finding>, Vec<Deviation>) {
    let fails = |case: &&PlayedCase| {
        matches!(kind_of(case), Some(Kind::Fail | Kind::Warn)) && case.level > Level::May
    };
    let found: Vec<String> = cases.iter().filter(fails).map(|case| case.name.clone()).collect();
    let desyncs = cases.iter().filter(|case| kind_of(case) == Some(Kind::Desync));
    let breaking = desyncs.map(|case| finding(Kind::Desync, case, case.detail.clone(), true)).collect();
    let deviation = Deviation { why: "as found, not listed".to_owned(), cases: found, by_chance: false };
    (breaking, if deviation.cases.is_empty() { Vec::new() } else { vec![deviation] })
}

/// What does not pass at MUST or SHOULD is what is listed: not more, not less. Of what is listed as by chance, any part.
fn listed_exactly(row: &Row, cases: &[PlayedCase]) -> Vec<Finding> {
    let listed = |name: &str| row.deviations.iter().find(|d| d.cases.iter().any(|case| case == name));
    let breaks = |kind, case: &PlayedCase, detail| Some(finding(kind, case, detail, true));
    let judged = |case: &PlayedCase| match (kind_of(case), listed(&case.name)) {
        // No list excuses it.
        (Some(kind @ Kind::Desync), _) => breaks(kind, case, case.detail.clone()),
        (None, Some(deviation)) if deviation.by_chance => None,
        (None, Some(_)) => {
            let detail = "passes, but is listed as a deviation: take it off the list".to_owned();
            breaks(Kind::NoLonger, case, detail)
        }
        (Some(kind @ Kind::NotJudged), Some(_)) => {
            let detail =
                format!("listed as a deviation, but not judged ({}): take it off the list", case.detail);
            breaks(kind, case, detail)
        }
        (None | Some(Kind::NotJudged), None) | (Some(_), Some(_)) => None,
        (Some(kind), None) if case.level > Level::May => {
            breaks(kind, case, format!("{}; not listed as a deviation", case.detail))
        }
        (Some(_), None) => None,
    };
    let mut findings: Vec<Finding> = cases.iter().filter_map(judged).collect();
    // The registry is checked against the same suite, unless the outcomes are those of a part of it.
    for name in row.deviations.iter().flat_map(|deviation| &deviation.cases) {
        if !cases.iter().any(|case| case.name == *name) {
            findings.push(Finding {
                kind: Kind::NotJudged,
                case: name.clone(),
                level: Level::Must,
                source: "registry".to_owned(),
                detail: "listed as a deviation, but was not played".to_owned(),
                breaks: true,
            });
        }
    }
    findings
}

/// What is wrong with a case, if anything is.
fn kind_of(case: &PlayedCase) -> Option<Kind> {
    match case.verdict {
        Verdict::Pass => None,
        Verdict::Fail if case.is_desync() => Some(Kind::Desync),
        Verdict::Fail => Some(Kind::Fail),
        Verdict::Warn => Some(Kind::Warn),
        Verdict::Skip => Some(Kind::NotJudged),
    }
}

pub(super) fn finding(kind: Kind, case: &PlayedCase, detail: String, breaks: bool) -> Finding {
    let PlayedCase { name, level, source, .. } = case;
    Finding { kind, case: name.clone(), level: *level, source: source.clone(), detail, breaks }
}

/// `RFC 9112 3.2` for the number and section that the suite names.
pub(super) fn shown_source(source: &str) -> String {
    if source.starts_with(|first: char| first.is_ascii_digit()) {
        format!("RFC {source}")
    } else {
        source.to_owned()
    }
}
