use std::{
    fs::{File, FileTimes, Permissions},
    io::Write,
    os::unix::fs::{PermissionsExt, symlink},
    time::SystemTime,
};

use proptest::prelude::*;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tempfile::TempDir;

use super::*;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// What the driver does until the watch has seen all that has happened: events are there when the system call that causes them returns.
fn settle(watch: &mut Watch, now: Instant) {
    const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
    while poll(&mut [PollFd::new(&watch.inotify, PollFlags::IN)], Some(&AT_ONCE)).unwrap() > 0 {
        watch.ready(now);
    }
}

/// Whether what `act` did is one change, and told once.
fn is_change(watch: &mut Watch, act: impl FnOnce()) -> bool {
    act();
    let now = Instant::now();
    settle(watch, now);
    let Some(deadline) = watch.next_deadline() else { return false };
    assert!(!watch.due(deadline - Duration::from_millis(1)), "too early");
    let changed = watch.due(deadline);
    assert!(!watch.due(deadline + LONGEST_BURST), "told twice");
    changed
}

#[test]
fn a_file_is_seen_to_change_each_time_and_in_whatever_way() {
    let folder = folder();
    let path = folder.path().join("app");
    fs::write(&path, "one").unwrap();
    let watch = &mut Watch::new(&path).unwrap();
    for _ in 0..2 {
        assert!(is_change(watch, || fs::write(&path, "two").unwrap()), "written");
        assert!(
            is_change(watch, || {
                let new = folder.path().join("app.new");
                fs::write(&new, "three").unwrap();
                fs::rename(new, &path).unwrap();
            }),
            "replaced by a rename"
        );
        let touch = |times| File::open(&path).unwrap().set_times(times).unwrap();
        let now = SystemTime::now();
        assert!(is_change(watch, || touch(FileTimes::new().set_modified(now).set_accessed(now))), "touched");
        assert!(
            is_change(watch, || touch(FileTimes::new().set_modified(now))),
            "touched, for its last write"
        );
        assert!(
            is_change(watch, || fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap()),
            "its mode set"
        );
        assert!(
            is_change(watch, || {
                fs::remove_file(&path).unwrap();
                fs::write(&path, "four").unwrap();
            }),
            "removed and written again"
        );
        assert!(
            is_change(watch, || {
                fs::remove_file(&path).unwrap();
                fs::write(folder.path().join("whole"), "five").unwrap();
                fs::hard_link(folder.path().join("whole"), &path).unwrap();
            }),
            "a link to another"
        );
        fs::remove_file(folder.path().join("whole")).unwrap();
        settle(watch, Instant::now());
        watch.due(Instant::now() + LONGEST_BURST);
    }
}

#[test]
fn what_leaves_nothing_new_to_load_is_no_change() {
    let folder = folder();
    let path = folder.path().join("app");
    fs::write(&path, "one").unwrap();
    let watch = &mut Watch::new(&path).unwrap();
    assert!(!is_change(watch, || fs::write(folder.path().join("other"), "x").unwrap()), "another file");
    assert!(!is_change(watch, || drop(fs::read(&path).unwrap())), "read");
    assert!(!is_change(watch, || fs::remove_file(&path).unwrap()), "removed, for now");
    let mut half = None;
    assert!(
        !is_change(watch, || {
            let mut file = File::create(&path).unwrap();
            file.write_all(b"half").unwrap();
            half = Some(file);
        }),
        "not closed yet"
    );
    assert!(is_change(watch, || drop(half.take())), "closed");
}

#[test]
fn in_a_directory_each_file_counts_and_none_further_down() {
    let folder = folder();
    let path = folder.path().join("site");
    fs::create_dir(&path).unwrap();
    fs::create_dir(path.join("below")).unwrap();
    let watch = &mut Watch::new(&path).unwrap();
    assert!(is_change(watch, || fs::write(path.join("a"), "1").unwrap()));
    assert!(is_change(watch, || fs::rename(path.join("a"), path.join("b")).unwrap()));
    assert!(is_change(watch, || fs::remove_file(path.join("b")).unwrap()));
    assert!(is_change(watch, || symlink("nowhere", path.join("link")).unwrap()));
    assert!(!is_change(watch, || fs::write(path.join("below/a"), "1").unwrap()));
    assert!(!is_change(watch, || fs::write(folder.path().join("beside"), "1").unwrap()));
    // The directory itself is replaced, and the new one is watched.
    assert!(is_change(watch, || {
        let new = folder.path().join("site.new");
        fs::create_dir(&new).unwrap();
        fs::rename(&path, folder.path().join("site.old")).unwrap();
        fs::rename(new, &path).unwrap();
    }));
    assert!(is_change(watch, || fs::write(path.join("a"), "1").unwrap()));
    assert!(!is_change(watch, || fs::write(folder.path().join("site.old/a"), "1").unwrap()));
}

#[test]
fn a_link_that_is_turned_to_another_release_is_a_change_and_so_is_a_write_to_what_it_leads_to() {
    let folder = folder();
    for release in ["1", "2"] {
        fs::create_dir(folder.path().join(release)).unwrap();
        fs::write(folder.path().join(release).join("app"), release).unwrap();
    }
    let current = folder.path().join("app");
    symlink("1/app", &current).unwrap();
    let watch = &mut Watch::new(&current).unwrap();
    assert!(is_change(watch, || fs::write(folder.path().join("1/app"), "x").unwrap()));
    assert!(is_change(watch, || {
        symlink("2/app", folder.path().join("new")).unwrap();
        fs::rename(folder.path().join("new"), &current).unwrap();
    }));
    assert!(is_change(watch, || fs::write(folder.path().join("2/app"), "x").unwrap()));
    assert!(!is_change(watch, || fs::write(folder.path().join("1/app"), "x").unwrap()));
}

#[test]
fn a_directory_that_goes_is_looked_for_and_its_return_is_a_change() {
    let folder = folder();
    let above = folder.path().join("deployed");
    fs::create_dir(&above).unwrap();
    let path = above.join("app");
    fs::write(&path, "one").unwrap();
    let mut watch = Watch::new(&path).unwrap();
    fs::remove_dir_all(&above).unwrap();
    let now = Instant::now();
    settle(&mut watch, now);
    let again = watch.next_deadline().unwrap();
    assert!(again <= now + LOOK_AGAIN && !watch.due(again));
    fs::create_dir(&above).unwrap();
    fs::write(&path, "two").unwrap();
    let again = watch.next_deadline().unwrap();
    assert!(!watch.due(again));
    assert!(watch.due(again + QUIET));
    settle(&mut watch, again);
    assert!(is_change(&mut watch, || fs::write(&path, "three").unwrap()));
}

#[test]
fn a_burst_is_one_change_and_one_that_does_not_end_is_told_all_the_same() {
    let folder = folder();
    let path = folder.path().join("app");
    fs::write(&path, "one").unwrap();
    let mut watch = Watch::new(&path).unwrap();
    let start = Instant::now();
    let mut told = Vec::new();
    for step in 0..90 {
        let now = start + Duration::from_millis(100 * step);
        if watch.next_deadline().is_some_and(|deadline| deadline <= now) && watch.due(now) {
            told.push(step);
        }
        fs::write(&path, "again").unwrap();
        settle(&mut watch, now);
    }
    assert_eq!(told, [50]);
    assert!(!watch.due(start + Duration::from_millis(8_900 + 200)));
    assert!(watch.due(start + Duration::from_millis(8_900 + 300)));
}

#[test]
fn a_queue_that_overflows_counts_as_a_change() {
    let folder = folder();
    let path = folder.path().join("app");
    fs::write(&path, "one").unwrap();
    let watch = &mut Watch::new(&path).unwrap();
    let bound = fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap();
    let bound: u32 = bound.trim().parse().unwrap();
    let others = ["one", "two"].map(|name| File::create(folder.path().join(name)).unwrap());
    settle(watch, Instant::now());
    // In turn, since the kernel keeps one of two events that are alike and follow each other.
    let touch = |times| {
        for _ in 0..times {
            others.iter().for_each(|other| other.set_permissions(Permissions::from_mode(0o600)).unwrap());
        }
    };
    assert!(!is_change(watch, || touch(10)));
    assert!(is_change(watch, || touch(bound / 2 + 10)));
}

#[test]
fn what_cannot_be_watched_is_said_in_one_line() {
    let folder = folder();
    let missing = folder.path().join("missing");
    let message = Watch::new(&missing).unwrap_err().to_string();
    assert_eq!(message, format!("--watch {}: No such file or directory (os error 2)", missing.display()));
    let path = folder.path().join("secret");
    fs::write(&path, "x").unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    if rustix::process::geteuid().is_root() {
        let other = rustix::process::Uid::from_raw(60_999);
        let as_another_user = || {
            rustix::thread::set_thread_res_uid(other, other, other).unwrap();
            Watch::new(&path).unwrap_err().to_string()
        };
        let message = std::thread::scope(|scope| scope.spawn(as_another_user).join().unwrap());
        assert_eq!(message, format!("--watch {}: Permission denied (os error 13)", path.display()));
    }
}

#[test]
fn a_name_without_a_directory_and_the_root_can_be_watched() {
    // Tests run in their package's directory.
    assert!(Watch::new(Path::new("Cargo.toml")).is_ok());
    assert!(Watch::new(Path::new("/")).is_ok());
    assert!(Watch::new(Path::new(".")).is_ok());
}

proptest! {
    #[test]
    fn every_change_is_told_once_and_in_time(gaps_ms in proptest::collection::vec(0..1000_u64, 1..100)) {
        let start = Instant::now();
        let (mut changes, mut now, mut waits) = (Changes::default(), start, None::<Instant>);
        for gap in gaps_ms {
            let next = now + Duration::from_millis(gap);
            if let Some(deadline) = changes.deadline().filter(|deadline| *deadline <= next) {
                prop_assert!(changes.is_over(deadline) && !changes.is_over(deadline));
                prop_assert!(deadline - waits.take().unwrap() <= LONGEST_BURST);
            }
            now = next;
            changes.note(now);
            waits.get_or_insert(now);
        }
        let deadline = changes.deadline().unwrap();
        prop_assert!(deadline <= now + QUIET && changes.is_over(deadline));
        prop_assert_eq!(changes.deadline(), None);
    }
}
