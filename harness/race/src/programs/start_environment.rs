//! The environment in which rows start: what the harness states, so that a variable that somebody once exported does not change
//! the race without a word.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::registry::Row;

/// What programs need to find others, their settings and a place for files.
const KEPT: [&str; 3] = ["PATH", "HOME", "TMPDIR"];
/// The same messages and the same order of names everywhere.
const LANG: (&str, &str) = ("LANG", "C.UTF-8");
/// What a row of the command line does not get from the caller: it is meant for another server, or another program.
const WITHHELD: [&str; 2] = ["RUST_LOG", "NODE_OPTIONS"];
/// The same for whatever begins so: the arguments of this project's servers.
const WITHHELD_PREFIX: &str = "SERVER_";

/// The variables of a process, by name.
pub type Variables = BTreeMap<OsString, OsString>;

/// What `row` starts with, where the caller has the variables `own`: those that programs need and those of the row's key `env`;
/// for a row of the command line the caller's, less what is meant for others.
pub fn of(row: &Row, own: &Variables) -> Variables {
    let mut variables: Variables = if row.is_given {
        own.iter()
            .filter(|(name, _)| !is_withheld(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    } else {
        let kept =
            KEPT.iter().filter_map(|name| Some((OsString::from(name), own.get(OsStr::new(name))?.clone())));
        kept.chain([(LANG.0.into(), LANG.1.into())]).collect()
    };
    variables.extend(row.env.iter().map(|(name, value)| (name.into(), value.into())));
    variables
}

/// The variables of this process.
pub fn own() -> Variables {
    std::env::vars_os().collect()
}

fn is_withheld(name: &OsStr) -> bool {
    WITHHELD.iter().any(|withheld| name == *withheld) || name.to_string_lossy().starts_with(WITHHELD_PREFIX)
}

/// What a run's record says of the environment in which its rows started. The caller's home is written `~`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StartRecord {
    /// What every row of the registry starts with.
    pub common: BTreeMap<String, String>,
    /// What rows have beside it: their key `env`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rows: BTreeMap<String, BTreeMap<String, String>>,
    /// Rows of the command line, with the names of what they got from the caller; the values may be secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub given: BTreeMap<String, Vec<String>>,
}

impl StartRecord {
    /// What `rows` start with, where the caller has the variables `own`.
    pub fn of(rows: &[Row], own: &Variables) -> Self {
        let home = own.get(OsStr::new("HOME")).map(|home| home.to_string_lossy().into_owned());
        let shown = |value: &OsString| {
            let value = value.to_string_lossy();
            match home.as_deref().filter(|home| home.len() > 1) {
                Some(home) => value.replace(home, "~"),
                None => value.into_owned(),
            }
        };
        let nothing_of_its_own = Row {
            is_given: false,
            env: BTreeMap::new(),
            ..Row::given("common".to_owned(), vec!["x".to_owned()])
        };
        let named =
            |(name, value): (&OsString, &OsString)| (name.to_string_lossy().into_owned(), shown(value));
        let names = |row: &Row| of(row, own).keys().map(|name| name.to_string_lossy().into_owned()).collect();
        Self {
            common: of(&nothing_of_its_own, own).iter().map(named).collect(),
            rows: rows
                .iter()
                .filter(|row| !row.is_given && !row.env.is_empty())
                .map(|row| (row.name.clone(), row.env.clone()))
                .collect(),
            given: rows.iter().filter(|row| row.is_given).map(|row| (row.name.clone(), names(row))).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    fn caller() -> Variables {
        variables(&[
            ("PATH", "/home/me/bin:/usr/bin"),
            ("HOME", "/home/me"),
            ("LANG", "tr_TR.UTF-8"),
            ("SERVER_POLICY", "off"),
            ("SERVER_WORKERS", "1"),
            ("RUST_LOG", "trace"),
            ("NODE_OPTIONS", "--inspect"),
            ("TOKEN", "secret"),
        ])
    }

    #[test]
    fn a_row_of_the_registry_starts_from_what_is_stated_and_nothing_else() {
        let env = [("MALLOC_ARENA_MAX".to_owned(), "1".to_owned())].into();
        let row = Row { is_given: false, env, ..Row::given("a".to_owned(), vec!["x".to_owned()]) };
        let expected = [
            ("PATH", "/home/me/bin:/usr/bin"),
            ("HOME", "/home/me"),
            ("LANG", "C.UTF-8"),
            ("MALLOC_ARENA_MAX", "1"),
        ];
        assert_eq!(of(&row, &caller()), variables(&expected));
    }

    #[test]
    fn a_row_of_the_command_line_gets_what_the_caller_has_less_what_is_meant_for_others() {
        let row = Row::given("mine".to_owned(), vec!["x".to_owned()]);
        let got = of(&row, &caller());
        let names: Vec<&str> = got.keys().map(|name| name.to_str().unwrap()).collect();
        assert_eq!(names, ["HOME", "LANG", "PATH", "TOKEN"]);
        assert_eq!(got[OsStr::new("LANG")], "tr_TR.UTF-8");
    }

    #[test]
    fn a_record_shows_neither_secrets_nor_where_the_caller_lives() {
        let rows = [Row::given("mine".to_owned(), vec!["x".to_owned()])];
        let text = serde_json::to_string(&StartRecord::of(&rows, &caller())).unwrap();
        assert!(!text.contains("secret") && !text.contains("/home/me"), "{text}");
        assert!(text.contains("~/bin:/usr/bin") && text.contains("TOKEN"), "{text}");
    }
}
