//! A histogram as a record keeps it: a line of text that loses nothing, some hundred bytes long instead of 220 kB.
//!
//! The text is HdrHistogram's compressed V2 encoding in Base64, as in its logs, so that other tools read it too. How many values
//! were clamped is not part of that encoding and stands beside it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    hdr_log::{Problem, decoded, decoded_sparse},
    histogram::Histogram,
    sparse::Sparse,
};

/// An encoded histogram.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Recorded {
    /// The counts; nothing where nothing was recorded.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    v2: String,
    /// How many values were shorter than the shortest.
    #[serde(default, skip_serializing_if = "is_zero")]
    below: u64,
    /// How many were longer than the longest.
    #[serde(default, skip_serializing_if = "is_zero")]
    above: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Recorded {
    /// Encodes `histogram`.
    pub fn of(histogram: &Histogram) -> Self {
        let v2 = match histogram.is_empty() {
            true => String::new(),
            false => STANDARD.encode(histogram.to_v2_deflate_bytes()),
        };
        Self { v2, below: histogram.clamped_below(), above: histogram.clamped_above() }
    }

    /// The histogram again.
    ///
    /// # Errors
    /// The text is not what [`Recorded::of`] made of one.
    pub fn histogram(&self) -> Result<Histogram, Problem> {
        let mut histogram = match self.v2.as_str() {
            "" => Histogram::new(),
            text => decoded(text)?,
        };
        match histogram.add_clamped(self.below, self.above) {
            true => Ok(histogram),
            false => Err(self.too_many_clamped()),
        }
    }

    /// The same counts without the cells that hold nothing, which takes a hundredth of the time and of the memory.
    ///
    /// # Errors
    /// As [`Recorded::histogram`].
    pub fn sparse(&self) -> Result<Sparse, Problem> {
        let mut sparse = match self.v2.as_str() {
            "" => Sparse::default(),
            text => decoded_sparse(text)?,
        };
        match sparse.add_clamped(self.below, self.above) {
            true => Ok(sparse),
            false => Err(self.too_many_clamped()),
        }
    }

    fn too_many_clamped(&self) -> Problem {
        Problem::Clamped(format!("{} below and {} above", self.below, self.above))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_histogram_comes_back_as_it_was(values in prop::collection::vec(0_u64..100_000_000_000, 0..200)) {
            let mut histogram = Histogram::new();
            values.iter().for_each(|&ns| histogram.record_ns(ns));
            let text = serde_json::to_string(&Recorded::of(&histogram)).expect("it serialises");
            let back: Recorded = serde_json::from_str(&text).expect("it reads back");
            prop_assert_eq!(back.histogram().expect("it was encoded here"), histogram);
        }
    }

    #[test]
    fn nothing_takes_next_to_no_room_and_damage_is_an_error() {
        let nothing = Recorded::of(&Histogram::new());
        assert_eq!(serde_json::to_string(&nothing).expect("it serialises"), "{}");
        let mut one = Histogram::new();
        one.record_ns(5_000);
        let mut cut = Recorded::of(&one);
        assert!(cut.v2.len() < 120, "{cut:?}");
        cut.v2.truncate(cut.v2.len() / 2);
        assert!(cut.histogram().is_err());
    }
}
