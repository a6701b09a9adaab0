//! A run for a page that people read first: what to choose, and each scenario's answer.

use crate::{
    model::{Report, Section},
    render::{
        clean::clean,
        code_span::code_span,
        markdown::{answered, choices, escaped},
        wrap::{WIDTH, wrapped},
    },
};

/// A page has room for so many lines of it: 30 with the marks around it, and links that grow there.
const LINES: usize = 25;

/// The summary: at most 25 lines, whose links name files beside it.
pub fn of(report: &Report) -> String {
    let made = &report.made;
    let modified = if made.is_modified { " with local changes" } else { "" };
    let machine = made.machine.split(", Linux").next().unwrap_or(&made.machine);
    let head = wrapped(&format!(
        "Made by {} at {}{modified} on {}.",
        code_span(&clean(&made.command)),
        escaped(&made.revision),
        escaped(machine)
    ));
    let choices = report.choices().map_or_else(String::new, |made| format!("{}\n", choices(made, WIDTH)));
    let figures = if report.choices().is_some() { "Places, intervals" } else { "Tables" };
    let tail = format!(
        "{figures} and plots: [report.html](report.html) (open it from disk), [report.md](report.md)."
    );
    let tail = wrapped(&tail);
    let whole = |shown: &[&Section], hidden: &str| {
        let answers: String = shown.iter().map(|section| answered(section)).collect();
        format!("{head}\n{choices}{answers}{hidden}\n{tail}")
    };
    let mut shown: Vec<&Section> = report.sections.iter().collect();
    let mut hidden = String::new();
    while whole(&shown, &hidden).lines().count() > LINES && !shown.is_empty() {
        // What compares nothing is missed least.
        let says_least = shown.iter().rposition(|section| !gives_places(section));
        shown.remove(says_least.unwrap_or(shown.len() - 1));
        hidden = format!("- {} more scenarios are in the report\n", report.sections.len() - shown.len());
    }
    whole(&shown, &hidden)
}

fn gives_places(section: &Section) -> bool {
    section.figures.as_ref().is_some_and(|figures| figures.column("place").is_some())
}
