//! A row as files have it: the table of a registry, and the object of a record.
//!
//! Both have the same keys. A registry must say more than a record need: what rows are was not asked in earlier runs.

use std::{borrow::Cow, collections::BTreeMap, path::PathBuf, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::schema;

use super::{
    deviation::Deviation,
    factors::Factors,
    requirement::Requirement,
    row::{DEFAULT_READY_WITHIN, OperationName, Program, Readiness, Row, Tier},
    sizing::{Sizing, Variant},
    supervision::{Reload, WorkerProcesses},
};

/// A row as files have it.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    pub(super) name: String,
    about: String,
    tier: Tier,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    package: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    command: Option<Vec<String>>,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    uses: Vec<String>,
    #[serde(default = "every_operation")]
    operations: Vec<OperationName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    connections: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sized: Option<Sizing>,
    /// Of a record alone: a registry has no variants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    variant: Option<Variant>,
    #[serde(default, skip_serializing_if = "is_line")]
    ready: Readiness,
    #[serde(with = "duration", default = "default_ready_within")]
    #[schemars(with = "schema::Time")]
    ready_within: Duration,
    #[serde(with = "duration", default, skip_serializing_if = "Duration::is_zero")]
    #[schemars(with = "schema::Time")]
    warm_up: Duration,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    on_request: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    factors: Option<Factors>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    env: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    build: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    made_of: Vec<PathBuf>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    requires: Vec<Requirement>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    deviations: Vec<Deviation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    workers: Option<WorkerProcesses>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reload: Option<Reload>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fault_args: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pid_at: Option<String>,
    /// Read into `deviations`; a record has it all in one.
    #[serde(default, skip_serializing)]
    #[schemars(skip)]
    pub(super) deviations_file: Option<PathBuf>,
}

fn default_ready_within() -> Duration {
    DEFAULT_READY_WITHIN
}

fn every_operation() -> Vec<OperationName> {
    OperationName::ALL.to_vec()
}

fn is_line(ready: &Readiness) -> bool {
    *ready == Readiness::Line
}

impl TryFrom<Table> for Row {
    type Error = String;

    fn try_from(table: Table) -> Result<Self, String> {
        let Table { name, about, tier, package, command, args, uses, operations, .. } = table;
        let Table { connections, sized, variant, workers, reload, fault_args, pid_at, .. } = table;
        let Table {
            ready,
            ready_within,
            warm_up,
            on_request,
            factors,
            env,
            build,
            made_of,
            requires,
            deviations,
            ..
        } = table;
        let program = match (package, command) {
            (Some(package), None) => Program::Package(package),
            (None, Some(command)) if !command.is_empty() => Program::Command(command),
            (None, Some(_)) => {
                return Err(
                    "its command is empty: name a program, as in command = [\"node\", \"app.js\"]".to_owned()
                );
            }
            (Some(_), Some(_)) => {
                return Err("it has a package and a command: it needs either of them".to_owned());
            }
            (None, None) => {
                return Err("it has no program: it needs either a package of this workspace or a command, as in package = \
                            \"work-stealing\""
                    .to_owned());
            }
        };
        let is_given = false;
        Ok(Self {
            name,
            about,
            tier,
            program,
            args,
            uses,
            operations,
            connections,
            sized,
            variant,
            ready,
            ready_within,
            warm_up,
            on_request,
            factors,
            env,
            build,
            made_of,
            requires,
            deviations,
            workers,
            reload,
            fault_args,
            pid_at,
            is_given,
        })
    }
}

impl From<Row> for Table {
    fn from(row: Row) -> Self {
        let Row {
            name, about, tier, program, args, uses, operations, ready, ready_within, on_request, ..
        } = row;
        let Row { factors, env, build, made_of, requires, deviations, warm_up, .. } = row;
        let Row { connections, sized, variant, workers, reload, fault_args, pid_at, .. } = row;
        let (package, command) = match program {
            Program::Package(package) => (Some(package), None),
            Program::Command(command) => (None, Some(command)),
        };
        Self {
            name,
            about,
            tier,
            package,
            command,
            args,
            uses,
            operations,
            connections,
            sized,
            variant,
            ready,
            ready_within,
            warm_up,
            on_request,
            factors,
            env,
            build,
            made_of,
            requires,
            deviations,
            workers,
            reload,
            fault_args,
            pid_at,
            deviations_file: None,
        }
    }
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Table::from(self.clone()).serialize(serializer)
    }
}

impl JsonSchema for Row {
    fn schema_name() -> Cow<'static, str> {
        "Row".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Table::json_schema(generator)
    }
}

impl<'de> Deserialize<'de> for Row {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(Table::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
