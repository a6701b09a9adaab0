//! Uniform and exponential numbers from random bits.

/// A number in `0.0..1.0`, on a grid of 2^-53.
pub(crate) fn uniform(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// An exponential number of mean 1, by inversion. Never infinite.
pub(crate) fn exponential(bits: u64) -> f64 {
    -(1.0 - uniform(bits)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extreme_bits_give_finite_numbers() {
        assert_eq!((uniform(0), exponential(0)), (0.0, 0.0));
        assert!(uniform(u64::MAX) < 1.0);
        assert!((exponential(u64::MAX) - 53.0 * std::f64::consts::LN_2).abs() < 1e-9);
        assert!((exponential(1 << 63) - std::f64::consts::LN_2).abs() < 1e-12);
    }
}
