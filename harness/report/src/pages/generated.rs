//! The pages that are made from the published runs: `results/README.md`, and the results in `README.md`.

use std::path::PathBuf;

use race::{
    programs::workspace::Workspace,
    records::folder::{FolderError, write_page},
};

use crate::{
    pages::published::{Published, PublishedRun},
    render::{code_span::code_span, wrap::wrapped},
};

/// A file, and what it should hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The file.
    pub path: PathBuf,
    /// What it should hold.
    pub content: String,
}

const BEGIN: &str = "<!-- results: made by `cargo harness report --publish` -->";
const END: &str = "<!-- end of results -->";

/// All pages, made from the published runs; none if there is no run.
///
/// # Errors
/// The newest run has no summary, or README.md has no place for results.
pub fn pages(workspace: &Workspace, published: &Published) -> Result<Vec<Page>, FolderError> {
    let Some(newest) = published.runs.last() else { return Ok(Vec::new()) };
    let summary = published.folder(newest).summary()?;
    // A summary names files beside it.
    let from = |folder: &str| {
        let beside = |file: &str| (format!("]({file})"), format!("]({folder}{}/{file})", newest.folder));
        let links = ["report.md", "report.html", "deviations.md"].map(beside);
        let with_links = |paragraph: &str| {
            let linked = links
                .iter()
                .fold(paragraph.to_owned(), |text, (link, from_there)| text.replace(link, from_there));
            // Longer links need other breaks.
            if linked == paragraph { linked } else { wrapped(&linked).trim_end().to_owned() }
        };
        let paragraphs: Vec<String> = summary.trim_end().split("\n\n").map(with_links).collect();
        paragraphs.join("\n\n") + "\n"
    };
    let results = workspace.results();
    Ok(vec![
        Page { path: results.join(".gitignore"), content: ignored(published) },
        Page { path: results.join("README.md"), content: index(&from(""), published) },
        readme(workspace, &from("results/"))?,
    ])
}

/// Writes the pages.
///
/// # Errors
/// A page cannot be made or written.
pub fn write_pages(workspace: &Workspace, published: &Published) -> Result<(), FolderError> {
    for page in pages(workspace, published)? {
        let failed = |source| FolderError::Io { path: page.path.clone(), source };
        write_page(&page.path, &page.content).map_err(failed)?;
    }
    Ok(())
}

fn index(summary: &str, published: &Published) -> String {
    let mut text = String::from("# Results\n\n");
    text.push_str(&wrapped(
        "Made from the records by `cargo harness report --publish`; not written by hand. Runs that `cargo bench-all` leaves \
         here are nobody's but yours until they are published.",
    ));
    text.push_str("\n## The newest published run\n\n");
    text.push_str(summary);
    text.push_str("\n## All published runs, newest first\n\n");
    published.runs.iter().rev().for_each(|run| text.push_str(&line_of(run)));
    text
}

fn line_of(run: &PublishedRun) -> String {
    let PublishedRun { folder, scenarios, command, despite, .. } = run;
    let despite: Vec<&str> = despite.iter().map(|reservation| reservation.name()).collect();
    let despite = if despite.is_empty() {
        String::new()
    } else {
        format!(" (published despite: {})", despite.join(", "))
    };
    // One of an earlier schema has no other page.
    let page = match run.is_kept() {
        true => String::new(),
        false => format!(", [report.html]({folder}/report.html)"),
    };
    wrapped(&format!(
        "- {folder} ([report.md]({folder}/report.md){page}): {}; {}{despite}",
        scenarios.join(", "),
        code_span(command)
    ))
}

/// What git is not to see of results/: everything that is not published.
fn ignored(published: &Published) -> String {
    let mut text =
        String::from("# Made by `cargo harness report --publish`: what is not published stays here.\n/*\n");
    let kept = ["published.toml", "README.md", ".gitignore"].into_iter().map(str::to_owned);
    let folders = published.runs.iter().map(|run| format!("{}/", run.folder));
    kept.chain(folders).for_each(|name| text.push_str(&format!("!/{name}\n")));
    text
}

fn readme(workspace: &Workspace, results: &str) -> Result<Page, FolderError> {
    let path = workspace.readme();
    let failed = |source| FolderError::Io { path: path.clone(), source };
    let text = std::fs::read_to_string(&path).map_err(failed)?;
    let around = text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let Some((before, after)) = around else {
        return Err(failed(std::io::Error::other(format!(
            "it has no place for results between {BEGIN} and {END}"
        ))));
    };
    Ok(Page { content: format!("{before}{BEGIN}\n\n{results}\n{END}{after}"), path })
}
