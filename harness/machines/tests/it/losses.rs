//! What goes wrong at a random instant of a load of two hosts: a part is killed, a link is cut, the folder is full or cannot be written
//! to. There is never a merged result that looks whole, and no process is left on any host.

use std::{fs, thread};

use machines::{Machine, Running, Site};

use crate::{
    loads::{Ended, KILLED, LENGTH, Parts},
    scene::{self, Before, Chance, PATIENCE, Server},
};

/// Runs parts as often as cases of chance are tried, has something done to their hosts at a random instant, and looks at what is
/// left.
fn at_any_instant(site: &Site, folder: &str, harm: impl Fn(), mend: impl Fn(), look: impl Fn(&Ended)) {
    let _server = Server::on(&site.server);
    let before = Before::of(site);
    let mut chance = Chance::new();
    for number in 0..scene::repeats() {
        let parts = Parts::start(site, &format!("{folder}/{number}"));
        let instant = chance.within(LENGTH);
        // The instant is what is tried, not a wait for something.
        thread::sleep(instant);
        harm();
        let ended = parts.end();
        eprintln!("{number}: after {instant:.1?}, merged: {}", ended.is_whole_or_refused());
        look(&ended);
        mend();
        before.nothing_more(&ended.said());
    }
}

fn run(machine: &Machine, script: &str) {
    let mut bash = machine.command("bash");
    bash.args(["-c", script]);
    let ran = Running::start(bash).and_then(|bash| bash.finish(PATIENCE)).and_then(machines::Ran::well);
    ran.unwrap_or_else(|error| panic!("{}: {error:#}", machine.name()));
}

#[test]
fn a_part_that_is_killed_at_any_instant_is_named_and_nothing_looks_whole() {
    let Some(site) = scene::installed(&[]) else { return };
    let kill = || {
        site.generators[1].kill("harness load");
    };
    let look = |ended: &Ended| {
        // What was merged all the same had left all that it found.
        if ended.codes[1] == Some(KILLED) && !ended.merged.is_well() {
            assert_ne!(
                ended.codes[0],
                Some(0),
                "the other part thought that all was well:\n{}",
                ended.said()
            );
            let said = &ended.merged.err;
            let is_named = said.contains("part 1") || said.contains("parts 0") && said.contains(", 1");
            assert!(is_named, "the part is not named:\n{}", ended.said());
        }
    };
    at_any_instant(&site, "/srv/parts", kill, || (), look);
}

#[test]
fn a_link_that_is_cut_at_any_instant_leaves_nothing_that_looks_whole() {
    let Some(site) = scene::installed(&[]) else { return };
    let cut = || site.link(&site.generators[0], false).unwrap();
    let mend = || site.link(&site.generators[0], true).unwrap();
    at_any_instant(&site, "/srv/parts", cut, mend, |_| ());
}

#[test]
fn a_folder_that_is_full_at_any_instant_leaves_nothing_that_looks_whole() {
    let Some(site) = scene::installed(&[]) else { return };
    // dd ends with an error when there is no room any more, which is what is wanted of it.
    let fill = || run(&site.control, "dd if=/dev/zero of=/srv/small/filler bs=4k 2>/dev/null || true");
    let empty = || run(&site.control, "rm -rf /srv/small/*");
    at_any_instant(&site, "/srv/small", fill, empty, |_| ());
    // Full from the beginning.
    let _server = Server::on(&site.server);
    run(&site.control, "dd if=/dev/zero of=/srv/small/filler bs=4k 2>/dev/null || true");
    let ended = Parts::start(&site, "/srv/small/full").end();
    assert!(!ended.is_whole_or_refused(), "{}", ended.said());
    assert!(ended.ran[0].err.contains("/srv/small/full"), "the folder is not named:\n{}", ended.said());
}

#[test]
fn a_folder_that_one_host_may_only_read_from_any_instant_on_leaves_nothing_that_looks_whole() {
    let Some(site) = scene::installed(&[]) else { return };
    // Not while a file of it is being written, which is a moment.
    let forbid = || {
        run(
            &site.generators[1],
            "for try in {1..500}; do mount -o remount,bind,ro /srv/small && exit; sleep 0.01; done; exit 1",
        );
    };
    let allow = || run(&site.generators[1], "mount -o remount,bind,rw /srv/small && rm -rf /srv/small/*");
    at_any_instant(&site, "/srv/small", forbid, allow, |_| ());
}

#[test]
fn a_folder_that_one_host_may_only_read_fails_the_whole_and_is_named() {
    let Some(site) = scene::installed(&[]) else { return };
    let _server = Server::on(&site.server);
    let before = Before::of(&site);
    let folder = "/srv/parts/read-only";
    fs::create_dir(site.control.path(folder)).unwrap();
    run(&site.generators[1], &format!("mount --bind {folder} {folder} && mount -o remount,bind,ro {folder}"));
    let ended = Parts::start(&site, folder).end();
    assert!(!ended.is_whole_or_refused(), "{}", ended.said());
    assert!(ended.ran[1].err.contains(folder), "the folder is not named:\n{}", ended.said());
    before.nothing_more(&ended.said());
}

#[test]
fn a_folder_that_is_another_on_each_host_is_found() {
    let Some(site) = scene::installed(&[]) else { return };
    let _server = Server::on(&site.server);
    let folder = "/srv/parts/apart";
    fs::create_dir(site.control.path(folder)).unwrap();
    run(&site.generators[1], &format!("mount -t tmpfs tmpfs {folder}"));
    let ended = Parts::start(&site, folder).end();
    assert!(!ended.is_whole_or_refused(), "{}", ended.said());
    assert!(ended.ran[1].err.contains("shared by all hosts"), "{}", ended.said());
}
