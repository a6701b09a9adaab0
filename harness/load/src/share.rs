//! Dealing out a load among generators, and among the engine threads of each, so that the parts are exactly the whole.

/// Which part of a load one generator makes, and of a stream's arrivals one engine thread.
///
/// Who has share `index` of `of` takes every `of`-th arrival of a constant stream, and a Poisson process of its own at
/// `1 / of` of the rate (the sum of independent Poisson processes is the Poisson process of the summed rate).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Its number among all, from 0.
    pub index: u32,
    /// How many there are.
    pub of: u32,
}

impl Share {
    /// All of it.
    pub const WHOLE: Share = Share { index: 0, of: 1 };

    /// Share number `index` of the `of` equal ones of this share, as a share of the whole: thread 1 of 2 of generator 0 of 3 has 3
    /// of 6. Whatever is dealt out in turn over all of them falls to the same generator, however many threads each has, and no
    /// two have the same number.
    pub fn nested(self, index: u32, of: u32) -> Self {
        Self {
            index: self.index.saturating_add(self.of.saturating_mul(index)),
            of: self.of.saturating_mul(of),
        }
    }

    /// How many of `all` things fall to it when they are dealt out in turn.
    pub fn part_of(self, all: u64) -> u64 {
        let (index, of) = (u64::from(self.index), u64::from(self.of));
        all / of + u64::from(index < all % of)
    }

    /// The same of connections.
    pub fn connections_of(self, all: u32) -> u32 {
        u32::try_from(self.part_of(u64::from(all))).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_dealt_out_in_turn_is_dealt_out_whole_however_many_threads_a_part_has(
            all in 0_u64..100_000, threads in prop::collection::vec(1_u32..9, 1..9),
        ) {
            let of = threads.len() as u32;
            let mut sum = 0;
            for (index, threads) in (0..of).zip(threads) {
                let part = Share { index, of };
                let own: u64 = (0..threads).map(|thread| part.nested(thread, threads).part_of(all)).sum();
                prop_assert_eq!(own, part.part_of(all));
                sum += own;
            }
            prop_assert_eq!(sum, all);
        }
    }
}
