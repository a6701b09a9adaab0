//! Reports: one plain [`Report`] made from records, and small renderers of it.
//!
//! A report is a pure function of a results folder; nothing is ever computed from a report.

mod analysis;
mod figures;
mod findings;
mod headlines;
mod instrument;
mod line;
mod notes;
pub mod section;

pub mod conclusions;

mod conformance;
mod rows;

mod markdown;
mod summary;

pub mod published;
pub mod reservation;

pub mod pages;

pub mod check;
pub mod publish;

use std::io;

use conclusions::Report;
use race::records::folder::{Contents, Folder, FolderError};

/// The whole report of a run in Markdown.
pub fn markdown(contents: &Contents) -> String {
    markdown::whole(&Report::new(contents))
}

/// Renders a folder's report into it; returns the text.
///
/// # Errors
/// The folder's records cannot be read, or the report cannot be written.
pub fn write(folder: &Folder) -> Result<String, FolderError> {
    let text = markdown(&folder.contents()?);
    let failed = |source: io::Error| FolderError::Io { path: folder.path().to_owned(), source };
    folder.write_report(&text).map_err(failed)?;
    Ok(text)
}

/// The part of a report that a person at a terminal wants: the tables, without the description of the host.
pub fn for_terminal(markdown: &str) -> &str {
    let end = markdown.find(markdown::HOST_HEADING).unwrap_or(markdown.len());
    let start = markdown.find("\n## ").unwrap_or(0);
    markdown.get(start..end).unwrap_or(markdown).trim()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, path::Path};

    use super::*;
    use race::{
        fixtures::{always, calibration, failed, sound},
        plan::{
            cpu_plan::CpuPlan,
            run_plan::RunPlan,
            scenario::{Placement, Scenarios},
        },
        records::{
            conformance::{Conformance, RowConformance, Score, Status},
            environment::{Code, Cpu, Environment},
            folder::{Failure, RunRecord, TimeSpent},
            record::{TrialRecord, Verdict},
        },
        registry::{Asked, Deviation, Registry, Tier},
    };

    fn environment() -> Environment {
        Environment {
            started: "2026-11-21T06:00:00+00:00".to_owned(),
            command: "cargo bench-all --trials 6".to_owned(),
            host: "host".to_owned(),
            cpu: Cpu {
                model: Some("Model".to_owned()),
                online: Some("0-1".to_owned()),
                allowed: "0-1".parse().unwrap(),
                cores: vec!["0".to_owned(), "1".to_owned()],
                numa_nodes: None,
                governor: None,
                turbo: Some(true),
                smt: None,
                virtual_machine: true,
                clock_source: Some("tsc".to_owned()),
                mitigations: BTreeMap::new(),
            },
            memory_mib: Some(1024),
            kernel: "6.0".to_owned(),
            sysctls: [("net/core/somaxconn".to_owned(), Some("4096".to_owned()))].into(),
            limits: [("open files".to_owned(), Some("1024".to_owned()))].into(),
            code: Code {
                revision: Some("0123456789abcdef".to_owned()),
                modified: Some(false),
                lock_sha256: None,
            },
            tools: [("rustc".to_owned(), Some("rustc 1.95.0".to_owned()))].into(),
            required: BTreeMap::new(),
            start: None,
            rehearsal: false,
            programs: BTreeMap::new(),
        }
    }

    /// A run of two rows and the twin under `mixed`, as it would be recorded: one row four times as slow as the other, one
    /// invalid trial that was repeated, one censored tail.
    fn contents() -> Contents {
        let here = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let names = ["work-stealing", "rayon-offload"].map(str::to_owned);
        let rows = Registry::read(&here.join("servers.toml")).unwrap().select(Asked::Named(&names)).unwrap();
        let scenarios = Scenarios::read(&here.join("scenarios"))
            .unwrap()
            .select(Asked::Named(&["mixed".to_owned()]))
            .unwrap();
        let plan = RunPlan { rows, with: Vec::new(), scenarios, trials: 6, seed: 7 };
        let mut trials = Vec::new();
        for block in 0..6 {
            for (row, twin, simple_us) in [
                ("work-stealing", false, 12_000),
                ("rayon-offload", false, 3_000),
                ("work-stealing", true, 12_050),
            ] {
                // A spread of some permille, different for each row, so that there is something to estimate.
                let simple_us = simple_us + 7 * ((block as u64 * 5 + u64::from(twin) * 3 + simple_us) % 11);
                trials.push(trial(row, twin, block, simple_us));
            }
        }
        let mut invalid = trials[0].clone();
        invalid.verdict = Verdict::Invalid { reasons: vec!["the generator waited".to_owned()] };
        trials.insert(0, invalid);
        Contents {
            environment: environment(),
            run: RunRecord {
                plan,
                skipped: Vec::new(),
                conformance: Some(conformance()),
                calibration: calibration(),
                failures: vec![Failure { what: "fork-per-core".to_owned(), reason: "no program".to_owned() }],
                interrupted: false,
                time: TimeSpent::default(),
            },
            trials,
        }
    }

    /// As the two rows might have been verified, with what a native one would add.
    fn conformance() -> Conformance {
        let row = |name: &str, tier, status, passed| RowConformance {
            row: name.to_owned(),
            tier,
            status,
            must: Score { passed, all: 210 },
            should: Score { passed: 20, all: 20 },
            may: Score { passed: 1, all: 2 },
            skipped: 0,
            deviations: Vec::new(),
        };
        let deviations = vec![Deviation {
            why: "no chunked bodies".to_owned(),
            cases: vec!["a chunk a byte".to_owned(), "trailers".to_owned()],
        }];
        Conformance::Verified {
            rows: vec![
                row("work-stealing", Tier::Controlled, Status::Holds, 210),
                row("rayon-offload", Tier::Controlled, Status::Broken, 209),
                RowConformance { deviations, ..row("actix", Tier::Native, Status::Holds, 208) },
                row("ceiling", Tier::Calibration, Status::NotVerified, 0),
            ],
        }
    }

    fn trial(row: &str, twin: bool, block: usize, simple_us: u64) -> TrialRecord {
        let mut measured = sound();
        measured.server.cpu_ns = 1_200_000_000;
        measured.streams[0].response = always(simple_us);
        measured.streams[0].observed = always(simple_us);
        let mut complex = measured.streams[0].clone();
        complex.name = "complex".to_owned();
        complex.offered_per_second = Some(240.0);
        complex.response = always(20_000);
        measured.streams.push(complex);
        TrialRecord {
            twin,
            tier: Tier::Controlled,
            cpus: CpuPlan {
                placement: Placement::Shared,
                server: "0-1".parse().unwrap(),
                generator: "0".parse().unwrap(),
            },
            verdict: Verdict::Valid { generator_bound: false },
            measured: Some(measured),
            ..failed("mixed", row, block)
        }
    }

    #[test]
    fn a_report_says_what_its_records_say() {
        insta::assert_snapshot!(markdown(&contents()));
    }

    #[test]
    fn a_run_that_was_not_verified_says_so_where_its_tables_are_read() {
        let mut contents = contents();
        contents.run.conformance = Some(Conformance::Unverified);
        let text = markdown(&contents);
        let said = text.find("**The rows were not verified").expect("it says so");
        assert!(said < text.find("\n## mixed").unwrap(), "{text}");
        assert!(!text.contains("## Conformance"), "{text}");
    }

    #[test]
    fn a_record_of_before_rows_were_verified_reads_as_it_did() {
        let mut contents = contents();
        contents.run.conformance = None;
        let text = markdown(&contents);
        assert!(!text.contains("verified") && !text.contains("Conformance"), "{text}");
        let record = serde_json::to_string(&contents.run).unwrap();
        let back: RunRecord = serde_json::from_str(&record).unwrap();
        assert_eq!(back.conformance, None);
    }

    #[test]
    fn without_records_a_report_claims_nothing() {
        let mut contents = contents();
        contents.trials.clear();
        let text = markdown(&contents);
        assert!(text.contains("No trial was finished."), "{text}");
        assert!(!text.contains("rank"), "{text}");
    }

    #[test]
    fn a_terminal_is_shown_the_tables_without_the_host() {
        let text = markdown(&contents());
        let shown = for_terminal(&text);
        assert!(shown.starts_with("## mixed") && shown.contains("| rayon-offload"), "{shown}");
        assert!(!shown.contains("## The host"), "{shown}");
    }
}
