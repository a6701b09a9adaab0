//! Parts that meet, each on a thread, in a real folder.

use std::{
    path::Path,
    thread,
    time::{Duration, SystemTime},
};

use load::Share;
use serde_json::{Value, json};

use super::{
    error::GatherError,
    folder::Folder,
    meeting::{Found, Meeting, Wanted},
    names,
    records::{PartRecord, PlanRecord},
};

/// Longer than any of these waits where all goes well.
const PATIENCE: Duration = Duration::from_secs(30);
/// As long as a wait goes on that is to be in vain.
const IN_VAIN: Duration = Duration::from_millis(200);

const NOBODY: &dyn Fn() -> bool = &|| false;

fn plan(rate: u32) -> Value {
    json!({ "rate": rate, "parts": 3 })
}

fn wanted<'a>(folder: &'a Path, index: u32, plan: &'a Value, within: Duration) -> Wanted<'a> {
    Wanted { folder, part: Share { index, of: 3 }, plan, seed: None, within, share_host: true }
}

fn joined(wanted: &Wanted<'_>) -> Result<Meeting<'static>, GatherError> {
    Meeting::join(wanted, 7 + u64::from(wanted.part.index), NOBODY)
        .map(|meeting| meeting.expect("nobody gives up"))
}

fn found(part: u32) -> Found {
    let report = json!({ "part": part });
    Found { clock: None, opened_s: 1.0, window_s: 2.0, log_sha256: "0".to_owned(), report }
}

/// Each part from its arrival to its end, on a thread of its own.
fn all(
    folder: &Path,
    within: Duration,
    then: impl Fn(u32, &Meeting<'_>) -> Result<bool, GatherError> + Sync,
) -> Vec<Result<bool, GatherError>> {
    let plan = plan(9);
    thread::scope(|scope| {
        // The others come first.
        let threads: Vec<_> = [2, 1, 0]
            .map(|index| {
                let (plan, then) = (&plan, &then);
                scope.spawn(move || then(index, &joined(&wanted(folder, index, plan, within))?))
            })
            .into();
        threads.into_iter().rev().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn parts_that_meet_have_one_seed_and_one_start_and_wait_for_each_others_results() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gathered");
    let starts = std::sync::Mutex::new(Vec::new());
    let ends = all(&path, PATIENCE, |index, meeting| {
        let start = meeting.start(None, SystemTime::now)?.expect("nobody gives up");
        starts.lock().unwrap().push((start, meeting.seed()));
        meeting.deliver(format!("log {index}").as_bytes(), found(index))?;
        meeting.all_delivered(Duration::ZERO)
    });
    assert!(ends.iter().all(|end| matches!(end, Ok(true))), "{ends:?}");
    let starts = starts.into_inner().unwrap();
    assert!(starts.len() == 3 && starts.iter().all(|start| *start == starts[0]), "{starts:?}");
    assert_eq!(starts[0].1, 7, "part 0 draws it");
    let shared = Folder::at(&path);
    let plan: PlanRecord = shared.read(names::PLAN).unwrap().unwrap();
    for part in 0..3 {
        let record: PartRecord = shared.read(&names::result(part)).unwrap().unwrap();
        assert_eq!((record.part, &record.token, &record.plan_sha256), (part, &plan.token, &plan.sha256));
        assert_eq!(std::fs::read_to_string(shared.file(&names::log(part))).unwrap(), format!("log {part}"));
    }
}

#[test]
fn a_part_that_dies_makes_all_others_fail_with_its_name_and_host() {
    let folder = tempfile::tempdir().unwrap();
    let ends = all(folder.path(), Duration::from_secs(2), |index, meeting| {
        meeting.start(None, SystemTime::now)?;
        if index == 1 {
            return Ok(false);
        }
        meeting.deliver(b"log", found(index))?;
        meeting.all_delivered(Duration::ZERO)
    });
    let host = race::records::environment::host_name();
    for part in [0, 2] {
        let error = ends[part].as_ref().unwrap_err().to_string();
        assert!(error.starts_with(&format!("part 1 on {host} left no result within 2s")), "{error}");
    }
}

#[test]
fn a_part_that_gives_up_is_heard_at_once_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let ends = all(folder.path(), PATIENCE, |index, meeting| {
        if index == 2 {
            meeting.fail("the server is gone\nand more");
            return Ok(false);
        }
        let started = meeting.start(None, SystemTime::now);
        if let Err(error) = &started {
            meeting.fail(&error.to_string());
        }
        started?;
        meeting.deliver(b"log", found(index))?;
        meeting.all_delivered(Duration::ZERO)
    });
    for part in [0, 1] {
        let error = ends[part].as_ref().unwrap_err().to_string();
        assert!(error.contains(" failed on ") && error.contains("the server is gone"), "{error}");
        assert!(!error.contains("and more"), "{error}");
    }
}

#[test]
fn who_does_not_come_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(9);
    let first = joined(&wanted(folder.path(), 0, &plan, IN_VAIN)).unwrap();
    let error = first.start(None, SystemTime::now).unwrap_err().to_string();
    assert!(error.starts_with("parts 1, 2 did not come to "), "{error}");
    // To the others there is no difference between a folder that is not shared and one to which nobody came.
    let elsewhere = tempfile::tempdir().unwrap();
    let error = joined(&wanted(elsewhere.path(), 1, &plan, IN_VAIN)).err().unwrap().to_string();
    assert!(error.starts_with("part 0 left no plan in "), "{error}");
}

#[test]
fn a_part_that_is_started_again_fails_and_the_folder_is_used_once() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(9);
    let part = |index| joined(&wanted(folder.path(), index, &plan, PATIENCE));
    let (_first, _second) = (part(0).unwrap(), part(1).unwrap());
    let again = part(1).err().unwrap();
    assert!(again.is_usage() && again.to_string().starts_with("part 1 came to "), "{again}");
    // It is not said to have failed: the one that is there has not.
    assert!(!folder.path().join(names::failed(1)).exists());
    let used = part(0).err().unwrap();
    assert!(used.is_usage() && used.to_string().contains(" holds "), "{used}");
}

#[test]
fn a_part_with_another_plan_or_seed_is_refused_by_both_sides() {
    for (rate, seed, expected) in [(8, None, "rate is 9 and 8"), (9, Some(8), "seed is 7 and 8")] {
        let folder = tempfile::tempdir().unwrap();
        let (own, other) = (plan(9), plan(rate));
        let first = joined(&wanted(folder.path(), 0, &own, PATIENCE)).unwrap();
        let second = joined(&Wanted { seed, ..wanted(folder.path(), 1, &other, PATIENCE) }).err().unwrap();
        assert_eq!(
            second.to_string(),
            format!(
                "part 1 has another plan than part 0: {expected}; start all parts with the same arguments"
            )
        );
        let heard = first.start(None, SystemTime::now).unwrap_err().to_string();
        assert!(heard.starts_with("part 1 failed on ") && heard.contains(expected), "{heard}");
    }
}

#[test]
fn parts_on_one_host_must_be_meant() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(9);
    let part = |index| {
        let wanted = wanted(folder.path(), index, &plan, PATIENCE);
        joined(&Wanted { share_host: false, ..wanted }).unwrap()
    };
    let [first, _second, _third] = [0, 1, 2].map(part);
    let error = first.start(None, SystemTime::now).unwrap_err();
    let host = race::records::environment::host_name();
    assert!(
        error.is_usage() && error.to_string().starts_with(&format!("parts 0 and 1 are both on {host}, ")),
        "{error}"
    );
}

#[test]
fn a_start_that_is_over_is_no_start() {
    let folder = tempfile::tempdir().unwrap();
    let ends = all(folder.path(), PATIENCE, |_, meeting| {
        let started = meeting.start(Some(SystemTime::UNIX_EPOCH), SystemTime::now);
        if let Err(error) = &started {
            meeting.fail(&error.to_string());
        }
        started.map(|start| start.is_some())
    });
    let error = ends[0].as_ref().unwrap_err().to_string();
    assert!(error.starts_with("part 0 learned of the start "), "{error}");
    assert!(ends.iter().all(Result::is_err), "{ends:?}");
}

#[test]
fn whoever_gives_up_waiting_is_let_go() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(9);
    let given_up = || true;
    let none = Meeting::join(&wanted(folder.path(), 1, &plan, PATIENCE), 7, &given_up).unwrap();
    assert!(none.is_none());
    let first = Meeting::join(&wanted(folder.path(), 0, &plan, PATIENCE), 7, &given_up).unwrap().unwrap();
    assert_eq!(first.start(None, SystemTime::now).unwrap(), None);
}
