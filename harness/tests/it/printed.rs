//! What is printed for people, as it is: a change of it is a change to look at.

use std::process::Stdio;

fn printed(arguments: &[&str]) -> String {
    let output = host::tether::command(env!("CARGO_BIN_EXE_harness"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    // What is not installed here is another thing on each machine.
    let depends_on_machine = |line: &&str| {
        // How long a scenario takes goes by the CPUs, where it races numbers of workers.
        ["cannot run here: ", " takes about "].iter().any(|part| line.contains(part))
            || line.starts_with("warning: skipped: ")
    };
    let lines: Vec<&str> = text.lines().filter(|line| !depends_on_machine(line)).collect();
    format!("exit code {}\n{}", output.status.code().unwrap(), lines.join("\n"))
}

#[test]
fn help_teaches_by_example() {
    insta::assert_snapshot!("help", printed(&["--help"]));
    insta::assert_snapshot!("help_bench", printed(&["bench", "--help"]));
    insta::assert_snapshot!("help_generators", printed(&["generators", "--help"]));
    insta::assert_snapshot!("help_verify", printed(&["verify", "--help"]));
    insta::assert_snapshot!("help_show", printed(&["show", "--help"]));
    insta::assert_snapshot!("help_list", printed(&["list", "--help"]));
    insta::assert_snapshot!("help_load", printed(&["load", "--help"]));
}

#[test]
fn the_self_test_says_what_its_verdicts_mean() {
    insta::assert_snapshot!("help_selftest", printed(&["selftest", "--help"]));
    insta::assert_snapshot!("unknown_case", printed(&["selftest", "--case", "mg1"]));
}

#[test]
fn the_rows_and_scenarios_are_listed() {
    insta::assert_snapshot!("list", printed(&["bench", "--list"]));
}

#[test]
fn each_scenario_is_listed_with_what_it_takes() {
    let output = host::tether::command(env!("CARGO_BIN_EXE_harness"))
        .args(["list", "scenarios"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios")).unwrap().count();
    let times: Vec<&str> = text.lines().filter(|line| line.contains(" takes about ")).collect();
    assert_eq!(times.len(), files, "{text}");
    assert!(
        times.iter().filter(|line| line.ends_with("(six starts of the usual rows)")).count() + 2 == files
    );
}

#[test]
fn wrong_arguments_are_answered_with_what_to_do() {
    insta::assert_snapshot!("unknown_row", printed(&["bench", "--only", "work-staeling"]));
    insta::assert_snapshot!("unknown_scenario", printed(&["bench", "--scenario", "mixd"]));
    insta::assert_snapshot!("no_trials", printed(&["bench", "--trials", "6"]));
    insta::assert_snapshot!("no_starts", printed(&["bench", "--starts", "0"]));
    insta::assert_snapshot!("no_registry", printed(&["bench", "--registry", "nowhere.toml"]));
    insta::assert_snapshot!("no_run", printed(&["report", "nowhere"]));
}
