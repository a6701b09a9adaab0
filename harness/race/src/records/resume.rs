//! Whether a run that was cut short can go on, and with what.
//!
//! A part that is measured later is compared with what was measured before, so it must be the same rows under the same scenarios, the same
//! programs, measured by the same harness on the same host. What differs is refused by its name: a run is resumed or begun anew, and
//! never patched.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Serialize;
use terminal::shell;

use crate::{
    plan::{
        own_load,
        run_plan::{Pass, RunPlan},
        scenario::Scenario,
    },
    programs::made_of::is_part_of,
    records::{
        environment::Environment,
        experiment::PassName,
        folder::{Contents, Folder, FolderError, RunRecord},
        generator_host::GeneratorHostRecord,
        log::{SCHEMA, StartRecord},
        reading::{LogError, Problem},
        server_host::ServerHostRecord,
    },
    registry::Row,
};

/// A run that goes on. Its plan, calibration, gate and failures are those of its record; the starts that were finished count, and the one
/// that was under way is measured again.
#[derive(Clone, Debug)]
pub struct Resumed {
    folder: Folder,
    environment: Environment,
    run: RunRecord,
    complete: Vec<StartRecord>,
    passes: Vec<PassName>,
}

/// What there is today.
#[derive(Clone, Copy, Debug)]
pub struct Today<'a> {
    /// The rows of the registry.
    pub rows: &'a [Row],
    /// The scenarios.
    pub scenarios: &'a [Scenario],
    /// This host and this harness.
    pub environment: &'a Environment,
}

/// Why a run cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ResumeRefused {
    /// Nothing there is a run's.
    #[error("{0} holds no run that could be resumed: give the folder of one that was interrupted")]
    NoRun(PathBuf),
    /// Another version of the harness wrote it.
    #[error(
        "{folder} holds a run of another version: its records have {found}, and this harness goes on with schema {SCHEMA}; begin a new run"
    )]
    OtherSchema {
        /// The folder.
        folder: PathBuf,
        /// What they have.
        found: String,
    },
    /// Its records are damaged.
    #[error(transparent)]
    Records(#[from] FolderError),
    /// There is nothing left to measure.
    #[error(
        "{folder} holds a run that is finished, with all its {starts} starts; `harness report {}` draws its tables",
        shell::quoted(.folder)
    )]
    Finished {
        /// The folder.
        folder: PathBuf,
        /// How many.
        starts: u32,
    },
    /// It was measured elsewhere.
    #[error(
        "this is not the host that the run was begun on: its {what} was {before} and is {now}; resume it there, or begin a new run"
    )]
    OtherHost {
        /// What differs.
        what: &'static str,
        /// As it was recorded.
        before: String,
        /// As it is.
        now: String,
    },
    /// It was measured by another harness.
    #[error("this harness is not the one that the run was begun with, which could make a difference of its own; {}, or begin a new run", rebuild(.0.as_deref()))]
    OtherHarness(Option<String>),
    /// A row or a scenario is no longer what it was.
    #[error("the {kind} `{name}` {changed} since the run was begun: change that back, or begin a new run")]
    PlanChanged {
        /// A row or a scenario.
        kind: &'static str,
        /// Which.
        name: String,
        /// How.
        changed: String,
    },
    /// A person asks for something else.
    #[error(
        "the run was begun with {before}, and not with {asked}: leave out what --resume is given beside the folder, or begin a new run"
    )]
    OtherOptions {
        /// As it was begun.
        before: String,
        /// As is asked.
        asked: String,
    },
    /// A program is another one.
    #[error("`{part}` is another file than what was measured before; {}, or begin a new run", rebuild(.revision.as_deref()))]
    ProgramChanged {
        /// The row, and what of it.
        part: String,
        /// The revision that was measured.
        revision: Option<String>,
    },
    /// A row that was measured has no program.
    #[error("`{part}` is not there, and was measured before: build it, or begin a new run")]
    ProgramGone {
        /// The row, and what of it.
        part: String,
    },
}

fn rebuild(revision: Option<&str>) -> String {
    match revision {
        Some(revision) => format!("build revision {revision} as it was"),
        None => "build what was measured".to_owned(),
    }
}

impl Resumed {
    /// What was kept of the run in `folder`, if it can go on. Nothing is written.
    ///
    /// # Errors
    /// See [`ResumeRefused`].
    pub fn of(folder: Folder, today: Today<'_>) -> Result<Self, ResumeRefused> {
        let path = || folder.path().to_owned();
        if !folder.is_run() {
            return Err(ResumeRefused::NoRun(path()));
        }
        let other_schema = |found| ResumeRefused::OtherSchema { folder: path(), found };
        if folder.has_trials() {
            return Err(other_schema("trials, and no windows".to_owned()));
        }
        let Contents { environment, run, measurements, .. } = match folder.contents_undamaged() {
            Err(FolderError::Log {
                source: LogError::Line { problem: Problem::Schema(found), .. }, ..
            }) => return Err(other_schema(format!("schema {found}"))),
            read => read?,
        };
        let starts = run.plan.starts;
        let passes: Vec<PassName> =
            measurements.experiments.into_iter().map(|experiment| experiment.pass.of).collect();
        let is_measured =
            |pass: &Pass<'_>| passes.iter().any(|done| pass.is(&done.scenario, &done.row, done.start));
        // A row that is out stays out, whatever of it is left.
        let is_out = |pass: &Pass<'_>| run.failures.iter().any(|failure| failure.what == pass.row.name);
        let is_left = |pass: &&Pass<'_>| !is_measured(pass) && !is_out(pass);
        let passes_left = run.plan.passes().iter().filter(is_left).count();
        if measurements.complete.len() >= starts as usize && passes_left == 0 {
            return Err(ResumeRefused::Finished { folder: path(), starts });
        }
        let mut resumed = Self { folder, environment, run, complete: measurements.complete, passes };
        let Self { run: RunRecord { plan, failures, .. }, complete, .. } = &mut resumed;
        // A record does not say it of each row.
        for row in &mut plan.rows {
            row.is_given = plan.with.contains(&row.name);
        }
        // What failed in a start that was cut short is seen again if it was the row's.
        let counts = |start: usize| complete.iter().any(|complete| complete.start == start);
        failures.retain(|failure| failure.start.is_none_or(counts));
        resumed.same_host(today.environment)?;
        resumed.same_rows(today.rows)?;
        resumed.same_scenarios(today.scenarios)?;
        Ok(resumed)
    }

    /// Where its records are, and go.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The environment of its first part, which stays that of the run.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// What became of it so far, apart from its windows, and without what failed in a start that was cut short.
    pub fn run(&self) -> &RunRecord {
        &self.run
    }

    /// The starts that were finished.
    pub fn complete(&self) -> &[StartRecord] {
        &self.complete
    }

    /// The passes of experiments that were finished.
    pub fn passes(&self) -> &[PassName] {
        &self.passes
    }

    fn same_host(&self, now: &Environment) -> Result<(), ResumeRefused> {
        let said = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".to_owned());
        let servers = |environment: &Environment| match &environment.server_host {
            Some(ServerHostRecord { host, .. }) => {
                format!("{} (CPUs {}, Linux {})", host.name, host.cpu.allowed, host.kernel)
            }
            None => "this one, without --server-host".to_owned(),
        };
        let generators = |environment: &Environment| match &environment.generator_hosts[..] {
            [] => "the same host".to_owned(),
            hosts => {
                let shown = |GeneratorHostRecord { host, measures, .. }: &GeneratorHostRecord| {
                    let what = if *measures { "measures" } else { "loads" };
                    format!("{} (CPUs {}, {what})", host.name, host.cpu.allowed)
                };
                hosts.iter().map(shown).collect::<Vec<_>>().join(", ")
            }
        };
        let shown = |environment: &Environment| {
            [
                ("name", environment.host.clone()),
                ("CPU", said(&environment.cpu.model)),
                ("set of CPUs that may be used", environment.cpu.allowed.to_string()),
                ("kernel", environment.kernel.clone()),
                ("host of servers", servers(environment)),
                ("hosts of generators", generators(environment)),
            ]
        };
        for ((what, before), (_, now)) in shown(&self.environment).into_iter().zip(shown(now)) {
            if before != now {
                return Err(ResumeRefused::OtherHost { what, before, now });
            }
        }
        match self.environment.code.harness_sha256 == now.code.harness_sha256 {
            true => Ok(()),
            false => Err(ResumeRefused::OtherHarness(self.environment.code.revision.clone())),
        }
    }

    /// The rows of the command line are in the plan, and in no registry.
    fn same_rows(&self, today: &[Row]) -> Result<(), ResumeRefused> {
        for row in self.run.plan.rows.iter().filter(|row| !row.is_given) {
            let now = today.iter().find(|now| now.name == row.origin());
            // A variant follows from its row.
            let now = match &row.variant {
                Some(variant) => now.and_then(|now| now.with_workers(variant.workers).ok()),
                None => now.cloned(),
            };
            unchanged("row", &row.name, row, now.as_ref(), &[])?;
        }
        Ok(())
    }

    /// But for what a person chooses for a run.
    fn same_scenarios(&self, today: &[Scenario]) -> Result<(), ResumeRefused> {
        for scenario in &self.run.plan.scenarios {
            let now = today.iter().find(|now| now.name == scenario.name);
            // That of the command line is in the plan, and in no file.
            if now.is_none() && scenario.name == own_load::NAME {
                continue;
            }
            let chosen = ["window", "rounds", "experiment", "objective", "worker_counts"];
            unchanged("scenario", &scenario.name, scenario, now, &chosen)?;
        }
        Ok(())
    }

    /// Whether `asked`, the plan that a command line asks for, is the plan of this run.
    ///
    /// # Errors
    /// [`ResumeRefused::OtherOptions`], with the first difference.
    pub fn same_plan(&self, asked: &RunPlan) -> Result<(), ResumeRefused> {
        let plan = &self.run.plan;
        // A scenario that this host is too small for is no part of the plan, and was said.
        let is_left_out = |name: &str| self.run.failures.iter().any(|failure| failure.what == name);
        let names = |kind: &str, names: &mut dyn Iterator<Item = &str>| {
            format!("the {kind} {}", names.collect::<Vec<_>>().join(", "))
        };
        let shown = |plan: &RunPlan| {
            let mut shown = vec![
                names("rows", &mut plan.rows.iter().map(|row| row.name.as_str())),
                names(
                    "scenarios",
                    &mut plan.scenarios.iter().map(|it| it.name.as_str()).filter(|name| !is_left_out(name)),
                ),
                format!("{} starts", plan.starts),
                format!("seed {}", plan.seed),
            ];
            for scenario in plan.scenarios.iter().filter(|scenario| !is_left_out(&scenario.name)) {
                let Scenario { name, rounds, window, .. } = scenario;
                shown.push(match &scenario.experiment {
                    Some(experiment) => experiment.to_string() + " in " + name,
                    None => format!("{rounds} rounds of windows of {window:?} in {name}"),
                });
            }
            shown
        };
        let difference = shown(plan).into_iter().zip(shown(asked)).find(|(before, asked)| before != asked);
        if let Some((before, asked)) = difference {
            return Err(ResumeRefused::OtherOptions { before, asked });
        }
        for row in plan.rows.iter().filter(|row| row.is_given) {
            unchanged("row", &row.name, row, asked.rows.iter().find(|asked| asked.name == row.name), &[])?;
        }
        Ok(())
    }

    /// Whether `programs`, as [`sha256_of_rows`](crate::programs::made_of::sha256_of_rows) finds them, are those that were measured. A
    /// row that is out of the race stays out, whatever its program is.
    ///
    /// # Errors
    /// [`ResumeRefused::ProgramChanged`] and [`ResumeRefused::ProgramGone`].
    pub fn same_programs(&self, programs: &BTreeMap<String, String>) -> Result<(), ResumeRefused> {
        let before = &self.environment.programs;
        let is_out = |row: &Row| self.run.failures.iter().any(|failure| failure.what == row.name);
        for row in self.run.plan.rows.iter().filter(|row| !is_out(row)) {
            // Where it was cut short before the row was built, nothing was measured.
            if !before.contains_key(&row.name) {
                continue;
            }
            let revision = || self.environment.code.revision.clone();
            let parts = before.keys().chain(programs.keys()).filter(|part| is_part_of(part, &row.name));
            for part in parts {
                match (before.get(part), programs.get(part)) {
                    (Some(_), None) => return Err(ResumeRefused::ProgramGone { part: part.clone() }),
                    (before, now) if before != now => {
                        return Err(ResumeRefused::ProgramChanged {
                            part: part.clone(),
                            revision: revision(),
                        });
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// Refuses what is gone, or differs in another key than those of `chosen`.
fn unchanged<T: Serialize>(
    kind: &'static str,
    name: &str,
    before: &T,
    now: Option<&T>,
    chosen: &[&str],
) -> Result<(), ResumeRefused> {
    let changed = match now {
        None => "is gone".to_owned(),
        Some(now) => {
            let keys: Vec<String> =
                differing(before, now).into_iter().filter(|key| !chosen.contains(&key.as_str())).collect();
            if keys.is_empty() {
                return Ok(());
            }
            format!("has changed ({})", keys.join(", "))
        }
    };
    Err(ResumeRefused::PlanChanged { kind, name: name.to_owned(), changed })
}

/// The keys in which two records differ. What has no keys differs in none: rows and scenarios have.
fn differing<T: Serialize>(before: &T, now: &T) -> Vec<String> {
    let fields = |value: &T| match serde_json::to_value(value) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (before, now) = (fields(before), fields(now));
    let mut keys: Vec<String> = before.keys().chain(now.keys()).cloned().collect();
    keys.sort_unstable();
    keys.dedup();
    keys.retain(|key| before.get(key) != now.get(key));
    keys
}

#[cfg(test)]
mod tests;
