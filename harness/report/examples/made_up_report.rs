//! A report of a run that never was, to see how large a page becomes, how long it takes and how it looks:
//! `cargo run --release -p report --example made_up_report -- ROWS SCENARIOS STARTS ROUNDS FOLDER [--hostile]`.
//!
//! The rows and scenarios are the registry's, and repeated under other names where more are asked for; the experiments come after them, of
//! eight rows at most, and are alone where no scenario is asked for. `--hostile` gives all of them names that would break a page that does not escape them. Prints the size of each file and the seconds that it took. The seed is fixed: the same
//! arguments give the same bytes.

use std::{error::Error, fs, path::Path, time::Instant};

use race::{
    fixtures::{
        closed_loop,
        experiment::experiment,
        of_streams,
        run::{Wanted, run},
        stream,
    },
    machine::{shares::Taker, tasks::Modes},
    plan::{
        experiment::EventKind,
        scenario::{Pacing, Scenario},
        scenarios::Scenarios,
    },
    records::{
        conformance::Conformance,
        experiment::{EventRecord, ExperimentRecord, RestartedBy},
        folder::{Contents, Failure},
        window::Measured,
    },
    registry::{Asked, Registry, Reload, Row, Tier, WorkerProcesses},
};
use rand_xoshiro::{
    SplitMix64,
    rand_core::{Rng as _, SeedableRng as _},
};

const USAGE: &str = "give ROWS SCENARIOS STARTS ROUNDS FOLDER [--hostile], such as 30 15 6 2 target/made-up";

/// Names that a page may only show.
const HOSTILE: [&str; 8] = [
    "<script>alert(1)</script>",
    "\" onmouseover=\"alert(2)\" x='",
    "100%25 | a&b;&lt;`c`",
    "שרת אחד לכל ליבה",
    "turned \u{202e}round\u{202c} \u{7}\u{1b}[31m",
    "</style></title><svg onload=alert(3)>",
    "漢字",
    "",
];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (is_hostile, [rows, scenarios, starts, rounds, folder]) = match arguments.as_slice() {
        [r, s, t, n, folder] => (false, [r, s, t, n, folder]),
        [r, s, t, n, folder, flag] if flag == "--hostile" => (true, [r, s, t, n, folder]),
        _ => return Err(USAGE.into()),
    };
    let number = |text: &String| text.parse::<usize>().map_err(|_| format!("{text:?} is no number: {USAGE}"));
    let (rows, scenarios) = (number(rows)?, number(scenarios)?);
    let (starts, rounds) = (number(starts)?, number(rounds)?);
    let mut contents = timed("records", || made_up((rows, scenarios), (starts, rounds), is_hostile))?;
    finish(&mut contents, is_hostile);

    let folder = Path::new(folder);
    fs::create_dir_all(folder)?;
    let made = timed("report", || report::of(&contents));
    let page = timed("report.html", || report::render::html::page(&made));
    let text = timed("report.md", || report::render::markdown::report(&made));
    for (name, content) in [("report.html", page), ("report.md", text)] {
        println!("{name:12} {:>9} bytes", content.len());
        fs::write(folder.join(name), content)?;
    }
    Ok(())
}

fn timed<T>(what: &str, make: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let made = make();
    println!("{what:12} {:>9.3} seconds", began.elapsed().as_secs_f64());
    made
}

fn made_up(
    (row_count, scenario_count): (usize, usize),
    (starts, rounds): (usize, usize),
    is_hostile: bool,
) -> Result<Contents, Box<dyn Error>> {
    let harness = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let registry = Registry::read(&harness.join("servers.toml"))?;
    // As many of those that are raced by default as there are, and then the others.
    let mut rows = registry.select(Asked::Default)?;
    let others = registry.select(Asked::All)?;
    rows.extend(others.into_iter().filter(|other| other.on_request));
    let mut rows = repeated(&rows, row_count, is_hostile, |row| &mut row.name);
    rows.iter_mut().enumerate().for_each(|(at, row)| supervise(at, row));
    let shipped = Scenarios::read(&harness.join("scenarios"))?.select(Asked::All)?;
    let (experiments, shipped): (Vec<Scenario>, Vec<Scenario>) =
        shipped.into_iter().partition(|scenario| scenario.experiment.is_some());
    let mut scenarios = repeated(&shipped, scenario_count, is_hostile, |scenario| &mut scenario.name);
    scenarios.iter_mut().for_each(|scenario| scenario.rounds = rounds);
    let mut contents = run(rows, scenarios, u32::try_from(starts)?, measured);
    if scenario_count == 0 {
        contents.measurements.complete.clear();
    }
    for (mut scenario, hostile) in experiments.into_iter().zip(HOSTILE) {
        if is_hostile {
            scenario.name = format!("{} of {hostile}", scenario.name);
        }
        experimented(scenario, &mut contents);
    }
    Ok(contents)
}

/// A row is of processes, of threads, or of processes that cannot be reloaded.
fn supervise(at: usize, row: &mut Row) {
    let workers = || Some(WorkerProcesses { children_of: WorkerProcesses::SERVER.to_owned() });
    let none = |why: &str| Some(Reload::None(why.to_owned()));
    (row.workers, row.reload) = match at % 3 {
        0 => (workers(), Some(Reload::Signal("SIGHUP".to_owned()))),
        1 => (None, none("one process: a restart is all there is")),
        _ => (workers(), none("it has no reload")),
    };
    row.fault_args = (at % 3 < 2).then(Vec::new);
}

/// The experiment `scenario` of eight rows, a few events of each kind.
fn experimented(mut scenario: Scenario, contents: &mut Contents) {
    const ROWS: usize = 8;
    const EVENTS: usize = 12;
    let Some(experiment_of) = &mut scenario.experiment else { return };
    experiment_of.at_most(EVENTS);
    for row in contents.run.plan.rows.iter().take(ROWS) {
        let Ok(kinds) = experiment_of.events_of(row) else { continue };
        let ExperimentRecord { mut pass, mut events } = experiment(&scenario.name, &row.name, &kinds);
        pass.tier = row.tier;
        let mut chance = drawn(&[&scenario.name, &row.name]);
        events.iter_mut().for_each(|event| happened(event, row, &mut chance));
        let failed: u64 = events.iter().map(EventRecord::requests_failed).sum();
        pass.reset = events.iter().map(|event| event.reset).sum();
        if row.workers.is_none() {
            pass.primary = None;
        }
        if let Some(stream) = pass.measured.iter_mut().flat_map(|measured| &mut measured.streams).next() {
            (stream.due, stream.right) = (400_000, 400_000 - failed);
            stream.errors.insert("reset".to_owned(), failed);
        }
        contents.measurements.experiments.push(ExperimentRecord { pass, events });
    }
    contents.run.plan.scenarios.push(scenario);
}

/// What happened in an event: for a while, which differs from row to row and a little from event to event, less is answered or nothing.
fn happened(event: &mut EventRecord, row: &Row, chance: &mut Chance) {
    let is_whole = row.workers.is_none();
    let lives_on = is_whole && event.kind == EventKind::Panic;
    let of_row = drawn(&[&row.name]).next();
    let out = ((1.0 + 20.0 * of_row) * (0.5 + chance.next())) as usize;
    let left = if is_whole { 0.0 } else { 0.5 };
    for at in 0..event.slices.due.len() {
        let noise = 1.0 + 0.1 * (chance.next() - 0.5);
        let is_out = !lives_on && (50..50 + out).contains(&at);
        let answered = if is_out { left * noise } else { noise };
        let slower = if is_out { 6.0 * noise } else { noise };
        event.slices.answered[at] = (30.0 * answered) as u32;
        event.slices.max_us[at] = if is_out && is_whole { 0 } else { (2_000.0 * slower * noise) as u64 };
        event.slices.errors[at] = 0;
    }
    let failed = if lives_on { 0 } else { (8.0 * chance.next()) as u64 };
    event.failed = if failed == 0 { [].into() } else { [("reset".to_owned(), failed)].into() };
    (event.slices.errors[50], event.reset) = (failed as u32, failed);
    event.replaced_ns = (row.pid_path().is_some() && !lives_on).then_some(out as u64 * 10_000_000);
    event.answer = event.kind.asked().map(|_| if lives_on { "500" } else { "reset" }.to_owned());
    if lives_on {
        (event.ended_ns, event.restarted_by) = (None, None);
    } else if is_whole {
        event.restarted_by = Some(RestartedBy::Harness);
    }
}

/// As many of `all` as are wanted, over and over, each under a name of its own.
fn repeated<T: Clone>(
    all: &[T],
    wanted: usize,
    is_hostile: bool,
    name: impl Fn(&mut T) -> &mut String,
) -> Vec<T> {
    let longest = "long-".repeat(40);
    let one = |at: usize| {
        let mut one = all[at % all.len()].clone();
        let own = name(&mut one);
        if at >= all.len() {
            own.push_str(&format!("-{}", at / all.len() + 1));
        }
        // Some keep their name, for hostile ones to stand beside.
        match HOSTILE.get(at / 2) {
            Some(hostile) if is_hostile && at % 2 == 1 => {
                *own = if hostile.is_empty() { longest.clone() } else { (*hostile).to_owned() };
            }
            _ => {}
        }
        one
    };
    (0..wanted).map(one).collect()
}

/// A window, drawn from its scenario, row, start and round: rows differ by up to eight times, starts by some hundredths.
fn measured(wanted: Wanted<'_>) -> Measured {
    let Wanted { scenario, entry, start, round } = wanted;
    let of_row = drawn(&[&scenario.name, &entry.row.name]).next();
    let mut of_start = drawn(&[&scenario.name, &entry.row.name, &format!("{start} {}", entry.twin)]);
    let mut chance = drawn(&[&scenario.name, &entry.row.name, &format!("{start} {round} {}", entry.twin)]);
    // Nothing is faster than what only answers.
    let of_row = if entry.row.tier == Tier::Calibration { -0.2 } else { of_row };
    let slower = 8_f64.powf(of_row) * (1.0 + 0.04 * of_start.next());
    let window_s = scenario.window.as_secs_f64();
    let streams = scenario.streams.iter().map(|of| {
        let (us, count) = match (of.name.as_str(), of.pacing) {
            ("simple", Pacing::Closed) => (150.0 * slower, 3000.0 / slower),
            ("simple", _) => (200.0 * slower, 800.0),
            _ => (6000.0 * slower, 120.0),
        };
        // A floor, and above it what waiting in a queue adds.
        let times: Vec<u64> =
            (0..count as usize).map(|_| (us * (0.6 - 0.5 * chance.next().max(1e-9).ln())) as u64).collect();
        let mut recorded = stream(&of.name, window_s, &times);
        if matches!(of.pacing, Pacing::Closed) {
            (recorded.offered_per_second, recorded.lag, recorded.queue_wait) = (None, None, None);
        } else if of_row > 0.93 {
            recorded.answered_in_window = recorded.due / 2;
        }
        recorded
    });
    let mut measured = of_streams(window_s, streams.collect());
    if !scenario.is_open_loop() {
        measured.closed_loop = Some(closed_loop(64, 40.0, 23.9));
    }
    let row = &mut measured.accounts.row;
    row.cpu_ns = (row.cpu_ns as f64 * (1.0 + slower)) as u64;
    let user_ns = (row.cpu_ns as f64 * (0.3 + 0.5 * of_start.next())) as u64;
    row.modes = Some(Modes { user_ns, system_ns: row.cpu_ns - user_ns });
    row.memory.kib = (4096.0 * slower) as u64;
    let stretch_ns = measured.accounts.stretch_ns as f64;
    let foreign = if chance.next() < 0.05 { 0.06 } else { 0.004 * chance.next() };
    let shares = &mut measured.accounts.shares;
    shares.foreign_ns = (foreign * stretch_ns) as u64;
    shares.takers = vec![Taker { name: "kworker/0:1".to_owned(), pid: 30, ns: shares.foreign_ns / 2 }];
    measured
}

/// Numbers between nought and one that hang on words.
struct Chance(SplitMix64);

fn drawn(words: &[&str]) -> Chance {
    let next = |seed: u64, byte: u8| SplitMix64::seed_from_u64(seed.wrapping_add(u64::from(byte))).next_u64();
    Chance(SplitMix64::seed_from_u64(words.join("\n").bytes().fold(7, next)))
}

impl Chance {
    fn next(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// What a run says beside its windows.
fn finish(contents: &mut Contents, is_hostile: bool) {
    let deviations = |name: &str, rows: &[Row]| {
        let row = rows.iter().find(|row| row.name == name);
        row.map(|row| row.deviations.clone()).unwrap_or_default()
    };
    if let Some(Conformance::Verified { rows }) = &mut contents.run.conformance {
        for row in rows {
            row.deviations = deviations(&row.row, &contents.run.plan.rows);
        }
    }
    if is_hostile {
        let hostile = || HOSTILE.map(str::to_owned).into_iter();
        contents.run.resumed = hostile().collect();
        contents.run.failures =
            hostile().map(|text| Failure { what: text.clone(), reason: text, start: None }).collect();
        contents.environment.command = HOSTILE.join(" ");
        contents.environment.host = HOSTILE[1].to_owned();
        contents.run.plan.scenarios.iter_mut().zip(hostile()).for_each(question);
    }
}

fn question((scenario, hostile): (&mut Scenario, String)) {
    scenario.question = format!("What becomes of {hostile}?");
}
