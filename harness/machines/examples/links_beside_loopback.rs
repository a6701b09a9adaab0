//! One race in alternating order: with both sides on one host, over loopback; with the servers on another host, over a link; and with
//! two generators on hosts of their own besides. All have the same CPUs of this machine. Prints what the link changed, as a table in Markdown,
//! and how long each took: of the third alone that, since its generators share the CPUs of one.
//!
//! `just beside-loopback 4 12`, as root, builds what it needs and makes as many pairs, of races of so many rounds (3 where nothing is said).

use std::{
    env, fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use machines::{Running, Site};
use serde_json::Value;
use stats::Recorded;

const ROWS: [&str; 4] = ["fork-per-core", "thread-per-core", "work-stealing", "rayon-offload"];
const SCENARIOS: [&str; 2] = ["simple-throughput", "simple-latency"];
/// A race of four rows takes a minute or two, and what it builds takes some more the first time.
const PATIENCE: Duration = Duration::from_secs(1200);
/// The harness as other hosts start it, on the CPUs that servers and generators have on one host too.
const THERE: &str = "/run/home/harness";

/// A figure of a window's `measured`.
type Figure = fn(&Value) -> Option<f64>;

/// The figures that are compared, by name and unit.
const FIGURES: [(&str, Figure); 5] = [
    ("requests/s", |measured| {
        let answered = measured["streams"][0]["answered_in_window"].as_f64()?;
        Some(answered / measured["window_s"].as_f64()?)
    }),
    ("CPU of the server, us a request", |measured| {
        let used_ns = measured["accounts"]["row"]["cpu_ns"].as_f64()?;
        Some(used_ns / 1e3 / measured["answered_in_stretch"].as_f64()?)
    }),
    ("CPU of the generator, us a request", |measured| measured["generator"]["cpu_per_request_us"].as_f64()),
    ("p50, us", |measured| quantile_us(measured, 0.5)),
    ("p99, us", |measured| quantile_us(measured, 0.99)),
];

fn quantile_us(measured: &Value, q: f64) -> Option<f64> {
    let recorded: Recorded = serde_json::from_value(measured["streams"][0]["response"].clone()).ok()?;
    Some(recorded.histogram().ok()?.quantile_ns(q)? as f64 / 1e3)
}

fn main() -> Result<()> {
    let mut numbers = env::args().skip(1);
    let pairs: usize = numbers.next().map_or(Ok(4), |text| text.parse()).context("how many pairs?")?;
    let rounds: usize = numbers.next().map_or(Ok(3), |text| text.parse()).context("how many rounds?")?;
    let site = Site::new()?;
    site.install(&["harness"])?;
    let cpus = thread::available_parallelism()?.get();
    let half = cpus.div_ceil(2);
    let (all, servers, generators) =
        (format!("0-{}", cpus - 1), format!("0-{}", half - 1), format!("{half}-{}", cpus - 1));
    for machine in site.all() {
        let own = if machine.name() == "server" { &servers } else { &generators };
        let file = machine.path("/run/home/harness");
        fs::write(&file, format!("#!/bin/sh\nexec taskset -c {own} harness \"$@\"\n"))?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
    }
    let link = format!("--server-host server --there {THERE}");
    let hosts = format!("{link} --generator-host generator-0 --generator-host generator-1");
    let sides =
        [("loopback", all, String::new()), ("link", generators.clone(), link), ("hosts", generators, hosts)];

    let mut found: Vec<[Vec<Value>; 2]> = Vec::new();
    let mut took: [Vec<f64>; 3] = Default::default();
    for pair in 0..pairs {
        let mut windows = [Vec::new(), Vec::new(), Vec::new()];
        // Whichever is first meets what the others leave.
        for turn in 0..sides.len() {
            let side = (pair + turn) % sides.len();
            let (name, cpus, more) = &sides[side];
            let began = Instant::now();
            windows[side] = race(&site, &format!("taskset -c {cpus} harness"), name, more, (pair, rounds))?;
            took[side].push(began.elapsed().as_secs_f64());
        }
        let [loopback, link, _] = windows;
        found.push([loopback, link]);
    }
    let mut out = std::io::stdout();
    writeln!(out, "{}\n", table(&found))?;
    let [loopback, link, hosts] = took.map(|took| median(took).unwrap_or_default());
    let part = |took: f64| 100.0 * (took / loopback - 1.0);
    writeln!(
        out,
        "A race took {loopback:.1} s over loopback, {link:.1} s over the link ({:+.0}%), and {hosts:.1} s with two generators on hosts of their own \
         ({:+.0}%): medians of {pairs}.",
        part(link),
        part(hosts)
    )?;
    Ok(())
}

/// Races, and returns the windows.
fn race(
    site: &Site,
    harness: &str,
    name: &str,
    more: &str,
    (pair, rounds): (usize, usize),
) -> Result<Vec<Value>> {
    let cargo = PathBuf::from(env::var("CARGO").unwrap_or_default());
    let tools = cargo.parent().unwrap_or(Path::new("/")).display().to_string();
    let out = format!("/srv/jobs/{pair}-{name}");
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let (rows, scenarios) = (ROWS.join(","), SCENARIOS.join(","));
    let mut bash = site.control.command("bash");
    bash.args([
        "-c",
        &format!(
            "cd {root} && PATH=$PATH:{tools} exec {harness} bench --unverified --beside-others --only {rows} --scenario {scenarios} \
             --starts 1 --rounds {rounds} --seed {} --out {out} {more}",
            pair + 1
        ),
    ]);
    Running::start(bash)?.finish(PATIENCE)?.well()?;
    let text = fs::read_to_string(site.control.path(&format!("{out}/windows.jsonl")))?;
    let entries = text.lines().map(|line| Ok(serde_json::from_str::<Value>(line)?["entry"]["window"].take()));
    let entries: Vec<Value> = entries.collect::<Result<_>>()?;
    Ok(entries.into_iter().filter(|window| window["verdict"]["kind"] == "valid").collect())
}

fn table(found: &[[Vec<Value>; 2]]) -> String {
    let mut lines = vec![
        "| scenario | row | figure | loopback | link | link of loopback |".to_owned(),
        "|---|---|---|---:|---:|---:|".to_owned(),
    ];
    for scenario in SCENARIOS {
        for row in ROWS {
            for (name, figure) in FIGURES {
                let of = |windows: &[Value]| {
                    let own = |window: &&Value| {
                        window["scenario"] == scenario && window["row"] == row && window["twin"] == false
                    };
                    median(
                        windows.iter().filter(own).filter_map(|window| figure(&window["measured"])).collect(),
                    )
                };
                let sides: Vec<(f64, f64)> =
                    found.iter().filter_map(|[loopback, link]| Some((of(loopback)?, of(link)?))).collect();
                let ratios: Vec<f64> = sides.iter().map(|(loopback, link)| link / loopback).collect();
                let (Some(loopback), Some(link), Some(ratio)) = (
                    median(sides.iter().map(|(loopback, _)| *loopback).collect()),
                    median(sides.iter().map(|(_, link)| *link).collect()),
                    median(ratios.clone()),
                ) else {
                    continue;
                };
                let low = ratios.iter().copied().fold(f64::INFINITY, f64::min);
                let high = ratios.iter().copied().fold(0.0, f64::max);
                lines.push(format!(
                    "| {scenario} | {row} | {name} | {loopback:.1} | {link:.1} | {ratio:.2} [{low:.2}, {high:.2}] |"
                ));
            }
        }
    }
    lines.join("\n")
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some(values[middle - 1].midpoint(values[middle])),
    }
}
