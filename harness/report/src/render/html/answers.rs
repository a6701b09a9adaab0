//! What comes first: what must be known, what to choose, and each scenario's answer.

use maud::{Markup, html};

use crate::model::{Report, Section};

use super::{
    table,
    words::{id_of_section, list, name, said},
};

/// The title, and what must be known before any figure is read.
pub(super) fn header(report: &Report) -> Markup {
    html! {
        header {
            h1 { (name(&report.title())) }
            p.lead { (lead(report)) }
            (list("warn", report.warnings.iter()))
        }
    }
}

/// What to choose, the answers, and how a figure is to be read.
pub(super) fn answers(report: &Report) -> Markup {
    html! {
        section #answers aria-labelledby="answers-heading" {
            h2 #answers-heading { @if report.choices().is_some() { "What to choose" } @else { "What happened" } }
            @if let Some(choices) = report.choices() { (table::table(choices, "choices", "The choices")) }
            @if !report.sections.is_empty() { dl.answers { @for of in &report.sections { (answer(of)) } } }
            p.soft { (said(&report.reading)) }
        }
    }
}

/// What the page is about.
fn lead(report: &Report) -> &'static str {
    match report.choices() {
        Some(_) => "Server architectures under the same load: which is best, how surely, and what it costs.",
        None => {
            "Server architectures while parts of them end: what is lost, and how soon they are themselves again."
        }
    }
}

fn answer(section: &Section) -> Markup {
    html! {
        div {
            dt { a href={ "#" (id_of_section(&section.name)) } { (name(&section.name)) } }
            dd {
                p.soft { (said(&section.question)) }
                p { strong { (said(&section.answer)) } }
            }
        }
    }
}

/// What else there is.
pub(super) fn contents(report: &Report) -> Markup {
    let has_conformance = report.conformance.is_some();
    html! {
        nav aria-label="Contents" {
            ul {
                @for section in &report.sections {
                    li { a href={ "#" (id_of_section(&section.name)) } { (name(&section.name)) } }
                }
                li { a href="#rows" { "The rows" } }
                @if has_conformance { li { a href="#conformance" { "Conformance" } } }
                @if !report.left_out.is_empty() { li { a href="#left-out" { "Left out" } } }
                li { a href="#host" { "The host" } }
                li { a href="#made" { "How it was made" } }
            }
        }
    }
}
