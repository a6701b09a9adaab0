//! Publishing is on purpose: what speaks against a run is said, and nothing is published by being there.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Output};

use race::{
    fixtures::{
        of_streams,
        run::{Wanted, default_rows, rows, run, scenario, write},
        spread, stream,
    },
    plan::scenario::Scenario,
    records::{environment::sha256_of, folder::Contents, log::SCHEMA, window::Measured},
    registry::Row,
};
use serde_json::Value;
use tempfile::TempDir;

/// A checkout that has one run in results/, made up and reported on.
struct Checkout {
    folder: TempDir,
}

const RUN: &str = "2026-11-21-host";

/// A window of any scenario: one row is four times as fast as the others.
fn measured(wanted: Wanted<'_>) -> Measured {
    let us = if wanted.entry.row.name == "rayon-offload" { 300 } else { 1_200 };
    let by_chance = (wanted.start * 5 + wanted.round * 3 + usize::from(wanted.entry.twin) * 2) % 11;
    let streams = wanted.scenario.streams.iter();
    let streams = streams.map(|of| stream(&of.name, 1.0, &spread(us + 4 * by_chance as u64, 400)));
    of_streams(1.0, streams.collect())
}

/// A run of 6 starts of `rows`.
fn made_up(rows: Vec<Row>, scenarios: Vec<Scenario>) -> Contents {
    run(rows, scenarios, 6, measured)
}

impl Checkout {
    fn new() -> Self {
        let rows = rows(&["work-stealing", "rayon-offload", "ceiling"]);
        Self::with(&made_up(rows, vec![scenario("simple-latency", 2), scenario("mixed", 1)]))
    }

    fn with(contents: &Contents) -> Self {
        let checkout = Self { folder: TempDir::new().unwrap() };
        fs::create_dir_all(checkout.path("harness")).unwrap();
        fs::write(checkout.path("harness/servers.toml"), "").unwrap();
        let readme = "# A page\n\n<!-- results: made by `cargo harness report --publish` -->\n<!-- end of results -->\n\nMore.\n";
        fs::write(checkout.path("README.md"), readme).unwrap();
        write(contents, &checkout.run()).unwrap();
        let path = checkout.run().to_str().unwrap().to_owned();
        let output = checkout.harness(&["report", &path]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        checkout
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self) -> PathBuf {
        self.path("results").join(RUN)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Changes the lines of the run's log.
    fn edit_log(&self, change: impl FnOnce(Vec<&str>) -> Vec<String>) {
        let path = self.run().join("windows.jsonl");
        let text = fs::read_to_string(&path).unwrap();
        let lines = change(text.lines().collect());
        fs::write(path, lines.join("\n") + "\n").unwrap();
    }

    /// Changes one of the run's JSON files.
    fn edit(&self, file: &str, change: impl FnOnce(&mut Value)) {
        let path = self.run().join(file);
        let mut value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut value);
        fs::write(path, serde_json::to_vec_pretty(&value).unwrap()).unwrap();
    }

    fn harness(&self, arguments: &[&str]) -> Output {
        let mut command = host::tether::command(env!("CARGO_BIN_EXE_harness"));
        command.args(arguments).current_dir(self.folder.path()).output().unwrap()
    }

    /// The one line of a refusal.
    fn refused(&self, arguments: &[&str], code: i32) -> String {
        let output = self.harness(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(!self.path("results/published.toml").exists(), "it was published: {said}");
        said
    }

    fn published(&self, arguments: &[&str]) {
        let output = self.harness(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_page_that_is_a_link_stays_one_and_keeps_its_mode_and_its_neighbours() {
    let checkout = Checkout::new();
    let (readme, elsewhere) = (checkout.path("README.md"), checkout.path("pages/README.md"));
    fs::create_dir(checkout.path("pages")).unwrap();
    fs::rename(&readme, &elsewhere).unwrap();
    fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("pages/README.md", &readme).unwrap();
    fs::write(checkout.path("pages/README.unfinished"), "mine").unwrap();
    checkout.published(&["report", "--publish", RUN]);
    assert!(fs::symlink_metadata(&readme).unwrap().is_symlink());
    assert_eq!(fs::metadata(&elsewhere).unwrap().permissions().mode() & 0o7777, 0o640);
    assert!(checkout.read("pages/README.md").contains("| if you want "));
    assert_eq!(checkout.read("pages/README.unfinished"), "mine");
}

#[test]
fn a_published_run_makes_the_pages_and_check_holds_all_of_them_to_it() {
    let checkout = Checkout::new();
    checkout.published(&["report", "--publish", RUN]);
    let readme = checkout.read("README.md");
    assert!(readme.starts_with("# A page\n") && readme.ends_with("\nMore.\n"), "{readme}");
    assert!(
        readme.contains("| if you want ") && readme.contains("results/2026-11-21-host/report.md"),
        "{readme}"
    );
    assert!(checkout.read("results/.gitignore").contains("!/2026-11-21-host/\n"));
    checkout.published(&["check"]);
    for page in [
        "README.md",
        "results/README.md",
        "results/.gitignore",
        "results/2026-11-21-host/report.md",
        "results/2026-11-21-host/summary.md",
        "results/2026-11-21-host/deviations.md",
        "results/2026-11-21-host/tables/choices.csv",
        "results/2026-11-21-host/tables/mixed.figures.csv",
        "results/2026-11-21-host/hdr/mixed.work-stealing.hlog",
        "results/2026-11-21-host/schema/windows.json",
    ] {
        let right = checkout.read(page);
        fs::write(checkout.path(page), right.replace("work-stealing", "work-staeling") + "\n!").unwrap();
        let output = checkout.harness(&["check"]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{page}: {said}");
        assert!(said.contains(page), "{page}: {said}");
        fs::write(checkout.path(page), right).unwrap();
    }
    checkout.published(&["check"]);
}

#[test]
fn the_generated_part_of_a_page_is_short_and_narrow() {
    let scenarios = ["simple-throughput", "simple-latency", "mixed"].map(|name| scenario(name, 1));
    let checkout = Checkout::with(&made_up(default_rows(), scenarios.into()));
    checkout.published(&["report", "--publish", RUN]);
    let readme = checkout.read("README.md");
    let begin = readme.find("<!-- results").unwrap();
    let end = readme.find("<!-- end of results").unwrap();
    let generated: Vec<&str> = readme[begin..end].lines().collect();
    assert!(generated.len() <= 30, "{} lines", generated.len());
    let widest = generated.iter().map(|line| line.chars().count()).max().unwrap();
    assert!(widest <= 110, "{widest} columns");
}

#[test]
fn a_published_run_is_held_to_its_records_and_made_again_with_all_others() {
    let checkout = Checkout::new();
    checkout.published(&["report", "--publish", RUN]);
    let list = checkout.read("results/published.toml");
    assert!(!list.contains("sha256"), "{list}");
    let output = checkout.harness(&["report", "--publish", RUN]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is published already"));
    assert_eq!(checkout.read("results/published.toml"), list);
    // As if the records made another report today.
    checkout.edit("environment.json", |environment| environment["host"] = "elsewhere".into());
    let output = checkout.harness(&["check"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("report.md is not what the records say: run `cargo harness report --publish`"),
        "{said}"
    );
    fs::write(checkout.run().join("tables/of-before.csv"), "").unwrap();
    checkout.published(&["report", "--publish"]);
    assert!(checkout.read("results/2026-11-21-host/report.md").contains("elsewhere"));
    assert!(!checkout.run().join("tables/of-before.csv").exists());
    checkout.published(&["check"]);
}

#[test]
fn a_run_of_an_earlier_schema_keeps_its_pages_and_is_held_to_their_hashes() {
    let checkout = Checkout::new();
    checkout.published(&["report", "--publish", RUN]);
    checkout.edit_log(|lines| of_schema(2, &lines));
    let refused = |arguments: &[&str]| {
        let output = checkout.harness(arguments);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    // Without hashes there is nothing to hold it to.
    let stay = "an earlier harness wrote it, with schema 2, and this one reads schema 3: the run's pages stay as they are";
    assert!(refused(&["check"]).contains("has no hashes of its pages"));
    assert!(refused(&["report", "--publish"]).contains(stay));
    let list = checkout.read("results/published.toml");
    let hash = |page: &str| sha256_of(&checkout.run().join(page)).unwrap();
    let hashes =
        format!("report_sha256 = \"{}\"\nsummary_sha256 = \"{}\"\n", hash("report.md"), hash("summary.md"));
    fs::write(checkout.path("results/published.toml"), list.replace("started =", &(hashes + "started =")))
        .unwrap();
    checkout.published(&["report", "--publish"]);
    checkout.published(&["check"]);
    assert!(!checkout.read("results/README.md").contains("2026-11-21-host/report.html)):"));

    let kept = checkout.read("results/2026-11-21-host/report.md");
    let output = checkout.harness(&["report", checkout.run().to_str().unwrap()]);
    let (printed, said) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success() && printed.contains("## mixed"), "{printed}{said}");
    assert!(said.contains(stay) && said.contains("this is its report as it was published"), "{said}");
    assert_eq!(checkout.read("results/2026-11-21-host/report.md"), kept);
    fs::write(checkout.run().join("report.md"), kept + "\n!").unwrap();
    assert!(refused(&["check"]).contains("report.md is not the one that was published"));
}

/// Makes a run one that something speaks against.
type Change = fn(&Checkout);

#[test]
fn what_speaks_against_a_run_is_said_and_can_be_overruled_by_name() {
    let changes: [(&str, &str, Change); 4] = [
        ("only", "it was narrowed by --only", |checkout| {
            checkout
                .edit("environment.json", |it| it["command"] = "cargo bench-all --only work-stealing".into());
        }),
        ("few-starts", "it has 5 starts of each server, and places need 6", |checkout| {
            checkout.edit("run.json", |it| it["plan"]["starts"] = 5.into());
            let is_last = |line: &&str| line.contains("\"start\":5");
            checkout
                .edit_log(|lines| lines.into_iter().filter(|it| !is_last(it)).map(str::to_owned).collect());
        }),
        ("unverified", "nobody asked whether its rows keep the contract", |checkout| {
            checkout.edit("run.json", |it| it["conformance"] = serde_json::json!({ "kind": "unverified" }));
        }),
        ("dirty-tree", "it was made from a tree with local changes", |checkout| {
            checkout.edit("environment.json", |it| it["code"]["modified"] = true.into());
        }),
    ];
    let all = Checkout::new();
    for (name, reason, change) in changes {
        let checkout = Checkout::new();
        change(&checkout);
        change(&all);
        let said = checkout.refused(&["report", "--publish", RUN], 2);
        assert!(said.contains(reason) && said.contains(&format!("--despite {name}")), "{said}");
        let other = if name == "only" { "dirty-tree" } else { "only" };
        checkout.refused(&["report", "--publish", RUN, "--despite", other], 2);
        checkout.published(&["report", "--publish", RUN, "--despite", name]);
        let page = checkout.read("results/README.md");
        // However its lines are broken.
        let words: Vec<&str> = page.split_whitespace().collect();
        assert!(words.join(" ").contains(&format!("(published despite: {name})")), "{page}");
    }
    let said = all.refused(&["report", "--publish", RUN, "--despite", "unverified"], 2);
    assert!(
        said.contains("narrowed") && !said.contains("nobody asked") && said.contains("local changes"),
        "{said}"
    );
    all.published(&["report", "--publish", RUN, "--despite", "only,few-starts,unverified,dirty-tree"]);
}

#[test]
fn what_is_damaged_partial_or_of_another_schema_is_not_published() {
    let all = "only,few-starts,unverified,dirty-tree";
    let refused = |change: fn(&Checkout)| {
        let checkout = Checkout::new();
        change(&checkout);
        let output = checkout.harness(&["report", "--publish", RUN, "--despite", all]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.lines().count() == 1, "{said}");
        assert!(!checkout.path("results/published.toml").exists(), "{said}");
        said
    };
    let said = refused(|checkout| fs::write(checkout.run().join("run.json"), "{\"plan\"").unwrap());
    assert!(said.contains("damaged") && said.contains("run.json"), "{said}");
    let said = refused(|checkout| fs::remove_file(checkout.run().join("windows.jsonl")).unwrap());
    assert!(said.contains("0 of 6 starts: a part of a run is not published"), "{said}");
    let said = refused(|checkout| checkout.edit("environment.json", |it| it["rehearsal"] = true.into()));
    assert!(said.contains("rehearsal"), "{said}");
    let said = refused(|checkout| checkout.edit_log(|lines| some_windows_changed(&lines)));
    assert!(said.contains("damaged") && said.contains("another SHA-256"), "{said}");
    let said = refused(|checkout| checkout.edit_log(|lines| of_schema(99, &lines)));
    assert!(said.contains("a later harness wrote it, with schema 99"), "{said}");
    let said = refused(|checkout| checkout.edit("run.json", |it| it["interrupted"] = true.into()));
    assert!(said.contains("6 of 6 starts: a part of a run"), "{said}");
    // What a kill leaves: the last start has no end.
    let said = refused(|checkout| {
        checkout.edit_log(|lines| lines[..lines.len() - 1].iter().map(|&line| line.to_owned()).collect());
    });
    assert!(said.contains("5 of 6 starts: a part of a run is not published"), "{said}");
    let said = refused(|checkout| {
        let is_lost =
            |line: &&str| line.contains("\"row\":\"rayon-offload\"") && line.contains("\"round\":1");
        checkout
            .edit_log(|lines| lines.into_iter().filter(|line| !is_lost(line)).map(str::to_owned).collect());
    });
    assert!(said.contains("no window of rayon-offload") && said.contains("nothing says why"), "{said}");
}

fn of_schema(schema: u32, lines: &[&str]) -> Vec<String> {
    let [own, other] = [SCHEMA, schema].map(|schema| format!("\"schema\":{schema},"));
    lines.iter().map(|line| line.replace(&own, &other)).collect()
}

/// Lines whose windows say something else than they were written with.
fn some_windows_changed(lines: &[&str]) -> Vec<String> {
    lines
        .iter()
        .map(|line| line.replace("\"answered_in_window\":400", "\"answered_in_window\":401"))
        .collect()
}

#[test]
fn only_a_run_below_results_can_be_published() {
    let checkout = Checkout::new();
    for wrong in ["nowhere", ".", "results", "../x"] {
        let said = checkout.refused(&["report", "--publish", wrong], 2);
        assert!(said.contains("is no run below"), "{said}");
    }
}
