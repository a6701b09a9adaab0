//! Parts over ssh on two hosts, gathered in a shared folder and merged.

use machines::Running;

use crate::{
    loads::{Parts, REQUESTS, merge, requests},
    scene::{self, Before, PATIENCE, Server},
};

#[test]
fn two_parts_over_ssh_are_gathered_and_merged_as_one_load() {
    let Some(site) = scene::installed(&[]) else { return };
    let _server = Server::on(&site.server);
    let before = Before::of(&site);
    let ended = Parts::with(&site, "/srv/parts/both", "--clock-against server").end();
    assert!(ended.is_whole_or_refused(), "{}", ended.said());
    for host in ["generator-0", "generator-1"] {
        assert!(ended.merged.out.contains(host), "{host} is not named:\n{}", ended.said());
    }
    // What was merged is merged again alike, and elsewhere: only the folder is read.
    let again = merge(&site.server, "/srv/parts/both");
    assert!(again.is_well() && requests(&again.out).abs_diff(REQUESTS) <= 1, "{}{}", again.out, again.err);
    before.nothing_more(&ended.said());
}

#[test]
fn a_folder_is_for_one_load() {
    let Some(site) = scene::installed(&[]) else { return };
    let _server = Server::on(&site.server);
    let first = Parts::start(&site, "/srv/parts/once").end();
    assert!(first.is_whole_or_refused(), "{}", first.said());
    let second = Parts::start(&site, "/srv/parts/once").end();
    assert_ne!(second.codes[0], Some(0), "{}", second.said());
    assert!(second.ran[0].err.contains("/srv/parts/once"), "{}", second.said());
    // The first is untouched by it.
    assert!(requests(&second.merged.out).abs_diff(REQUESTS) <= 1, "{}", second.said());
}

#[test]
fn a_host_that_is_not_reached_is_named() {
    let Some(site) = scene::installed(&[]) else { return };
    let asked = |host: &str| {
        let mut clock = site.control.command("harness");
        clock.args(["clock", host]);
        let ran = Running::start(clock).and_then(|clock| clock.finish(PATIENCE)).unwrap();
        assert!(!ran.is_well(), "{}", ran.out);
        assert!(ran.err.contains(host), "{host} is not named: {}", ran.err);
        ran.err
    };
    asked("nowhere");
    // A port that a firewall closes is nobody's.
    site.link(&site.generators[0], false).unwrap();
    asked("generator-0");
    std::fs::remove_file(site.generators[1].path("/usr/local/bin/harness")).unwrap();
    let absent = asked("generator-1");
    assert!(absent.contains("install the harness on generator-1"), "{absent}");
    // A key that is refused.
    std::fs::write(site.control.path("/srv/keys/user.pub"), "").unwrap();
    asked("server");
}
