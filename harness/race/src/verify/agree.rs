//! Whether controlled rows say the same, byte for byte, to the same requests.
//!
//! What may differ between two right servers (origin, worker, date, lengths that follow) is masked by the suite already.

use conformance::{Difference, differences};
use serde::Serialize;

use super::{
    judgement::{Kind, finding},
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
    /// Cases in which what was said could be compared, for the row with the fewest.
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
    let cases = std::mem::take(&mut rows[first].cases);
    let said = || cases.iter().map(|case| (case.name.as_str(), case.said.as_str()));
    let mut compared: Option<usize> = None;
    let mut names = Vec::new();
    for row in rows.iter_mut().filter(|row| is_played(row)) {
        names.push(row.row.clone());
        let Some(judgement) = &mut row.judgement else { continue };
        let own = row.cases.iter().map(|case| (case.name.as_str(), case.said.as_str()));
        let (count, found) = differences(own, said());
        compared = Some(compared.map_or(count, |fewest| fewest.min(count)));
        for difference in found {
            let is_found = judgement.findings.iter().any(|finding| finding.case == difference.name);
            let case = row.cases.iter().find(|case| case.name == difference.name);
            if let Some(case) = case.filter(|_| !is_found) {
                judgement.findings.push(finding(Kind::Differs, case, detail(&difference, &with), true));
            }
        }
    }
    let all = cases.len();
    rows[first].cases = cases;
    if names.is_empty() {
        return Compared { all, ..Compared::default() };
    }
    Compared { with: Some(with), rows: names, cases: compared.unwrap_or_default(), all }
}

/// The first line that differs.
fn detail(difference: &Difference<'_>, with: &str) -> String {
    format!("says {}, where {with} says {}", shown(difference.one), shown(difference.other))
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
