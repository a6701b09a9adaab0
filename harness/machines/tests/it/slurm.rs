//! The script of deploy/slurm on a cluster of Slurm's own daemons.

use std::{fs, time::Duration};

use machines::{SLURM, Site, Slurm, until};

use crate::{
    loads::{REQUESTS, requests},
    scene::{self, Before, PATIENCE},
};

/// Slurm takes some seconds for each thing that it starts.
const LENGTH: Duration = Duration::from_secs(180);

/// What the job is to load.
const LOAD: &[&str] = &[
    "work-stealing",
    "/simple",
    "--rate",
    "400",
    "--connections",
    "8",
    "--duration",
    "2s",
    "--warm-up",
    "500ms",
    "--gather-within",
    "10s",
];

fn cluster() -> Option<(Site, Slurm)> {
    let site = scene::installed(&[SLURM])?;
    let slurm = Slurm::start(&site).unwrap_or_else(|error| panic!("{error:#}"));
    Some((site, slurm))
}

fn submitted<'a>(script: &'a str, load: &'a [&'a str]) -> Vec<&'a str> {
    ["--nodes=3", script].into_iter().chain(load.iter().copied()).collect()
}

/// What the job said.
fn said(site: &Site) -> String {
    fs::read_to_string(site.control.path("/srv/jobs/said")).unwrap_or_default()
}

/// The folder of the only job.
fn folder(site: &Site) -> std::path::PathBuf {
    let entries = fs::read_dir(site.control.path("/srv/jobs")).unwrap().flatten();
    let folders: Vec<_> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    let [folder] = &folders[..] else { panic!("one folder, not {folders:?}:\n{}", said(site)) };
    folder.clone()
}

#[test]
fn a_job_leaves_one_merged_result() {
    let Some((site, slurm)) = cluster() else { return };
    let before = Before::of(&site);
    let script = scene::file("deploy/slurm/load.sbatch");
    let job = slurm.submit(&site, &[], &submitted(script.to_str().unwrap(), LOAD)).unwrap();
    let ran = job.finish(LENGTH).unwrap_or_else(|error| panic!("{error:#}\n{}", said(&site)));
    assert!(ran.is_well(), "{}{}\n{}", ran.out, ran.err, said(&site));
    let merged = fs::read_to_string(folder(&site).join("merged.txt")).unwrap();
    assert!(requests(&merged).abs_diff(REQUESTS) <= 1, "{merged}");
    let said = said(&site);
    // The server has the last node to itself.
    assert!(said.contains("server: work-stealing on server; 2 parts"), "{said}");
    assert!(merged.contains("generator-0") && merged.contains("generator-1"), "{merged}");
    before.nothing_more(&said);
}

#[test]
fn a_part_that_is_killed_fails_the_job_with_its_name() {
    let Some((site, slurm)) = cluster() else { return };
    let before = Before::of(&site);
    let script = scene::file("deploy/slurm/load.sbatch");
    // Long enough to be there when it is looked for.
    let load: Vec<&str> = LOAD.iter().map(|word| if *word == "2s" { "60s" } else { *word }).collect();
    let job = slurm.submit(&site, &[], &submitted(script.to_str().unwrap(), &load)).unwrap();
    let killed = until(PATIENCE, || (site.generators[1].kill("harness load") > 0).then_some(()));
    assert!(killed.is_some(), "no part ever ran:\n{}", said(&site));
    let ran = job.finish(LENGTH).unwrap_or_else(|error| panic!("{error:#}\n{}", said(&site)));
    assert!(!ran.is_well(), "{}", said(&site));
    let said = said(&site);
    let parts = fs::read_to_string(folder(&site).join("parts.log")).unwrap();
    assert!(said.contains("part 1 of 2 on generator-1 ended with exit code 137"), "{said}\n{parts}");
    assert!(!folder(&site).join("merged.txt").exists(), "{said}");
    before.nothing_more(&said);
}

#[test]
fn a_server_that_does_not_start_fails_the_job_with_its_words() {
    let Some((site, slurm)) = cluster() else { return };
    let before = Before::of(&site);
    let script = scene::file("deploy/slurm/load.sbatch");
    let load: Vec<&str> =
        ["work-stealing --workers none"].into_iter().chain(LOAD[1..].iter().copied()).collect();
    let job = slurm.submit(&site, &[], &submitted(script.to_str().unwrap(), &load)).unwrap();
    let ran = job.finish(LENGTH).unwrap_or_else(|error| panic!("{error:#}\n{}", said(&site)));
    assert!(!ran.is_well());
    let said = said(&site);
    assert!(said.contains("--workers") && said.contains("failed: the server on server"), "{said}");
    before.nothing_more(&said);
}

#[test]
fn a_job_that_cannot_be_meant_says_what_can() {
    let Some((site, slurm)) = cluster() else { return };
    let before = Before::of(&site);
    let script = scene::file("deploy/slurm/load.sbatch");
    let script = script.to_str().unwrap();
    for (arguments, expected) in [
        (vec!["--nodes=1", script, "work-stealing", "/simple"], "sbatch --nodes=2"),
        (vec!["--nodes=2", script, "work-stealing"], "usage: sbatch"),
    ] {
        let ran = slurm.submit(&site, &[], &arguments).unwrap().finish(LENGTH).unwrap();
        let said = said(&site);
        assert!(!ran.is_well() && said.contains(expected), "{said}");
    }
    before.nothing_more(&said(&site));
}
