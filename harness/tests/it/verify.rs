//! The real `harness verify`, and the gate before a race, against servers that keep the contract and one that does not.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use crate::rows::FACTORS;
use crate::support::finish;
use serde_json::Value;

/// A suite takes seconds, and up to eight are played on a busy machine.
const PATIENCE: Duration = Duration::from_secs(240);

/// A checkout of this test alone: registry, one scenario, and what the harness keeps.
struct Checkout {
    folder: tempfile::TempDir,
    server: PathBuf,
}

/// A row: its name, its tier, the fault of its server, and the cases that are listed as deviations.
type RowOf<'a> = (&'a str, &'a str, &'a str, &'a [String]);

impl Checkout {
    fn with_rows(rows: &[RowOf<'_>]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("harness/scenarios")).unwrap();
        let scenario = "question = 'Does it work?'\nplacement = 'shared'\nwarm_up = '50ms'\nwindow = '200ms'\n\
                        timeout = '1s'\nrank = { stream = 'simple', by = 'p99' }\n[[stream]]\nname = 'simple'\n\
                        operation = 'simple'\nconnections = 4\n\
                        pacing = { kind = 'poisson', rate = { per_second = 200.0 } }\n";
        fs::write(folder.path().join("harness/scenarios/open.toml"), scenario).unwrap();
        // The example of this package, which cargo builds beside its tests; a copy, so that it can become another.
        let own = std::env::current_exe().unwrap();
        let example = own.parent().and_then(Path::parent).unwrap().join("examples/faulty_server");
        let server = folder.path().join("server");
        fs::copy(example, &server).unwrap();
        let checkout = Self { folder, server };
        checkout.list(rows);
        checkout
    }

    /// Writes the registry.
    fn list(&self, rows: &[RowOf<'_>]) {
        let table = |(name, tier, fault, deviations): &RowOf<'_>| {
            let mut table = format!(
                "[[row]]\nname = '{name}'\nabout = 'a model'\ntier = '{tier}'\ncommand = ['{}', '{fault}']\n{FACTORS}",
                self.server.display()
            );
            if !deviations.is_empty() {
                let cases: Vec<String> = deviations.iter().map(|case| format!("{case:?}")).collect();
                let cases = cases.join(", ");
                table += &format!("[[row.deviations]]\nwhy = 'takes any Host'\ncases = [{cases}]\n");
            }
            table
        };
        fs::write(self.path("harness/servers.toml"), rows.iter().map(table).collect::<String>()).unwrap();
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Runs the harness in this checkout.
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = host::tether::command(env!("CARGO_BIN_EXE_harness"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap(), PATIENCE)
    }

    /// Runs `verify`; its exit code and the JSON that it exports.
    fn verify(&self, arguments: &[&str]) -> (i32, Value) {
        let export = self.path("verified.json");
        let output = self.run(&[&["verify", "--export-json", export.to_str().unwrap()], arguments].concat());
        let code = output.status.code().unwrap();
        let text = fs::read(&export).unwrap_or_else(|error| panic!("{error}: {}", all(&output)));
        fs::remove_file(&export).unwrap();
        (code, serde_json::from_slice(&text).unwrap())
    }
}

fn all(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// The cases of a row that are findings, with their kinds.
fn findings(row: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = row["judgement"]["findings"].as_array().unwrap();
    findings.iter().map(|finding| (text(&finding["case"]), text(&finding["kind"]))).collect()
}

#[test]
fn a_native_row_deviates_exactly_as_it_is_listed() {
    let fault = "omits-allow";
    let checkout = Checkout::with_rows(&[("row", "native", fault, &[])]);
    let (code, json) = checkout.verify(&[]);
    assert_eq!((code, &json["rows"][0]["status"]), (1, &Value::from("broken")), "unlisted");
    let unlisted = findings(&json["rows"][0]);
    let allow = ("POST to simple is 405".to_owned(), "fail".to_owned());
    assert!(unlisted.contains(&allow), "{unlisted:?}");

    // The outcomes are known, and judged afresh by what is listed now.
    let mut listed: Vec<String> = unlisted.into_iter().map(|(case, _)| case).collect();
    checkout.list(&[("row", "native", fault, &listed)]);
    let (code, json) = checkout.verify(&[]);
    assert_eq!((code, &json["rows"][0]["status"]), (0, &Value::from("holds")), "listed");
    assert_eq!(json["rows"][0]["cached"], true);

    listed.push("simple gives the sum of 0..1000".to_owned());
    checkout.list(&[("row", "native", fault, &listed)]);
    let (code, json) = checkout.verify(&[]);
    assert_eq!(code, 1, "no longer");
    let gone = ("simple gives the sum of 0..1000".to_owned(), "no_longer".to_owned());
    assert_eq!(findings(&json["rows"][0]), [gone]);
    // A failure is never taken from an earlier time.
    assert_eq!(json["rows"][0]["cached"], false);
}

#[test]
fn the_suite_is_played_once_for_each_binary_and_again_if_asked() {
    let checkout = Checkout::with_rows(&[("row", "reference", "right", &[])]);
    let is_cached = |arguments: &[&str]| {
        let (code, json) = checkout.verify(arguments);
        assert_eq!(code, 0, "{:?}", findings(&json["rows"][0]));
        json["rows"][0]["cached"].as_bool().unwrap()
    };
    assert!(!is_cached(&[]), "nothing is known yet");
    assert!(is_cached(&[]), "the same binary");
    assert!(!is_cached(&["--fresh"]), "asked for");

    let mut binary = fs::OpenOptions::new().append(true).open(&checkout.server).unwrap();
    binary.write_all(b"\n").unwrap();
    drop(binary);
    assert!(!is_cached(&[]), "another binary");
}

#[test]
fn every_row_has_a_line_and_what_is_to_be_seen_stands_below() {
    let checkout = Checkout::with_rows(&[
        ("right", "controlled", "right", &[]),
        ("host", "controlled", "takes-missing-host", &[]),
        ("null", "calibration", "right", &[]),
    ]);
    let output = checkout.run(&["verify"]);
    assert_eq!(output.status.code(), Some(1), "{}", all(&output));
    let table = String::from_utf8(output.stdout).unwrap();
    let mut settings = insta::Settings::clone_current();
    // The suite grows, and so does its number of cases.
    settings.add_filter(r" +\d+/\d+ ", " N/N ");
    settings.add_filter(r"-{7,}", "-----");
    settings.add_filter(r"MUST +\|", "MUST |");
    settings.add_filter(r"\d+ of \d+ cases", "N of N cases");
    settings.add_filter(r"(?m)^  (DESYNC|FAIL|WARN|DIFFERS) .*\n", "  <a finding>\n");
    settings.add_filter(r"(  <a finding>\n)+", "  <findings>\n");
    settings.bind(|| insta::assert_snapshot!("table", table));
}

#[test]
fn a_row_that_does_not_keep_the_contract_is_not_raced() {
    let checkout =
        Checkout::with_rows(&[("fine", "reference", "right", &[]), ("wrong", "native", "omits-allow", &[])]);
    let bench = |out: &str, arguments: &[&str]| {
        checkout.run(&[&["bench", "--starts", "1", "--rounds", "1", "--out", out], arguments].concat())
    };
    let output = bench("out", &[]);
    assert_eq!(output.status.code(), Some(1), "{}", all(&output));
    assert!(all(&output).contains("error: wrong is not raced: it does not conform"), "{}", all(&output));
    let raced = |out: &str| {
        let measurements = race::records::reading::read(&checkout.path(out).join("windows.jsonl")).unwrap();
        let windows = measurements.complete.into_iter().flat_map(|start| start.windows);
        let mut rows: Vec<String> = windows.map(|window| window.row).collect();
        rows.dedup();
        rows
    };
    assert_eq!(raced("out"), ["fine"]);
    let report = fs::read_to_string(checkout.path("out/report.md")).unwrap();
    assert!(report.contains("- wrong: not raced: it does not conform"), "{report}");
    let deviations = fs::read_to_string(checkout.path("out/deviations.md")).unwrap();
    assert!(deviations.contains("**Not raced, because it does not hold.**"), "{deviations}");
    assert!(!report.contains("not verified"), "{report}");
    let run: Value = serde_json::from_slice(&fs::read(checkout.path("out/run.json")).unwrap()).unwrap();
    let status = |row: usize| run["conformance"]["rows"][row]["status"].clone();
    assert_eq!((status(0), status(1)), (Value::from("holds"), Value::from("broken")));
    assert_eq!(checkout.run(&["check", "out"]).status.code(), Some(0));

    // Nobody is left.
    let output = bench("nobody", &["--only", "wrong"]);
    assert_eq!(output.status.code(), Some(1), "{}", all(&output));
    assert!(all(&output).contains("error: no row is left to race"), "{}", all(&output));
    assert!(raced("nobody").is_empty());

    // Raced all the same, and marked.
    let output = bench("unverified", &["--only", "wrong", "--unverified"]);
    assert_eq!(output.status.code(), Some(0), "{}", all(&output));
    assert_eq!(raced("unverified"), ["wrong"]);
    let report = fs::read_to_string(checkout.path("unverified/report.md")).unwrap();
    assert!(report.contains("**The rows were not verified:"), "{report}");
}

#[test]
fn wrong_names_are_answered_with_the_nearest() {
    let checkout = Checkout::with_rows(&[("right", "reference", "right", &[])]);
    let output = checkout.run(&["verify", "rihgt"]);
    assert_eq!(output.status.code(), Some(2), "{}", all(&output));
    assert!(all(&output).contains("did you mean `right`?"), "{}", all(&output));

    let misspelt = ["a missing Host is refsued".to_owned()];
    checkout.list(&[("right", "reference", "right", &misspelt)]);
    let output = checkout.run(&["verify"]);
    assert_eq!(output.status.code(), Some(2), "{}", all(&output));
    assert!(all(&output).contains("did you mean `a missing Host is refused`?"), "{}", all(&output));
}

#[test]
fn a_row_that_cannot_be_started_does_not_hold_and_the_export_is_whole() {
    let checkout = Checkout::with_rows(&[("row", "native", "unheard-of", &[])]);
    let (code, json) = checkout.verify(&[]);
    assert_eq!(code, 1);
    assert_eq!(json["holds"], false);
    let error = json["rows"][0]["error"].as_str().unwrap();
    assert!(error.contains("usage: faulty_server"), "{error}");
    assert!(!checkout.path("target/verified").exists(), "nothing was found that could be kept");
}

#[test]
fn what_a_given_server_does_not_pass_is_found_and_a_wrong_answer_bars_it() {
    let checkout = Checkout::with_rows(&[("row", "reference", "right", &[])]);
    let given = |fault: &str| format!("name=mine,cmd='{}' {fault}", checkout.server.display());
    let (code, json) = checkout.verify(&["row", "--with", &given("omits-allow")]);
    assert_eq!((code, &json["rows"][1]["status"]), (0, &Value::from("holds")), "{json:#}");
    let found = json["rows"][1]["judgement"]["deviations"][0]["cases"].as_array().unwrap();
    assert!(found.contains(&Value::from("POST to simple is 405")), "{found:?}");
    let (code, json) = checkout.verify(&["row", "--with", &given("adds-one-to-sums")]);
    assert_eq!((code, &json["rows"][1]["status"]), (1, &Value::from("broken")));
    assert!(json["rows"][1]["error"].as_str().unwrap().contains("answers wrongly"), "{json:#}");
}

#[test]
fn failing_cases_are_printed_as_the_tables_that_list_them() {
    let checkout = Checkout::with_rows(&[("row", "native", "omits-allow", &[])]);
    let output = checkout.run(&["verify", "row", "--list-deviations"]);
    assert_eq!(output.status.code(), Some(0), "{}", all(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("[[deviations]]") && text.contains("\"POST to simple is 405\", # MUST"), "{text}");

    // With their reasons, they are what the row needs to hold.
    fs::write(checkout.path("harness/row.toml"), text.replace("why = \"\"", "why = \"no Allow\"")).unwrap();
    let registry = checkout.path("harness/servers.toml");
    let rows = fs::read_to_string(&registry).unwrap();
    fs::write(&registry, rows + "deviations_file = 'row.toml'\n").unwrap();
    let (code, json) = checkout.verify(&["row"]);
    assert_eq!((code, &json["rows"][0]["status"]), (0, &Value::from("holds")), "{json:#}");
}
