//! The cases of the suite that a row is known not to pass: in its own table, and in files that rows share.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use conformance::Level;
use serde::Deserialize;

use super::{
    deviation::Deviation,
    row::{Row, Tier},
};
use terminal::names::nearest;

/// A file of deviations.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    deviations: Vec<Deviation>,
}

/// The deviations of the file at `path`.
pub(super) fn read(path: &Path) -> Result<Vec<Deviation>, String> {
    const EXAMPLE: &str =
        "[[deviations]]\nwhy = \"no chunked bodies\"\ncases = [\"echo returns a chunked body\"]";
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read its deviations_file {shown}: {error}"))?;
    let file: File = toml::from_str(&text).map_err(|error| {
        let error = error.to_string();
        format!(
            "its deviations_file {shown} is wrong: {}\nit holds tables such as\n{EXAMPLE}",
            error.trim_end()
        )
    })?;
    Ok(file.deviations)
}

/// The suite's cases, each with how binding it is.
pub(super) fn levels() -> BTreeMap<&'static str, Level> {
    conformance::suite().iter().map(|case| (case.name, case.level)).collect()
}

/// Whether the listed deviations are cases that can deviate. Not asked where a record is read: the records of an old run may
/// name cases that the suite has no more.
pub(super) fn check(row: &Row, levels: &BTreeMap<&str, Level>) -> Result<(), String> {
    if let (Tier::Controlled | Tier::Calibration, Some(first)) = (row.tier, row.deviations.first()) {
        let why = &first.why;
        return Err(format!(
            "it is of tier {} and may list no deviation (it lists `{why}`): only native and reference rows may",
            row.tier
        ));
    }
    let mut listed = BTreeSet::new();
    for deviation in &row.deviations {
        if deviation.why.trim().is_empty() || deviation.cases.is_empty() {
            return Err("one of its deviations lacks its reason (why) or its cases".to_owned());
        }
        for case in &deviation.cases {
            match levels.get(case.as_str()) {
                None => {
                    let meant = nearest(levels.keys().copied(), case);
                    let meant = meant.map(|meant| format!(" (did you mean `{meant}`?)")).unwrap_or_default();
                    return Err(format!(
                        "it lists the deviation `{case}`, and the suite has no such case{meant}; `harness verify --all-cases` \
                         prints them"
                    ));
                }
                Some(Level::May) => {
                    return Err(format!(
                        "it lists the deviation `{case}`, which no row owes anybody (MAY): leave it out"
                    ));
                }
                Some(Level::Should | Level::Must) => {}
            }
            if !listed.insert(case) {
                return Err(format!("it lists the deviation `{case}` twice"));
            }
        }
    }
    Ok(())
}
