//! A race whose servers, generators and leader are on four hosts, over ssh and links that are not loopback, and what is left of it
//! whoever dies.

use std::{env, fs, path::Path, thread, time::Duration};

use machines::{Machine, Running, Site};
use serde_json::Value;

use crate::scene::{self, Before, Chance, PATIENCE, file};

/// From its beginning to its end, roughly.
const LENGTH: Duration = Duration::from_secs(8);
/// A race of two rows: debug builds, to see that it works.
const RACE: &str = "bench --rehearsal --unverified --only fork-per-core,thread-per-core --scenario simple-latency --starts 1 --rounds 1 \
                    --duration 100ms --server-host server --generator-host generator-0 --generator-host generator-1 --measure-with 1";

/// Starts a race on the host that leads. Its records go to `out`.
fn race(site: &Site, out: &str) -> Running {
    let cargo = env::var("CARGO").unwrap_or_default();
    let tools = Path::new(&cargo).parent().unwrap_or(Path::new("/")).display();
    let root = file(".");
    let mut bash = site.control.command("bash");
    bash.args([
        "-c",
        &format!("cd {} && PATH=$PATH:{tools} exec harness {RACE} --out {out}", root.display()),
    ]);
    Running::start(bash).unwrap_or_else(|error| panic!("{error:#}"))
}

fn record(site: &Site, path: &str) -> Value {
    serde_json::from_slice(&fs::read(site.control.path(path)).unwrap()).unwrap()
}

#[test]
fn a_race_on_four_hosts_says_which_they_are_what_leads_to_them_and_what_each_found() {
    let Some(site) = scene::installed(&[]) else { return };
    let before = Before::of(&site);
    let ran = race(&site, "/srv/jobs/race").finish(20 * PATIENCE).unwrap();
    let said = format!("{}{}", ran.out, ran.err);
    assert!(ran.is_well(), "{}: {said}", ran.status);
    before.nothing_more(&said);

    let environment = record(&site, "/srv/jobs/race/environment.json");
    let server = &environment["server_host"];
    assert_eq!((&server["host"]["name"], &server["address"]), (&"server".into(), &"10.77.0.2".into()));
    assert_eq!(
        (&server["interface"]["name"], &server["interface"]["driver"]),
        (&"eth0".into(), &"veth".into())
    );
    assert_eq!(environment["host"], "control");
    let generators = environment["generator_hosts"].as_array().unwrap();
    let shown = |at: usize| {
        let of = &generators[at];
        (of["host"]["name"].clone(), of["address"].clone(), of["measures"].clone())
    };
    assert_eq!(shown(0), ("generator-0".into(), "10.77.0.10".into(), true.into()));
    assert_eq!(shown(1), ("generator-1".into(), "10.77.0.11".into(), false.into()));

    let windows = fs::read_to_string(site.control.path("/srv/jobs/race/windows.jsonl")).unwrap();
    let parts: Vec<Value> = windows
        .lines()
        .filter_map(|line| {
            let entry: Value = serde_json::from_str(line).unwrap();
            entry["entry"]["window"]["measured"].get("parts").cloned()
        })
        .collect();
    assert!(parts.len() >= 2, "{windows}");
    for parts in parts {
        let hosts: Vec<&str> =
            parts.as_array().unwrap().iter().filter_map(|part| part["host"].as_str()).collect();
        assert_eq!(hosts, ["generator-0", "generator-1"]);
    }
}

/// Has a race run as often as cases of chance are tried, does `harm` at a random instant of it, and looks at what is left. `harm` says
/// whether it did anything, and `name` is what is then said to whoever waits.
fn at_any_instant(site: &Site, name: Option<&str>, harm: impl Fn() -> bool, mend: impl Fn()) {
    // Built, so that the instant lies in the race.
    let ran = race(site, "/srv/jobs/first").finish(20 * PATIENCE).unwrap();
    assert!(ran.is_well(), "{}{}", ran.out, ran.err);
    let before = Before::of(site);
    let mut chance = Chance::new();
    for number in 0..scene::repeats() {
        let race = race(site, &format!("/srv/jobs/{number}"));
        let instant = chance.within(LENGTH);
        // The instant is what is tried, not a wait for something.
        thread::sleep(instant);
        let is_harmed = harm();
        let ran = race.finish(20 * PATIENCE).unwrap();
        eprintln!("{number}: after {instant:.1?}, harmed: {is_harmed}, {}", ran.status);
        let said = format!("{}{}", ran.out, ran.err);
        if is_harmed && !ran.is_well() {
            assert!(name.is_none_or(|name| ran.err.contains(name)), "nobody is named: {said}");
        }
        mend();
        before.nothing_more(&said);
    }
}

/// The same where a process is killed.
fn killed_at_any_instant(site: &Site, on: &Machine, process: &str, name: Option<&str>) {
    at_any_instant(site, name, || on.kill(process) > 0, || ());
}

#[test]
fn an_agent_of_the_servers_that_is_killed_at_any_instant_leaves_no_process_on_any_host() {
    let Some(site) = scene::installed(&[]) else { return };
    killed_at_any_instant(&site, &site.server, "harness server-host", Some("server"));
}

#[test]
fn a_generator_that_is_killed_at_any_instant_leaves_no_process_on_any_host() {
    let Some(site) = scene::installed(&[]) else { return };
    killed_at_any_instant(&site, &site.generators[1], "harness server-host", Some("generator-1"));
}

#[test]
fn a_leader_that_is_killed_at_any_instant_leaves_no_process_on_any_host() {
    let Some(site) = scene::installed(&[]) else { return };
    killed_at_any_instant(&site, &site.control, "harness bench", None);
}

#[test]
fn a_link_of_a_generator_that_is_cut_at_any_instant_ends_the_race_and_what_runs_on_all_hosts() {
    let Some(site) = scene::installed(&[]) else { return };
    let [_, generator] = &site.generators;
    let cut = || {
        site.link(generator, false).unwrap();
        true
    };
    at_any_instant(&site, Some("generator-1"), cut, || site.link(generator, true).unwrap());
}
