//! From the last field of a log's line to a histogram of this crate.
//!
//! Whoever wrote the line is not trusted: not with how much memory to take, and not with a resolution that they do not
//! have.

use std::io::Read;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::read::ZlibDecoder;
use hdrhistogram::serialization::Deserializer;

use super::problem::Problem;
use crate::histogram::{HIGHEST_NS, Histogram, check_frame};

/// The first four bytes of a compressed V2 histogram.
const COMPRESSED: u32 = 0x1c84_9314;
/// The first four bytes of a V2 histogram that is not compressed.
const PLAIN: u32 = 0x1c84_9313;
/// Those of the older encodings, compressed and not (versions 0 and 1).
const OLDER: [u32; 4] = [0x1c84_9308, 0x1c84_9309, 0x1c84_9301, 0x1c84_9302];

/// Far more than the counts of any histogram take in this encoding, in which a run of empty cells is one number.
const MOST_BYTES: u64 = 16 << 20;

/// Beyond 2^53 counts are no longer exact where they are computed with.
const MOST_COUNTS: u64 = 1 << 53;

/// A histogram, and the highest value that it had when it was written, in its own unit.
pub(super) fn histogram(text: &str) -> Result<(Histogram, u64), Problem> {
    let bytes = STANDARD.decode(text).map_err(|error| Problem::Base64(error.to_string()))?;
    let cookie = bytes.first_chunk().map(|bytes| u32::from_be_bytes(*bytes)).ok_or(Problem::Cut)?;
    let plain = match cookie {
        COMPRESSED => inflate(&bytes)?,
        PLAIN => bytes,
        older if OLDER.contains(&older) => return Err(Problem::OlderEncoding),
        other => return Err(Problem::Cookie(other)),
    };
    if plain.first_chunk() != Some(&PLAIN.to_be_bytes()) {
        return Err(Problem::Cut);
    }
    check_frame(&plain).map_err(|error| Problem::Counts(error.to_string()))?;
    let foreign: hdrhistogram::Histogram<u64> = Deserializer::new()
        .deserialize(&mut plain.as_slice())
        .map_err(|error| Problem::Counts(error.to_string()))?;
    let recorded = record_again(&foreign)?;
    Ok((recorded, foreign.max()))
}

/// The bytes within a compressed frame: cookie, length, and a zlib stream of that length.
fn inflate(bytes: &[u8]) -> Result<Vec<u8>, Problem> {
    let stated = bytes.get(4..8).and_then(|field| field.try_into().ok()).map(u32::from_be_bytes);
    let compressed = bytes.get(8..).unwrap_or_default();
    if stated.map(u64::from) != Some(compressed.len() as u64) {
        return Err(Problem::Cut);
    }
    let mut plain = Vec::new();
    ZlibDecoder::new(compressed)
        .take(MOST_BYTES + 1)
        .read_to_end(&mut plain)
        .map_err(|error| Problem::Deflate(error.to_string()))?;
    if plain.len() as u64 > MOST_BYTES {
        return Err(Problem::TooLarge);
    }
    Ok(plain)
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
