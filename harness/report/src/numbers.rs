//! How numbers are written: as many digits as their uncertainty leaves them, one unit a column.

use stats::Quantile;
use terminal::numbers::thousands;

use crate::{
    counts::value::{End, Value},
    model::{Cell, Exact},
};

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

/// A ratio above one in a sentence: `9.7`, and more of it only near one.
pub(crate) fn times_as(value: f64) -> String {
    match value {
        value if value >= 10.0 => thousands(value),
        value if value >= 2.0 => format!("{value:.1}"),
        value if value >= 1.1 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// The unit of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// None, or one that is shown as it is.
    Plain,
    /// None, of a ratio: more than three decimals of one say nothing to anybody.
    Ratio,
    /// Of times in microseconds.
    Microseconds,
    /// Of times in microseconds, shown in milliseconds.
    Milliseconds,
}

impl Unit {
    /// The unit in which times up to `largest_us` are read most easily.
    pub(crate) fn for_times_up_to(largest_us: f64) -> Self {
        if largest_us >= 10_000.0 { Self::Milliseconds } else { Self::Microseconds }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain | Self::Ratio => "",
            Self::Microseconds => "us",
            Self::Milliseconds => "ms",
        }
    }

    fn shown(self, base: f64) -> f64 {
        match self {
            Self::Plain | Self::Ratio | Self::Microseconds => base,
            Self::Milliseconds => base / 1000.0,
        }
    }

    pub(crate) fn show(self, base: f64) -> String {
        match self {
            Self::Microseconds => thousands(base),
            Self::Plain | Self::Ratio | Self::Milliseconds => three_digits(self.shown(base)),
        }
    }

    /// A time that may only be known to be longer.
    pub(crate) fn show_quantile(self, quantile: Quantile) -> String {
        let bound = if quantile.is_bound() { "> " } else { "" };
        format!("{bound}{}", self.show(quantile.ns() as f64 / 1000.0))
    }

    /// A row's figure: the value and its interval to two significant digits of the uncertainty.
    pub(crate) fn cell(self, value: &Value) -> Cell {
        let [median, low, high] = [value.median, value.low, value.high];
        let bound = |end: End| if end.is_bound { "> " } else { "" };
        let known = Exact { is_bound: median.is_bound, ..Exact::of(median.value) };
        // The extremes of a few survivors are no interval at the level that the others have.
        if !value.is_confident {
            let interval = (value.starts > 1).then(|| format!("(of {})", value.starts));
            let text = format!("{}{}", bound(median), self.show(median.value));
            return Cell { text, interval, exact: Some(known) };
        }
        let digits = Digits::of(self.shown(median.value), self.shown(low.value), self.shown(high.value));
        let digits = if self == Self::Ratio { digits.at_most_decimals(3) } else { digits };
        let show = |end: End| format!("{}{}", bound(end), digits.show(self.shown(end.value)));
        Cell {
            text: show(median),
            interval: Some(format!("[{}, {}]", show(low), show(high))),
            exact: Some(Exact { low: Some(low.value), high: Some(high.value), ..known }),
        }
    }
}

/// The last digit that is written, as a power of ten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Digits(i32);

impl Digits {
    /// Two significant digits of half the interval, and at least the first digit of the value. Of a value without any spread, three of
    /// its own, and all before the point.
    pub(crate) fn of(value: f64, low: f64, high: f64) -> Self {
        const MOST_DECIMALS: i32 = -6;
        let place = |of: f64| of.abs().log10().floor() as i32;
        let uncertainty = (high - low) / 2.0;
        let own = if value == 0.0 { 0 } else { place(value) };
        let last = if uncertainty > 0.0 { (place(uncertainty) - 1).min(own) } else { (own - 2).min(0) };
        Self(last.max(MOST_DECIMALS))
    }

    fn at_most_decimals(self, decimals: i32) -> Self {
        Self(self.0.max(-decimals))
    }

    pub(crate) fn show(self, value: f64) -> String {
        if self.0 >= 0 {
            let unit = 10_f64.powi(self.0);
            return thousands((value / unit).round() * unit);
        }
        let decimals = self.0.unsigned_abs() as usize;
        let text = format!("{:.decimals$}", value.abs());
        let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
        let sign =
            if value < 0.0 && text.bytes().any(|digit| (b'1'..=b'9').contains(&digit)) { "-" } else { "" };
        format!("{sign}{}.{part}", thousands(whole.parse().unwrap_or(0.0)))
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
        assert_eq!([1.0123, 1.346, 9.74, 31.04].map(times_as), ["1.012", "1.35", "9.7", "31"]);
    }

    #[test]
    fn a_lower_bound_is_shown_as_one() {
        assert_eq!(Unit::Milliseconds.show_quantile(Quantile::AtLeast(5_000_000_000)), "> 5,000");
        assert_eq!(Unit::for_times_up_to(9_000.0).show_quantile(Quantile::Exactly(812_300)), "812");
    }

    fn shown(value: f64, low: f64, high: f64) -> [String; 3] {
        let digits = Digits::of(value, low, high);
        [value, low, high].map(|it| digits.show(it))
    }

    #[test]
    fn two_digits_of_the_uncertainty_are_written() {
        assert_eq!(shown(212_533.0, 193_427.0, 218_690.0), ["213,000", "193,000", "219,000"]);
        assert_eq!(shown(0.194_2, 0.188_1, 0.201_4), ["0.1942", "0.1881", "0.2014"]);
        assert_eq!(shown(25.02, 23.4, 26.1), ["25.0", "23.4", "26.1"]);
        assert_eq!(shown(1_565.4, 1_564.0, 1_566.0), ["1,565.4", "1,564.0", "1,566.0"]);
    }

    #[test]
    fn where_the_uncertainty_is_larger_than_the_value_its_first_digit_is_written_all_the_same() {
        assert_eq!(shown(3.0, 0.0, 9_000.0), ["3", "0", "9,000"]);
        assert_eq!(shown(0.0, 0.0, 90.0)[0], "0");
    }

    #[test]
    fn what_does_not_vary_has_digits_of_its_own() {
        assert_eq!(shown(8.553, 8.553, 8.553)[0], "8.55");
        assert_eq!(shown(1_195.2, 1_195.2, 1_195.2)[0], "1,195");
        assert_eq!(shown(0.0, 0.0, 0.0)[0], "0.00");
    }
}
