//! Exponential variates that are the same bits on every machine.
//!
//! A recorded seed must repeat its schedule elsewhere, and the logarithm of the platform's C library may differ in
//! the last bit between processors. Additions, products and quotients of IEEE 754 doubles may not, so the logarithm
//! is built from these alone.

/// The natural logarithm of 2, to the nearest double.
const LN_2: f64 = std::f64::consts::LN_2;

/// A draw from the exponential distribution with mean 1, by inversion: `-ln(u)` with `u` uniform on (0, 1] made of
/// the highest 53 of `bits`.
#[inline]
pub(crate) fn from_bits(bits: u64) -> f64 {
    let uniform = ((bits >> 11) + 1) as f64 * (1.0 / (1_u64 << 53) as f64);
    -ln(uniform)
}

/// The natural logarithm of a positive normal number, within 2e-15 of the larger of the result and 1.
///
/// `x = m 2^e` with `m` in [sqrt(1/2), sqrt(2)), and `ln m = 2 atanh(s)` with `s = (m - 1)/(m + 1)`, so that
/// `|s| < 0.172` and the series `s + s^3/3 + s^5/5 + ...` has reached a double's precision at `s^21`.
fn ln(x: f64) -> f64 {
    const MANTISSA_BITS: u32 = 52;
    const MANTISSA_MASK: u64 = (1 << MANTISSA_BITS) - 1;
    let bits = x.to_bits();
    let mut exponent = f64::from((bits >> MANTISSA_BITS) as i32 - 1_023);
    let mut mantissa = f64::from_bits((bits & MANTISSA_MASK) | 1.0_f64.to_bits());
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa *= 0.5;
        exponent += 1.0;
    }
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let series = [19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0]
        .into_iter()
        .fold(1.0 / 21.0, |sum, odd: f64| sum * square + 1.0 / odd);
    2.0 * s * series + exponent * LN_2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_ends_of_the_range_are_finite_and_not_negative() {
        assert_eq!(from_bits(u64::MAX), 0.0);
        assert!((from_bits(0) - 53.0 * LN_2).abs() < 1e-13);
    }

    proptest! {
        #[test]
        fn it_is_the_logarithm(bits in any::<u64>()) {
            let uniform = ((bits >> 11) + 1) as f64 / (1_u64 << 53) as f64;
            let error = (from_bits(bits) + uniform.ln()).abs();
            prop_assert!(error <= 2e-15 * uniform.ln().abs().max(1.0), "{uniform}: off by {error}");
        }

        #[test]
        fn near_one_the_relative_error_stays_small(small in 1_u64..1_000_000) {
            let uniform = 1.0 - small as f64 / (1_u64 << 53) as f64;
            let exact = -(-(small as f64) / (1_u64 << 53) as f64).ln_1p();
            prop_assert!((-ln(uniform) / exact - 1.0).abs() < 1e-12);
        }
    }
}
