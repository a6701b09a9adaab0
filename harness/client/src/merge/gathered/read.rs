//! The files of a gathering, each held to the plan that it is said to follow.

use std::{collections::BTreeMap, fs, path::Path};

use race::records::environment::sha256_of_bytes;
use serde_json::Value;
use stats::hdr_log::HdrLog;

use super::error::GatheredError;
use crate::gather::{
    agreed,
    error::GatherError,
    folder::Folder,
    names,
    records::{Arrival, Failure, PartRecord, PlanRecord},
};
use crate::merge::error::MergeError;

/// A whole load: what was to be done, and what each part found, in the order of their numbers.
pub(super) struct Gathered {
    pub(super) plan: PlanRecord,
    pub(super) parts: Vec<Part>,
}

/// What one part found.
pub(super) struct Part {
    pub(super) record: PartRecord,
    pub(super) log: HdrLog,
}

/// Reads all of it.
pub(super) fn read(path: &Path) -> anyhow::Result<Gathered> {
    let folder = Folder::at(path);
    let plan = folder.read::<PlanRecord>(names::PLAN)?.ok_or_else(|| GatheredError::None(path.to_owned()))?;
    if agreed::sha256_of(&plan.plan, plan.seed) != plan.sha256 {
        return Err(GatheredError::Plan(folder.file(names::PLAN)).into());
    }
    nobody_failed(&folder, &plan)?;
    let records = records(&folder, &plan)?;
    let missing: Vec<u32> = (0..plan.parts).filter(|part| !records.contains_key(part)).collect();
    if !missing.is_empty() {
        let parts = named(&folder, &missing);
        return Err(GatheredError::Missing { parts, of: plan.parts, path: path.to_owned() }.into());
    }
    each_on_its_own_host(&plan, &records)?;
    let mut parts = Vec::new();
    for (part, (_, record)) in records {
        let log = log(&folder, part, &record)?;
        parts.push(Part { record, log });
    }
    Ok(Gathered { plan, parts })
}

fn nobody_failed(folder: &Folder, plan: &PlanRecord) -> Result<(), GatherError> {
    for part in 0..plan.parts {
        if let Some(failure) = folder.read::<Failure>(&names::failed(part))? {
            return Err(GatherError::Failed { part, host: failure.host.name, reason: failure.reason });
        }
    }
    Ok(())
}

/// The record of each part with the name of its file.
fn records(folder: &Folder, plan: &PlanRecord) -> anyhow::Result<BTreeMap<u32, (String, PartRecord)>> {
    let mut records: BTreeMap<u32, (String, PartRecord)> = BTreeMap::new();
    for file in folder.names()?.into_iter().filter(|name| names::is_result(name)) {
        let Some(record) = folder.read::<PartRecord>(&file)? else { continue };
        let (part, parts) = (record.part, record.parts);
        if let Some((first, _)) = records.get(&part) {
            return Err(GatheredError::Twice { part, first: first.clone(), second: file }.into());
        }
        if parts != plan.parts || part >= parts {
            return Err(GatheredError::Number { file, part, parts, of: plan.parts }.into());
        }
        if record.plan_sha256 != plan.sha256 {
            return Err(GatheredError::Other { file, what: "another plan" }.into());
        }
        if record.token != plan.token {
            return Err(GatheredError::Other { file, what: "another load of the same plan" }.into());
        }
        records.insert(part, (file, record));
    }
    Ok(records)
}

/// Parts that had no common folder were not held to it before.
fn each_on_its_own_host(
    plan: &PlanRecord,
    records: &BTreeMap<u32, (String, PartRecord)>,
) -> Result<(), GatherError> {
    if plan.plan.get(agreed::SHARE_HOST).and_then(Value::as_bool).unwrap_or(false) {
        return Ok(());
    }
    for (second, (_, record)) in records {
        let is_there = |(_, (_, other)): &(&u32, &(String, PartRecord))| other.host.is(&record.host);
        if let Some((first, _)) = records.range(..second).find(is_there) {
            let host = record.host.name.clone();
            return Err(GatherError::OneHost { first: *first, second: *second, host });
        }
    }
    Ok(())
}

fn log(folder: &Folder, part: u32, record: &PartRecord) -> anyhow::Result<HdrLog> {
    let file = names::log(part);
    let path = folder.file(&file);
    let bytes = fs::read(&path).map_err(|source| MergeError::Unreadable { path: path.clone(), source })?;
    if sha256_of_bytes(&bytes) != record.log_sha256 {
        return Err(GatheredError::Log { file, part }.into());
    }
    Ok(HdrLog::read(&bytes).map_err(|source| MergeError::Log { path, source })?)
}

/// `part 2 on node3`, `parts 1, 2 on node3`: with its host where it had arrived.
fn named(folder: &Folder, parts: &[u32]) -> String {
    let host = |part: &u32| match folder.read::<Arrival>(&names::arrived(*part)) {
        Ok(Some(arrival)) => format!("{part} on {}", arrival.host.name),
        _ => part.to_string(),
    };
    let all: Vec<String> = parts.iter().map(host).collect();
    format!("part{} {}", if all.len() == 1 { "" } else { "s" }, all.join(", "))
}
