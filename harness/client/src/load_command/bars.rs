//! A distribution of times drawn with characters: cells equally wide on a logarithmic scale, bars in proportion.

use std::fmt::Write as _;

use stats::Histogram;

use super::self_checks::time;
use terminal::numbers::thousands;

/// The bounds of cells within a factor of ten: the preferred numbers R10 and R5 of ISO 3, rounded, and coarser ones.
const SERIES: [&[f64]; 4] = [
    &[1.0, 1.25, 1.6, 2.0, 2.5, 3.2, 4.0, 5.0, 6.3, 8.0],
    &[1.0, 1.6, 2.5, 4.0, 6.3],
    &[1.0, 2.0, 5.0],
    &[1.0],
];

/// More rows than this are too many to see at once; the coarsest series is used whatever it gives.
const MOST_ROWS: usize = 16;

/// The width of the longest bar.
const WIDTH: usize = 40;

/// One row of the drawing.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Row {
    /// Microseconds; a row holds the times from here...
    from_us: f64,
    /// ... to here.
    to_us: f64,
    count: u64,
}

/// Draws `times`, with `unanswered` requests in a row of their own. Empty when there is nothing to draw.
pub(super) fn draw(times: &Histogram, unanswered: u64) -> String {
    let rows = rows(times);
    let most = rows.iter().map(|row| row.count).chain([unanswered]).max().unwrap_or(0);
    let total = times.len() + unanswered;
    let mut labelled: Vec<(String, u64)> =
        rows.iter().map(|row| (format!("{} to {}", time(row.from_us), time(row.to_us)), row.count)).collect();
    if unanswered > 0 {
        labelled.push(("never answered".to_owned(), unanswered));
    }
    let widest = labelled.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
    let digits = thousands(most as f64).len();
    labelled.iter().fold(String::new(), |mut text, (label, count)| {
        let percent = 100.0 * *count as f64 / total as f64;
        let _ = writeln!(
            text,
            "  {label:>widest$}  {:>digits$}  {percent:6.2}%  {}",
            thousands(*count as f64),
            bar(*count, most)
        );
        text
    })
}

/// The rows from the first that holds something to the last, in the finest series that gives few enough.
fn rows(times: &Histogram) -> Vec<Row> {
    let mut rows = Vec::new();
    for series in SERIES {
        rows = rows_in(times, series);
        if rows.len() <= MOST_ROWS {
            break;
        }
    }
    rows
}

fn rows_in(times: &Histogram, series: &[f64]) -> Vec<Row> {
    // From 1 us, the shortest time of a histogram, to beyond its longest.
    let bounds: Vec<f64> =
        (0..9).flat_map(|decade| series.iter().map(move |step| step * 10_f64.powi(decade))).collect();
    let mut counts = vec![0; bounds.len() + 1];
    for (ns, count) in times.recorded() {
        // The last nanosecond of a cell, so that a cell below a bound stays below it.
        counts[bounds.partition_point(|bound| *bound <= ns as f64 / 1000.0)] += count;
    }
    let filled = |count: &u64| *count > 0;
    let (Some(first), Some(last)) = (counts.iter().position(filled), counts.iter().rposition(filled)) else {
        return Vec::new();
    };
    (first..=last)
        .map(|index| Row {
            from_us: index.checked_sub(1).map_or(0.0, |below| bounds[below]),
            to_us: bounds.get(index).copied().unwrap_or(f64::INFINITY),
            count: counts[index],
        })
        .collect()
}

/// A bar in eighths of a character; what is there at all is seen.
fn bar(count: u64, most: u64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (8.0 * WIDTH as f64 * count as f64 / most as f64).round() as usize;
    let eighths = if count > 0 { eighths.max(1) } else { 0 };
    "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn recorded(times_us: impl IntoIterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::new();
        times_us.into_iter().for_each(|us| histogram.record_ns(us * 1_000));
        histogram
    }

    #[test]
    fn two_modes_and_a_tail_are_seen() {
        let mut times = recorded((0..800).map(|k| 100 + k % 60));
        times.merge(&recorded((0..200).map(|k| 6_000 + 10 * k)));
        times.merge(&recorded([950_000]));
        insta::assert_snapshot!(draw(&times, 3));
    }

    #[test]
    fn one_value_is_one_row_and_nothing_is_none() {
        assert_eq!(rows(&recorded([130])), [Row { from_us: 125.0, to_us: 160.0, count: 1 }]);
        assert_eq!(draw(&Histogram::new(), 0), "");
    }

    proptest! {
        #[test]
        fn no_request_is_lost_and_rows_are_few_and_without_gaps(
            times_us in prop::collection::vec(0_u64..70_000_000, 1..50)
        ) {
            let rows = rows(&recorded(times_us.iter().copied()));
            prop_assert_eq!(rows.iter().map(|row| row.count).sum::<u64>(), times_us.len() as u64);
            prop_assert!(rows.len() <= MOST_ROWS, "{}", rows.len());
            prop_assert!(rows.first().is_some_and(|row| row.count > 0));
            prop_assert!(rows.last().is_some_and(|row| row.count > 0));
            prop_assert!(rows.windows(2).all(|pair| pair[0].to_us == pair[1].from_us));
        }
    }
}
