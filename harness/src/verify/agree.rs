//! Whether controlled rows say the same, byte for byte, to the same requests.
//!
//! What may differ between two right servers (origin, worker, date, lengths that follow) is masked by the suite already.

use std::collections::HashMap;

use conformance::differing_line;
use serde::Serialize;

use super::{
    judge::{Kind, finding},
    verdict::RowVerdict,
};
use crate::registry::Tier;

/// How much was compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// The row that the others are compared with; absent where there are no two controlled rows.
    pub with: Option<String>,
    /// The rows that are.
    pub rows: Vec<String>,
    /// Cases in which what was said could be compared, for at least one row.
    pub cases: usize,
    /// Cases of the suite.
    pub all: usize,
}

/// Compares every controlled row with the first one that holds by itself, case by case; a difference is a finding of
/// the later row and breaks it. Where a case is a finding already, its difference says nothing new.
pub(crate) fn compare(rows: &mut [RowVerdict]) -> Compared {
    let is_played = |row: &RowVerdict| row.tier == Tier::Controlled && !row.cases.is_empty();
    let holding = rows.iter().position(|row| is_played(row) && row.holds());
    let Some(first) = holding.or_else(|| rows.iter().position(is_played)) else { return Compared::default() };
    let with = rows[first].row.clone();
    let said: HashMap<String, String> = rows[first]
        .cases
        .iter()
        .filter(|case| !case.said.is_empty())
        .map(|case| (case.name.clone(), case.said.clone()))
        .collect();
    let all = rows[first].cases.len();
    let mut compared: Vec<&str> = Vec::new();
    let mut names = Vec::new();
    for (_, row) in rows.iter_mut().enumerate().filter(|(index, row)| *index != first && is_played(row)) {
        names.push(row.row.clone());
        let Some(judgement) = &mut row.judgement else { continue };
        for case in row.cases.iter().filter(|case| !case.said.is_empty()) {
            let Some((name, theirs)) = said.get_key_value(&case.name) else { continue };
            if !compared.contains(&name.as_str()) {
                compared.push(name);
            }
            let is_found = judgement.findings.iter().any(|finding| finding.case == case.name);
            if *theirs != case.said && !is_found {
                let detail = difference(&case.said, theirs, &with);
                judgement.findings.push(finding(Kind::Differs, case, detail, true));
            }
        }
    }
    if names.is_empty() {
        return Compared { all, ..Compared::default() };
    }
    Compared { with: Some(with), rows: names, cases: compared.len(), all }
}

/// The first line that differs.
fn difference(own: &str, theirs: &str, with: &str) -> String {
    let (_, own, theirs) = differing_line(own, theirs).unwrap_or_default();
    format!("says {}, where {with} says {}", shown(own), shown(theirs))
}

fn shown(line: Option<&str>) -> String {
    const LONGEST: usize = 100;
    match line {
        None => "nothing more".to_owned(),
        Some(line) if line.chars().count() > LONGEST => {
            format!("{:?}...", line.chars().take(LONGEST).collect::<String>())
        }
        Some(line) => format!("{line:?}"),
    }
}
