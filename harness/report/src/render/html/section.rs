//! One scenario: its answer, its table and plots, and the rest for those who ask.

use maud::{Markup, html};

use crate::model::{Said, Section, Table};

use super::{
    plots, table,
    words::{id_of_section, id_within, list, more, name, said},
};

/// The part of a scenario.
pub(super) fn section(of: &Section) -> Markup {
    let id = id_of_section(&of.name);
    let heading = format!("{id}-heading");
    html! {
        section id=(id) aria-labelledby=(heading) {
            h2 id=(heading) { (name(&of.name)) }
            p.soft { (said(&of.question)) }
            p.answer { strong { (said(&of.answer)) } }
            (list("warn", of.caveats.iter()))
            @for table in of.figures.iter().chain(&of.beside) { (own(of, table, &id)) }
            (list("warn", found(of, true)))
            (plots::shown(&of.plots, &id, &of.name))
            @if !of.load.is_empty() { (more("The load, and what counts", &list("", of.load.iter()))) }
            @for table in &of.beneath { (more(summary(table), &own(of, table, &id))) }
            (plots::asked_for(&of.plots, &id, &of.name))
            @if !of.notes.is_empty() { (more(&counted("Notes on single rows", &of.notes), &list("", of.notes.iter()))) }
            (findings(of))
        }
    }
}

/// A table of the scenario, which is called by both of their names.
fn own(section: &Section, of: &Table, id: &str) -> Markup {
    table::table(of, &id_within(id, &of.id), &format!("{}: {}", section.name, of.id))
}

/// What a table is about: its caption up to the first stop.
fn summary(table: &Table) -> &str {
    table.caption.split(['.', ';', ':']).next().unwrap_or(&table.id)
}

fn findings(section: &Section) -> Markup {
    let findings: Vec<&String> = found(section, false).collect();
    html! {
        @if !findings.is_empty() { (more(&counted("Findings", &findings), &list("", findings.iter().copied()))) }
    }
}

/// What was found; what speaks against figures is shown apart from the rest, and always.
fn found(section: &Section, is_warning: bool) -> impl Iterator<Item = &String> {
    let is_asked_for = move |said: &&Said| said.is_warning == is_warning;
    section.findings.iter().filter(is_asked_for).map(|said| &said.text)
}

fn counted<T>(what: &str, things: &[T]) -> String {
    format!("{what} ({})", things.len())
}
