//! From the bytes of a histogram in any encoding that was ever in use to the one that HdrHistogram for Rust reads.
//!
//! The first four bytes, the cookie, say the encoding: V0, V1 or V2, each compressed or not. In V0 and V1 counts are words of
//! two, four or eight bytes, and four bits of the cookie say how many; V2 has counts of variable length, in which a run of
//! empty cells is one number. The cells are the same in all three, so that an older histogram is written anew as V2,
//! without loss. Whoever wrote the bytes is not trusted.
//!
//! The formats: `AbstractHistogram.java` of HdrHistogram 2.1, `encodeIntoByteBuffer` and `decodeFromByteBuffer`.

use std::io::Read;

use flate2::read::{DeflateDecoder, ZlibDecoder};

use super::problem::Problem;
use crate::histogram::{HIGHEST_NS, SIGNIFICANT_DIGITS, UNIT_NS};

/// The bits of a cookie that say how many bytes a count has. The lowest of them only marks V2.
const WIDTH_BITS: u32 = 0xf0;
/// How V2 that is not compressed begins, as every writer writes it.
const PLAIN_V2: u32 = 0x1c84_9313;
/// How a `DoubleHistogram` begins, not compressed and compressed.
const OF_FLOATS: [u32; 2] = [0x0c72_124e, 0x0c72_124f];

/// Cookie, payload length, offset, digits (4 bytes each), lowest, highest, ratio (8 bytes each), in V1 and V2.
pub(super) const HEADER_BYTES: usize = 40;
/// Cookie, digits (4 bytes each), lowest, highest, total of the counts (8 bytes each).
const HEADER_BYTES_V0: usize = 32;

/// Ratios of a histogram of integers: 1; and in the place of that float 0 and the integer 1, as the earlier writers for
/// Python have it.
const RATIOS: [u64; 3] = [1.0_f64.to_bits(), 0, 1];

/// How the format's writer for .NET begins a compressed stream, which it ends without a checksum.
const WITHOUT_CHECKSUM: [u8; 2] = [0x58, 0x85];

/// Far more than the counts of any histogram take.
const MOST_BYTES: u64 = 16 << 20;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    V0,
    V1,
    V2,
}

struct Cookie {
    version: Version,
    is_compressed: bool,
    /// Bytes of a count, where they are all of one width.
    width: usize,
}

impl Cookie {
    fn of(bytes: &[u8]) -> Result<Self, Problem> {
        let cookie = u32::from_be_bytes(field(bytes, 0)?);
        if OF_FLOATS.contains(&cookie) {
            return Err(Problem::OfFloats);
        }
        let (version, is_compressed) = match cookie & !WIDTH_BITS {
            0x1c84_9308 => (Version::V0, false),
            0x1c84_9309 => (Version::V0, true),
            0x1c84_9301 => (Version::V1, false),
            0x1c84_9302 => (Version::V1, true),
            0x1c84_9303 => (Version::V2, false),
            0x1c84_9304 => (Version::V2, true),
            _ => return Err(Problem::Cookie(cookie)),
        };
        Ok(Self { version, is_compressed, width: (cookie & WIDTH_BITS) as usize >> 4 & !1 })
    }
}

/// What the counts are of.
struct Cells {
    digits: u32,
    lowest: u64,
    highest: u64,
}

impl Cells {
    /// Everything but the counts, in V2.
    fn v2(&self, counts: &[u8]) -> Vec<u8> {
        let counts_bytes = u32::try_from(counts.len()).unwrap_or(u32::MAX);
        let words = [PLAIN_V2, counts_bytes, 0, self.digits].map(u32::to_be_bytes).concat();
        let bounds = [self.lowest, self.highest, 1.0_f64.to_bits()].map(u64::to_be_bytes).concat();
        [&words, &bounds, counts].concat()
    }
}

/// The same histogram in V2, not compressed.
pub(super) fn as_v2(bytes: Vec<u8>) -> Result<Vec<u8>, Problem> {
    let outer = Cookie::of(&bytes)?;
    let plain = if outer.is_compressed { inflated(&bytes)? } else { bytes };
    let cookie = Cookie::of(&plain)?;
    if cookie.is_compressed || cookie.version != outer.version {
        return Err(Problem::Cut);
    }
    if cookie.version == Version::V0 {
        return from_v0(&plain, cookie.width);
    }
    let (cells, counts) = with_header(&plain)?;
    match cookie.version {
        Version::V2 => Ok(cells.v2(counts)),
        _ => Ok(cells.v2(&Counts::of_words(counts, cookie.width)?.bytes)),
    }
}

/// Whether a V2 header is that of a histogram of this crate.
pub(super) fn has_own_cells(header: &[u8]) -> bool {
    let digits = field(header, 12).map(u32::from_be_bytes);
    let [lowest, highest] = [16, 24].map(|at| field(header, at).map(u64::from_be_bytes));
    matches!((digits, lowest, highest), (Ok(digits), Ok(UNIT_NS), Ok(HIGHEST_NS)) if digits == u32::from(SIGNIFICANT_DIGITS))
}

/// V0 does not say how long it is, but how much it counted.
fn from_v0(plain: &[u8], width: usize) -> Result<Vec<u8>, Problem> {
    let cells = Cells {
        digits: u32::from_be_bytes(field(plain, 4)?),
        lowest: u64::from_be_bytes(field(plain, 8)?),
        highest: u64::from_be_bytes(field(plain, 16)?),
    };
    let total = u64::from_be_bytes(field(plain, 24)?);
    let counts = Counts::of_words(&plain[HEADER_BYTES_V0..], width)?;
    if counts.total < total { Err(Problem::Cut) } else { Ok(cells.v2(&counts.bytes)) }
}

/// The cells of a histogram in V1 or V2, and the bytes of its counts. How far its cells were shifted in the memory of who wrote it
/// changes nothing, since counts are written in the order of their values; the writer for JavaScript says 1 where none was.
fn with_header(plain: &[u8]) -> Result<(Cells, &[u8]), Problem> {
    let stated = u32::from_be_bytes(field(plain, 4)?) as usize;
    let cells = Cells {
        digits: u32::from_be_bytes(field(plain, 12)?),
        lowest: u64::from_be_bytes(field(plain, 16)?),
        highest: u64::from_be_bytes(field(plain, 24)?),
    };
    let ratio = u64::from_be_bytes(field(plain, 32)?);
    if !RATIOS.contains(&ratio) {
        return Err(Problem::Scaled(f64::from_bits(ratio)));
    }
    let rest = &plain[HEADER_BYTES..];
    // The writers of V1 for Python count the header as well.
    let counts_bytes = if stated == rest.len() + HEADER_BYTES { rest.len() } else { stated };
    match rest.split_at_checked(counts_bytes) {
        // The one for .NET compresses what it did not use of its buffer as well.
        Some((counts, unused)) if unused.iter().all(|&byte| byte == 0) => Ok((cells, counts)),
        _ => Err(Problem::Cut),
    }
}

/// Counts as V2 writes them.
#[derive(Default)]
struct Counts {
    bytes: Vec<u8>,
    total: u64,
}

impl Counts {
    /// From words of `width` bytes, the highest first.
    fn of_words(words: &[u8], width: usize) -> Result<Self, Problem> {
        if !matches!(width, 2 | 4 | 8) {
            return Err(Problem::Width(width));
        }
        if !words.len().is_multiple_of(width) {
            return Err(Problem::Cut);
        }
        let mut counts = Self::default();
        let mut empty = 0_i64;
        for word in words.chunks_exact(width) {
            let count = word.iter().fold(0_u64, |count, &byte| count << 8 | u64::from(byte));
            if word.first().is_some_and(|&byte| byte >= 0x80) {
                return Err(Problem::Counts("a count is below zero".to_owned()));
            }
            if count == 0 {
                empty += 1;
                continue;
            }
            if empty > 0 {
                counts.push(-empty);
            }
            counts.push(count.cast_signed());
            counts.total = counts.total.saturating_add(count);
            empty = 0;
        }
        Ok(counts)
    }

    /// ZigZag, then LEB128 of at most nine bytes, of which the last one has eight bits.
    fn push(&mut self, number: i64) {
        let mut rest = (number << 1 ^ number >> 63).cast_unsigned();
        for _ in 0..8 {
            let [low, ..] = rest.to_le_bytes();
            if rest < 0x80 {
                self.bytes.push(low);
                return;
            }
            self.bytes.push(low | 0x80);
            rest >>= 7;
        }
        self.bytes.push(rest.to_le_bytes()[0]);
    }
}

/// The bytes within a compressed frame: cookie, length, and a zlib stream of that length.
fn inflated(bytes: &[u8]) -> Result<Vec<u8>, Problem> {
    let stated = u32::from_be_bytes(field(bytes, 4)?);
    let compressed = bytes.get(8..).unwrap_or_default();
    if stated as usize != compressed.len() {
        return Err(Problem::Cut);
    }
    let mut plain = Vec::new();
    let read = match compressed.strip_prefix(&WITHOUT_CHECKSUM) {
        Some(stream) => DeflateDecoder::new(stream).take(MOST_BYTES + 1).read_to_end(&mut plain),
        None => ZlibDecoder::new(compressed).take(MOST_BYTES + 1).read_to_end(&mut plain),
    };
    read.map_err(|error| Problem::Deflate(error.to_string()))?;
    if plain.len() as u64 > MOST_BYTES {
        return Err(Problem::TooLarge);
    }
    Ok(plain)
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Problem> {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().ok_or(Problem::Cut)
}
