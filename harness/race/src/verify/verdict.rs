//! What is known of one row once it was verified, or could not be.

use terminal::shell;

use super::{
    judgement::{Finding, Judgement, shown_source},
    play::PlayedCase,
};
use crate::{
    records::conformance::{RowConformance, Status},
    registry::{Row, Tier},
};

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowVerdict {
    /// The row's name.
    pub row: String,
    /// Its tier.
    pub tier: Tier,
    /// Whether the outcomes are those of an earlier run of the same program.
    pub cached: bool,
    /// Why the suite could not be played to its end.
    pub error: Option<String>,
    /// The judgement; absent where nothing was played.
    pub judgement: Option<Judgement>,
    /// What was found; empty where nothing was played.
    pub cases: Vec<PlayedCase>,
}

impl RowVerdict {
    /// A row that was played.
    pub(crate) fn played(row: &Row, cached: bool, judgement: Judgement, cases: Vec<PlayedCase>) -> Self {
        let judgement = Some(judgement);
        Self { row: row.name.clone(), tier: row.tier, cached, error: None, judgement, cases }
    }

    /// A row that could not be played.
    pub(crate) fn failed(row: &Row, error: String) -> Self {
        Self { error: Some(error), ..Self::not_verified(row) }
    }

    /// A row that is not to be played.
    pub(crate) fn not_verified(row: &Row) -> Self {
        let (row, tier) = (row.name.clone(), row.tier);
        Self { row, tier, cached: false, error: None, judgement: None, cases: Vec::new() }
    }

    /// Whether it may be raced.
    pub fn status(&self) -> Status {
        match (&self.error, &self.judgement) {
            (Some(_), _) => Status::Broken,
            (None, None) => Status::NotVerified,
            (None, Some(judgement)) if judgement.holds() => Status::Holds,
            (None, Some(_)) => Status::Broken,
        }
    }

    /// Whether it was verified, and keeps the contract.
    pub fn holds(&self) -> bool {
        self.status() == Status::Holds
    }

    /// What is to be seen of it.
    pub fn findings(&self) -> &[Finding] {
        self.judgement.as_ref().map_or(&[], |judgement| &judgement.findings)
    }

    /// Why it may not be raced, in one line; absent if it may.
    pub fn reason(&self) -> Option<String> {
        /// More of them are no help in one line.
        const SHOWN: usize = 3;
        if let Some(error) = &self.error {
            return Some(error.clone());
        }
        let breaking: Vec<&Finding> = self.findings().iter().filter(|finding| finding.breaks).collect();
        let shown =
            |f: &&Finding| format!("{} ({}): {} {}", f.case, shown_source(&f.source), f.kind, f.detail);
        let mut reason = breaking.iter().take(SHOWN).map(shown).collect::<Vec<_>>().join("; ");
        match breaking.len() {
            0 => return None,
            1..=SHOWN => {}
            more => reason.push_str(&format!("; and {} more", more - SHOWN)),
        }
        let judgement = self.judgement.as_ref()?;
        Some(format!(
            "it does not conform (MUST {}, SHOULD {}): {reason}; `harness verify {}` shows all",
            judgement.must,
            judgement.should,
            shell::quoted(&self.row)
        ))
    }

    /// What a run's record keeps of it.
    pub(crate) fn record(&self) -> RowConformance {
        let judgement = self.judgement.clone().unwrap_or_default();
        let Judgement { must, should, may, skipped, deviations, .. } = judgement;
        let (row, tier, status) = (self.row.clone(), self.tier, self.status());
        RowConformance { row, tier, status, must, should, may, skipped, deviations }
    }
}
