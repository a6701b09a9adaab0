//! A table as text that fits a page: what can be spared goes first.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::{
    model::{Kind, Table},
    render::clean::clean,
};

/// A table whose cells are ready to be set: headings, and lines with their group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fitted {
    pub(crate) headings: Vec<String>,
    /// Whether each column is of numbers, which are set to the right.
    pub(crate) is_number: Vec<bool>,
    pub(crate) groups: Vec<(Option<String>, Vec<Vec<String>>)>,
    /// Columns that were left out, by their headings.
    pub(crate) left_out: Vec<String>,
}

/// The least that a name may be shortened to.
const SHORTEST_NAME: usize = 12;

/// `table` in at most `wide` columns, where a column takes `around` columns more than its text and `edge` stand before the first. What is
/// spared, in this order, until it fits: the intervals, but for those of the first column where at most one other has any; the optional columns, the
/// last first; the ends of long names and words. `escaped` is done to each text first, since it makes it longer.
pub(crate) fn fit(
    table: &Table,
    wide: usize,
    (around, edge): (usize, usize),
    escaped: impl Fn(&str) -> String,
) -> Fitted {
    let mut shown: Vec<bool> = vec![true; table.columns.len()];
    let mut with_interval: Vec<bool> = shown.clone();
    let mut longest: Option<usize> = None;
    let set = |shown: &[bool], with_interval: &[bool], longest: Option<usize>| {
        let cell = |at: usize, cell: &crate::model::Cell| {
            let text = if with_interval[at] { cell.whole_text() } else { cell.text.clone() };
            let text = clean(&text).into_owned();
            let is_text = table.columns[at].kind == Kind::Text;
            let text = match longest.filter(|_| is_text) {
                Some(longest) => shortened(&text, longest),
                None => text,
            };
            escaped(&text)
        };
        let columns: Vec<usize> = (0..table.columns.len()).filter(|&at| shown[at]).collect();
        let line = |row: &Vec<crate::model::Cell>| columns.iter().map(|&at| cell(at, &row[at])).collect();
        Fitted {
            headings: columns.iter().map(|&at| escaped(&clean(&table.columns[at].heading))).collect(),
            is_number: columns.iter().map(|&at| table.columns[at].kind == Kind::Number).collect(),
            groups: table
                .groups
                .iter()
                .map(|group| (group.heading.clone(), group.rows.iter().map(line).collect()))
                .collect(),
            left_out: (0..shown.len())
                .filter(|&at| !shown[at])
                .map(|at| table.columns[at].heading.clone())
                .collect(),
        }
    };
    let fits = |fitted: &Fitted| fitted.width(around, edge) <= wide;

    let mut fitted = set(&shown, &with_interval, longest);
    if fits(&fitted) {
        return fitted;
    }
    let have = |at: usize| table.lines().any(|(_, row)| row[at].interval.is_some());
    let having: Vec<usize> = (0..table.columns.len()).filter(|&at| have(at)).collect();
    let kept = having.first().filter(|_| having.len() <= 2);
    for &at in having.iter().filter(|at| Some(*at) != kept) {
        with_interval[at] = false;
    }
    fitted = set(&shown, &with_interval, longest);
    for at in (0..table.columns.len()).rev().filter(|&at| table.columns[at].is_optional) {
        if fits(&fitted) {
            return fitted;
        }
        shown[at] = false;
        fitted = set(&shown, &with_interval, longest);
    }
    if !fits(&fitted) {
        with_interval.fill(false);
        fitted = set(&shown, &with_interval, longest);
    }
    let widest = fitted.widest_text();
    for length in (SHORTEST_NAME..widest).rev() {
        if fits(&fitted) {
            break;
        }
        longest = Some(length);
        fitted = set(&shown, &with_interval, longest);
    }
    fitted
}

impl Fitted {
    /// How wide it is set.
    pub(crate) fn width(&self, around: usize, edge: usize) -> usize {
        self.widths().iter().map(|width| width + around).sum::<usize>() + edge
    }

    /// The width of each column's text.
    pub(crate) fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.headings.iter().map(|heading| heading.width()).collect();
        for (heading, rows) in &self.groups {
            if let (Some(heading), Some(first)) = (heading, widths.first_mut()) {
                // Set apart, as `*native*`.
                *first = (*first).max(heading.width() + 2);
            }
            for row in rows {
                for (width, cell) in widths.iter_mut().zip(row) {
                    *width = (*width).max(cell.width());
                }
            }
        }
        widths
    }

    fn widest_text(&self) -> usize {
        let texts = self.widths().into_iter().zip(&self.is_number).filter(|(_, is_number)| !**is_number);
        texts.map(|(width, _)| width).max().unwrap_or(0)
    }
}

/// The beginning of a text that is longer than `longest` columns, with an ellipsis.
pub(crate) fn shortened(text: &str, longest: usize) -> String {
    if text.width() <= longest {
        return text.to_owned();
    }
    let mut width = 1;
    let fits = |letter: &char| {
        width += letter.width().unwrap_or(0);
        width <= longest
    };
    let kept: String = text.chars().take_while(fits).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Cell, Column, Group};

    fn table(name: &str) -> Table {
        let with_interval =
            |text: &str| Cell { interval: Some("[1,000, 2,000]".to_owned()), ..Cell::text(text) };
        Table {
            columns: vec![
                Column::text("row", "row"),
                Column::number("p99, us", "p99_us"),
                Column::number("of the best", "of_the_best").optional(),
                Column::text("notes", "notes"),
            ],
            groups: vec![Group {
                heading: Some("native".to_owned()),
                rows: vec![vec![
                    Cell::text(name),
                    with_interval("1,500"),
                    with_interval("1.5"),
                    Cell::text("s"),
                ]],
            }],
            ..Table::default()
        }
    }

    fn fitted(name: &str, wide: usize) -> Fitted {
        let fitted = fit(&table(name), wide, (3, 1), str::to_owned);
        assert!(fitted.width(3, 1) <= wide, "{fitted:?}");
        fitted
    }

    #[test]
    fn what_can_be_spared_goes_in_order() {
        let line = |wide: usize| fitted("rayon-offload", wide).groups[0].1[0].join(" | ");
        assert_eq!(line(110), "rayon-offload | 1,500 [1,000, 2,000] | 1.5 [1,000, 2,000] | s");
        assert_eq!(line(64), "rayon-offload | 1,500 [1,000, 2,000] | 1.5 | s");
        assert_eq!(line(56), "rayon-offload | 1,500 [1,000, 2,000] | s");
        assert_eq!(line(40), "rayon-offload | 1,500 | s");
        assert_eq!(line(34), "rayon-offlo… | 1,500 | s");
        assert_eq!(fitted("rayon-offload", 40).left_out, ["of the best"]);
    }

    #[test]
    fn long_and_wide_names_are_cut_to_what_they_may_take() {
        assert_eq!(fitted(&"x".repeat(300), 110).groups[0].1[0][0].chars().count(), 88);
        assert_eq!(shortened("漢字漢字", 5), "漢字…");
        assert_eq!(shortened("ab", 2), "ab");
    }
}
