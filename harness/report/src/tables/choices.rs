//! What to choose: a line for each thing that one may want, a column for each scenario.

use std::time::Duration;

use crate::{
    conclusions::{
        named::listed,
        objectives::{Choice, More, Objective},
    },
    model::{Cell, Column, Group, Table},
    tables::support::longer,
};

/// So many rows that cannot be told apart are named in a cell.
const NAMED: usize = 2;

/// What is known of each objective under one scenario, in the order of [`Objective::ALL`].
pub(crate) type OfScenario = (String, Vec<Choice>);

/// The table. What no scenario asks for has no line.
pub(crate) fn of(scenarios: &[OfScenario]) -> Table {
    let columns = scenarios.iter().map(|(name, _)| Column::text(name, name));
    let line = |(at, objective): (usize, &Objective)| -> Option<Vec<Cell>> {
        let choices = || scenarios.iter().map(|(_, choices)| &choices[at]);
        let is_asked = choices().any(|choice| *choice != Choice::NotAsked);
        let cells = choices().map(|choice| Cell::text(shown(choice)));
        is_asked.then(|| std::iter::once(Cell::text(objective.name())).chain(cells).collect())
    };
    let rows = Objective::ALL.iter().enumerate().filter_map(line).collect();
    Table {
        id: "choices".to_owned(),
        caption: caption(scenarios),
        columns: std::iter::once(Column::text("if you want", "objective")).chain(columns).collect(),
        groups: vec![Group { heading: None, rows }],
        legend: Vec::new(),
        is_detail: false,
    }
}

fn caption(scenarios: &[OfScenario]) -> String {
    let choices = || scenarios.iter().flat_map(|(_, choices)| choices);
    let mut parts = vec!["The best controlled row, or those that cannot be told from it".to_owned()];
    if choices().any(|choice| matches!(choice, Choice::Among { more: Some(_), .. })) {
        parts.push(
            "in brackets how much longer the run would have to be to tell the first from the others"
                .to_owned(),
        );
    }
    if choices().any(|choice| *choice == Choice::NotCompared) {
        parts.push("where rows are not compared, the scenario's section says why".to_owned());
    }
    format!("{}.", parts.join("; "))
}

fn shown(choice: &Choice) -> String {
    match choice {
        Choice::NotAsked => "-".to_owned(),
        Choice::NotCompared => "not compared".to_owned(),
        Choice::Among { best, of, more } => {
            let more = more.map(|more| format!(" ({})", in_short(more))).unwrap_or_default();
            match best.as_slice() {
                all if all.len() == *of && all.len() > 1 => format!("cannot tell{more}"),
                few if few.len() <= NAMED => format!("{}{more}", listed(few, "or")),
                [first, others @ ..] => format!("{first} or {} others{more}", others.len()),
                [] => "cannot tell".to_owned(),
            }
        }
    }
}

fn in_short(more: More) -> String {
    match more {
        More::NoRun => "over +1 day".to_owned(),
        More::Seconds(seconds) => {
            format!("+{}", longer(Duration::try_from_secs_f64(seconds).unwrap_or_default()))
        }
    }
}

/// The same of one scenario in sentences, with all names.
pub(crate) fn sentences((_, choices): &OfScenario) -> Vec<String> {
    let sentence = |(objective, choice): (&Objective, &Choice)| {
        let Choice::Among { best, of, more } = choice else { return None };
        let name = objective.name();
        let what = match best.as_slice() {
            [] => return None,
            [one] => format!("Best by {name}: {one}"),
            all if all.len() == *of => format!("By {name} no row can be told to be the best"),
            several => {
                format!("Best by {name}: one of {}, which cannot be told apart", listed(several, "and"))
            }
        };
        let more = match more {
            None => String::new(),
            Some(More::NoRun) => "; a day more would not tell".to_owned(),
            Some(more) => {
                format!("; a run longer by about {} would tell", in_short(*more).trim_start_matches('+'))
            }
        };
        Some(format!("{what}{more}."))
    };
    Objective::ALL.iter().zip(choices).filter_map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn among(best: &[&str], of: usize, more: Option<More>) -> Choice {
        Choice::Among { best: best.iter().map(|&name| name.to_owned()).collect(), of, more }
    }

    #[test]
    fn one_best_row_is_named_two_are_and_more_are_counted() {
        assert_eq!(shown(&among(&["a"], 8, None)), "a");
        assert_eq!(shown(&among(&["a", "b"], 8, Some(More::Seconds(61.0)))), "a or b (+2 min)");
        assert_eq!(shown(&among(&["a", "b", "c"], 8, Some(More::NoRun))), "a or 2 others (over +1 day)");
        assert_eq!(shown(&among(&["a", "b", "c"], 3, Some(More::Seconds(9000.0)))), "cannot tell (+3 h)");
    }

    #[test]
    fn what_no_scenario_asks_for_has_no_line() {
        let choices = vec![Choice::NotAsked, among(&["a"], 2, None), Choice::NotAsked, Choice::NotCompared];
        let table = of(&[("mixed".to_owned(), choices)]);
        let lines: Vec<&str> = table.groups[0].rows.iter().map(|row| row[0].text.as_str()).collect();
        assert_eq!(lines, ["CPU a request", "memory"]);
        assert!(table.caption.ends_with("the scenario's section says why."), "{}", table.caption);
    }
}
