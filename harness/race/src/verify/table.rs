//! What `harness verify` prints and exports.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};
use serde::Serialize;

use super::{
    agree::Compared,
    gate::Verified,
    judgement::{Finding, Judgement, shown_source},
    play::PlayedCase,
    verdict::RowVerdict,
};
use crate::{records::conformance::Status, registry::Tier};

/// Raised when a field of the JSON changes its meaning.
const SCHEMA: u32 = 1;

/// One line a row.
pub fn table(verified: &Verified) -> String {
    let mut table = Table::new();
    let header = ["row", "tier", "MUST", "SHOULD", "MAY", "skipped", "deviations", "suite", "verdict"];
    table.load_style(ASCII_MARKDOWN).set_header(header);
    for row in &verified.rows {
        let of =
            |figure: fn(&Judgement) -> String| row.judgement.as_ref().map_or_else(|| "-".to_owned(), figure);
        let suite = match (&row.judgement, row.cached) {
            (None, _) => "-",
            (Some(_), true) => "cached",
            (Some(_), false) => "played",
        };
        table.add_row([
            row.row.clone(),
            row.tier.to_string(),
            of(|judgement| judgement.must.to_string()),
            of(|judgement| judgement.should.to_string()),
            of(|judgement| judgement.may.to_string()),
            of(|judgement| judgement.skipped.to_string()),
            of(|judgement| judgement.deviations.iter().map(|d| d.cases.len()).sum::<usize>().to_string()),
            suite.to_owned(),
            row.status().to_string(),
        ]);
    }
    for column in 2..7 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// The verdicts in colour, for a terminal.
pub fn coloured(table: &str) -> String {
    [("holds", "\x1b[32m"), ("DOES NOT HOLD", "\x1b[1;31m")]
        .into_iter()
        .fold(table.to_owned(), |text, (word, colour)| {
            text.replace(&format!("| {word}"), &format!("| {colour}{word}\x1b[0m"))
        })
}

/// What is said below the table: the findings of each row, every case if `all_cases`, and how much was compared.
pub fn remarks(verified: &Verified, all_cases: bool) -> String {
    let mut text = String::new();
    for row in &verified.rows {
        let said = remarks_on(row, all_cases);
        if !said.is_empty() {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{}\n{said}", row.row);
        }
    }
    text.push_str(&comparison(&verified.compared));
    if verified.interrupted {
        text.push_str("interrupted: some rows were not verified\n");
    }
    text
}

fn remarks_on(row: &RowVerdict, all_cases: bool) -> String {
    let mut text = String::new();
    if let Some(error) = &row.error {
        let _ = writeln!(text, "  {error}");
    } else if row.status() == Status::NotVerified {
        let _ = writeln!(text, "  {NOT_VERIFIED}");
    }
    for Finding { kind, case, level, source, detail, breaks } in row.findings() {
        let mark = if *breaks { "" } else { " (allowed: enough of SHOULD pass)" };
        let level = level.to_string().to_uppercase();
        let _ = writeln!(text, "  {kind} {level} {case} ({}): {detail}{mark}", shown_source(source));
    }
    for deviation in row.judgement.iter().flat_map(|judgement| &judgement.deviations) {
        let _ = writeln!(text, "  deviates: {}: {}", deviation.why, deviation.cases_in_short());
    }
    if all_cases {
        let widest = row.cases.iter().map(|case| case.name.len()).max().unwrap_or(0);
        for PlayedCase { name, level, source, verdict, detail, .. } in &row.cases {
            let line = format!("  {verdict}  {level:<6}  {source:<16}  {name:<widest$}  {detail}");
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }
    text
}

/// Why a row of tier calibration has no verdict.
const NOT_VERIFIED: &str = "of tier calibration: not held to the contract, and never ranked";

fn comparison(compared: &Compared) -> String {
    let Compared { with, rows, cases, all } = compared;
    match with {
        Some(with) => format!(
            "Compared byte for byte with {with}: {}; {cases} of {all} cases can be compared.\n",
            rows.join(", ")
        ),
        None => "No two controlled rows were compared with each other.\n".to_owned(),
    }
}

/// The JSON document.
#[derive(Debug, Serialize)]
pub struct Export<'a> {
    schema: u32,
    holds: bool,
    interrupted: bool,
    suite_sha256: &'a str,
    compared: &'a Compared,
    rows: Vec<ExportRow<'a>>,
}

#[derive(Debug, Serialize)]
struct ExportRow<'a> {
    row: &'a str,
    tier: Tier,
    status: Status,
    cached: bool,
    error: Option<&'a str>,
    judgement: Option<&'a Judgement>,
    cases: &'a [PlayedCase],
}

impl<'a> Export<'a> {
    /// All that is known.
    pub fn of(verified: &'a Verified) -> Self {
        let row = |row: &'a RowVerdict| ExportRow {
            row: &row.row,
            tier: row.tier,
            status: row.status(),
            cached: row.cached,
            error: row.error.as_deref(),
            judgement: row.judgement.as_ref(),
            cases: &row.cases,
        };
        Self {
            schema: SCHEMA,
            holds: verified.holds(),
            interrupted: verified.interrupted,
            suite_sha256: &verified.suite_sha256,
            compared: &verified.compared,
            rows: verified.rows.iter().map(row).collect(),
        }
    }
}
