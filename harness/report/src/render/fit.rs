//! A table as text that fits a page: what can be spared goes first.

use std::collections::BTreeSet;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::{
    model::{Cell, Kind, Table},
    render::clean::clean,
};

/// The room that a table has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    /// In columns of text.
    pub(crate) wide: usize,
    /// What a column takes beside its text.
    pub(crate) around: usize,
    /// What stands before the first.
    pub(crate) edge: usize,
    /// Set plainly: a heading may take several lines, and that of a group has a line of its own.
    pub(crate) is_plain: bool,
}

/// A table whose cells are ready to be set: headings, and lines with their group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fitted {
    pub(crate) headings: Vec<String>,
    /// Whether each column is of numbers, which are set to the right.
    pub(crate) is_number: Vec<bool>,
    pub(crate) groups: Vec<(Option<String>, Vec<Vec<String>>)>,
    /// Columns that were left out, by their headings.
    pub(crate) left_out: Vec<String>,
    room: Room,
    /// Whether headings take as many lines as they have words.
    is_stacked: bool,
}

/// The least that a name may be shortened to.
const SHORTEST_NAME: usize = 12;
/// The same where a terminal is narrow.
const SHORTEST_PLAIN: usize = 8;

/// `table` in the room that there is. What is spared, in this order, until it fits: long headings, which are stacked where they may be; the
/// intervals, but for those of the first column where at most one other has any; the optional columns, the last first; the ends of long names
/// and words. `escaped` is done to each text first, since it makes it longer.
pub(crate) fn fit(table: &Table, room: Room, escaped: impl Fn(&str) -> String) -> Fitted {
    let mut shown: Vec<bool> = vec![true; table.columns.len()];
    let mut with_interval: Vec<bool> = shown.clone();
    let mut is_stacked = false;
    let set = |shown: &[bool], with_interval: &[bool], is_stacked: bool, longest: Option<usize>| {
        let cell = |at: usize, cell: &Cell| {
            let text = if with_interval[at] { cell.whole_text() } else { cell.text.clone() };
            let text = clean(&text).into_owned();
            // A number that is not known has words in its place.
            let is_text = table.columns[at].kind == Kind::Text || cell.exact.is_none();
            let text = match longest.filter(|_| is_text) {
                // Names that begin alike often end otherwise.
                Some(longest) if room.is_plain && at == 0 => shortened_within(&text, longest),
                Some(longest) => shortened(&text, longest),
                None => text,
            };
            escaped(&text)
        };
        let columns: Vec<usize> = (0..table.columns.len()).filter(|&at| shown[at]).collect();
        let line = |row: &Vec<Cell>| columns.iter().map(|&at| cell(at, &row[at])).collect();
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
            room,
            is_stacked,
        }
    };

    let mut fitted = set(&shown, &with_interval, is_stacked, None);
    if !fitted.fits() && room.is_plain {
        is_stacked = true;
        fitted = set(&shown, &with_interval, is_stacked, None);
    }
    if fitted.fits() {
        return fitted;
    }
    let have = |at: usize| table.lines().any(|(_, row)| row[at].interval.is_some());
    let having: Vec<usize> = (0..table.columns.len()).filter(|&at| have(at)).collect();
    let kept = having.first().filter(|_| having.len() <= 2);
    for &at in having.iter().filter(|at| Some(*at) != kept) {
        with_interval[at] = false;
    }
    fitted = set(&shown, &with_interval, is_stacked, None);
    for at in (0..table.columns.len()).rev().filter(|&at| table.columns[at].is_optional) {
        if fitted.fits() {
            return fitted.in_a_line();
        }
        shown[at] = false;
        fitted = set(&shown, &with_interval, is_stacked, None);
    }
    if !fitted.fits() {
        with_interval.fill(false);
        fitted = set(&shown, &with_interval, is_stacked, None);
    }
    if fitted.fits() {
        return fitted.in_a_line();
    }
    // The longest names that fit, by halves.
    let shortest = if room.is_plain { SHORTEST_PLAIN } else { SHORTEST_NAME };
    let (mut fits, mut too_long) =
        (shortest, fitted.widths().into_iter().max().unwrap_or(0).max(shortest + 1));
    while fits + 1 < too_long {
        let length = fits.midpoint(too_long);
        match set(&shown, &with_interval, is_stacked, Some(length)).fits() {
            true => fits = length,
            false => too_long = length,
        }
    }
    set(&shown, &with_interval, is_stacked, Some(fits))
}

/// A table in as many as are needed for each to fit as it is, which share the first column.
pub(crate) fn in_parts(whole: &Table, room: Room, escaped: impl Fn(&str) -> String + Copy) -> Vec<Table> {
    let part = |from: usize, to: usize| {
        let chosen = |at: &usize| *at == 0 || (from..to).contains(at);
        let columns: Vec<usize> = (0..whole.columns.len()).filter(chosen).collect();
        let mut part = whole.clone();
        part.columns = columns.iter().map(|&at| whole.columns[at].clone()).collect();
        for (own, group) in part.groups.iter_mut().zip(&whole.groups) {
            own.rows =
                group.rows.iter().map(|row| columns.iter().map(|&at| row[at].clone()).collect()).collect();
        }
        part
    };
    let mut parts = Vec::new();
    let (mut from, count) = (1, whole.columns.len());
    while from < count {
        let fits = |&to: &usize| fits_as_it_is(&part(from, to), room, escaped);
        let to = (from + 2..=count).take_while(fits).last().unwrap_or(from + 1);
        parts.push(part(from, to));
        from = to;
    }
    parts
}

/// Whether nothing of it has to be spared.
pub(crate) fn fits_as_it_is(table: &Table, room: Room, escaped: impl Fn(&str) -> String) -> bool {
    fit(table, Room { wide: usize::MAX, ..room }, escaped).width() <= room.wide
}

impl Fitted {
    /// How wide it is set.
    pub(crate) fn width(&self) -> usize {
        let Room { around, edge, .. } = self.room;
        self.widths().iter().map(|width| width + around).sum::<usize>() + edge
    }

    /// Whether there is room for it.
    pub(crate) fn fits(&self) -> bool {
        self.width() <= self.room.wide
    }

    /// With headings that need not be stacked, now that something else was spared.
    fn in_a_line(self) -> Self {
        let unstacked = Self { is_stacked: false, ..self.clone() };
        if unstacked.fits() { unstacked } else { self }
    }

    /// Whether different words of `table`, of which this is what fits, are still different.
    pub(crate) fn keeps_words_apart(&self, table: &Table) -> bool {
        let different = |words: Vec<&str>| words.into_iter().collect::<BTreeSet<_>>().len();
        let shown = table.columns.iter().enumerate().filter(|(_, it)| !self.left_out.contains(&it.heading));
        shown.enumerate().all(|(own, (at, _))| {
            let before = table.lines().map(|(_, row)| row[at].text.as_str()).collect();
            let after = self.groups.iter().flat_map(|(_, rows)| rows).map(|row| row[own].as_str()).collect();
            self.is_number[own] || different(before) == different(after)
        })
    }

    /// The width of each column's text.
    pub(crate) fn widths(&self) -> Vec<usize> {
        let of_heading = |heading: &String| match self.is_stacked {
            true => heading.split_whitespace().map(str::width).max().unwrap_or(0),
            false => heading.width(),
        };
        let mut widths: Vec<usize> = self.headings.iter().map(of_heading).collect();
        for (heading, rows) in &self.groups {
            if let (Some(heading), Some(first), false) = (heading, widths.first_mut(), self.room.is_plain) {
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

    /// A line's cells, each as wide as its column: numbers to the right, words to the left.
    pub(crate) fn padded(&self, cells: &[String], widths: &[usize]) -> Vec<String> {
        let padded = cells.iter().enumerate().map(|(at, cell)| {
            let space = " ".repeat(widths[at].saturating_sub(cell.width()));
            if self.is_number[at] { format!("{space}{cell}") } else { format!("{cell}{space}") }
        });
        padded.collect()
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

/// The beginning and the end of a text that is longer than `longest` columns, with an ellipsis between them.
fn shortened_within(text: &str, longest: usize) -> String {
    if text.width() <= longest {
        return text.to_owned();
    }
    let end = (longest - 1) / 2;
    let mut width = 0;
    let fits = |letter: &char| {
        width += letter.width().unwrap_or(0);
        width <= end
    };
    let kept: Vec<char> = text.chars().rev().take_while(fits).collect();
    let kept: String = kept.into_iter().rev().collect();
    format!("{}{kept}", shortened(text, longest - kept.width()))
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
        let room = Room { wide, around: 3, edge: 1, is_plain: false };
        let fitted = fit(&table(name), room, str::to_owned);
        assert!(fitted.fits() && fitted.width() <= wide, "{fitted:?}");
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
    fn a_terminal_stacks_headings_before_anything_is_spared() {
        let mut narrow = table("row");
        narrow.columns[1].heading = "a very long heading of it".to_owned();
        let fitted = fit(&narrow, Room { wide: 58, around: 2, edge: 0, is_plain: true }, str::to_owned);
        assert_eq!((fitted.widths(), fitted.left_out.len()), (vec![3, 20, 18, 5], 0));
    }

    #[test]
    fn names_that_begin_alike_stay_apart_as_long_as_they_can() {
        let mut alike = table("rayon-offload");
        let mut other = alike.groups[0].rows[0].clone();
        other[0] = Cell::text("rayon-offload-idle");
        alike.groups[0].rows.push(other);
        let names = |wide: usize| {
            let fitted = fit(&alike, Room { wide, around: 2, edge: 0, is_plain: true }, str::to_owned);
            let names: Vec<String> = fitted.groups[0].1.iter().map(|row| row[0].clone()).collect();
            (names.join(" "), fitted.keeps_words_apart(&alike))
        };
        assert_eq!(names(32), ("rayon-offload rayon-of…ad-idle".to_owned(), true));
        assert_eq!(names(27), ("rayon…fload rayon…-idle".to_owned(), true));
        alike.groups[0].rows[1][0] = Cell::text("rayon-over-offload");
        let fitted = fit(&alike, Room { wide: 27, around: 2, edge: 0, is_plain: true }, str::to_owned);
        assert!(!fitted.keeps_words_apart(&alike), "{fitted:?}");
    }

    #[test]
    fn words_in_the_place_of_a_number_may_be_cut_and_numbers_may_not() {
        let mut narrow = table("row");
        narrow.groups[0].rows[0][1] = Cell::text("needs 7 more minutes");
        let line = |table: &Table, wide| {
            let fitted = fit(table, Room { wide, around: 2, edge: 0, is_plain: true }, str::to_owned);
            fitted.groups[0].1[0].join(" | ")
        };
        assert_eq!(line(&narrow, 30), "row | needs 7 more mi… | s");
        narrow.groups[0].rows[0][1] = Cell::number("123,456,789,012,345", 1.0);
        assert_eq!(line(&narrow, 30), "row | 123,456,789,012,345 | s");
    }

    #[test]
    fn long_and_wide_names_are_cut_to_what_they_may_take() {
        assert_eq!(fitted(&"x".repeat(300), 110).groups[0].1[0][0].chars().count(), 88);
        assert_eq!(shortened("漢字漢字", 5), "漢字…");
        assert_eq!(shortened("ab", 2), "ab");
    }
}
