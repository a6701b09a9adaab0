//! A results folder: the files of one run, each in a consistent state at every instant.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use stats::gate::Gate;

use crate::{
    plan::{calibration::Calibration, run_plan::RunPlan},
    programs::prerequisites::Skipped,
    records::{
        conformance::Conformance,
        durable::UNFINISHED,
        environment::Environment,
        log::{Entry, Log, Measurements, SCHEMA},
        made::{self, Difference, File},
        reading::{self, Damage, LogError, Problem},
    },
};

pub use crate::records::durable::write_page;
use crate::records::durable::write_whole;

/// What a run was to do, and what became of it apart from its windows.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RunRecord {
    /// The plan.
    pub plan: RunPlan,
    /// Rows that were asked for and cannot run here; their plan is as if they had not been.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Skipped>,
    /// Whether the rows keep the contract; absent in records of before that was asked, and where the run ended before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conformance: Option<Conformance>,
    /// What the rows can do; empty until they were calibrated.
    pub calibration: Calibration,
    /// Which windows count; absent until the first start was finished.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GateRecord>,
    /// Rows and scenarios that could not be measured at all.
    pub failures: Vec<Failure>,
    /// Whether a person ended it early.
    pub interrupted: bool,
    /// When it was resumed, RFC 3339, each time that it was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resumed: Vec<String>,
    /// Where the time went.
    pub time: TimeSpent,
}

/// Something that could not be measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// The row or the scenario.
    pub what: String,
    /// Why, and what to do.
    pub reason: String,
    /// The start in which it happened, where it was one. It counts as long as that start does: one that was cut short is repeated whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<usize>,
}

/// The thresholds of a run: the same for all its rows and scenarios, chosen after the first start and never again.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateRecord {
    /// The step: the share of a window that others may take of the server's CPUs.
    pub step: f64,
    /// The share of the first start's windows that passed it.
    pub passing: f64,
}

impl GateRecord {
    /// The gate of a window in which the generator ran without pause on CPUs of its own, or did not.
    pub fn of(&self, spins: bool) -> Gate {
        Gate { step: self.step, by_run_delay: spins }
    }
}

/// Where the time of a run went, seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TimeSpent {
    /// Building the servers.
    pub building_s: f64,
    /// Playing the suite.
    #[serde(default)]
    pub verifying_s: f64,
    /// Calibrating.
    pub calibrating_s: f64,
    /// All starts: their servers' lives, with everything around the windows.
    pub starts_s: f64,
    /// The measuring windows alone.
    pub windows_s: f64,
}

impl TimeSpent {
    /// The part of the run, building and verifying apart, that was spent in measuring windows.
    pub fn measuring_share(&self) -> f64 {
        self.windows_s / (self.calibrating_s + self.starts_s).max(f64::MIN_POSITIVE)
    }
}

/// The folder of one run.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

/// All that a folder holds.
#[derive(Clone, Debug)]
pub struct Contents {
    /// Host, tools and code.
    pub environment: Environment,
    /// Plan, calibration and failures.
    pub run: RunRecord,
    /// The windows, by start.
    pub measurements: Measurements,
    /// What could not be read, and is left out.
    pub damage: Vec<Damage>,
}

/// A folder that is not to be written to.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// It holds something already.
    #[error("{0} exists and is not empty: give another --out, or --replace to replace a run that is there")]
    Taken(PathBuf),
    /// It holds something that no run has written.
    #[error("{0} holds files but no run: --replace replaces runs only, so give another --out")]
    Foreign(PathBuf),
    /// It cannot be created or read.
    #[error("cannot use {path}")]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is not what a run writes.
    #[error("cannot use {path}: line {line}, column {column}: {problem}")]
    Json {
        /// The file.
        path: PathBuf,
        /// Where it goes wrong.
        line: usize,
        /// Where in that line.
        column: usize,
        /// What is wrong there.
        problem: String,
    },
    /// It has a plan that no run can have.
    #[error("cannot use {path}: the scenario `{scenario}`: {problem}")]
    Plan {
        /// The file.
        path: PathBuf,
        /// The scenario.
        scenario: String,
        /// What is wrong with it.
        problem: String,
    },
    /// All that was measured is of another schema than this harness reads.
    #[error(
        "cannot use {path}: {found}, and this one reads schema {SCHEMA}: the run's pages stay as they are"
    )]
    OtherSchema {
        /// The file.
        path: PathBuf,
        /// Who wrote it.
        found: String,
    },
    /// What was measured is damaged.
    #[error("cannot use {path}")]
    Log {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: LogError,
    },
}

impl FolderError {
    /// Whether the folder is a run of another schema, whose pages are all that can be had of it.
    pub fn is_of_another_schema(&self) -> bool {
        matches!(self, Self::OtherSchema { .. })
    }
}

pub(super) const ENVIRONMENT: &str = "environment.json";
pub(super) const RUN: &str = "run.json";
pub(super) const WINDOWS: &str = "windows.jsonl";
pub(super) const REPORT: &str = "report.md";
const SUMMARY: &str = "summary.md";
/// What a run of schema 2 and before wrote instead of its windows.
pub(super) const TRIALS: &str = "trials.jsonl";
/// The records of a run, and pages, in the order in which they are removed after everything else that is made: as long as anything is
/// left of it, it is known as a run.
const FILES: [&str; 6] = [SUMMARY, REPORT, WINDOWS, TRIALS, ENVIRONMENT, RUN];

impl Folder {
    /// Creates an empty folder at `path`; with `replace`, removes the files of a run that is there.
    ///
    /// # Errors
    /// It is not empty, and not to be replaced.
    pub fn create(path: &Path, replace: bool) -> Result<Self, FolderError> {
        let folder = Self { path: path.to_owned() };
        let failed = |source| FolderError::Io { path: path.to_owned(), source };
        fs::create_dir_all(path).map_err(failed)?;
        let is_empty = fs::read_dir(path).map_err(failed)?.next().is_none();
        match (is_empty, replace) {
            (true, _) => {}
            (false, false) => return Err(FolderError::Taken(path.to_owned())),
            (false, true) if !folder.file(RUN).is_file() => {
                return Err(FolderError::Foreign(path.to_owned()));
            }
            (false, true) => {
                made::remove_all(path).map_err(failed)?;
                for file in FILES.map(|name| folder.file(name)) {
                    for file in [file.with_extension(UNFINISHED), file] {
                        match fs::remove_file(file) {
                            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                                return Err(failed(error));
                            }
                            _ => {}
                        }
                    }
                }
            }
        }
        Ok(folder)
    }

    /// Creates `<parent>/<date>-<host>`, or the same with `-2`, `-3`... where that is taken.
    ///
    /// # Errors
    /// The parent cannot be written to.
    pub fn create_dated(parent: &Path, date: &str, host: &str) -> Result<Self, FolderError> {
        let name = |number: u32| match number {
            1 => format!("{date}-{host}"),
            _ => format!("{date}-{host}-{number}"),
        };
        for number in 1.. {
            match Self::create(&parent.join(name(number)), false) {
                Err(FolderError::Taken(_)) => {}
                created => return created,
            }
        }
        Err(FolderError::Taken(parent.to_owned()))
    }

    /// A folder that is there.
    pub fn open(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where what is measured is appended.
    ///
    /// # Errors
    /// The file cannot be created.
    pub fn log(&self) -> io::Result<Log> {
        Log::append_to(&self.file(WINDOWS))
    }

    /// Writes the environment.
    ///
    /// # Errors
    /// The disk is full, or the folder went away.
    pub fn write_environment(&self, environment: &Environment) -> io::Result<()> {
        write_whole(&self.file(ENVIRONMENT), &serde_json::to_vec_pretty(environment)?)
    }

    /// Writes what became of the run so far.
    ///
    /// # Errors
    /// The disk is full, or the folder went away.
    pub fn write_run(&self, run: &RunRecord) -> io::Result<()> {
        write_whole(&self.file(RUN), &serde_json::to_vec_pretty(run)?)
    }

    /// Makes the folder hold these files, made from its records, and none other of their kinds. Where one cannot be written, all are what
    /// they were.
    ///
    /// # Errors
    /// The disk is full, or the folder may not be written to; the message names the file.
    pub fn write_made(&self, files: &[File]) -> io::Result<()> {
        made::write(&self.path, files)
    }

    /// The first of these files that is not there as it is here, or one of their kinds that is there beside them; with its path.
    pub fn difference(&self, files: &[File]) -> Option<(PathBuf, Difference)> {
        made::difference(&self.path, files).map(|(path, difference)| (self.path.join(path), difference))
    }

    /// Where the summary is.
    pub fn summary_path(&self) -> PathBuf {
        self.file(SUMMARY)
    }

    /// The summary as it was written.
    ///
    /// # Errors
    /// There is none.
    pub fn summary(&self) -> Result<String, FolderError> {
        self.read(SUMMARY, |path| fs::read_to_string(path))
    }

    /// Where the report is.
    pub fn report_path(&self) -> PathBuf {
        self.file(REPORT)
    }

    /// The report as it was written.
    ///
    /// # Errors
    /// There is none.
    pub fn report(&self) -> Result<String, FolderError> {
        self.read(REPORT, |path| fs::read_to_string(path))
    }

    /// All that a report is made from. Where nothing was measured, there are no windows; what is damaged of them is left out, and said.
    ///
    /// # Errors
    /// A file is missing, or is not what a run writes: the message names it, with line and column. Everything that was measured is of
    /// another schema.
    pub fn contents(&self) -> Result<Contents, FolderError> {
        self.is_of_this_schema()?;
        self.contents_of(self.run()?)
    }

    /// The same of a run whose record is at hand: the one on disk may be of an earlier time, where there was no room for this one.
    ///
    /// # Errors
    /// As [`Folder::contents`].
    pub fn contents_of(&self, run: RunRecord) -> Result<Contents, FolderError> {
        let path = self.file(WINDOWS);
        let (measurements, damage) = match path.exists() {
            true => reading::read_sound(&path, |entry| belongs(entry, &run.plan))
                .map_err(|source| FolderError::Log { path, source })?,
            false => Default::default(),
        };
        Ok(Contents { environment: self.environment()?, run, measurements, damage })
    }

    /// What is there of a run that is to go on, in which nothing may be damaged. It may have ended before it measured anything.
    ///
    /// # Errors
    /// As [`Folder::contents`]; and a line is not what a run writes.
    pub(super) fn contents_undamaged(&self) -> Result<Contents, FolderError> {
        let path = self.file(WINDOWS);
        let measurements = match path.exists() {
            true => reading::read(&path).map_err(|source| FolderError::Log { path, source })?,
            false => Measurements::default(),
        };
        Ok(Contents { environment: self.environment()?, run: self.run()?, measurements, damage: Vec::new() })
    }

    fn environment(&self) -> Result<Environment, FolderError> {
        self.read_json(ENVIRONMENT)
    }

    fn run(&self) -> Result<RunRecord, FolderError> {
        let run: RunRecord = self.read_json(RUN)?;
        for scenario in &run.plan.scenarios {
            scenario.check().map_err(|problem| FolderError::Plan {
                path: self.file(RUN),
                scenario: scenario.name.clone(),
                problem,
            })?;
        }
        Ok(run)
    }

    /// Refuses what another version measured. Before anything else is read: its other records may be others, too.
    fn is_of_this_schema(&self) -> Result<(), FolderError> {
        let path = self.file(WINDOWS);
        if !path.exists() {
            return match self.has_trials() {
                true => Err(FolderError::OtherSchema {
                    path: self.file(TRIALS),
                    found: "an earlier harness wrote it".to_owned(),
                }),
                false => Ok(()),
            };
        }
        let other =
            reading::other_schema(&path).map_err(|source| FolderError::Io { path: path.clone(), source })?;
        let Some(schema) = other else { return Ok(()) };
        let era = if schema < SCHEMA { "an earlier" } else { "a later" };
        Err(FolderError::OtherSchema { path, found: format!("{era} harness wrote it, with schema {schema}") })
    }

    /// Whether a run has written here, of whatever schema.
    pub(super) fn is_run(&self) -> bool {
        [ENVIRONMENT, RUN].iter().all(|name| self.file(name).is_file())
    }

    /// Whether what it measured is of schema 2 or before.
    pub(super) fn has_trials(&self) -> bool {
        self.file(TRIALS).exists()
    }

    /// When the run began, whatever the schema of its records.
    fn started(&self) -> Option<String> {
        let environment: serde_json::Value =
            serde_json::from_slice(&fs::read(self.file(ENVIRONMENT)).ok()?).ok()?;
        Some(environment["started"].as_str()?.to_owned())
    }

    fn read_json<T: DeserializeOwned>(&self, name: &str) -> Result<T, FolderError> {
        let path = self.file(name);
        let bytes = self.read(name, |path| fs::read(path))?;
        serde_json::from_slice(&bytes).map_err(|error| FolderError::Json {
            path,
            line: error.line(),
            column: error.column(),
            problem: without_place(&error),
        })
    }

    fn read<T>(&self, name: &str, read: impl FnOnce(&Path) -> io::Result<T>) -> Result<T, FolderError> {
        let path = self.file(name);
        read(&path).map_err(|source| FolderError::Io { path, source })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// What an error of JSON says, without the place, which is said before it.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.as_str(), |(problem, _)| problem).to_owned()
}

/// Whether what an entry is about was to be measured: what is from elsewhere is none of the run's.
fn belongs(entry: &Entry, plan: &RunPlan) -> Result<(), Problem> {
    let (start, row, scenario) = match entry {
        Entry::Begun { start, .. } | Entry::Complete { start } => (*start, None, None),
        Entry::Window(window) => (window.start, Some(&window.row), Some(&window.scenario)),
        Entry::Server(server) => (server.start, Some(&server.row), None),
        Entry::PassBegun { of, .. } => (of.start, Some(&of.row), Some(&of.scenario)),
        Entry::Event(event) => (event.of.start, Some(&event.of.row), Some(&event.of.scenario)),
        Entry::Pass(pass) => (pass.of.start, Some(&pass.of.row), Some(&pass.of.scenario)),
    };
    let lacks = |what: String| Err(Problem::NotPlanned(what));
    // What an experiment measures is of no start of all servers, and the other way round.
    let planned = scenario.and_then(|name| plan.scenarios.iter().find(|own| own.name == *name));
    let is_pass = matches!(entry, Entry::PassBegun { .. } | Entry::Event(_) | Entry::Pass(_));
    let experiment = planned.and_then(|scenario| scenario.experiment.as_ref());
    if let (Some(scenario), true) = (planned, is_pass != experiment.is_some()) {
        let what = if is_pass { "an experiment" } else { "windows" };
        return lacks(format!("{what} under the scenario `{}`", scenario.name));
    }
    let starts = if is_pass { experiment.map_or(0, |experiment| experiment.starts) } else { plan.starts };
    if start >= starts as usize {
        return lacks(format!("start {start}"));
    }
    if let Some(row) = row.filter(|row| plan.rows.iter().all(|planned| planned.name != **row)) {
        return lacks(format!("the row `{row}`"));
    }
    if let Some(scenario) = scenario.filter(|name| plan.scenarios.iter().all(|own| own.name != **name)) {
        return lacks(format!("the scenario `{scenario}`"));
    }
    Ok(())
}

/// The run folders below `parent`, oldest first.
pub fn runs_below(parent: &Path) -> Vec<Folder> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut runs: Vec<(String, Folder)> = entries
        .filter(|path| path.join(RUN).is_file())
        .map(|path| {
            let folder = Folder { path };
            let started = folder.started().unwrap_or_default();
            (started, folder)
        })
        .collect();
    runs.sort_by(|(a, a_folder), (b, b_folder)| (a, &a_folder.path).cmp(&(b, &b_folder.path)));
    runs.into_iter().map(|(_, folder)| folder).collect()
}

#[cfg(test)]
mod tests;
