//! A run for a page that people read first: what to choose, and each scenario's answer.

use crate::{
    model::Report,
    render::{
        clean::clean,
        code_span::code_span,
        markdown::{answered, choices, escaped},
        wrap::{WIDTH, wrapped},
    },
};

/// A page has room for so many lines of it.
const LINES: usize = 30;

/// The summary: at most 30 lines, whose links name files beside it.
pub fn of(report: &Report) -> String {
    let made = &report.made;
    let modified = if made.is_modified { " with local changes" } else { "" };
    let machine = made.machine.split(", Linux").next().unwrap_or(&made.machine);
    let head = wrapped(&format!(
        "Made by {} at revision {}{modified}, on {}.",
        code_span(&clean(&made.command)),
        escaped(&made.revision),
        escaped(machine)
    ));
    let choices = choices(report, WIDTH);
    let tail = "Intervals, places, plots, and what speaks against the figures: [report.html](report.html) (download and open \
         it), [report.md](report.md).";
    let tail = wrapped(tail);
    let mut answers: Vec<String> = report.sections.iter().map(answered).collect();
    let whole =
        |answers: &[String], hidden: &str| format!("{head}\n{choices}\n{}{hidden}\n{tail}", answers.concat());
    let mut hidden = String::new();
    while whole(&answers, &hidden).lines().count() > LINES && !answers.is_empty() {
        answers.pop();
        let left = report.sections.len() - answers.len();
        hidden = format!("- {left} more scenarios are in the report\n");
    }
    whole(&answers, &hidden)
}
