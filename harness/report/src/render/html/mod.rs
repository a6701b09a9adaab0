//! A report as a page of its own: one file that needs no network, complete without its script, which sorts, filters and shows exact
//! values.
//!
//! Written with maud, which escapes whatever it is given. Nothing but the two texts in `assets/` is ever put there as it is.

mod answers;
mod appendix;
mod conformance;
mod head;
mod plots;
mod section;
mod table;
mod words;

use maud::{DOCTYPE, html};

use crate::model::Report;

/// The whole page.
pub fn page(report: &Report) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head::head(&report.title()))
            body {
                a.skip href="#answers" { "Skip to the answers" }
                (answers::header(report))
                main {
                    (answers::answers(report))
                    (answers::contents(report))
                    @for of in &report.sections { (section::section(of)) }
                    (appendix::rows(&report.rows))
                    @if let Some(of) = &report.conformance { (conformance::conformance(of)) }
                    (appendix::left_out(&report.left_out))
                    (appendix::host(&report.machine))
                    (appendix::made(&report.made))
                }
                (head::script())
            }
        }
    };
    without_what_is_understood(page.into_string())
}

/// The page without the ends of cells and rows, which HTML does not ask for (13.1.2.4). No text and no
/// attribute has them, for a `<` is escaped there, and neither does style or script.
fn without_what_is_understood(page: String) -> String {
    ["</td>", "</th>", "</tr>"].iter().fold(page, |page, end| page.replace(end, ""))
}

#[cfg(test)]
mod tests;
