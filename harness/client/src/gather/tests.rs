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
    meeting::{Found, Meeting},
    names,
    records::{Arrival, PartRecord, PlanRecord},
    wanted::{LEAD, Terms, Wanted},
};
use crate::clock::HostId;

/// Longer than any of these waits where all goes well.
const PATIENCE: Duration = Duration::from_secs(30);
/// As long as a wait goes on that is to be in vain.
const IN_VAIN: Duration = Duration::from_millis(200);

const NOBODY: &dyn Fn() -> bool = &|| false;

fn plan(rate: u32) -> Value {
    json!({ "rate": rate, "parts": 3 })
}

fn wanted<'a>(folder: &'a Path, index: u32, plan: &'a Value, within: Duration) -> Wanted<'a> {
    let terms = Terms { part: Share { index, of: 3 }, within, lead: LEAD, share_host: true, apart: false };
    Wanted { folder, plan, seed: None, terms }
}

fn joined(wanted: &Wanted<'_>) -> Result<Meeting<'static>, GatherError> {
    Meeting::join(wanted, 7 + u64::from(wanted.terms.part.index), NOBODY)
        .map(|meeting| meeting.expect("nobody gives up"))
}

/// Ready, and told of the start.
fn started(meeting: &Meeting<'_>, wanted: Option<SystemTime>) -> Result<Option<SystemTime>, GatherError> {
    meeting.ready(|| ())?;
    meeting.start(wanted, SystemTime::now)
}

fn found(part: u32) -> Found {
    let report = json!({ "part": part });
    Found { clock: None, opened_s: 1.0, window_s: 2.0, is_good: true, log_sha256: "0".to_owned(), report }
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
        let start = started(meeting, None)?.expect("nobody gives up");
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
        started(meeting, None)?;
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
fn a_part_that_gives_no_more_signs_of_life_is_named_while_the_others_are_at_work() {
    let folder = tempfile::tempdir().unwrap();
    let within = Duration::from_secs(2);
    let (plan, shared) = (plan(9), Folder::at(folder.path()));
    let [first, second] = [0, 1].map(|index| joined(&wanted(folder.path(), index, &plan, within)).unwrap());
    // The third came, was ready, and was killed.
    let told: PlanRecord = shared.read(names::PLAN).unwrap().unwrap();
    let host = HostId { name: "node3".to_owned(), boot: String::new() };
    let third = Arrival { token: told.token, part: 2, host, pid: 1 };
    assert!(shared.put_new(&names::arrived(2), &third).unwrap());
    shared.put(&names::alive(2), b"7").unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    for (index, meeting) in [(0, &first), (1, &second)] {
        let tell = tell.clone();
        meeting.ready(move || tell.send(index).unwrap()).unwrap();
    }
    assert!(first.start(None, SystemTime::now).unwrap().is_some());
    let mut both = [0, 1].map(|_| told.recv_timeout(PATIENCE).unwrap());
    both.sort_unstable();
    assert_eq!(both, [0, 1]);
    for meeting in [&first, &second] {
        let error = meeting.trouble().unwrap().to_string();
        assert!(
            error.starts_with("part 2 failed on node3: it gave no sign of life for 2s, as part 1 "),
            "{error}"
        );
        assert!(meeting.trouble().is_none(), "it is said once");
    }
}

#[test]
fn parts_that_came_and_are_not_ready_are_told_from_those_that_never_came() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(9);
    let part = |index| joined(&wanted(folder.path(), index, &plan, IN_VAIN)).unwrap();
    let [first, second, _third] = [0, 1, 2].map(part);
    second.ready(|| ()).unwrap();
    let error = started(&first, None).unwrap_err().to_string();
    let host = race::records::environment::host_name();
    assert!(error.starts_with(&format!("part 2 on {host} came to ")), "{error}");
    assert!(error.contains(" and did not get ready within 200ms: "), "{error}");
}

#[test]
fn a_folder_that_goes_away_is_named_by_who_is_at_work_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gathered");
    let plan = plan(9);
    let first = joined(&wanted(&path, 0, &plan, Duration::from_secs(2))).unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    first.ready(move || tell.send(()).unwrap()).unwrap();
    std::fs::remove_dir_all(&path).unwrap();
    told.recv_timeout(PATIENCE).unwrap();
    let error = first.trouble().unwrap().to_string();
    assert!(error.contains("gathered") && error.ends_with("and may write to, with room in it"), "{error}");
}

#[test]
fn a_part_that_gives_up_is_heard_at_once_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let ends = all(folder.path(), PATIENCE, |index, meeting| {
        if index == 2 {
            meeting.fail("the server is gone\nand more");
            return Ok(false);
        }
        let started = started(meeting, None);
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
    let error = started(&first, None).unwrap_err().to_string();
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
        let heard = started(&first, None).unwrap_err().to_string();
        assert!(heard.starts_with("part 1 failed on ") && heard.contains(expected), "{heard}");
    }
}

#[test]
fn parts_on_one_host_must_be_meant() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(9);
    let part = |index| {
        let wanted = wanted(folder.path(), index, &plan, PATIENCE);
        joined(&Wanted { terms: Terms { share_host: false, ..wanted.terms }, ..wanted }).unwrap()
    };
    let [first, second, third] = [0, 1, 2].map(part);
    [&second, &third].into_iter().for_each(|meeting| meeting.ready(|| ()).unwrap());
    let error = started(&first, None).unwrap_err();
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
        let started = started(meeting, Some(SystemTime::UNIX_EPOCH));
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
    assert_eq!(started(&first, None).unwrap(), None);
}

#[test]
fn parts_without_a_common_folder_write_the_same_plan_and_wait_for_nobody() {
    let folders = [0, 1, 2].map(|_| tempfile::tempdir().unwrap());
    let plan = plan(9);
    let start = SystemTime::now() + PATIENCE;
    let apart = |index: u32, folder: &Path, plan: &Value| {
        let wanted = wanted(folder, index, plan, IN_VAIN);
        joined(&Wanted { seed: Some(5), terms: Terms { apart: true, ..wanted.terms }, ..wanted })
    };
    let plans = [0, 1, 2].map(|index| {
        let folder = folders[index as usize].path();
        let meeting = apart(index, folder, &plan).unwrap();
        assert_eq!((started(&meeting, Some(start)).unwrap(), meeting.seed()), (Some(start), 5));
        meeting.deliver(b"log", found(index)).unwrap();
        assert!(meeting.all_delivered(Duration::ZERO).unwrap());
        std::fs::read(folder.join(names::PLAN)).unwrap()
    });
    assert!(plans[0] == plans[1] && plans[1] == plans[2]);
    let [first, ..] = &folders;
    let again = apart(0, first.path(), &plan).err().unwrap().to_string();
    assert!(again.starts_with("part 0 came to "), "{again}");
    let other = apart(1, first.path(), &self::plan(8)).err().unwrap().to_string();
    assert!(other.contains(" holds plan.json of an earlier load"), "{other}");
}
