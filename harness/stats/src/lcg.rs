//! A seeded generator for simulations and tests: the same draws everywhere, and no dependency that could change them.

/// A 64-bit linear congruential generator with Knuth's MMIX constants, of which only the high bits are used.
pub(crate) struct Lcg(u64);

impl Lcg {
    pub(crate) fn new(seed: u64) -> Self {
        let mut lcg = Self(seed ^ 0x9e37_79b9_7f4a_7c15);
        // Neighbouring seeds start on neighbouring states; a few steps part them.
        for _ in 0..8 {
            lcg.uniform();
        }
        lcg
    }

    /// Uniform in (0, 1), both ends excluded.
    pub(crate) fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    /// Standard normal, by Box and Muller's transform.
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}
