//! Reports: one plain [`model::Report`] made from records, and small renderers of it.
//!
//! A report is a pure function of a results folder; nothing is ever computed from a report.

// A print macro panics where nothing can be written: `terminal::streams` is the one way.
#![warn(clippy::print_stderr, clippy::print_stdout)]

// From what was measured to what follows from it.
mod conclusions;
mod counts;
mod experiments;
mod ladders;
mod numbers;

// The same as plain values, and how they are made.
pub mod model;
mod plots;
pub mod schemas;
mod section;
mod tables;
mod whole;

// What is known before all of it is.
mod known;

// How they are shown.
pub mod render;

// The files that are made from them, and which of them are published.
mod pages;

use std::io;

use race::records::folder::{Contents, Folder, FolderError};

pub use conclusions::{itself, pairs};
pub use counts::compared;
pub use known::{Known, Pairs, known_so_far, said_so_far};
pub use pages::{check, files, generated, publish, published, reservation, runs};
pub use render::code_span::code_span;
pub use whole::of;

/// The whole report of a run in Markdown.
pub fn markdown(contents: &Contents) -> String {
    render::markdown::report(&of(contents))
}

/// Makes all files of a folder anew from its records.
///
/// # Errors
/// The folder's records cannot be read, or a file cannot be written.
pub fn write(folder: &Folder) -> Result<model::Report, FolderError> {
    let contents = folder.contents()?;
    let report = of(&contents);
    let failed = |source: io::Error| FolderError::Io { path: folder.path().to_owned(), source };
    pages::files::write(folder, &contents, &report).map_err(failed)?;
    Ok(report)
}

#[cfg(test)]
mod made_up;
#[cfg(test)]
mod tests;
