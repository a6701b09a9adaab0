//! Which runs are published: `results/published.toml`. Nothing is published by being there.

use std::{
    io,
    path::{Path, PathBuf},
};

use race::{
    programs::workspace::Workspace,
    records::folder::{Contents, Folder, write_page},
};
use serde::{Deserialize, Serialize};

use crate::pages::reservation::Reservation;

/// The file's name, in results/.
const FILE: &str = "published.toml";

/// What stands at the head of the file.
const HEAD: &str = "\
# The runs that results/README.md and README.md are made from, oldest first. `cargo harness report --publish RUN` adds one.
# `cargo harness check` holds the files of each to what its records say, and the pages of those whose records no version of
# today reads to their hashes here.
";

/// The published runs.
#[derive(Clone, Debug)]
pub struct Published {
    results: PathBuf,
    /// Oldest first.
    pub runs: Vec<PublishedRun>,
}

/// One published run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedRun {
    /// The name of its folder in results/.
    pub folder: String,
    /// SHA-256 of its report.md, where its records are of an earlier schema: nothing can make it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report_sha256: Option<String>,
    /// SHA-256 of its summary.md, which the pages show; likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary_sha256: Option<String>,
    /// When it began, RFC 3339: the list is in this order.
    pub started: String,
    /// The command that made it.
    pub command: String,
    /// The scenarios that it holds.
    pub scenarios: Vec<String>,
    /// Those of them that are experiments, which compare no rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub experiments: Vec<String>,
    /// What spoke against publishing it, and was overruled by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub despite: Vec<Reservation>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    run: Vec<PublishedRun>,
}

/// The list of published runs cannot be read, or not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {}", path.display())]
pub struct ListError {
    path: PathBuf,
    source: io::Error,
}

impl Published {
    /// Reads the list; it is empty where there is none.
    ///
    /// # Errors
    /// It is not what [`Published::write`] writes.
    pub fn read(workspace: &Workspace) -> Result<Self, ListError> {
        let results = workspace.results();
        let path = results.join(FILE);
        let failed = |source| ListError { path: path.clone(), source };
        let file: File = match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).map_err(|error| failed(io::Error::other(error)))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => File::default(),
            Err(error) => return Err(failed(error)),
        };
        Ok(Self { results, runs: file.run })
    }

    /// Writes the list.
    ///
    /// # Errors
    /// The disk is full, or results/ may not be written to.
    pub fn write(&self) -> Result<(), ListError> {
        let path = self.results.join(FILE);
        let failed = |source| ListError { path: path.clone(), source };
        let file = File { run: self.runs.clone() };
        let text = toml::to_string(&file).map_err(|error| failed(io::Error::other(error)))?;
        write_page(&path, &format!("{HEAD}\n{text}")).map_err(failed)
    }

    /// The runs that pages show: the newest that compares rows, of those that nobody narrowed where there is one, and the newest of
    /// experiments where that is another.
    pub fn shown(&self) -> Vec<&PublishedRun> {
        let newest = |is_it: fn(&PublishedRun) -> bool| self.runs.iter().rfind(|run| is_it(run));
        let is_whole = |run: &PublishedRun| compares_rows(run) && !run.despite.contains(&Reservation::Only);
        let compares = newest(is_whole).or_else(|| newest(compares_rows));
        let experiments = newest(|run| !run.experiments.is_empty());
        let other = experiments.filter(|run| compares != Some(run));
        compares.into_iter().chain(other).collect()
    }

    /// Adds a run, at its place in time.
    pub fn add(&mut self, run: PublishedRun) {
        self.runs.push(run);
        self.runs.sort_by(|a, b| a.started.cmp(&b.started));
    }

    /// The folder of a published run.
    pub fn folder(&self, run: &PublishedRun) -> Folder {
        Folder::open(&self.results.join(&run.folder))
    }

    /// The published run whose folder is at `path`.
    pub fn find(&self, path: &Path) -> Option<&PublishedRun> {
        let path = path.canonicalize().ok()?;
        self.runs
            .iter()
            .find(|run| self.results.join(&run.folder).canonicalize().is_ok_and(|own| own == path))
    }
}

/// Whether any of its scenarios compares rows.
fn compares_rows(run: &PublishedRun) -> bool {
    run.scenarios.len() > run.experiments.len()
}

impl PublishedRun {
    /// A run whose files are made from its records.
    pub fn of(name: String, contents: &Contents, despite: Vec<Reservation>) -> Self {
        let scenarios = || contents.run.plan.scenarios.iter();
        let experiments = scenarios().filter(|scenario| scenario.experiment.is_some());
        Self {
            folder: name,
            report_sha256: None,
            summary_sha256: None,
            started: contents.environment.started.clone(),
            command: contents.environment.command.clone(),
            scenarios: scenarios().map(|scenario| scenario.name.clone()).collect(),
            experiments: experiments.map(|scenario| scenario.name.clone()).collect(),
            despite,
        }
    }

    /// Whether its pages are kept as they were made, since its records are of an earlier schema.
    pub fn is_kept(&self) -> bool {
        self.report_sha256.is_some() || self.summary_sha256.is_some()
    }
}
