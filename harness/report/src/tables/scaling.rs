//! What more workers bring: throughput by number of workers, and the universal scalability law where there are enough of them.

use stats::{
    summary::median_interval,
    usl::{self, Fit, SIZES_NEEDED},
};

use crate::{
    conclusions::field::Field,
    counts::{
        compared::{Figure, ranked, ranked_windows},
        kept::{Line, Which},
        value::Value,
    },
    model::{Cell, Column, Group, Table},
    numbers::Unit,
};

/// A row with each of its numbers of workers, fewest first.
struct Family<'a> {
    row: &'a str,
    sizes: Vec<(usize, &'a Line<'a>)>,
}

/// The table; none where rows have the workers that they have, or throughput is not what they are compared by.
pub(crate) fn of(field: &Field<'_>) -> Option<Table> {
    if field.scenario.workers.is_none() || ranked(field.scenario) != Figure::Throughput {
        return None;
    }
    let columns = vec![
        Column::text("row", "row"),
        Column::text("workers", "workers"),
        Column::number("most over fewest", "speed_up"),
        Column::number("one worker, requests/s", "usl_requests_per_s_of_one"),
        Column::number("contention", "usl_contention"),
        Column::number("coherency", "usl_coherency"),
        Column::number("most at, workers", "usl_peak_workers"),
    ];
    let families = families(field);
    let rows = families.iter().map(|family| line(field, family)).collect();
    let most = families.iter().map(|family| family.sizes.len()).max().unwrap_or(0);
    let refused = match most < SIZES_NEEDED {
        true => format!(" Not fitted: this host gives {most} of them."),
        false => String::new(),
    };
    Some(Table {
        id: "scaling".to_owned(),
        caption: format!(
            "What more workers bring: requests/s of the most over those of the fewest, in the same starts; and the universal scalability law, \
             X(n) = n x one / (1 + contention x (n - 1) + coherency x n (n - 1)), fitted to each start where there are {SIZES_NEEDED} numbers of \
             workers: below that its three parameters pass through three points, whatever these are.{refused}"
        ),
        columns,
        groups: vec![Group { heading: None, rows }],
        legend: Vec::new(),
        is_detail: false,
    })
}

fn families<'a>(field: &'a Field<'a>) -> Vec<Family<'a>> {
    let mut families: Vec<Family<'a>> = Vec::new();
    for entered in field.rows.iter().filter(|entered| !entered.line.twin) {
        let Some(variant) = &entered.line.row.variant else { continue };
        let size = (variant.workers, &entered.line);
        match families.iter_mut().find(|family| family.row == variant.of) {
            Some(family) => family.sizes.push(size),
            None => families.push(Family { row: &variant.of, sizes: vec![size] }),
        }
    }
    families.iter_mut().for_each(|family| family.sizes.sort_by_key(|(workers, _)| *workers));
    families
}

fn line(field: &Field<'_>, family: &Family<'_>) -> Vec<Cell> {
    let throughputs = |(workers, line): &(usize, &Line<'_>)| {
        let windows = ranked_windows(field.scenario, line, Which::Gated);
        let of_start = |windows: &stats::rounds::Windows| {
            let values: Vec<f64> = windows.iter().flatten().copied().collect();
            Some(median_interval(&values)?.median)
        };
        (*workers, windows.iter().map(of_start).collect::<Vec<Option<f64>>>())
    };
    let sizes: Vec<(usize, Vec<Option<f64>>)> = family.sizes.iter().map(throughputs).collect();
    let starts = sizes.iter().map(|(_, starts)| starts.len()).min().unwrap_or(0);
    let points = |start: usize| -> Vec<(usize, f64)> {
        sizes.iter().filter_map(|(workers, starts)| Some((*workers, starts[start]?))).collect()
    };
    let numbers: Vec<String> = sizes.iter().map(|(workers, _)| workers.to_string()).collect();
    let mut cells = vec![Cell::text(family.row), Cell::text(numbers.join(", ")), speed_up(&sizes, starts)];
    let fits: Vec<Fit> = (0..starts).filter_map(|start| usl::fit(&points(start)).ok()).collect();
    if fits.is_empty() {
        let few = sizes.len() < SIZES_NEEDED;
        cells.push(if few { Cell::text(format!("{} of {SIZES_NEEDED}", sizes.len())) } else { Cell::none() });
        cells.extend([Cell::none(), Cell::none(), Cell::none()]);
        return cells;
    }
    let value = |of: fn(&Fit) -> Option<f64>, unit: Unit| {
        let values: Vec<f64> = fits.iter().filter_map(of).collect();
        match Value::of(&values) {
            Some(value) if values.len() == fits.len() => unit.cell(&value),
            // In some starts more workers bring more without end.
            _ => Cell::text("none"),
        }
    };
    cells.extend([
        value(|fit| Some(fit.of_one), Unit::Plain),
        value(|fit| Some(fit.contention), Unit::Plain),
        value(|fit| Some(fit.coherency), Unit::Plain),
        value(Fit::peak_workers, Unit::Plain),
    ]);
    cells
}

/// The most workers beside the fewest, start by start.
fn speed_up(sizes: &[(usize, Vec<Option<f64>>)], starts: usize) -> Cell {
    let (Some((_, fewest)), Some((_, most)), true) = (sizes.first(), sizes.last(), sizes.len() > 1) else {
        return Cell::text("one number");
    };
    let ratios: Vec<f64> = (0..starts).filter_map(|start| Some(most[start]? / fewest[start]?)).collect();
    Value::of(&ratios).map_or_else(Cell::none, |value| Unit::Ratio.cell(&value))
}

#[cfg(test)]
mod tests {
    use race::{
        fixtures::run::{rows, run, scenario},
        plan::scenario::Scenario,
        records::folder::Contents,
        registry::Row,
    };

    use crate::made_up::{around, cell, section};

    /// A run of one row with these numbers of workers, of which each answers so many requests a second.
    fn raced(sizes: &[usize], per_second: impl Fn(usize) -> f64) -> Contents {
        let base = rows(&["work-stealing"]).remove(0);
        let scenario = Scenario { worker_counts: sizes.to_vec(), ..scenario("scaling", 1) };
        let variants = sizes.iter().map(|&size| base.with_workers(size).unwrap());
        let rows: Vec<Row> = std::iter::once(base.clone()).chain(variants).collect();
        run(rows, vec![scenario], 6, |wanted| {
            let size = wanted.entry.row.variant.as_ref().unwrap().workers;
            let mut measured = around(800);
            measured.streams[0].answered_in_window = (per_second(size) * measured.window_s).round() as u64;
            measured
        })
    }

    #[test]
    fn from_four_numbers_of_workers_on_the_law_is_fitted_with_its_interval() {
        let law = |n: usize| {
            let n = n as f64;
            10_000.0 * n / (1.0 + 0.05 * (n - 1.0) + 0.002 * n * (n - 1.0))
        };
        let section = section(&raced(&[1, 2, 3, 4, 6, 8], law));
        assert_eq!(cell(&section, "work-stealing", "workers"), "1, 2, 3, 4, 6, 8");
        let contention = cell(&section, "work-stealing", "contention");
        assert!(contention.starts_with("0.050") || contention.starts_with("0.0500"), "{contention}");
        assert!(contention.contains('['), "{contention}");
        assert!(
            cell(&section, "work-stealing", "most at, workers").starts_with("21"),
            "the law has its most there"
        );
    }

    #[test]
    fn below_four_numbers_it_is_refused_in_words_and_what_more_workers_bring_is_told_all_the_same() {
        let section = section(&raced(&[1, 2], |n| 10_000.0 * n as f64));
        let refused = cell(&section, "work-stealing", "one worker, requests/s");
        assert_eq!(refused, "2 of 4");
        let table = section.tables().find(|table| table.id == "scaling").unwrap();
        assert!(table.caption.ends_with("Not fitted: this host gives 2 of them."), "{}", table.caption);
        assert_eq!(cell(&section, "work-stealing", "most over fewest"), "2.00 [2.00, 2.00]");
        assert!(cell(&section, "work-stealing-w2", "requests/s").starts_with("20,000"));
    }
}
