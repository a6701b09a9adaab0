//! What parts of a load left in a folder, as `harness merge` reads it: corrected by their clocks, and refused where it is not whole.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    load_command::{ended, json as read},
    parts::{merged, part, url},
};

/// A folder in which two parts gathered, one of which goes by the clock of the other.
fn gathered() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (gathered, url) = (folder.path().join("gathered"), url());
    let first = part(&url, &gathered, "0/2", &[]);
    let second = part(&url, &gathered, "1/2", &["--clock-offset", "1s,1ms"]);
    for part in [first, second] {
        let (code, stdout, stderr) = ended(part);
        assert_eq!(code, 0, "{stdout}{stderr}");
    }
    (folder, gathered)
}

/// Changes a record of a part.
fn change(folder: &Path, file: &str, change: impl FnOnce(&mut Value)) {
    let path = folder.join(file);
    let mut record = read(&path);
    change(&mut record);
    fs::write(path, record.to_string()).unwrap();
}

#[test]
fn windows_are_corrected_by_the_clocks_and_what_is_not_whole_is_not_merged() {
    let (folder, gathered) = gathered();
    let (code, stdout, stderr) = merged(&[gathered.to_str().unwrap()]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    assert!(stdout.contains("clocks are known within 1.000 ms"), "{stdout}");

    let later = |record: &mut Value, by_s: f64| {
        record["opened_s"] = json!(record["opened_s"].as_f64().unwrap() + by_s);
    };
    let host = race::records::environment::host_name();
    type Change<'a> = &'a dyn Fn(&Path);
    let changes: [(Change<'_>, i32, String); 10] = [
        (
            &|to: &Path| change(to, "part-1.json", |record| later(record, 0.2)),
            1,
            "warning: part 1 began so late".into(),
        ),
        (
            &|to: &Path| change(to, "part-1.json", |record| later(record, 2.0)),
            1,
            "error: part 0 ended 1.".into(),
        ),
        (
            &|to: &Path| fs::remove_file(to.join("part-1.json")).unwrap(),
            1,
            format!("error: part 1 on {host} of 2 left no result"),
        ),
        (
            &|to: &Path| fs::remove_file(to.join("plan.json")).unwrap(),
            2,
            " holds no plan.json: name the folder".into(),
        ),
        (
            &|to: &Path| {
                fs::copy(to.join("part-1.json"), to.join("part-1 (copy).json")).unwrap();
            },
            1,
            "error: part 1 is there twice, as part-1 (copy).json and part-1.json".into(),
        ),
        (
            &|to: &Path| change(to, "part-1.json", |record| record["part"] = json!(2)),
            1,
            "error: part-1.json says that it is part 2 of 2, and the plan has 2".into(),
        ),
        (
            &|to: &Path| change(to, "part-1.json", |record| record["plan_sha256"] = json!("0")),
            1,
            "error: part-1.json is of another plan than plan.json".into(),
        ),
        (
            &|to: &Path| change(to, "part-1.json", |record| record["token"] = json!("0")),
            1,
            "error: part-1.json is of another load of the same plan than plan.json".into(),
        ),
        (
            &|to: &Path| change(to, "plan.json", |record| record["seed"] = json!(1)),
            1,
            " is not the plan that its hash says".into(),
        ),
        (
            &|to: &Path| {
                fs::copy(to.join("part-0.hlog"), to.join("part-1.hlog")).unwrap();
            },
            1,
            "error: part-1.hlog is not the log that part 1 left".into(),
        ),
    ];
    for (number, (change, expected_code, expected)) in changes.into_iter().enumerate() {
        let copy = folder.path().join(format!("changed-{number}"));
        fs::create_dir(&copy).unwrap();
        for entry in fs::read_dir(&gathered).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
        }
        change(&copy);
        let (code, _, stderr) = merged(&[copy.to_str().unwrap()]);
        assert_eq!(code, expected_code, "{expected}: {stderr}");
        assert!(stderr.contains(&expected) && stderr.lines().count() == 1, "{expected} is not in:\n{stderr}");
    }
    let own = gathered.join("part-0.hlog");
    let (code, _, stderr) = merged(&[gathered.to_str().unwrap(), "-o", own.to_str().unwrap()]);
    assert!(code == 2 && stderr.contains("is one of the logs to be merged"), "{code}: {stderr}");
}

#[test]
fn parts_without_a_common_folder_are_merged_once_somebody_brought_them_together() {
    let folder = tempfile::tempdir().unwrap();
    let url = url();
    let start = jiff::Timestamp::now().checked_add(Duration::from_secs(3)).unwrap().to_string();
    let own = |which: &str| folder.path().join(which.replace('/', "-of-"));
    let more = ["--apart", "--seed", "7", "--start-at", &start];
    let parts = ["0/2", "1/2"].map(|which| part(&url, &own(which), which, &more));
    let together = folder.path().join("together");
    fs::create_dir(&together).unwrap();
    for (part, which) in parts.into_iter().zip(["0/2", "1/2"]) {
        let (code, stdout, stderr) = ended(part);
        assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
        let (code, _, stderr) = merged(&[own(which).to_str().unwrap()]);
        assert!(code == 1 && stderr.contains(" of 2 left no result in "), "{code}: {stderr}");
        for entry in fs::read_dir(own(which)).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), together.join(entry.file_name())).unwrap();
        }
    }
    let (code, stdout, stderr) = merged(&[together.to_str().unwrap()]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    assert!(stdout.contains("\n/simple.response: 150 values\n"), "{stdout}");

    let (code, _, stderr) = ended(part(&url, &own("0/2"), "0/2", &more));
    assert!(code == 2 && stderr.starts_with("error: part 0 came to "), "{code}: {stderr}");
    let (code, _, stderr) = ended(part(&url, &own("other"), "0/2", &["--apart"]));
    assert!(code == 2 && stderr.contains("--seed") && stderr.contains("--start-at"), "{code}: {stderr}");
}
