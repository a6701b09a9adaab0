//! Draws behind `/api/randoms`: a generator that any language reproduces in five lines, and the counts.

use serde::ser::{Serialize, SerializeMap, Serializer};

/// Numbers drawn are in `1..=VALUES`.
pub(crate) const VALUES: usize = 1000;

/// What mulberry32's state advances by at every draw.
const INCREMENT: u32 = 0x6D2B_79F5;

/// mulberry32 (Tommy Ettinger, 2017, public domain): 32 bits of state and 32-bit arithmetic only, so that a
/// JavaScript row computes the same numbers. Its state is a plain counter, so that any draw can be reached
/// at once.
struct Mulberry32 {
    state: u32,
}

impl Mulberry32 {
    /// The generator of `seed` as it is after `draws` draws.
    fn after(seed: u32, draws: u32) -> Self {
        Self { state: seed.wrapping_add(draws.wrapping_mul(INCREMENT)) }
    }

    fn next(&mut self) -> u32 {
        self.state = self.state.wrapping_add(INCREMENT);
        let mut t = self.state;
        t = (t ^ (t >> 15)).wrapping_mul(t | 1);
        t ^= t.wrapping_add((t ^ (t >> 7)).wrapping_mul(t | 61));
        t ^ (t >> 14)
    }
}

/// How often each value of `1..=1000` was drawn.
///
/// Serializes as a map with ascending keys that leaves zero counts out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frequencies {
    /// The count of value v is at v - 1. On the heap, so that answers stay small to move.
    counts: Box<[u32; VALUES]>,
}

impl Frequencies {
    /// How many values there are: 1 to this.
    pub const VALUES: usize = VALUES;

    /// What was counted elsewhere, of another process for one: how often each value came, from 1 on.
    pub fn from_counts(counts: [u32; Self::VALUES]) -> Self {
        Self { counts: Box::new(counts) }
    }

    /// How often each value came, from 1 on.
    pub fn counts(&self) -> &[u32; Self::VALUES] {
        &self.counts
    }

    /// Counts of nothing.
    pub(crate) fn none() -> Self {
        Self { counts: Box::new([0; VALUES]) }
    }

    /// Counts the draws `first..first + count` of the generator of `seed`.
    pub(crate) fn draw(seed: u32, first: u32, count: u32) -> Self {
        let mut frequencies = Self::none();
        let mut generator = Mulberry32::after(seed, first);
        for _ in 0..count {
            frequencies.counts[generator.next() as usize % VALUES] += 1;
        }
        frequencies
    }

    /// Adds another's counts to these.
    pub(crate) fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts.iter()) {
            *count += more;
        }
    }

    /// Pairs of value and count, ascending, without the values that were never drawn.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32)> {
        (1..).zip(*self.counts).filter(|&(_, count)| count > 0)
    }

    /// How many numbers were drawn in all.
    pub fn total(&self) -> u64 {
        self.counts.iter().copied().map(u64::from).sum()
    }
}

impl Serialize for Frequencies {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (value, count) in self.iter() {
            map.serialize_entry(&value, &count)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// From the generator's JavaScript form, run under Node 20.
    #[test]
    fn the_first_draws_are_those_of_the_javascript_original() {
        let vectors = [
            (0, [1_144_304_738, 1_416_247, 958_946_056, 627_933_444, 2_007_157_716]),
            (1, [2_693_262_067, 11_749_833, 2_265_367_787, 4_213_581_821, 4_159_151_403]),
            (42, [2_581_720_956, 1_925_393_290, 3_661_312_704, 2_876_485_805, 750_819_978]),
            (u32::MAX, [3_850_105_811, 813_802_916, 3_073_704_848, 4_054_706_436, 3_630_262_831]),
            (0xDEAD_BEEF, [4_043_151_706, 1_147_597_007, 3_315_858_022, 1_538_288_752, 2_042_435_954]),
        ];
        for (seed, draws) in vectors {
            let mut generator = Mulberry32::after(seed, 0);
            assert_eq!(draws.map(|_| generator.next()), draws, "seed {seed}");
        }
    }

    /// The counts of 100,000 draws from seed 0, folded into one number by `h = 31 h + count` modulo 2^64, and some
    /// of them as they are; from Node 20.
    #[test]
    fn the_default_answer_is_that_of_the_javascript_original() {
        let frequencies = Frequencies::draw(0, 0, 100_000);
        let fold = |hash: u64, &count: &u32| hash.wrapping_mul(31).wrapping_add(u64::from(count));
        assert_eq!(frequencies.counts.iter().fold(0, fold), 3_602_547_699_826_458_494);
        assert_eq!(frequencies.counts[..5], [108, 106, 107, 96, 81]);
        assert_eq!(frequencies.counts[998..], [92, 120]);
    }

    #[test]
    fn keys_ascend_and_zero_counts_are_left_out() {
        let json = serde_json::to_string(&Frequencies::draw(7, 0, 10)).unwrap();
        assert_eq!(
            json,
            r#"{"9":1,"335":1,"374":1,"376":1,"389":1,"431":1,"533":1,"691":1,"828":1,"910":1}"#
        );
        assert_eq!(serde_json::to_string(&Frequencies::none()).unwrap(), "{}");
    }

    proptest! {
        #[test]
        fn a_draw_can_be_reached_at_once(seed in any::<u32>(), draws in 0..5_000_u32) {
            let mut walked = Mulberry32::after(seed, 0);
            for _ in 0..draws {
                walked.next();
            }
            prop_assert_eq!(walked.next(), Mulberry32::after(seed, draws).next());
        }

        #[test]
        fn every_draw_is_counted(seed in any::<u32>(), count in 0..20_000_u32) {
            let drawn = Frequencies::draw(seed, 0, count);
            prop_assert_eq!(drawn.total(), u64::from(count));
            prop_assert_eq!(Frequencies::from_counts(*drawn.counts()), drawn);
        }
    }
}
