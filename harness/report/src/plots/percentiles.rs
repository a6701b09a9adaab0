//! Latency by percentile, a line each row.

use terminal::numbers::time;

use crate::{
    counts::times::name_of,
    model::plot::{Drawn, Line, Percentiles, Point},
};

use super::all::{All, Sketch, range};

/// The percentiles that are said of a line, by their number of nines.
const SAID: [f64; 4] = [0.3, 1.0, 2.0, 3.0];

/// `None` where no row has a percentile.
pub(super) fn of(all: &All<'_>) -> Option<Sketch> {
    // What an overloaded row's answers take is how long it was loaded: no property of the row.
    let drawn = all.order.iter().copied().filter(|&row| !all.is_overloaded(row));
    let lines: Vec<Line> = drawn.filter_map(|row| line(all, row)).collect();
    let [low, high] = range(lines.iter().flat_map(|line| line.points.iter().map(|point| point.us)))?;
    let overloaded = all.order.iter().filter(|&&row| all.is_overloaded(row)).map(|&row| all.label(row));
    let overloaded: Vec<&str> = overloaded.collect();
    let note =
        (!overloaded.is_empty()).then(|| format!("Not drawn, since overloaded: {}.", overloaded.join(", ")));
    let description = format!(
        "A line each row, of all windows that count: what part of its requests took how long. They lie between {} and {}. A percentile \
         that fewer than ten requests exceed is not drawn.{}",
        time(low),
        time(high),
        note.as_ref().map_or_else(String::new, |note| format!(" {note}"))
    );
    let title = format!("Latency by percentile{}", all.of_stream());
    Some(Sketch { title, description, drawn: Drawn::Percentiles(Percentiles { lines, note }) })
}

fn line(all: &All<'_>, row: usize) -> Option<Line> {
    let percentiles = &all.times[row].percentiles;
    let known = percentiles.iter().take_while(|(_, quantile)| !quantile.is_bound());
    let points: Vec<Point> =
        known.map(|&(nines, quantile)| Point { nines, us: quantile.ns() as f64 / 1000.0 }).collect();
    let said = SAID.iter().filter_map(|nines| {
        let point = points.iter().find(|point| point.nines == *nines)?;
        // Half of the requests is 0.3 nines, as nearly as anybody sees.
        let name = if point.nines == SAID[0] { "p50".to_owned() } else { name_of(1.0 - 10_f64.powf(-nines)) };
        Some(format!("{name} {}", time(point.us)))
    });
    Some(Line {
        label: all.label(row).to_owned(),
        style: row,
        said: said.collect::<Vec<_>>().join(", "),
        is_open: points.len() < percentiles.len(),
        points,
    })
    .filter(|line| !line.points.is_empty())
}
