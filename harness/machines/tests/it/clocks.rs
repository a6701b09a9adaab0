//! Clocks that are off, by faketime around the harness of a host: what is measured of them, and what is made of it.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use machines::{FAKETIME, Machine, Running, Site};
use serde_json::Value;

use crate::{
    loads::Parts,
    scene::{self, PATIENCE, Server},
};

/// Has every harness that is started on a host, by whomever, live so far ahead of all others. Only its wall clock: what measures
/// times is left alone.
fn ahead(machine: &Machine, by: &str) {
    let harness = Site::programs().unwrap().join("harness");
    let script = machine.path("/usr/local/bin/harness");
    fs::remove_file(&script).unwrap();
    let text =
        format!("#!/bin/sh\nexec faketime --exclude-monotonic -f '{by}' {} \"$@\"\n", harness.display());
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, Permissions::from_mode(0o755)).unwrap();
}

/// What a file of JSON says of a clock, in nanoseconds: how far it is ahead, and within what.
fn offset(path: &Path, pointer: &str) -> (i64, i64) {
    let read: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let of = read.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {read}"));
    let ns = |key: &str| of[key].as_i64().unwrap_or_else(|| panic!("no {key} in {of}"));
    (ns("offset_ns"), ns("bound_ns"))
}

#[test]
fn a_clock_that_is_off_is_measured_within_the_bound_that_is_stated() {
    let Some(site) = scene::installed(&[FAKETIME]) else { return };
    for (by, ns) in [("+0.2s", 200_000_000), ("-3s", -3_000_000_000), ("+0s", 0)] {
        ahead(&site.generators[1], by);
        let mut clock = site.control.command("harness");
        clock.args(["clock", "generator-1", "--export-json", "/srv/clock.json"]);
        let said = Running::start(clock)
            .and_then(|clock| clock.finish(PATIENCE))
            .and_then(machines::Ran::well)
            .unwrap();
        let (offset_ns, bound_ns) = offset(&site.control.path("/srv/clock.json"), "");
        assert!((offset_ns - ns).abs() <= bound_ns, "{by}: {said}");
        // A bound that holds of everything would say nothing.
        assert!(bound_ns < 100_000_000, "{by}: {said}");
    }
}

#[test]
fn parts_whose_clocks_differ_are_corrected_and_say_by_how_much() {
    let Some(site) = scene::installed(&[FAKETIME]) else { return };
    let _server = Server::on(&site.server);
    ahead(&site.generators[1], "+0.2s");
    let ended = Parts::with(&site, "/srv/parts/apart", "--clock-against server").end();
    // The other's clock is behind that of the part, whose window is written down by the other's.
    let (offset_ns, bound_ns) = offset(&site.control.path("/srv/parts/apart/part-1.json"), "/clock");
    assert!((offset_ns + 200_000_000).abs() <= bound_ns, "{}", ended.said());
    let (offset_ns, bound_ns) = offset(&site.control.path("/srv/parts/apart/part-0.json"), "/clock");
    assert!(offset_ns.abs() <= bound_ns, "{}", ended.said());
    assert!(ended.is_whole_or_refused(), "{}", ended.said());
}

#[test]
fn a_part_whose_clock_is_three_seconds_off_and_was_not_asked_is_found() {
    let Some(site) = scene::installed(&[FAKETIME]) else { return };
    let _server = Server::on(&site.server);
    // Ahead, it begins too early, and behind too late: in both cases the windows of 2 s have nothing in common. What no part
    // recorded nobody can correct; that hosts were not compared is what is left to be said.
    for by in ["+3s", "-3s"] {
        ahead(&site.generators[1], by);
        let folder = format!("/srv/parts/three{by}");
        let ended = Parts::start(&site, &folder).end();
        let said = format!("{}{}", ended.merged.out, ended.merged.err);
        assert!(!ended.merged.is_well() || said.contains("clock"), "{by}: {}", ended.said());
    }
}

#[test]
fn a_part_whose_clock_is_three_seconds_off_is_one_of_the_load_when_it_was_compared() {
    let Some(site) = scene::installed(&[FAKETIME]) else { return };
    let _server = Server::on(&site.server);
    ahead(&site.generators[1], "+3s");
    let ended = Parts::with(&site, "/srv/parts/three", "--clock-against server").end();
    let (offset_ns, bound_ns) = offset(&site.control.path("/srv/parts/three/part-1.json"), "/clock");
    assert!((offset_ns + 3_000_000_000).abs() <= bound_ns, "{}", ended.said());
    assert!(ended.is_whole_or_refused(), "{}", ended.said());
}
