//! The rows that can be measured, as data: `servers.toml`.
//!
//! A table is refused rather than guessed at, with its line, its name and what is allowed there. What is not known here: any
//! particular program.

mod deviation;
mod deviation_lists;
mod factors;
mod given;
pub(crate) mod placeholders;
mod requirement;
mod row;
mod sizing;
mod supervision;
mod table;
#[cfg(test)]
mod tests;
mod variants;

use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

pub use self::{
    deviation::Deviation,
    factors::{Accept, Factors, Io, OperationPlacement, Workers},
    requirement::Requirement,
    row::{OperationName, Program, Readiness, Row, Tier},
    sizing::{Sizing, Variant},
    supervision::{Reload, WorkerProcesses},
};

use self::table::Table;
use terminal::names::{Unknown, select};

/// All rows, in the order of the file.
#[derive(Clone, Debug)]
pub struct Registry {
    rows: Vec<Row>,
}

/// Which rows are asked for.
#[derive(Clone, Copy, Debug)]
pub enum Asked<'a> {
    /// Those that are not for request alone.
    Default,
    /// All that there are.
    All,
    /// These, by name.
    Named(&'a [String]),
}

impl<'a> Asked<'a> {
    /// What a command line asks for: `names` where there are any, else all with `all`.
    pub fn of(names: &'a [String], all: bool) -> Self {
        match (names, all) {
            ([], false) => Self::Default,
            ([], true) => Self::All,
            (names, _) => Self::Named(names),
        }
    }
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
    /// A row of the command line has the name of another.
    #[error("--with names a row `{0}`, and another row has this name: give it another one")]
    Taken(String),
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
    row: Vec<Spanned<Table>>,
}

impl Registry {
    /// Reads the registry at `path`, and the files of deviations that it names, relative to it.
    ///
    /// # Errors
    /// The file is missing, is no TOML, has a key that no row has, names a row twice, or lacks what a row must say.
    pub fn read(path: &Path) -> Result<Self, RegistryError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| RegistryError::Read { path: path.display().to_string(), source })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, folder)
            .map_err(|reason| RegistryError::Parse { path: path.display().to_string(), reason })
    }

    /// `folder` is where its files of deviations are.
    fn parse(text: &str, folder: &Path) -> Result<Self, String> {
        let File { row: tables } = toml::from_str(text).map_err(|error| with_row(text, &error))?;
        let mut rows: Vec<Row> = Vec::new();
        let mut levels = None;
        for table in tables {
            let line = line_of(text, table.span().start);
            let table = table.into_inner();
            let name = table.name.clone();
            let wrong = |reason: String| format!("line {line}, row `{name}`: {reason}");
            let file = table.deviations_file.as_ref().map(|file| folder.join(file));
            let mut row = Row::try_from(table).map_err(wrong)?;
            if let Some(file) = file {
                row.deviations.extend(deviation_lists::read(&file).map_err(wrong)?);
            }
            if rows.iter().any(|earlier| earlier.name == row.name) {
                return Err(wrong("another row has this name".to_owned()));
            }
            check(&row).map_err(wrong)?;
            if !row.deviations.is_empty() {
                deviation_lists::check(&row, levels.get_or_insert_with(deviation_lists::levels))
                    .map_err(wrong)?;
            }
            rows.push(row);
        }
        if rows.is_empty() { Err("it has no row".to_owned()) } else { Ok(Self { rows }) }
    }

    /// Adds rows of the command line.
    ///
    /// # Errors
    /// A name that another row has.
    pub fn with(mut self, given: &[Row]) -> Result<Self, RegistryError> {
        for row in given {
            if self.rows.iter().any(|other| other.name == row.name) {
                return Err(RegistryError::Taken(row.name.clone()));
            }
            self.rows.push(row.clone());
        }
        Ok(self)
    }

    /// All rows.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The rows that are asked for, in the registry's order; those of the command line always are.
    ///
    /// # Errors
    /// A name that no row has.
    pub fn select(&self, asked: Asked<'_>) -> Result<Vec<Row>, Unknown> {
        match asked {
            Asked::All => Ok(self.rows.clone()),
            Asked::Default => Ok(self.rows.iter().filter(|row| !row.on_request).cloned().collect()),
            Asked::Named(names) => {
                let named = select("row", &self.rows, |row| &row.name, names)?;
                let is_wanted =
                    |row: &&Row| row.is_given || named.iter().any(|wanted| wanted.name == row.name);
                Ok(self.rows.iter().filter(is_wanted).cloned().collect())
            }
        }
    }
}

/// What holds of every row of a registry, whatever others there are.
fn check(row: &Row) -> Result<(), String> {
    if row.name.is_empty() || row.name.contains([',', '|', '\n']) {
        return Err("its name is empty or holds one of , and |".to_owned());
    }
    if row.factors.is_none() {
        return Err(format!("it does not say what it is, as in\n  {}", Factors::EXAMPLE));
    }
    if row.operations.is_empty() {
        let known = "operations = [\"simple\", \"complex\"]";
        return Err(format!(
            "it serves no operation: leave the key out for all of them, or list some, as in {known}"
        ));
    }
    row.requires.iter().try_for_each(Requirement::check)?;
    row.workers.iter().try_for_each(WorkerProcesses::check)?;
    row.reload.iter().try_for_each(Reload::check)?;
    row.sized.iter().try_for_each(Sizing::check)?;
    if row.variant.is_some() {
        return Err("it is a variant, which scenarios make of rows: leave the key out".to_owned());
    }
    if row.connections == Some(0) {
        return Err("it serves no connection at once: leave the key out where it serves many".to_owned());
    }
    if let Some(path) = row.pid_at.as_ref().filter(|path| !path.starts_with('/')) {
        return Err(format!("its pid_at = \"{path}\" is no path of a request, as in pid_at = \"/info\""));
    }
    check_build(row)?;
    placeholders::check(row)?;
    if matches!(row.tier, Tier::Controlled | Tier::Native) && row.ready == Readiness::Http {
        return Err(format!(
            "it is of tier {} and has no ready line (ready = \"http\"): nothing would say that it is a release build and on the \
             right CPUs",
            row.tier
        ));
    }
    Ok(())
}

/// Whether what makes the row's program can be told when to.
fn check_build(row: &Row) -> Result<(), String> {
    const EXAMPLE: &str =
        r#"build = ["go", "build", "-o", "target/foreign/app", "app/main.go"] with made_of = ["app"]"#;
    let wrong = match &row.program {
        _ if row.build.is_empty() => return Ok(()),
        Program::Package(_) => "cargo builds its package: `build` is for a command",
        Program::Command(_) if row.made_of.is_empty() => {
            "it does not say of what (made_of), so that nobody could tell when to build it again"
        }
        Program::Command(_) => return Ok(()),
    };
    Err(format!("how it is built is wrong: {wrong}, as in {EXAMPLE}"))
}

/// What the TOML reader says, which has line and column, with the row that it is about.
fn with_row(text: &str, error: &toml::de::Error) -> String {
    /// A row of which nothing but its name is asked.
    #[derive(Deserialize)]
    struct Named {
        name: Option<String>,
    }
    #[derive(Deserialize)]
    struct Names {
        row: Vec<Spanned<Named>>,
    }
    let reason = error.to_string();
    let at = error.span().map(|span| span.start);
    let names: Option<Names> = toml::from_str(text).ok();
    let row = names.zip(at).and_then(|(names, at)| {
        names.row.into_iter().rev().find(|row| row.span().start <= at)?.into_inner().name
    });
    match row {
        Some(row) => format!("row `{row}`: {}", reason.trim_end()),
        None => reason.trim_end().to_owned(),
    }
}

/// The line of a byte of `text`, from 1.
fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|&byte| byte == b'\n').count()
}
