//! From the last field of a log's line to a histogram of this crate.
//!
//! Whoever wrote the line is not trusted: not with how much memory to take, and not with a resolution that they do not
//! have.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hdrhistogram::serialization::Deserializer;

use super::{frame, problem::Problem};
use crate::{
    histogram::{HIGHEST_NS, Histogram, check_frame},
    sparse::Sparse,
};

/// Beyond 2^53 counts are no longer exact where they are computed with.
const MOST_COUNTS: u64 = 1 << 53;

/// A histogram, and the highest value that it had when it was written, in its own unit.
pub(super) fn histogram(text: &str) -> Result<(Histogram, u64), Problem> {
    let bytes = STANDARD.decode(text).map_err(|error| Problem::Base64(error.to_string()))?;
    let plain = frame::as_v2(bytes)?;
    check_frame(&plain).map_err(|error| Problem::Counts(error.to_string()))?;
    let foreign: hdrhistogram::Histogram<u64> = Deserializer::new()
        .deserialize(&mut plain.as_slice())
        .map_err(|error| Problem::Counts(error.to_string()))?;
    let recorded = record_again(&foreign)?;
    Ok((recorded, foreign.max()))
}

/// The same without the cells that hold nothing. What this crate wrote is read as it is; what others did, by way of a histogram.
pub(super) fn sparse(text: &str) -> Result<Sparse, Problem> {
    let bytes = STANDARD.decode(text).map_err(|error| Problem::Base64(error.to_string()))?;
    let plain = frame::as_v2(bytes)?;
    check_frame(&plain).map_err(|error| Problem::Counts(error.to_string()))?;
    match plain.split_at_checked(frame::HEADER_BYTES) {
        Some((header, counts)) if frame::has_own_cells(header) => {
            Sparse::from_v2_counts(counts).map_err(|error| Problem::Counts(error.to_string()))
        }
        _ => histogram(text).map(|(histogram, _)| Sparse::of(&histogram)),
    }
}

/// The same counts in the cells of this crate; only where no cell spans several of them, since its values would then
/// seem to be known better than they are.
fn record_again(foreign: &hdrhistogram::Histogram<u64>) -> Result<Histogram, Problem> {
    if foreign.len() > MOST_COUNTS {
        return Err(Problem::Counts(format!("{} counts are more than can be", foreign.len())));
    }
    let mut histogram = Histogram::new();
    for cell in foreign.iter_recorded() {
        let (value, count) = (cell.value_iterated_to(), cell.count_at_value());
        let (low, high) = (foreign.lowest_equivalent(value), foreign.highest_equivalent(value));
        if low > HIGHEST_NS {
            return Err(Problem::TooLong { ns: low });
        }
        if !histogram.has_in_one_cell(low, high) {
            return Err(Problem::Resolution { low, high });
        }
        histogram.record_n_ns(high.min(HIGHEST_NS), count);
    }
    Ok(histogram)
}
