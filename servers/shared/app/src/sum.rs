//! The sum behind `/simple` and `/complex`: honest sequential work whose right answer is known in advance.

use std::hint::black_box;
use std::ops::Range;

/// Sums `range` one number at a time.
///
/// The compiler would replace such a loop by its closed form, so the step from one number to the next
/// (exclusive or with zero, plus one) takes its zero through `black_box`: the compiler does not know what it
/// is. The step is deliberately a chain of two dependent instructions in registers. They take two cycles an
/// iteration on current cores, and hide all that differs between two binaries.
///
/// The obvious form, `sum += black_box(number)`, would go through memory at every iteration, and its speed
/// would depend on where the linker puts the loop and on whether the core forwards the store: on a Zen 3 at
/// 3.2 GHz, at sixteen positions of the loop 4 bytes apart, it took 0.31 or 0.62 ns an iteration, and up to
/// 0.8 beside a noisy neighbour. This form took 0.617 to 0.630 ns at all of them. A race between binaries
/// needs the second kind.
///
/// The sum wraps silently beyond 64 bits; `0..5_000_000_000` stays below that.
#[inline(never)]
pub(crate) fn one_by_one(range: Range<u64>) -> u64 {
    let zero = black_box(0);
    let mut sum = 0_u64;
    let mut number = range.start;
    while number < range.end {
        sum = sum.wrapping_add(number);
        number = (number ^ zero).wrapping_add(1);
    }
    sum
}

/// The sum of `0..n` by Gauss's formula, n(n-1)/2, exact as long as the result fits: the even factor is
/// halved before multiplying.
pub(crate) const fn closed_form(n: u64) -> u64 {
    let before = n.saturating_sub(1);
    if n.is_multiple_of(2) { n / 2 * before } else { n * (before / 2) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::ITERATIONS;
    use proptest::prelude::*;

    #[test]
    fn the_loop_and_the_formula_agree_on_small_numbers() {
        for n in 0..2_000 {
            assert_eq!(one_by_one(0..n), closed_form(n));
        }
    }

    #[test]
    fn the_largest_answer_fits_in_64_bits() {
        let n = u128::from(ITERATIONS[0].maximum);
        let exact = n * (n - 1) / 2;
        assert!(exact < u128::from(u64::MAX));
        assert_eq!(u128::from(closed_form(ITERATIONS[0].maximum)), exact);
    }

    #[test]
    #[expect(clippy::reversed_empty_ranges, reason = "an empty range is what is tested")]
    fn an_empty_range_sums_to_zero() {
        assert_eq!(one_by_one(7..7), 0);
        assert_eq!(one_by_one(8..7), 0);
    }

    proptest! {
        #[test]
        fn the_formula_is_exact_up_to_the_largest_parameter(n in 0..=5_000_000_000_u64) {
            let wide = u128::from(n);
            prop_assert_eq!(u128::from(closed_form(n)), wide * wide.saturating_sub(1) / 2);
        }

        #[test]
        fn a_range_is_what_remains_of_a_longer_one(start in 0..20_000_u64, length in 0..20_000_u64) {
            let end = start + length;
            prop_assert_eq!(one_by_one(start..end), closed_form(end) - closed_form(start));
        }

        #[test]
        fn the_last_numbers_of_the_largest_sum_are_added_exactly(length in 0..2_000_u64) {
            let end = ITERATIONS[0].maximum;
            let start = end - length;
            prop_assert_eq!(one_by_one(start..end), closed_form(end) - closed_form(start));
        }
    }
}
