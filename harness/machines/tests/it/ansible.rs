//! The playbook of deploy/ansible against hosts that have nothing of ours.

use std::{fs, path::PathBuf, time::Duration};

use machines::{ANSIBLE, Ran, Running, Site, until};

use crate::{
    loads::{REQUESTS, requests},
    scene::{self, Before, PATIENCE},
};

/// Ansible takes a second or two for each task.
const LENGTH: Duration = Duration::from_secs(300);

const INVENTORY: &str = "\
all:
  vars:
    ansible_python_interpreter: /usr/bin/python3
    ansible_remote_tmp: /run/ansible
  children:
    server:
      hosts:
        server-0: {ansible_host: server}
    generators:
      hosts:
        generator-0:
        generator-1:
";

/// Starts the playbook for a load of this length.
fn started(site: &Site, duration: &str) -> Running {
    fs::write(site.control.path("/srv/inventory.yaml"), INVENTORY).unwrap();
    fs::write(site.control.path("/srv/ansible.cfg"), "[defaults]\n").unwrap();
    let mut playbook = site.control.command("ansible-playbook");
    playbook.args(["-i", "/srv/inventory.yaml"]).arg(scene::file("deploy/ansible/load.yaml"));
    let settings = [
        format!("programs={}", Site::programs().unwrap().display()),
        "results=/srv/results".to_owned(),
        "folder=/run/load".to_owned(),
        "clock_against=server".to_owned(),
        format!("load=\"--rate 400 --connections 8 --duration {duration} --warm-up 500ms\""),
        "starts_in=30".to_owned(),
    ];
    for setting in &settings {
        playbook.args(["-e", setting]);
    }
    // Nothing of a person's own is read, or written to.
    playbook
        .env("HOME", "/run/home")
        .env("ANSIBLE_LOCAL_TEMP", "/run/home/tmp")
        .env("ANSIBLE_CONFIG", "/srv/ansible.cfg");
    // A connection that is kept would look like something that was left.
    playbook.env("ANSIBLE_SSH_ARGS", "-o ControlMaster=no").env("ANSIBLE_NOCOLOR", "1");
    Running::start(playbook).unwrap_or_else(|error| panic!("{error:#}"))
}

fn finished(playbook: Running) -> Ran {
    playbook.finish(LENGTH).unwrap_or_else(|error| panic!("{error:#}"))
}

/// The playbook when a part runs, which `is_seen` tells.
fn under_load(mut playbook: Running, mut is_seen: impl FnMut() -> bool) -> Running {
    let seen = until(LENGTH, || if is_seen() { Some(true) } else { playbook.is_over().then_some(false) });
    if seen != Some(true) {
        let Ran { out, err, .. } = finished(playbook);
        panic!("no part ever ran:\n{out}{err}");
    }
    playbook
}

fn merged(site: &Site) -> PathBuf {
    site.control.path("/srv/results/merged.txt")
}

/// Neither processes, but for those that ran before, nor files, but for the programs.
fn nothing_is_left(site: &Site, before: &Before<'_>, ran: &Ran) {
    before.nothing_more(&ran.out);
    for host in [&site.server, &site.generators[0], &site.generators[1]] {
        let entries = fs::read_dir(host.path("/run/load")).unwrap().flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        let programs =
            if host.name() == "server" { vec!["harness", "work-stealing"] } else { vec!["harness"] };
        assert_eq!(names, programs, "on {}", host.name());
    }
}

#[test]
fn the_playbook_installs_runs_fetches_and_merges() {
    let Some(site) = scene::site(&[ANSIBLE]) else { return };
    let before = Before::of(&site);
    let ran = finished(started(&site, "2s"));
    assert!(ran.is_well(), "{}{}", ran.out, ran.err);
    let text = fs::read_to_string(merged(&site)).unwrap();
    assert!(requests(&text).abs_diff(REQUESTS) <= 1, "{text}");
    nothing_is_left(&site, &before, &ran);
}

#[test]
fn a_part_that_is_killed_fails_the_playbook_with_the_name_of_its_host() {
    let Some(site) = scene::site(&[ANSIBLE]) else { return };
    let before = Before::of(&site);
    let playbook = under_load(started(&site, "20s"), || site.generators[1].kill("harness load") > 0);
    let ran = finished(playbook);
    assert!(!ran.is_well(), "{}", ran.out);
    assert!(ran.out.contains("no result, since parts did not end well: generator-1"), "{}", ran.out);
    assert!(!merged(&site).exists(), "{}", ran.out);
    nothing_is_left(&site, &before, &ran);
}

#[test]
fn a_host_that_is_lost_fails_the_playbook_with_its_name() {
    let Some(site) = scene::site(&[ANSIBLE]) else { return };
    let before = Before::of(&site);
    let playbook =
        under_load(started(&site, "5s"), || !site.generators[0].running("harness load").is_empty());
    site.link(&site.generators[0], false).unwrap();
    let ran = finished(playbook);
    assert!(!ran.is_well(), "{}", ran.out);
    assert!(ran.out.contains("no result, since parts did not end well: generator-0"), "{}", ran.out);
    assert!(!merged(&site).exists(), "{}", ran.out);
    // What was started there ends by itself, without anybody who could reach it.
    before.nothing_more(&ran.out);
}

#[test]
fn a_server_that_does_not_start_fails_the_playbook_with_its_words() {
    let Some(site) = scene::site(&[ANSIBLE]) else { return };
    let mut other = site.server.command(Site::programs().unwrap().join("work-stealing"));
    other.args(["--listen", "0.0.0.0:8080"]);
    let _other = site.server.daemon("other", other).unwrap();
    let listens = until(PATIENCE, || site.server.log("other").contains("listens on").then_some(()));
    assert!(listens.is_some(), "{}", site.server.log("other"));
    let before = Before::of(&site);
    let ran = finished(started(&site, "2s"));
    assert!(!ran.is_well(), "{}", ran.out);
    assert!(ran.out.contains("was not ready on server-0"), "{}", ran.out);
    assert!(!merged(&site).exists());
    before.nothing_more(&ran.out);
}
