//! The pages that are made from the published runs: `results/README.md`, and the results in `README.md`.

use std::path::PathBuf;

use super::{conclusions::Report, conformance, markdown, rows};
use race::{
    programs::workspace::Workspace,
    records::folder::{Folder, FolderError, runs_below},
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

/// All pages, made from the runs in results/; none if there is no run.
///
/// # Errors
/// A run cannot be read, or README.md has no place for results.
pub fn pages(workspace: &Workspace) -> Result<Vec<Page>, FolderError> {
    let runs = runs_below(&workspace.results());
    let Some(newest) = runs.last() else { return Ok(Vec::new()) };
    let contents = newest.contents()?;
    let report = Report::new(&contents);

    let mut index =
        String::from("# Results\n\nMade from the records; not written by hand.\n\n## The newest run\n\n");
    index.push_str(&markdown::provenance(&contents));
    let mut tables = String::new();
    for section in &report.sections {
        tables.push_str(&format!(
            "\n### {}\n\n{}\n{}",
            section.name,
            section.question,
            markdown::body(section)
        ));
    }
    tables.push_str(&rows::section("###", &contents.run.plan.rows));
    tables.push_str(&conformance::section("###", contents.run.conformance.as_ref()));
    index.push_str(&tables);
    index.push_str("\n## All runs, newest first\n\n");
    for run in runs.iter().rev() {
        index.push_str(&line_of(run)?);
    }

    let readme = workspace.readme();
    let failed = |source| FolderError::Io { path: readme.clone(), source };
    let text = std::fs::read_to_string(&readme).map_err(failed)?;
    let around = text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let Some((before, after)) = around else {
        return Err(failed(std::io::Error::other(format!(
            "it has no place for results between {BEGIN} and {END}"
        ))));
    };
    let provenance = markdown::provenance(&contents);
    let content = format!("{before}{BEGIN}\n\n{provenance}{tables}\n{END}{after}");
    Ok(vec![
        Page { path: workspace.results().join("README.md"), content: index },
        Page { path: readme, content },
    ])
}

fn line_of(run: &Folder) -> Result<String, FolderError> {
    let contents = run.contents()?;
    let name = run.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
    let scenarios: Vec<&str> =
        contents.run.plan.scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
    Ok(format!(
        "- [{name}]({name}/report.md): {}; `{}`\n",
        scenarios.join(", "),
        contents.environment.command
    ))
}
