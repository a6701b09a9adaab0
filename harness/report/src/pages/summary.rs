//! A run in one small table, for a page that people read first: each row, what it is, and one figure a scenario.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};
use race::{records::folder::Contents, registry::Tier};

use crate::{render::code_span::code_span, conclusions::Report, headlines::Headline};

/// As wide as a page may be.
pub(crate) const WIDTH: usize = 110;
/// More lines than this belong into a report of their own.
const ROWS_SHOWN: usize = 15;
/// Of what a row is, at most so much is shown, and at least so much, however many figures stand beside it.
const ABOUT_WIDTH: std::ops::RangeInclusive<usize> = 20..=44;

/// The table, and what its columns are.
pub(crate) fn of(report: &Report<'_>) -> String {
    let contents = report.contents;
    let mut text = wrapped(&made_by(contents));
    text.push('\n');
    for (number, section) in (1..).zip(&report.sections) {
        text.push_str(&hanging(&format!("{number}. {}: {}", section.name, section.question), "   "));
    }
    text.push('\n');
    text.push_str(&table(report));
    text.push_str("\n\n");
    let cells = || report.sections.iter().flat_map(|section| &section.headlines.rows);
    let places = match cells().any(|row| row.place.is_some()) {
        true => "Places, given only among rows of one tier, stand in brackets. ",
        false => "",
    };
    let unprinted = match cells().any(|row| row.figure == "-" && row.place.is_some()) {
        true => "A figure with a place that is not printed has too little behind it. ",
        false => "",
    };
    let hidden = shown_rows(contents).1;
    let hidden = if hidden > 0 { format!("{hidden} more rows are in the report. ") } else { String::new() };
    text.push_str(&wrapped(&format!(
        "Figures are medians. {places}{unprinted}{hidden}Intervals, and what speaks against the figures: [report.md](report.md)."
    )));
    text
}

fn made_by(contents: &Contents) -> String {
    let environment = &contents.environment;
    let revision = environment.code.revision.as_deref().unwrap_or("unknown");
    format!(
        "Made by {} at revision {}, on {} CPUs of {}{}.",
        code_span(&environment.command),
        revision.get(..12).unwrap_or(revision),
        environment.cpu.allowed.len(),
        environment.cpu.model.as_deref().unwrap_or("an unknown processor"),
        if environment.cpu.virtual_machine { ", a virtual machine" } else { "" },
    )
}

/// The rows that the table shows, one tier after another, and how many it does not.
fn shown_rows(contents: &Contents) -> (Vec<&race::registry::Row>, usize) {
    let mut rows: Vec<_> = contents.run.plan.rows.iter().collect();
    rows.sort_by_key(|row| row.tier);
    let hidden = rows.len().saturating_sub(ROWS_SHOWN);
    rows.truncate(ROWS_SHOWN);
    (rows, hidden)
}

/// The table with as much of what rows are as fits.
fn table(report: &Report<'_>) -> String {
    let fits = |table: &String| table.lines().all(|line| line.chars().count() <= WIDTH);
    let fitting = ABOUT_WIDTH.rev().map(|width| table_with(report, width)).find(fits);
    fitting.unwrap_or_else(|| table_with(report, *ABOUT_WIDTH.start()))
}

fn table_with(report: &Report<'_>, about_width: usize) -> String {
    let mut table = Table::new();
    let mut header = vec!["row".to_owned(), "what it is".to_owned()];
    let of =
        |(number, section): (usize, &super::section::Section)| format!("{number}: {}", section.headlines.of);
    header.extend((1..).zip(&report.sections).map(of));
    table.load_style(ASCII_MARKDOWN).set_header(&header);
    let mut tier = Tier::Controlled;
    for row in shown_rows(report.contents).0 {
        if row.tier != tier {
            tier = row.tier;
            let mut heading = vec![format!("*{tier}*")];
            heading.resize(header.len(), String::new());
            // The null server says by itself what it is.
            if tier != Tier::Calibration {
                table.add_row(heading);
            }
        }
        let mut cells =
            vec![row.name.replace('|', "\\|"), shortened(&row.about, about_width).replace('|', "\\|")];
        cells.extend(report.sections.iter().map(|section| {
            let own = section.headlines.rows.iter().find(|headline| headline.row == row.name);
            own.map_or_else(|| "-".to_owned(), cell)
        }));
        table.add_row(cells);
    }
    for index in 2..header.len() {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

fn cell(headline: &Headline) -> String {
    match &headline.place {
        Some(place) => format!("{} ({place})", headline.figure),
        None => headline.figure.clone(),
    }
}

/// What a row is, as far as it fits: its first clauses, or its first words.
fn shortened(about: &str, width: usize) -> String {
    let fits = |text: &&str| text.chars().count() <= width;
    let clauses = about.match_indices([';', ':', ',', '(']).map(|(at, _)| about[..at].trim_end()).rev();
    let whole = std::iter::once(about).chain(clauses).find(fits);
    whole.map_or_else(
        || {
            let kept: String = about.chars().take(width - 3).collect();
            let words = kept.rsplit_once(' ').map_or(kept.as_str(), |(words, _)| words);
            format!("{words}...")
        },
        str::to_owned,
    )
}

/// Text in lines of at most [`WIDTH`] columns, with a line break at its end.
pub(crate) fn wrapped(text: &str) -> String {
    hanging(text, "")
}

/// The same, with `indent` before every line but the first.
fn hanging(text: &str, indent: &str) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let width = word.chars().count();
        if column > 0 && column + 1 + width > WIDTH {
            let _ = write!(out, "\n{indent}");
            column = indent.len();
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += width;
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_row_is_is_cut_at_a_clause_or_at_a_word() {
        let shortened = |about| shortened(about, 40);
        assert_eq!(
            shortened("a process per core; operations run where the connection lives"),
            "a process per core"
        );
        assert_eq!(shortened("one thread"), "one thread");
        let long =
            shortened("a stackful coroutine per connection with hyper polled in it and nothing else at all");
        assert!(long.ends_with("...") && long.chars().count() <= 40, "{long}");
    }

    #[test]
    fn lines_are_no_wider_than_a_page() {
        let text = hanging(&"word ".repeat(100), "   ");
        assert!(
            text.lines().all(|line| line.len() <= WIDTH && line.len() > WIDTH - 10 || line.ends_with("word"))
        );
        assert_eq!(text.split_whitespace().count(), 100);
    }
}
