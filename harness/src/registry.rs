//! The rows that can be measured, as data: `servers.toml`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::Path,
    time::Duration,
};

use conformance::Level;

use serde::{Deserialize, Serialize};

use crate::{
    duration,
    names::{Unknown, nearest, select},
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
    /// The cases of the suite that it does not pass, by reason. Exact: none other may fail, and none of these pass.
    pub deviations: Vec<Deviation>,
}

/// Cases of the suite that a row does not pass, all for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deviation {
    /// The reason, as the reports print it.
    pub why: String,
    /// The cases, by name.
    pub cases: Vec<String>,
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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    deviations: Vec<Deviation>,
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
        let Table { name, about, tier, package, command, args, operations, ready_within, deviations } = table;
        let program = match (package, command) {
            (Some(package), None) => Program::Package(package),
            (None, Some(command)) if !command.is_empty() => Program::Command(command),
            (None, Some(_)) => return Err(format!("the command of row `{name}` is empty")),
            _ => return Err(format!("row `{name}` needs either a package or a command")),
        };
        Ok(Self { name, about, tier, program, args, operations, ready_within, deviations })
    }
}

impl From<Row> for Table {
    fn from(row: Row) -> Self {
        let Row { name, about, tier, program, args, operations, ready_within, deviations } = row;
        let (package, command) = match program {
            Program::Package(package) => (Some(package), None),
            Program::Command(command) => (None, Some(command)),
        };
        Self { name, about, tier, package, command, args, operations, ready_within, deviations }
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
        check_deviations(&rows)?;
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

/// Whether the listed deviations are cases that can deviate. Here, and not where a row is read: the records of an old run
/// may name cases that the suite has no more.
fn check_deviations(rows: &[Row]) -> Result<(), String> {
    if rows.iter().all(|row| row.deviations.is_empty()) {
        return Ok(());
    }
    let levels: BTreeMap<&str, Level> =
        conformance::suite().iter().map(|case| (case.name, case.level)).collect();
    rows.iter().try_for_each(|row| check_deviations_of(row, &levels))
}

fn check_deviations_of(row: &Row, levels: &BTreeMap<&str, Level>) -> Result<(), String> {
    let name = &row.name;
    if let (Tier::Controlled | Tier::Calibration, Some(first)) = (row.tier, row.deviations.first()) {
        let why = &first.why;
        return Err(format!(
            "row `{name}` is of tier {} and may list no deviation (it lists `{why}`): only native and reference rows may",
            row.tier
        ));
    }
    let mut listed = BTreeSet::new();
    for deviation in &row.deviations {
        if deviation.why.trim().is_empty() || deviation.cases.is_empty() {
            return Err(format!("a deviation of row `{name}` lacks its reason (why) or its cases"));
        }
        for case in &deviation.cases {
            match levels.get(case.as_str()) {
                None => {
                    let meant = nearest(levels.keys().copied(), case);
                    let meant = meant.map(|meant| format!(" (did you mean `{meant}`?)")).unwrap_or_default();
                    return Err(format!(
                        "row `{name}` lists the deviation `{case}`, and the suite has no such case{meant}; \
                         `harness verify --all-cases` prints them"
                    ));
                }
                Some(Level::May) => {
                    return Err(format!(
                        "row `{name}` lists the deviation `{case}`, which no row owes anybody (MAY): leave it out"
                    ));
                }
                Some(Level::Should | Level::Must) => {}
            }
            if !listed.insert(case) {
                return Err(format!("row `{name}` lists the deviation `{case}` twice"));
            }
        }
    }
    Ok(())
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

    fn with_deviations(tier: &str, deviations: &str) -> Result<Registry, String> {
        Registry::parse(&format!(
            "[[row]]\nname = 'a'\nabout = ''\ntier = '{tier}'\ncommand = ['x']\n{deviations}"
        ))
    }

    const HOST: &str = "[[row.deviations]]\nwhy = 'takes any Host'\ncases = ['a missing Host is refused']\n";

    #[test]
    fn deviations_are_listed_by_reason_and_read_back_from_a_record() {
        let registry = with_deviations("native", HOST).unwrap();
        let row = &registry.rows()[0];
        assert_eq!(row.deviations[0].cases, ["a missing Host is refused"]);
        let text = serde_json::to_string(row).unwrap();
        assert_eq!(&serde_json::from_str::<Row>(&text).unwrap(), row);
        // Records of before there were deviations hold none, and stay as they are.
        assert!(
            !serde_json::to_string(&Row { deviations: Vec::new(), ..row.clone() }).unwrap().contains("devia")
        );
    }

    #[test]
    fn a_deviation_that_the_suite_cannot_find_is_refused_with_the_nearest_case() {
        let error = with_deviations("native", &HOST.replace("missing", "misisng")).unwrap_err();
        assert!(error.contains("(did you mean `a missing Host is refused`?)"), "{error}");
    }

    #[test]
    fn deviations_that_say_nothing_or_too_much_are_refused() {
        let twice = HOST.repeat(2);
        let reasonless = HOST.replace("takes any Host", " ");
        let caseless = HOST.replace("'a missing Host is refused'", "");
        let misspelt = HOST.replace("why", "because");
        for (tier, deviations, expected) in [
            ("reference", twice.as_str(), "twice"),
            ("reference", &reasonless, "lacks its reason"),
            ("reference", &caseless, "lacks its reason (why) or its cases"),
            ("reference", &misspelt, "because"),
            ("controlled", HOST, "is of tier controlled and may list no deviation"),
            ("calibration", HOST, "is of tier calibration"),
        ] {
            let error = with_deviations(tier, deviations).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn what_no_row_owes_is_no_deviation() {
        let may = conformance::suite().into_iter().find(|case| case.level == Level::May).unwrap();
        let deviations = format!("[[row.deviations]]\nwhy = 'x'\ncases = [\"{}\"]\n", may.name);
        assert!(with_deviations("native", &deviations).unwrap_err().contains("leave it out"));
    }
}
