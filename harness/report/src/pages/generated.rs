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
/// A run that is shown has no summary, or README.md has no place for results.
pub fn pages(workspace: &Workspace, published: &Published) -> Result<Vec<Page>, FolderError> {
    let mut shown = Vec::new();
    for run in published.shown() {
        shown.push((run, published.folder(run).summary()?));
    }
    if shown.is_empty() {
        return Ok(Vec::new());
    }
    let from = |folder: &str| -> Vec<String> {
        shown.iter().map(|(run, summary)| summary_from(folder, run, summary)).collect()
    };
    let results = workspace.results();
    Ok(vec![
        Page { path: results.join(".gitignore"), content: ignored(published) },
        Page { path: results.join("README.md"), content: index(&from(""), published) },
        readme(workspace, &from("results/").join("\n"))?,
    ])
}

/// A run's summary for a page in a folder from which results/ is at `folder`: it names files beside it.
fn summary_from(folder: &str, run: &PublishedRun, summary: &str) -> String {
    let beside = |file: &str| (format!("]({file})"), format!("]({folder}{}/{file})", run.folder));
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

fn index(summaries: &[String], published: &Published) -> String {
    let mut text = String::from("# Results\n\n");
    text.push_str(&wrapped(
        "Made from the records by `cargo harness report --publish`; not written by hand. Runs that `cargo bench-all` leaves \
         here are nobody's but yours until they are published.",
    ));
    for (heading, summary) in ["The newest whole run", "The newest run of experiments"].iter().zip(summaries)
    {
        text.push_str(&format!("\n## {heading}\n\n{summary}"));
    }
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

#[cfg(test)]
mod tests {
    use std::fs;

    use race::{fixtures::run::write, records::folder::Contents};

    use super::*;
    use crate::made_up::{around, experimented, raced, supervised};

    /// A checkout with these published runs, a day each, and its pages.
    fn pages_of(runs: &[(&str, Contents)]) -> Vec<Page> {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        fs::create_dir_all(path("harness/scenarios")).unwrap();
        fs::create_dir_all(path("results")).unwrap();
        fs::write(path("harness/servers.toml"), "").unwrap();
        fs::write(path("README.md"), format!("before\n{BEGIN}\n{END}\nafter\n")).unwrap();
        let workspace = Workspace::at_or_above(root.path()).unwrap();
        let mut published = Published::read(&workspace).unwrap();
        for (day, (name, contents)) in (10..).zip(runs) {
            crate::write(&write(contents, &path("results").join(name)).unwrap()).unwrap();
            let run = PublishedRun::of((*name).to_owned(), contents, Vec::new());
            published.add(PublishedRun { started: format!("2026-12-{day}T00:00:00+00:00"), ..run });
        }
        published.write().unwrap();
        assert_eq!(Published::read(&workspace).unwrap().runs, published.runs);
        pages(&workspace, &published).unwrap()
    }

    fn compared() -> Contents {
        raced("mixed", &["work-stealing", "rayon-offload"], (6, 2), |_| around(800))
    }

    fn experiments() -> Contents {
        experimented("reload", supervised(), 3, |_| {})
    }

    #[test]
    fn a_newer_run_of_experiments_takes_no_place_of_the_run_that_compares_rows() {
        let pages = pages_of(&[("old", compared()), ("reloads", experiments())]);
        let [_, index, readme] = &pages[..] else { panic!("{}", pages.len()) };
        for page in [index, readme] {
            assert!(page.content.contains("| if you want"), "{}", page.content);
            assert!(page.content.contains("- **reload**: "), "{}", page.content);
        }
        assert!(readme.content.contains("](results/old/report.html)"), "{}", readme.content);
        assert!(readme.content.contains("](results/reloads/report.html)"), "{}", readme.content);
        assert!(index.content.contains("## The newest run of experiments\n"), "{}", index.content);
        // And where there is no other, it is shown alone.
        let alone = pages_of(&[("reloads", experiments())]);
        assert!(!alone[2].content.contains("if you want") && alone[2].content.contains("**reload**"));
    }

    #[test]
    fn a_run_of_both_is_shown_once() {
        let mut both = compared();
        let reload = experiments();
        both.run.plan.rows.extend(reload.run.plan.rows);
        both.run.plan.scenarios.extend(reload.run.plan.scenarios);
        both.measurements.experiments = reload.measurements.experiments;
        let pages = pages_of(&[("both", both)]);
        assert_eq!(pages[2].content.matches("report.html)").count(), 1, "{}", pages[2].content);
        assert!(!pages[1].content.contains("The newest run of experiments"));
    }
}
