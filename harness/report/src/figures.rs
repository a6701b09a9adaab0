//! How figures are written: as many digits as they deserve, one unit a column.

use stats::Quantile;
use terminal::numbers::thousands;

/// Three significant digits, and more where there are that many before the point; three decimals of what is less than one.
pub(crate) fn three_digits(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => thousands(value),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// A ratio: near one, the third decimal is what tells rows apart.
pub(crate) fn ratio(value: f64) -> String {
    if value < 2.0 { format!("{value:.3}") } else { three_digits(value) }
}

/// The unit of a column of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Microseconds,
    Milliseconds,
}

impl Unit {
    /// The unit in which times up to `largest_us` are read most easily.
    pub(crate) fn for_times_up_to(largest_us: f64) -> Self {
        if largest_us >= 10_000.0 { Self::Milliseconds } else { Self::Microseconds }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Microseconds => "us",
            Self::Milliseconds => "ms",
        }
    }

    pub(crate) fn show(self, us: f64) -> String {
        match self {
            Self::Microseconds => thousands(us),
            Self::Milliseconds => three_digits(us / 1000.0),
        }
    }

    /// A time that may only be known to be longer.
    pub(crate) fn show_quantile(self, quantile: Quantile) -> String {
        let bound = if quantile.is_bound() { "> " } else { "" };
        format!("{bound}{}", self.show(quantile.ns() as f64 / 1000.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_kept_apart() {
        let shown = [0.0, 999.4, 999.5, 12_345.0, 1_234_567.8, -0.2, -1_500.0].map(thousands);
        assert_eq!(shown, ["0", "999", "1,000", "12,345", "1,234,568", "0", "-1,500"]);
    }

    #[test]
    fn three_digits_are_enough() {
        assert_eq!(
            [0.1234, 5.0, 12.345, 123.45, 12_345.6].map(three_digits),
            ["0.123", "5.00", "12.3", "123", "12,346"]
        );
    }

    #[test]
    fn ratios_near_one_are_told_apart() {
        assert_eq!(
            [0.2499, 1.0071, 1.35, 2.5, 31.04].map(ratio),
            ["0.250", "1.007", "1.350", "2.50", "31.0"]
        );
    }

    #[test]
    fn a_lower_bound_is_shown_as_one() {
        assert_eq!(Unit::Milliseconds.show_quantile(Quantile::AtLeast(5_000_000_000)), "> 5,000");
        assert_eq!(Unit::for_times_up_to(9_000.0).show_quantile(Quantile::Exactly(812_300)), "812");
    }
}
