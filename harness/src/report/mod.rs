//! Reports: one plain [`Report`] made from records, and small renderers of it.
//!
//! A report is a pure function of a results folder; nothing is ever computed from a report.

mod figures;
mod findings;
mod markdown;
mod pages;
mod section;

use std::io;

pub use pages::{Page, pages};

use crate::{
    folder::{Contents, Folder, FolderError},
    workspace::Workspace,
};
use section::Section;

/// What a run found, ready to be written in any format.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// The records that it is made from.
    pub contents: &'a Contents,
    /// One part for each scenario.
    pub sections: Vec<Section>,
}

impl<'a> Report<'a> {
    /// Draws the conclusions from a folder's records.
    pub fn new(contents: &'a Contents) -> Self {
        let scenarios = contents.run.plan.scenarios.iter();
        Self { contents, sections: scenarios.map(|scenario| Section::new(scenario, contents)).collect() }
    }
}

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

/// Writes the pages that are made from the published runs.
///
/// # Errors
/// A run cannot be read, or a page not written.
pub fn publish(workspace: &Workspace) -> Result<(), FolderError> {
    for page in pages(workspace)? {
        let failed = |source| FolderError::Io { path: page.path.clone(), source };
        crate::folder::write_whole(&page.path, page.content.as_bytes()).map_err(failed)?;
    }
    Ok(())
}

/// The part of a report that a person at a terminal wants: the tables, without the description of the host.
pub fn for_terminal(markdown: &str) -> &str {
    let end = markdown.find(markdown::HOST_HEADING).unwrap_or(markdown.len());
    let start = markdown.find("\n## ").unwrap_or(0);
    markdown.get(start..end).unwrap_or(markdown).trim()
}
