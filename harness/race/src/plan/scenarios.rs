//! The scenarios of a folder, `scenarios/*.toml`, and those of them that are asked for.

use std::path::Path;

use terminal::names::{Unknown, select};

use crate::{plan::scenario::Scenario, registry::Asked};

/// Why the scenarios cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// A file or the folder cannot be read.
    #[error("cannot read the scenario {path}")]
    Read {
        /// The file or folder.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not a scenario; the message names line and column.
    #[error("the scenario {path} is wrong: {reason}")]
    Parse {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// No scenario has the name that was asked for.
    #[error(transparent)]
    Unknown(#[from] Unknown),
}

/// All scenarios of a folder, in the order in which a run takes them: throughput before what is derived from it.
#[derive(Clone, Debug)]
pub struct Scenarios(Vec<Scenario>);

impl Scenarios {
    /// Reads every `*.toml` of `folder`.
    ///
    /// # Errors
    /// The folder has none, or one of them is wrong.
    pub fn read(folder: &Path) -> Result<Self, ScenarioError> {
        let read_error =
            |path: &Path, source| ScenarioError::Read { path: path.display().to_string(), source };
        let mut scenarios = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(|error| read_error(folder, error))? {
            let path = entry.map_err(|error| read_error(folder, error))?.path();
            if path.extension().is_none_or(|extension| extension != "toml") {
                continue;
            }
            let text = std::fs::read_to_string(&path).map_err(|error| read_error(&path, error))?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let scenario = Scenario::parse(&name, &text)
                .map_err(|reason| ScenarioError::Parse { path: path.display().to_string(), reason })?;
            scenarios.push(scenario);
        }
        if scenarios.is_empty() {
            return Err(read_error(folder, std::io::Error::other("it holds no *.toml file")));
        }
        // Experiments last: whoever has seen enough by then can end the run.
        let kind = |scenario: &Scenario| (scenario.experiment.is_some(), scenario.is_open_loop());
        scenarios.sort_by(|a, b| (kind(a), &b.name).cmp(&(kind(b), &a.name)));
        Ok(Self(scenarios))
    }

    /// All of them.
    pub fn all(&self) -> &[Scenario] {
        &self.0
    }

    /// Those that are asked for.
    ///
    /// # Errors
    /// A name that no scenario has.
    pub fn select(&self, asked: Asked<'_>) -> Result<Vec<Scenario>, Unknown> {
        match asked {
            Asked::All => Ok(self.0.clone()),
            Asked::Default => Ok(self.0.iter().filter(|scenario| !scenario.on_request).cloned().collect()),
            Asked::Named(names) => {
                select("scenario", &self.0, |scenario| &scenario.name, &self.families(names))
            }
        }
    }

    /// Where no scenario has a name, but several have it as their first part, all of these: `churn` is churn-1 and churn-10.
    fn families(&self, names: &[String]) -> Vec<String> {
        let of_name = |name: &String| {
            let is_member = |scenario: &&Scenario| {
                scenario.name.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('-'))
            };
            let members: Vec<String> =
                self.0.iter().filter(is_member).map(|member| member.name.clone()).collect();
            match self.0.iter().any(|scenario| scenario.name == *name) || members.len() < 2 {
                true => vec![name.clone()],
                false => members,
            }
        };
        names.iter().flat_map(of_name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped() -> Scenarios {
        Scenarios::read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios"))).unwrap()
    }

    #[test]
    fn the_shipped_scenarios_are_read_in_the_order_of_a_run() {
        let names: Vec<_> = shipped().all().iter().map(|scenario| scenario.name.clone()).collect();
        let at = |wanted: &str| names.iter().position(|name| name == wanted).unwrap();
        assert!(at("simple-throughput") < at("simple-latency"), "{names:?}");
        assert_eq!(names[names.len() - 2..], ["reload", "crash"], "experiments are last");
        let by_default: Vec<_> = shipped().select(Asked::Default).unwrap();
        let by_default: Vec<&str> = by_default.iter().map(|scenario| scenario.name.as_str()).collect();
        assert_eq!(by_default, ["simple-throughput", "churn-10", "churn-1", "simple-latency", "mixed"]);
        let on_request =
            |name: &str| shipped().all().iter().any(|scenario| scenario.name == name && scenario.on_request);
        assert!(
            on_request("crash") && on_request("reload") && on_request("curve"),
            "the default race does not get longer"
        );
    }

    #[test]
    fn a_name_that_several_begin_with_is_all_of_these_and_one_that_none_has_is_refused() {
        let named = |name: &str| shipped().select(Asked::Named(&[name.to_owned()]));
        let names = |name: &str| -> Vec<String> {
            named(name).unwrap().into_iter().map(|scenario| scenario.name).collect()
        };
        assert_eq!(names("churn"), ["churn-10", "churn-1"]);
        assert_eq!(names("complex-only"), ["complex-only-80", "complex-only-50"]);
        assert_eq!(names("mixed"), ["mixed"]);
        assert!(named("complex-onl").unwrap_err().to_string().contains("did you mean"));
    }
}
