//! A run that is killed and resumed leaves what one leaves that was not. The servers are made up; all that is kept goes the way that it
//! goes in a race. The test is started again as a child, so that it can be killed: by SIGKILL wherever it is, or by the system in the
//! middle of the write that passes a limit, which is how a line is cut short.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Child, ExitStatus, Stdio},
};

use host::tether;
use rand::{Rng, SeedableRng};
use rand_xoshiro::SplitMix64;
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};

use super::*;
use crate::{
    fixtures,
    records::{
        folder::Contents,
        log::Measurements,
        resume::{ResumeRefused, Today},
        window::{Verdict, WindowRecord},
    },
};

const STARTS: u32 = 6;
const KILLS: usize = 100;
/// The folder of the run that a child is to begin or to go on with.
const FOLDER: &str = "FOLDER_OF_A_RUN";
/// The file size, in bytes, at which a child ends; absent where there is none.
const BYTES: &str = "BYTES_UNTIL_THE_END";
const TEST: &str = "run::tests::a_run_that_is_killed_a_hundred_times_leaves_what_one_leaves_that_was_not";

/// Short, since it is read a hundred times.
fn plan() -> RunPlan {
    let mut plan = fixtures::run_record(STARTS).plan;
    plan.scenarios[1].rounds = 1;
    plan
}

/// What `row` measures in a window; `b` fails in the starts 1 and 3, and is out then.
fn window(scenario: &str, entry: Entry<'_>, start: usize, round: usize) -> WindowRecord {
    let mut measured = fixtures::sound();
    let stream = &mut measured.streams[0];
    stream.answered_in_window = (1000 * start + round) as u64;
    (stream.observed, stream.slices) = Default::default();
    (stream.service, stream.queue_wait, stream.lag) = Default::default();
    // Half of the windows are disturbed, so that the gate depends on the first start.
    measured.accounts.shares.foreign_ns = if round == 0 { 0 } else { measured.accounts.stretch_ns / 50 };
    let mut window = fixtures::window(scenario, &entry.row.name, start, round, measured);
    window.twin = entry.twin;
    if entry.row.name == "b" && [1, 3].contains(&start) {
        window.verdict = Verdict::Failed { reason: "it died".to_owned() };
    }
    window
}

/// One start of a race of which `step` is told each step.
fn measure(run: &mut Run, under_way: &mut UnderWay<'_>, step: impl Fn()) -> anyhow::Result<()> {
    let progress = Progress::new("measuring", 0);
    let (plan, start) = (run.record.plan.clone(), under_way.record.start);
    let racing: Vec<&Row> = plan.rows.iter().filter(|row| !run.is_out(row)).collect();
    let is_in = |entry: &Entry<'_>| racing.contains(&entry.row);
    let scenarios: Vec<&Scenario> = plan.scenarios.iter().collect();
    for scenario in &scenarios {
        for round in 0..scenario.rounds {
            for entry in plan.order(scenario, start, round).into_iter().filter(is_in) {
                step();
                let window = window(&scenario.name, entry, start, round);
                if let Verdict::Failed { reason } = &window.verdict {
                    run.count_failure(&progress, entry, start, reason);
                }
                under_way.window(window)?;
            }
            step();
            under_way.log.sync()?;
        }
    }
    for entry in plan.servers(&scenarios, start).into_iter().filter(is_in) {
        let server = fixtures::server(&entry.row.name, start, &["first", "second"]);
        under_way.server(ServerRecord { twin: entry.twin, ..server })?;
    }
    step();
    Ok(())
}

fn resumed(folder: &Folder) -> Result<Resumed, ResumeRefused> {
    let (environment, plan) = (fixtures::environment(), plan());
    let today = Today { rows: &plan.rows, scenarios: &plan.scenarios, environment: &environment };
    Resumed::of(folder.clone(), today)
}

/// Begins a run in the folder, or goes on with the one that is there, as `bench` does.
fn race(folder: &Folder, step: impl Fn(), begins: impl Fn(usize)) {
    let context = Context::new(Interrupt::never()).unwrap();
    let environment = fixtures::environment();
    let mut run = match resumed(folder) {
        Ok(resumed) => {
            resumed.same_programs(&environment.programs).unwrap();
            Run::resume(&resumed, &context).unwrap()
        }
        Err(ResumeRefused::NoRun(_)) => {
            folder.write_environment(&environment).unwrap();
            Run::new(plan(), Vec::new(), &context).unwrap()
        }
        Err(ResumeRefused::Finished { .. }) => return,
        Err(refused) => panic!("{refused}"),
    };
    step();
    folder.write_run(&run.record).unwrap();
    let mut log = folder.log().unwrap();
    let measured = run.each_start(folder, &mut log, &context.interrupt, |run, under_way| {
        begins(under_way.record.start);
        measure(run, under_way, &step)
    });
    measured.unwrap();
    folder.write_run(&run.record).unwrap();
}

/// What a child does.
fn play(folder: &Path) {
    if let Ok(bytes) = env::var(BYTES) {
        // No core dump, of which a single byte is none.
        for (resource, bytes) in [(Resource::Core, 1), (Resource::Fsize, bytes.parse().unwrap())] {
            let maximum = getrlimit(resource).maximum;
            let current = Some(maximum.map_or(bytes, |maximum| maximum.min(bytes)));
            setrlimit(resource, Rlimit { current, maximum }).unwrap();
        }
    }
    race(&Folder::open(folder), || println!("step"), |start| println!("begins {start}"));
}

/// A child that races.
struct Racer {
    process: Child,
    said: BufReader<std::process::ChildStdout>,
    /// The last start that it said it begins.
    begun: usize,
}

impl Racer {
    fn start(folder: &Folder, bytes: Option<u64>) -> Self {
        let mut command = tether::command(env::current_exe().unwrap());
        command.args([TEST, "--exact", "--nocapture"]).env(FOLDER, folder.path());
        if let Some(bytes) = bytes {
            command.env(BYTES, bytes.to_string());
        }
        // It says of every failure that there was one.
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let said = BufReader::new(process.stdout.take().unwrap());
        Self { process, said, begun: 0 }
    }

    /// Waits for so many steps, or for its end.
    fn hear(&mut self, mut steps: u64) {
        let mut line = String::new();
        while steps > 0 && self.said.read_line(&mut line).unwrap() > 0 {
            // libtest prints lines of its own, and no end before a test's.
            steps -= u64::from(line.contains("step"));
            if let Some((_, start)) = line.split_once("begins ") {
                self.begun = start.trim().parse().unwrap();
            }
            line.clear();
        }
    }

    fn end(&mut self) -> ExitStatus {
        self.hear(u64::MAX);
        self.process.wait().unwrap()
    }
}

/// What is left of a run, if it had begun and measured anything.
fn left_in(folder: &Folder) -> Option<Contents> {
    let begun = ["environment.json", "run.json", "windows.jsonl"]
        .iter()
        .all(|name| folder.path().join(name).exists());
    begun.then(|| folder.contents().unwrap())
}

/// That what is left is the beginning of `whole`, and beside it what was cut short.
fn check(left: &Contents, whole: &Contents, begun: usize, kills: usize) {
    let Measurements { complete, incomplete, .. } = &left.measurements;
    assert!(complete.len() >= begun, "a finished start is lost: {} of {begun}", complete.len());
    assert_eq!(complete[..], whole.measurements.complete[..complete.len()]);
    assert!(incomplete.len() <= kills, "{} were cut short by {kills} kills", incomplete.len());
    for cut in incomplete {
        let start = &whole.measurements.complete[cut.start];
        assert_eq!(cut.windows[..], start.windows[..cut.windows.len()], "start {}", cut.start);
        assert_eq!(cut.servers[..], start.servers[..cut.servers.len()], "start {}", cut.start);
    }
    // What is concluded from the starts that count is known.
    let known = |contents: &Contents| -> Vec<Failure> {
        let counts = |failure: &&Failure| failure.start.is_none_or(|start| start < complete.len());
        contents.run.failures.iter().filter(counts).cloned().collect()
    };
    assert_eq!(known(left), known(whole));
    if !complete.is_empty() {
        assert_eq!(left.run.gate, whole.run.gate);
    }
}

#[test]
fn a_run_that_is_killed_a_hundred_times_leaves_what_one_leaves_that_was_not() {
    if let Some(folder) = env::var_os(FOLDER) {
        return play(&PathBuf::from(folder));
    }
    let parent = tempfile::tempdir().unwrap();
    let undisturbed = Folder::create(&parent.path().join("whole"), false).unwrap();
    race(&undisturbed, || (), |_| ());
    let whole = undisturbed.contents().unwrap();
    let rows = |start: usize| whole.measurements.complete[start].windows.iter().map(WindowRecord::label);
    assert!(
        rows(3).any(|row| row == "b") && rows(4).all(|row| row != "b"),
        "b is not out after two failures"
    );
    assert!(whole.run.gate.is_some_and(|gate| gate.passing > 0.0) && whole.run.failures.len() == 3);
    let size =
        |folder: &Folder| fs::metadata(folder.path().join("windows.jsonl")).map_or(0, |file| file.len());
    let of_one_start = size(&undisturbed) / u64::from(STARTS);

    let mut random = SplitMix64::seed_from_u64(1);
    let mut draw = |below: u64| random.next_u64() % below;
    let (mut kills, mut cut_short) = (0, 0);
    for folder in 0.. {
        let folder = Folder::create(&parent.path().join(folder.to_string()), false).unwrap();
        let mut kills_here = 0;
        loop {
            // Some one and a half starts later at most, so that it comes to an end.
            let by_limit = draw(2) == 0;
            let bytes = by_limit.then(|| size(&folder) + draw(3 * of_one_start / 2));
            let mut racer = Racer::start(&folder, bytes.filter(|_| kills < KILLS));
            if kills < KILLS && !by_limit {
                racer.hear(draw(20));
                racer.process.kill().unwrap();
            }
            match racer.end() {
                status if status.success() => break,
                status => {
                    let expected = if by_limit { Signal::XFSZ } else { Signal::KILL };
                    assert_eq!(status.signal(), Some(expected.as_raw()), "{status}");
                }
            }
            (kills, kills_here) = (kills + 1, kills_here + 1);
            let Some(left) = left_in(&folder) else { continue };
            check(&left, &whole, racer.begun, kills_here);
            let log = fs::read(folder.path().join("windows.jsonl")).unwrap();
            cut_short += usize::from(log.last().is_some_and(|last| *last != b'\n'));
        }
        let ended = folder.contents().unwrap();
        check(&ended, &whole, STARTS as usize, kills_here);
        assert!(ended.run.resumed.len() <= kills_here && ended.run.failures == whole.run.failures);
        if kills == KILLS {
            break;
        }
    }
    assert!(cut_short > KILLS / 10, "{cut_short} lines of {kills} were cut short");
}

#[test]
fn a_start_whose_end_was_not_written_is_measured_again_and_what_failed_in_it_is_said_once() {
    let parent = tempfile::tempdir().unwrap();
    let folder = Folder::create(parent.path(), false).unwrap();
    race(&folder, || (), |_| ());
    let whole = folder.contents().unwrap();
    let log = parent.path().join("windows.jsonl");
    let text = fs::read_to_string(&log).unwrap();
    let ends = text.lines().scan(0, |at, line| Some((std::mem::replace(at, *at + line.len() + 1), line)));
    let ends = ends.filter(|(_, line)| line.contains(r#""kind":"complete""#));
    for (finished, (end, _)) in ends.enumerate() {
        // The record of the run knows of this start, and of those after it: as if it were from the future.
        fs::write(&log, &text[..end]).unwrap();
        folder.write_run(&whole.run).unwrap();
        let resumed = resumed(&folder).unwrap();
        let run = Run::resume(&resumed, &Context::new(Interrupt::never()).unwrap()).unwrap();
        assert_eq!(
            run.record.gate.is_some(),
            finished > 0,
            "no gate is known until a first start was finished"
        );
        race(&folder, || (), |_| ());
        let again = folder.contents().unwrap();
        assert_eq!(again.measurements.complete, whole.measurements.complete);
        assert_eq!((again.run.failures, again.run.gate), (whole.run.failures.clone(), whole.run.gate));
        assert_eq!((again.measurements.incomplete.len(), again.run.resumed.len()), (1, 1));
    }
}
