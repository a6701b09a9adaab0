//! One row under one scenario, with what was measured of it.

use race::{
    records::record::{Measured, TrialRecord},
    registry::Row,
};

/// One line of the table before it is written: a row of the registry, or its twin, with its trials.
pub(super) struct Line<'a> {
    pub(super) row: &'a Row,
    pub(super) twin: bool,
    pub(super) trials: Vec<&'a TrialRecord>,
    pub(super) valid: Vec<&'a Measured>,
}
