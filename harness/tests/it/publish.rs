//! Publishing is on purpose: what speaks against a run is said, and nothing is published by being there.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use race::records::record::SCHEMA;
use serde_json::Value;
use tempfile::TempDir;

/// A checkout that has one run in results/, made up from the published one of this checkout.
struct Checkout {
    folder: TempDir,
}

const RUN: &str = "2026-11-21-vm-2";

impl Checkout {
    fn new() -> Self {
        let checkout = Self { folder: TempDir::new().unwrap() };
        fs::create_dir_all(checkout.path("harness")).unwrap();
        fs::write(checkout.path("harness/servers.toml"), "").unwrap();
        let readme = "# A page\n\n<!-- results: made by `cargo harness report --publish` -->\n<!-- end of results -->\n\nMore.\n";
        fs::write(checkout.path("README.md"), readme).unwrap();
        fs::create_dir_all(checkout.run()).unwrap();
        let own = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../results")).join(RUN);
        for file in ["environment.json", "run.json", "trials.jsonl", "report.md"] {
            fs::copy(own.join(file), checkout.run().join(file)).unwrap();
        }
        checkout.as_of_today();
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

    /// Makes the run, which is of an earlier schema, one of this one: nothing is learnt of it that it does not say.
    fn as_of_today(&self) {
        let path = self.run().join("trials.jsonl");
        let text = fs::read_to_string(&path).unwrap();
        let trials = text.lines().map(|line| {
            let mut trial: Value = serde_json::from_str(line).unwrap();
            trial["schema"] = SCHEMA.into();
            for stream in trial["measured"]["streams"].as_array_mut().into_iter().flatten() {
                stream["observed"] = stream["response"].clone();
                stream["timed_by_stamp_and_by_read"] = serde_json::json!([0, stream["right"]]);
            }
            trial.to_string() + "\n"
        });
        let trials: String = trials.collect();
        fs::write(path, trials).unwrap();
        let path = self.run().to_str().unwrap().to_owned();
        let output = self.harness(&["report", &path]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
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
fn a_published_run_makes_the_pages_and_check_holds_all_of_them_to_it() {
    let checkout = Checkout::new();
    checkout.published(&["report", "--publish", RUN]);
    let readme = checkout.read("README.md");
    assert!(readme.starts_with("# A page\n") && readme.ends_with("\nMore.\n"), "{readme}");
    assert!(
        readme.contains("| work-stealing ") && readme.contains("results/2026-11-21-vm-2/report.md"),
        "{readme}"
    );
    assert!(checkout.read("results/.gitignore").contains("!/2026-11-21-vm-2/\n"));
    checkout.published(&["check"]);
    for page in [
        "README.md",
        "results/README.md",
        "results/.gitignore",
        "results/2026-11-21-vm-2/report.md",
        "results/2026-11-21-vm-2/summary.md",
        "results/2026-11-21-vm-2/summary.md",
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
    let checkout = Checkout::new();
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
fn a_published_report_stays_as_it_is() {
    let checkout = Checkout::new();
    checkout.published(&["report", "--publish", RUN]);
    let list = checkout.read("results/published.toml");
    let report = checkout.run().join("report.md");
    let output = checkout.harness(&["report", "--publish", RUN]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is published already"));
    assert_eq!(checkout.read("results/published.toml"), list);
    // Even where the records would make another report today.
    let kept = fs::read_to_string(&report).unwrap();
    checkout.edit("environment.json", |environment| environment["host"] = "elsewhere".into());
    checkout.published(&["report", checkout.run().to_str().unwrap()]);
    assert_eq!(fs::read_to_string(&report).unwrap(), kept);
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
        ("few-trials", "it has 5 trials of each row, and places need 6", |checkout| {
            checkout.edit("run.json", |it| it["plan"]["trials"] = 5.into());
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
        assert!(checkout.read("results/README.md").contains(&format!("(published despite: {name})")));
    }
    let said = all.refused(&["report", "--publish", RUN, "--despite", "unverified"], 2);
    assert!(
        said.contains("narrowed") && !said.contains("nobody asked") && said.contains("local changes"),
        "{said}"
    );
    all.published(&["report", "--publish", RUN, "--despite", "only,few-trials,unverified,dirty-tree"]);
}

#[test]
fn what_is_damaged_partial_or_of_another_schema_is_not_published() {
    let all = "only,few-trials,unverified,dirty-tree";
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
    let said = refused(|checkout| fs::remove_file(checkout.run().join("trials.jsonl")).unwrap());
    assert!(said.contains("damaged") && said.contains("trials.jsonl"), "{said}");
    let said = refused(|checkout| checkout.edit("run.json", |it| it["interrupted"] = true.into()));
    assert!(said.contains("interrupted"), "{said}");
    let said = refused(|checkout| checkout.edit("environment.json", |it| it["rehearsal"] = true.into()));
    assert!(said.contains("rehearsal"), "{said}");
    let said = refused(|checkout| {
        let path = checkout.run().join("trials.jsonl");
        let trials = fs::read_to_string(&path).unwrap();
        let half: Vec<&str> = trials.lines().take(20).collect();
        fs::write(&path, half.join("\n") + "\n").unwrap();
    });
    assert!(said.contains("trials") && said.contains("nothing says why"), "{said}");
    let said = refused(|checkout| {
        let path = checkout.run().join("trials.jsonl");
        let trials = fs::read_to_string(&path).unwrap();
        fs::write(&path, trials.replace("\"schema\":2", "\"schema\":99")).unwrap();
    });
    assert!(said.contains("schema 99"), "{said}");
}

#[test]
fn only_a_run_below_results_can_be_published() {
    let checkout = Checkout::new();
    for wrong in ["nowhere", ".", "results", "../x"] {
        let said = checkout.refused(&["report", "--publish", wrong], 2);
        assert!(said.contains("is no run below"), "{said}");
    }
}
