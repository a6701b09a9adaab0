//! Several windows in one figure, and what the issue asks of it.

use std::fmt;

use serde::Serialize;
use stats::summary::{MedianInterval, median_interval};

/// The median of several windows or pairs, with the interval of its order statistics.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread(MedianInterval);

/// A figure to reach.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// The median is to be this or more.
    AtLeast(f64),
    /// The median is to be this or less.
    AtMost(f64),
}

impl Spread {
    /// `None` without values, or if one is not finite.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        median_interval(&values.into_iter().collect::<Vec<_>>()).map(Self)
    }

    /// The probability with which such an interval contains the true median.
    pub fn coverage(&self) -> f64 {
        self.0.coverage
    }

    /// `1.23 [1.20, 1.25]`.
    pub fn show(&self, decimals: usize) -> String {
        let MedianInterval { median, low, high, .. } = self.0;
        format!("{median:.decimals$} [{low:.decimals$}, {high:.decimals$}]")
    }
}

impl Figure {
    /// Whether the median reaches the figure, and whether the interval leaves that open.
    pub fn judge(self, spread: &Spread) -> Verdict {
        let reaches = |value: f64| match self {
            Self::AtLeast(figure) => value >= figure,
            Self::AtMost(figure) => value <= figure,
        };
        let MedianInterval { median, low, high, .. } = spread.0;
        Verdict { reached: reaches(median), open: reaches(low) != reaches(high) }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(figure) => write!(f, "at least {figure}"),
            Self::AtMost(figure) => write!(f, "at most {figure}"),
        }
    }
}

/// Whether a figure was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// By the median.
    pub reached: bool,
    /// The interval reaches from one side of the figure to the other.
    pub open: bool,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.reached, self.open) {
            (true, false) => "PASS",
            (true, true) => "PASS (not by the whole interval)",
            (false, true) => "FALLS SHORT (but not by the whole interval)",
            (false, false) => "FALLS SHORT",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_judged_by_the_median_and_the_interval_says_how_surely() {
        let spread = Spread::of([1.1, 1.3, 1.2, 1.25, 1.15]).unwrap();
        assert_eq!(spread.show(2), "1.20 [1.10, 1.30]");
        assert!((spread.coverage() - 0.9375).abs() < 1e-12);
        for (figure, expected) in [
            (Figure::AtLeast(1.05), "PASS"),
            (Figure::AtLeast(1.15), "PASS (not by the whole interval)"),
            (Figure::AtLeast(1.22), "FALLS SHORT (but not by the whole interval)"),
            (Figure::AtLeast(1.4), "FALLS SHORT"),
            (Figure::AtMost(1.0), "FALLS SHORT"),
            (Figure::AtMost(1.3), "PASS"),
        ] {
            assert_eq!(figure.judge(&spread).to_string(), expected, "{figure}");
        }
    }

    #[test]
    fn nothing_is_made_of_no_windows() {
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([f64::NAN]), None);
    }
}
