//! Windows by latency: a band each row, of which a cell is the stronger the more requests are in it.

use maud::{Markup, html};
use terminal::numbers::{short, time};

use crate::model::plot::{Levels, OfRow, Windows};

use super::{
    frame::{Body, LEFT, cross, note, path, rect, text},
    path::{Path, number},
    strips::{BELOW, Layout, SCALE_EVERY, all, lines, notes, strip},
};

/// How high a bin is.
const BIN: f64 = 2.0;
/// What is left below a band: for crosses.
const FOOT: f64 = 8.0;
/// How far bands are apart.
const BETWEEN: f64 = 6.0;
const LEVELS: u8 = 4;

pub(super) fn draw(windows: &Windows) -> Body {
    let layout = Layout::of(&windows.starts);
    let bins = windows.edges_us.len().saturating_sub(1);
    let (band, ends) = (bins as f64 * BIN, [windows.edges_us.first(), windows.edges_us.last()]);
    let apart = band + FOOT + BETWEEN;
    let mut bands = Vec::new();
    for (at, row) in windows.rows.iter().enumerate() {
        let marks = html! {
            (cells(&layout, row, bins))
            (path("n", crosses(&layout, row, band)))
            @for (end, height) in ends.iter().zip([band + 1.0, 8.0]).filter(|_| at % SCALE_EVERY == 0) {
                @if let Some(us) = end { (text([layout.end() + 4.0, height], "s", &time(**us))) }
            }
        };
        bands.push(strip(&layout, row, BELOW + apart * at as f64, band + FOOT, &marks));
    }
    let y = BELOW + apart * bands.len() as f64;
    let marks = html! {
        (layout.numbers())
        (lines(&layout, bands.len(), band + FOOT, apart))
        (all(&bands, band + FOOT))
        (legend(&windows.levels, y + 6.0))
        @if let Some(said) = notes(&windows.rows) { (note(y + 32.0, &said)) }
    };
    Body { height: y + 38.0, marks }
}

/// What the shades are, and the cross.
fn legend(levels: &[f64], y: f64) -> Markup {
    let share = |share: f64| format!("{}%", short(100.0 * share));
    let said = |level: usize| match level.checked_sub(1) {
        None => levels
            .first()
            .map_or_else(String::new, |most| format!("less than {} of a window's requests", share(*most))),
        Some(at) => levels.get(at).map_or_else(String::new, |least| format!("{} and more", share(*least))),
    };
    let cross_at = [LEFT - 100.0, y + 6.0];
    html! {
        (path("n", cross(Path::new(), cross_at, 5.0)))
        (text([cross_at[0] + 8.0, y + 10.0], "s", "does not count"))
        @for (level, x) in [0.0, 225.0, 320.0, 415.0].into_iter().enumerate() {
            (rect(&format!("f{}", level + 1), [LEFT + x, y + 1.0], [12.0, 10.0]))
            (text([LEFT + x + 17.0, y + 10.0], "s", &said(level)))
        }
    }
}

/// One path a level. Its cells are counted in columns and bins, and their ends are square: a line from the middle of one to the middle
/// of another covers both.
fn cells(layout: &Layout, row: &OfRow<Levels>, bins: usize) -> Markup {
    let grid = Grid::of(layout, row, bins);
    let half = [layout.width / 2.0, BIN / 2.0].map(number);
    // Columns of half a unit and less would be told apart by no decimal.
    let scale = format!("{:.3}", layout.width);
    let scale = scale.trim_end_matches('0').trim_end_matches('.');
    let paths = (1..=LEVELS).map(|level| (level, grid.path(level))).filter(|(_, path)| !path.is_empty());
    html! {
        g class="z" transform={ "translate(" (half[0]) " " (half[1]) ")scale(" (scale) " " (number(BIN)) ")" } {
            @for (level, cells) in paths { (path(&format!("h{level}"), cells)) }
        }
    }
}

/// The levels of a band's cells, column by column and from the top.
struct Grid {
    columns: Vec<Vec<u8>>,
    bins: usize,
}

impl Grid {
    fn of(layout: &Layout, row: &OfRow<Levels>, bins: usize) -> Self {
        let mut columns = Vec::new();
        for (start, of_start) in row.starts.iter().enumerate() {
            for (window, cells) in of_start.windows.iter().enumerate() {
                let column = layout.column(start, window);
                columns.resize(columns.len().max(column + 1), Vec::new());
                columns[column] = cells.levels.iter().rev().copied().collect();
            }
        }
        Self { columns, bins }
    }

    fn at(&self, column: usize, bin: usize) -> u8 {
        self.columns.get(column).and_then(|cells| cells.get(bin)).copied().unwrap_or(0)
    }

    /// All cells of a level, and perhaps of those above, which are drawn over it; as lines along the run or upwards. Whichever of these
    /// is the shortest to write.
    fn path(&self, level: u8) -> Path {
        let exactly = |cell: u8| cell == level;
        let at_least = |cell: u8| cell >= level;
        if !self.columns.iter().flatten().any(|cell| exactly(*cell)) {
            return Path::new();
        }
        let ways = [self.along(exactly), self.upwards(exactly), self.along(at_least), self.upwards(at_least)];
        ways.into_iter().min_by_key(Path::length).unwrap_or_default()
    }

    fn along(&self, is_it: impl Fn(u8) -> bool) -> Path {
        let mut path = Path::new();
        for bin in 0..self.bins {
            for (column, more) in runs(self.columns.len(), |column| is_it(self.at(column, bin))) {
                path = path.at(column as f64, bin as f64).right(more as f64);
            }
        }
        path
    }

    fn upwards(&self, is_it: impl Fn(u8) -> bool) -> Path {
        let mut path = Path::new();
        for column in 0..self.columns.len() {
            for (bin, more) in runs(self.bins, |bin| is_it(self.at(column, bin))) {
                path = path.at(column as f64, bin as f64).down(more as f64);
            }
        }
        path
    }
}

/// The first of each run of those that are it, and how many follow.
fn runs(count: usize, is_it: impl Fn(usize) -> bool) -> Vec<(usize, usize)> {
    let mut runs = Vec::new();
    let mut at = 0;
    while at < count {
        let length = (at..count).take_while(|&next| is_it(next)).count();
        if length > 0 {
            runs.push((at, length - 1));
        }
        at += length.max(1);
    }
    runs
}

fn crosses(layout: &Layout, row: &OfRow<Levels>, band: f64) -> Path {
    let mut path = Path::new();
    for (start, of_start) in row.starts.iter().enumerate() {
        for (window, _) in of_start.windows.iter().enumerate().filter(|(_, window)| !window.counts) {
            let x = layout.middle(layout.column(start, window));
            path = cross(path, [x, band + FOOT / 2.0], layout.width.min(4.0));
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_found_wherever_they_are() {
        let cells = [1, 1, 0, 1, 0, 0, 1, 1, 1];
        assert_eq!(runs(cells.len(), |at| cells[at] == 1), [(0, 1), (3, 0), (6, 2)]);
    }

    #[test]
    fn the_shortest_way_to_write_cells_is_taken() {
        let along = Grid { columns: vec![vec![0, 3, 0]; 5], bins: 3 };
        assert_eq!((along.path(3).into_text().as_str(), along.path(4).is_empty()), ("M0 1h4", true));
        // What is above is drawn over it.
        let upwards = Grid { columns: vec![vec![1, 2, 1], vec![]], bins: 3 };
        assert_eq!([1, 2].map(|level| upwards.path(level).into_text()), ["M0 0v2", "M0 1h0"]);
        assert!([1, 3].iter().all(|level| Grid { columns: vec![vec![2]], bins: 1 }.path(*level).is_empty()));
    }
}
