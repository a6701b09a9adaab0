//! Student's t distribution, in the two questions that a comparison asks of it.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// The t distribution with a whole number of degrees of freedom.
#[derive(Clone, Copy, Debug)]
pub struct StudentT(StudentsT);

impl StudentT {
    /// `None` without degrees of freedom: then there is no estimate of spread, and nothing to ask.
    pub fn new(degrees_of_freedom: usize) -> Option<Self> {
        StudentsT::new(0.0, 1.0, degrees_of_freedom as f64).ok().map(Self)
    }

    /// The value that the absolute t exceeds with probability `alpha`: the half width, in standard errors, of an
    /// interval at level `1 - alpha`. `alpha` is moved into `0..=1`; it is infinite at 0.
    pub fn critical(&self, alpha: f64) -> f64 {
        // The lower tail keeps the digits of a small alpha, which 1 - alpha would round away.
        -self.0.inverse_cdf((alpha / 2.0).clamp(0.0, 0.5))
    }

    /// The probability that the absolute t exceeds `t`: the p-value of a two-sided test.
    pub fn two_sided_p(&self, t: f64) -> f64 {
        (2.0 * self.0.sf(t.abs())).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn critical_values_are_those_of_the_printed_table() {
        let table = [
            (1, 0.05, 12.706),
            (2, 0.05, 4.303),
            (5, 0.05, 2.571),
            (9, 0.05, 2.262),
            (30, 0.05, 2.042),
            (120, 0.05, 1.980),
            (5, 0.10, 2.015),
            (5, 0.01, 4.032),
            (5, 0.001, 6.869),
            (10, 0.001, 4.587),
        ];
        for (df, alpha, printed) in table {
            let critical = StudentT::new(df).expect("df is positive").critical(alpha);
            assert!((critical - printed).abs() < 6e-4, "df {df}, alpha {alpha}: {critical}");
        }
    }

    #[test]
    fn one_degree_of_freedom_is_cauchys_closed_form() {
        let cauchy = StudentT::new(1).expect("df is positive");
        for t in [0.1, 1.0, 7.0, 1e3, 1e6] {
            let exact = 1.0 - 2.0 * f64::atan(t) / std::f64::consts::PI;
            assert!((cauchy.two_sided_p(t) - exact).abs() < 1e-10, "t {t}");
        }
    }

    #[test]
    fn two_degrees_of_freedom_have_a_closed_form_too() {
        let t2 = StudentT::new(2).expect("df is positive");
        for t in [0.1_f64, 1.0, 4.303, 50.0] {
            let exact = 1.0 - t / (2.0 + t * t).sqrt();
            assert!((t2.two_sided_p(t) - exact).abs() < 1e-10, "t {t}");
        }
    }

    #[test]
    fn no_degree_of_freedom_is_no_distribution() {
        assert!(StudentT::new(0).is_none());
    }

    proptest! {
        #[test]
        fn the_two_questions_undo_each_other(df in 1_usize..60, alpha in 1e-6_f64..0.999) {
            let t = StudentT::new(df).expect("df is positive");
            let back = t.two_sided_p(t.critical(alpha));
            prop_assert!((back / alpha - 1.0).abs() < 1e-6, "{alpha} came back as {back}");
        }
    }
}
