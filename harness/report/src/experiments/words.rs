//! How shares, times and counts of experiments are written.

use std::collections::BTreeMap;

use race::plan::experiment::{EventKind, ExperimentKind};
use stats::{Quantile, proportion};
use terminal::numbers::{thousands, time};

use crate::{
    conclusions::named::listed,
    counts::{
        middle::{Middle, of_quantiles},
        value::Value,
    },
    model::{Cell, Exact},
    numbers::Unit,
};

/// A share in percent, to two digits however small it is: `3.1%`, `0.0012%`.
pub(super) fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    if percent <= 0.0 {
        return "0%".to_owned();
    }
    // No share that can be seen has more.
    const MOST_DECIMALS: i32 = 12;
    let decimals = (1 - percent.log10().floor() as i32).clamp(0, MOST_DECIMALS).unsigned_abs() as usize;
    let text = format!("{percent:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}%")
}

/// `12 of 1,020,000 requests (0.0012%)`, and of none below which share that is: at 95%, by the exact bound.
pub(super) fn failed_of(failed: u64, requests: u64) -> String {
    let [failed_shown, all] = [failed, requests].map(|count| thousands(count as f64));
    let share = match (failed, requests) {
        (_, 0) => return "0 of 0 requests".to_owned(),
        (0, _) => format!("below {} at 95%", percent(proportion::below_where_none_was_seen(requests))),
        _ => percent(failed as f64 / requests as f64),
    };
    format!("{failed_shown} of {all} requests ({share})")
}

/// `reset 8, timeout 4`, the most first.
pub(super) fn by_kind(counts: &BTreeMap<String, u64>) -> String {
    let mut counts: Vec<(&String, u64)> = counts.iter().map(|(kind, count)| (kind, *count)).collect();
    counts.retain(|(_, count)| *count > 0);
    counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let counts = counts.iter().map(|(kind, count)| format!("{kind} {}", thousands(*count as f64)));
    counts.collect::<Vec<_>>().join(", ")
}

/// A time that may only be known to be longer: `23.4 ms`, `more than 30 s`.
pub(super) fn time_of(quantile: Quantile) -> String {
    let bound = if quantile.is_bound() { "more than " } else { "" };
    format!("{bound}{}", time(quantile.ns() as f64 / 1000.0))
}

/// `23 ms (median; worst 61 ms)`, of one event alone its own; nothing of none.
pub(super) fn median_and_worst(times: &[Quantile]) -> Option<String> {
    let Middle { median, .. } = of_quantiles(times)?;
    let (median, worst) = (time_of(median), time_of(worst(times)?));
    Some(match times.len() {
        1 => median,
        _ if median == worst => format!("{median} (median and worst)"),
        _ => format!("{median} (median; worst {worst})"),
    })
}

/// The longest: one that is only known to be longer than others may be longer than all.
pub(super) fn worst(times: &[Quantile]) -> Option<Quantile> {
    let longest = times.iter().map(|time| time.ns()).max()?;
    let is_bound = times.iter().any(|time| time.is_bound());
    Some(if is_bound { Quantile::AtLeast(longest) } else { Quantile::Exactly(longest) })
}

/// The median of times with its interval, in milliseconds; exact in microseconds.
pub(super) fn median_cell(times: &[Quantile]) -> Cell {
    of_quantiles(times).map_or_else(Cell::none, |middle| Unit::Milliseconds.cell(&Value::from(middle)))
}

/// The longest of them.
pub(super) fn worst_cell(times: &[Quantile]) -> Cell {
    worst(times).map_or_else(Cell::none, |worst| {
        let exact = Exact { is_bound: worst.is_bound(), ..Exact::of(worst.ns() as f64 / 1000.0) };
        Cell { exact: Some(exact), ..Cell::text(Unit::Milliseconds.show_quantile(worst)) }
    })
}

/// The median of times that are counted in slices: whole milliseconds, which is as exact as they are.
pub(super) fn slices_cell(times: &[Quantile]) -> Cell {
    let cell = median_cell(times);
    let Some(middle) = of_quantiles(times).filter(|middle| middle.is_confident) else {
        return Cell { text: whole_ms(of_quantiles(times).map(|middle| middle.median)), ..cell };
    };
    let [low, median, high] = [middle.low, middle.median, middle.high].map(|it| whole_ms(Some(it)));
    Cell { text: median, interval: Some(format!("[{low}, {high}]")), ..cell }
}

/// The longest of them.
pub(super) fn worst_slices_cell(times: &[Quantile]) -> Cell {
    Cell { text: whole_ms(worst(times)), ..worst_cell(times) }
}

fn whole_ms(time: Option<Quantile>) -> String {
    time.map_or_else(
        || Cell::none().text,
        |time| {
            let bound = if time.is_bound() { "> " } else { "" };
            format!("{bound}{}", thousands(time.ns() as f64 / 1e6))
        },
    )
}

/// What happens, as the subject of a sentence.
pub(super) fn subject(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Kill => "SIGKILL of a worker",
        EventKind::Panic => "a panic",
        EventKind::Abort => "an abort",
        EventKind::Overflow => "a stack overflow",
        EventKind::Reload => "a reload",
    }
}

/// `1 crash`, `50 crashes`.
pub(super) fn events(count: usize, of: ExperimentKind) -> String {
    let [one, several] = match of {
        ExperimentKind::Crash => ["crash", "crashes"],
        ExperimentKind::Reload => ["reload", "reloads"],
    };
    format!("{} {}", thousands(count as f64), if count == 1 { one } else { several })
}

/// `a request`, `12 requests`.
pub(super) fn requests(count: u64) -> String {
    match count {
        1 => "1 request".to_owned(),
        _ => format!("{} requests", thousands(count as f64)),
    }
}

/// Names in a sentence, of which so many are said, and how many others there are.
pub(super) fn names(names: &[&str]) -> String {
    const NAMED: usize = 4;
    match names.len() {
        few if few <= NAMED => listed(names, "and"),
        all => format!("{} and {} others", names[..NAMED].join(", "), all - NAMED),
    }
}

/// With a capital letter.
pub(super) fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use stats::Quantile::{AtLeast, Exactly};

    use super::*;

    #[test]
    fn a_share_has_two_digits_however_small_it_is() {
        let shown = [0.0, 0.031_4, 0.5, 1.0, 0.000_011_76, 2.94e-6, 1e-9].map(percent);
        assert_eq!(shown, ["0%", "3.1%", "50%", "100%", "0.0012%", "0.00029%", "0.0000001%"]);
    }

    #[test]
    fn none_of_many_is_said_with_the_share_that_it_is_below() {
        assert_eq!(failed_of(0, 1_020_000), "0 of 1,020,000 requests (below 0.00029% at 95%)");
        assert_eq!(failed_of(12, 1_020_000), "12 of 1,020,000 requests (0.0012%)");
        assert_eq!(failed_of(0, 0), "0 of 0 requests");
    }

    #[test]
    fn a_time_that_is_not_known_makes_the_worst_a_bound() {
        let [ms, more] = [Exactly(23_000_000), AtLeast(3_000_000_000)];
        assert_eq!(median_and_worst(&[ms]).as_deref(), Some("23 ms"));
        assert_eq!(median_and_worst(&[ms, ms, more]).as_deref(), Some("23 ms (median; worst more than 3 s)"));
        assert_eq!(worst(&[AtLeast(5), Exactly(9)]), Some(AtLeast(9)));
        assert_eq!(median_and_worst(&[ms, ms]).as_deref(), Some("23 ms (median and worst)"));
        assert_eq!((median_and_worst(&[]), worst(&[])), (None, None));
    }

    #[test]
    fn what_failed_most_is_said_first() {
        let counts = [("reset".to_owned(), 3), ("timeout".to_owned(), 1_200), ("status_5xx".to_owned(), 0)];
        assert_eq!(by_kind(&counts.into()), "timeout 1,200, reset 3");
    }
}
