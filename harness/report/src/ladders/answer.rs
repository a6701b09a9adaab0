//! What is true of an objective, in a sentence.

use race::registry::Tier;
use stats::capacity::{Capacities, Capacity};

use crate::{
    conclusions::named::listed,
    numbers::{three_digits, times_as},
};

use super::{
    capacity,
    climbed::{AtStep, Climbed},
    holds::{self, Holds},
    tables::best_first,
};

/// So many rows are named of a kind.
const NAMED: usize = 6;

/// The sentence; nothing without an objective. The null server is no row that anybody could choose.
pub(super) fn of(climbed: &Climbed<'_>) -> Option<String> {
    climbed.objective?;
    let rows: Vec<usize> =
        best_first(climbed).into_iter().filter(|&row| climbed.tier(row) != Tier::Calibration).collect();
    Some(match climbed.own() {
        Some(own) => under_the_load(climbed, own, &rows),
        None => along_the_ladder(climbed, &rows),
    })
}

fn wanted(climbed: &Climbed<'_>) -> String {
    climbed.objective.map_or_else(String::new, |objective| {
        format!("{} {}<{:?}", climbed.stream_name, objective.percentile(), objective.below)
    })
}

fn under_the_load(climbed: &Climbed<'_>, own: &AtStep<'_>, rows: &[usize]) -> String {
    let judged: Vec<(usize, Holds)> =
        rows.iter().filter_map(|&row| Some((row, holds::of(climbed, row)?))).collect();
    let of = |is_it: &dyn Fn(&Holds) -> bool, said: &dyn Fn(usize, &Holds) -> String| {
        let all: Vec<String> =
            judged.iter().filter(|(_, holds)| is_it(holds)).map(|(row, holds)| said(*row, holds)).collect();
        all
    };
    let room = |row: usize, _: &Holds| {
        let room = capacity::of(climbed, row).map(|found| room(&found, own.per_second));
        let room = room.map(|room| format!(" ({room})")).unwrap_or_default();
        format!("{}{room}", climbed.label(row))
    };
    let time = |row: usize, holds: &Holds| {
        let unit = climbed.unit(climbed.q);
        let time = holds.value().map(|value| unit.cell(value).whole_text());
        let said = time.map_or_else(|| "overloaded".to_owned(), |time| format!("{time} {}", unit.name()));
        format!("{} ({said})", climbed.label(row))
    };
    let yes = of(&|holds| matches!(holds, Holds::Yes(_)), &room);
    let edge = of(&|holds| matches!(holds, Holds::CannotBeTold(_)), &time);
    let no = of(&|holds| matches!(holds, Holds::No(_) | Holds::Overloaded), &time);
    let unknown = of(&|holds| matches!(holds, Holds::TooLittle(_) | Holds::Nothing), &|row, _| {
        climbed.label(row).to_owned()
    });
    let wanted = wanted(climbed);
    let mut parts = Vec::new();
    parts.push(match (yes.len(), edge.len() + unknown.len()) {
        (0, 0) => format!("No row holds {wanted} under this load"),
        (0, _) => format!("No row surely holds {wanted} under this load"),
        (held, _) => {
            format!("{held} of {} rows hold {wanted} under this load: {}", judged.len(), named(&yes))
        }
    });
    if !edge.is_empty() {
        parts.push(format!("it cannot be told of {}", named(&edge)));
    }
    if !no.is_empty() {
        parts.push(format!("not {}", named(&no)));
    }
    if !unknown.is_empty() {
        parts.push(format!("too little was measured of {}", named(&unknown)));
    }
    format!("{}.", parts.join("; "))
}

/// `room for 1.42 times the load`.
fn room(found: &Capacities, own: f64) -> String {
    match found.median {
        Capacity::UpTo(rate) => {
            let interval = match (found.is_confident, found.low.rate(), found.high.rate()) {
                (true, Some(low), Some(high)) => {
                    format!(" [{}, {}]", times_as(low / own), times_as(high / own))
                }
                _ => String::new(),
            };
            format!("up to {} times the load{interval}", times_as(rate / own))
        }
        Capacity::BeyondTheLadder => "beyond the ladder".to_owned(),
        Capacity::NotAtAnyRate => "not at a lower rate".to_owned(),
    }
}

fn along_the_ladder(climbed: &Climbed<'_>, rows: &[usize]) -> String {
    let found: Vec<(usize, Capacities)> =
        rows.iter().filter_map(|&row| Some((row, capacity::of(climbed, row)?))).collect();
    let names = |is_it: &dyn Fn(Capacity) -> bool| -> Vec<String> {
        let all = found.iter().filter(|(_, found)| is_it(found.median));
        all.map(|(row, _)| climbed.label(*row).to_owned()).collect()
    };
    let on_it: Vec<(usize, &Capacities, f64)> =
        found.iter().filter_map(|(row, found)| Some((*row, found, found.median.rate()?))).collect();
    let rate = |(row, found, rate): &(usize, &Capacities, f64)| {
        let interval = match (found.is_confident, found.low.rate(), found.high.rate()) {
            (true, Some(low), Some(high)) => format!(" [{}, {}]", three_digits(low), three_digits(high)),
            _ => String::new(),
        };
        format!("{}/s{interval} ({})", three_digits(*rate), climbed.label(*row))
    };
    let beyond = names(&|capacity| capacity == Capacity::BeyondTheLadder);
    let nowhere = names(&|capacity| capacity == Capacity::NotAtAnyRate);
    let wanted = wanted(climbed);
    let mut parts = Vec::new();
    if !beyond.is_empty() {
        parts.push(format!("beyond the ladder with {}", named(&beyond)));
    }
    match on_it.as_slice() {
        [] => {}
        [one] => parts.push(format!("up to {}", rate(one))),
        [first, .., last] => parts.push(format!("from {} down to {}", rate(first), rate(last))),
    }
    if !nowhere.is_empty() {
        parts.push(format!("not at any rate with {}", named(&nowhere)));
    }
    match parts.is_empty() {
        true => format!("Nothing can be said of {wanted}: too little was measured."),
        false if nowhere.len() == found.len() => format!("No row holds {wanted} at any rate of the ladder."),
        false => format!("{wanted} holds {}.", parts.join("; ")),
    }
}

fn named(names: &[String]) -> String {
    if names.len() <= NAMED {
        return listed(names, "and");
    }
    format!("{} and {} others", names[..NAMED].join(", "), names.len() - NAMED)
}
