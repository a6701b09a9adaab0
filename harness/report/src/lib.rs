//! Reports: one plain [`Report`] made from records, and small renderers of it.
//!
//! A report is a pure function of a results folder; nothing is ever computed from a report.

// A print macro panics where nothing can be written: `terminal::streams` is the one way.
#![warn(clippy::print_stderr, clippy::print_stdout)]

// What counts, and what it comes to.
mod kept;
mod middle;
mod times;

pub mod compared;
mod entered;
pub mod pairs;

// What follows for one scenario.
mod analysis;
mod carried;
mod findings;
pub mod itself;
mod more;

// What must be known beside it.
mod disturbance;
mod instrument;
mod notes;
mod offered;
mod workers;

// How it is shown.
mod figures;
pub mod headlines;
pub mod section;
mod support;
pub mod table;

pub mod conclusions;

mod conformance;
mod rows;

mod code_span;
pub use code_span::code_span;

mod markdown;
mod summary;

pub mod published;
pub mod reservation;

pub mod pages;

pub mod check;
pub mod publish;

use std::io;

use conclusions::Report;
use race::records::folder::{Contents, Folder, FolderError};

/// The whole report of a run in Markdown.
pub fn markdown(contents: &Contents) -> String {
    markdown::whole(&Report::new(contents))
}

/// Renders a folder's report into it; returns the text.
///
/// # Errors
/// The folder's records cannot be read, or the report cannot be written.
pub fn write(folder: &Folder) -> Result<String, FolderError> {
    let text = markdown(&folder.contents()?);
    let failed = |source: io::Error| FolderError::Io { path: folder.path().to_owned(), source };
    folder.write_report(&text).map_err(failed)?;
    Ok(text)
}

/// The part of a report that a person at a terminal wants: the tables, without the description of the host.
pub fn for_terminal(markdown: &str) -> &str {
    let end = markdown.find(markdown::HOST_HEADING).unwrap_or(markdown.len());
    let start = markdown.find("\n## ").unwrap_or(0);
    markdown.get(start..end).unwrap_or(markdown).trim()
}

#[cfg(test)]
mod made_up;
#[cfg(test)]
mod tests;
