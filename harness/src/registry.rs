//! The rows that can be measured, as data: `servers.toml`.

use std::{fmt, path::Path, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    duration,
    names::{Unknown, select},
};

/// What may be concluded from a row beside others: no rank is ever given across tiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// hyper 1 and kit: only the architecture differs.
    Controlled,
    /// A framework with its own HTTP, as shipped.
    Native,
    /// Not this project's code.
    Reference,
    /// The null server: it says what the machine and the generator allow, and never ranks.
    Calibration,
}

/// What an endpoint computes, by the name that scenarios and rows use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationName {
    /// The cheap sum.
    Simple,
    /// The expensive sum.
    Complex,
}

impl OperationName {
    /// Every operation that a scenario can ask for.
    pub const ALL: [Self; 2] = [Self::Simple, Self::Complex];
}

/// One measurable server configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Table", try_from = "Table")]
pub struct Row {
    /// How the row is called everywhere.
    pub name: String,
    /// Where connections live and where operations run, in one line.
    pub about: String,
    /// Who it may be ranked with.
    pub tier: Tier,
    /// The program: a workspace package that is built for it, or a command.
    pub program: Program,
    /// Its arguments beside `--listen` and `--cpus`.
    pub args: Vec<String>,
    /// The operations that it serves.
    pub operations: Vec<OperationName>,
    /// How long it may take until it accepts.
    pub ready_within: Duration,
}

/// Where a row's program comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Program {
    /// A package of this workspace, built alone in release.
    Package(String),
    /// A program that is there already, with its leading arguments.
    Command(Vec<String>),
}

/// A row as the file has it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    name: String,
    about: String,
    tier: Tier,
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<Vec<String>>,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default = "every_operation")]
    operations: Vec<OperationName>,
    #[serde(with = "duration", default = "default_ready_within")]
    ready_within: Duration,
}

fn default_ready_within() -> Duration {
    Duration::from_secs(10)
}

fn every_operation() -> Vec<OperationName> {
    OperationName::ALL.to_vec()
}

impl TryFrom<Table> for Row {
    type Error = String;

    fn try_from(table: Table) -> Result<Self, String> {
        let Table { name, about, tier, package, command, args, operations, ready_within } = table;
        let program = match (package, command) {
            (Some(package), None) => Program::Package(package),
            (None, Some(command)) if !command.is_empty() => Program::Command(command),
            (None, Some(_)) => return Err(format!("the command of row `{name}` is empty")),
            _ => return Err(format!("row `{name}` needs either a package or a command")),
        };
        Ok(Self { name, about, tier, program, args, operations, ready_within })
    }
}

impl From<Row> for Table {
    fn from(row: Row) -> Self {
        let Row { name, about, tier, program, args, operations, ready_within } = row;
        let (package, command) = match program {
            Program::Package(package) => (Some(package), None),
            Program::Command(command) => (None, Some(command)),
        };
        Self { name, about, tier, package, command, args, operations, ready_within }
    }
}

/// All rows, in the order of the file.
#[derive(Clone, Debug)]
pub struct Registry {
    rows: Vec<Row>,
}

/// Why a registry cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The file cannot be read.
    #[error("cannot read the registry {path}")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not a registry; the message names line and column.
    #[error("the registry {path} is wrong: {reason}")]
    Parse {
        /// The file.
        path: String,
        /// What is wrong, with its place.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    row: Vec<Row>,
}

impl Registry {
    /// Reads the registry at `path`.
    ///
    /// # Errors
    /// The file is missing, is no TOML, has a key that no row has, or names a row twice.
    pub fn read(path: &Path) -> Result<Self, RegistryError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| RegistryError::Read { path: path.display().to_string(), source })?;
        Self::parse(&text).map_err(|reason| RegistryError::Parse { path: path.display().to_string(), reason })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let File { row: rows } = toml::from_str(text).map_err(|error| error.to_string())?;
        for (index, row) in rows.iter().enumerate() {
            if rows[..index].iter().any(|earlier| earlier.name == row.name) {
                return Err(format!("two rows are called `{}`", row.name));
            }
        }
        if rows.is_empty() { Err("it has no row".to_owned()) } else { Ok(Self { rows }) }
    }

    /// All rows.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The rows that `names` ask for, in the registry's order; all of them if `names` is empty.
    ///
    /// # Errors
    /// A name that no row has.
    pub fn select(&self, names: &[String]) -> Result<Vec<Row>, Unknown> {
        select("row", &self.rows, |row| &row.name, names)
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Controlled => "controlled",
            Self::Native => "native",
            Self::Reference => "reference",
            Self::Calibration => "calibration",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str = "[[row]]\nname = 'a'\nabout = ''\ntier = 'controlled'\n";

    #[test]
    fn a_misspelt_key_is_refused_with_its_line() {
        let error = Registry::parse(&format!("{ROW}package = 'a'\nargz = []\n")).unwrap_err();
        assert!(error.contains("argz") && error.contains("line"), "{error}");
    }

    #[test]
    fn a_row_without_a_program_is_refused() {
        for program in ["", "command = []", "package = 'a'\ncommand = ['a']"] {
            let error = Registry::parse(&format!("{ROW}{program}\n")).unwrap_err();
            assert!(error.contains("row `a`"), "{error}");
        }
    }

    #[test]
    fn two_rows_of_one_name_are_refused() {
        let row = format!("{ROW}command = ['x']\n");
        let error = Registry::parse(&format!("{row}{row}")).unwrap_err();
        assert!(error.contains("`a`"), "{error}");
    }
}
