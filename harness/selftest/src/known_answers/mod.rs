//! `harness selftest --comparison`: the comparison against differences that were planted, live.
//!
//! The null server is raced against itself, as rows are: with a second one of the same, one whose requests cost 3% more CPU time, one that
//! holds answers back until its p99 has doubled, and one that stalls for 30 ms every 2 s. Each is compared with the plain one by what a
//! report compares by. Over many races the comparison must find what is there, and what is not there no oftener than it says.
//!
//! From the difference to the verdict: `dose` measures how much to plant; `field` is what is planted in whom and what is asked of it;
//! `races` runs a race; `record` is what it found; `asked` says how many races may go wrong; `tally` adds up and judges.

mod asked;
mod dose;
mod field;
mod races;
mod record;
#[cfg(test)]
mod sign_flips;
mod tally;

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, bail};
use host::ready::Profile;
use race::{
    machine::alone::Alone,
    plan::{budget::expected_duration, run_plan::RunPlan},
    records::folder::Contents,
};
use report::{compared::Figure, pairs::Rows};
use terminal::{
    interrupt::Interrupt,
    outcome::{Outcome, after},
    outln,
    output::Output,
    progress::about,
};

use self::{
    asked::Verdict,
    field::{Dose, Entrant},
    races::{Races, STARTS},
    record::{AgainstPlain, Found, Race},
};
use crate::provenance;

/// What a person wants of `selftest --comparison`.
#[derive(Clone, Debug)]
pub struct ComparisonOptions {
    /// How many races.
    pub races: u32,
    /// What the order of servers and all arrivals are drawn from: race n from this plus n.
    pub seed: u64,
    /// Where a results folder of each race is left; nowhere, unless it is said.
    pub out: Option<PathBuf>,
    /// Also write what every race found as JSON.
    pub export_json: Option<PathBuf>,
}

/// A machine that is so much slower than expected is not waited for.
const PATIENCE: u32 = 2;

/// Runs it. `command` is what the person typed.
///
/// # Errors
/// This build or this host cannot measure, another run does, the null server cannot be measured, or a file cannot be written.
pub fn comparison(options: &ComparisonOptions, command: String) -> anyhow::Result<Outcome> {
    if Profile::of_this_build() == Profile::Debug {
        bail!("this is a debug build, which is never measured: `just selftest-comparison` builds for speed");
    }
    let interrupt = Interrupt::listen("finished races are kept, and judged")?;
    let export = options.export_json.as_deref().map(Output::begin).transpose()?;
    let mut races = Races::new(command, interrupt)?;
    let cpus = races.cpus()?;
    let _alone = Alone::on_this_host()?;
    let folders = Folders::new(options.out.clone())?;
    outln!("{cpus}; {STARTS} starts of {} rounds a race", races.scenario.rounds);
    let Some(dose) = dose::measure(&mut races, options.seed, &folders.dose())? else {
        return Ok(Outcome::Interrupted);
    };
    outln!("{}\n", described(&dose));
    let mut found = Found {
        made_by: provenance::line(&races.environment),
        starts: STARTS,
        rounds: races.scenario.rounds,
        dose,
        races: Vec::new(),
    };
    let raced = race_all(&mut races, options, &folders, &mut found);
    let interrupted = races.context.interrupt.asked();
    let lines = tally::lines(&found);
    outln!("\n{}", tally::table(&lines));
    let late = matches!(raced, Ok(true));
    if late {
        outln!("the machine took {PATIENCE} times as long as expected: the other races were not run");
    }
    // The races that were finished are shown and kept, whatever ended the others.
    let written = export.map_or(Ok(()), |export| export.finish_json(&found));
    after(written.map_err(Into::into), raced)?;
    Ok(match (interrupted, late, tally::verdict(&lines)) {
        (true, ..) => Outcome::Interrupted,
        (false, false, Verdict::Pass) => Outcome::Done,
        (false, ..) => Outcome::Partly,
    })
}

/// Runs race after race; whether time ran out.
fn race_all(
    races: &mut Races,
    options: &ComparisonOptions,
    folders: &Folders,
    found: &mut Found,
) -> anyhow::Result<bool> {
    let rows = field::rows(&races.program, &found.dose)?;
    let scenarios = vec![races::at_rate(races.scenario.clone(), found.dose.per_second)];
    let plan =
        RunPlan { rows: rows.clone(), with: Vec::new(), scenarios, starts: STARTS, seed: options.seed };
    let expected = expected_duration(&plan);
    outln!("{} races of {} each", options.races, about(expected));
    let deadline = Instant::now() + (expected * options.races) * PATIENCE;
    for number in 1..=options.races {
        if Instant::now() >= deadline {
            return Ok(true);
        }
        let began = Instant::now();
        let seed = options.seed.wrapping_add(u64::from(number));
        let folder = folders.of(number);
        let contents = races.race(rows.clone(), found.dose.per_second, (STARTS, seed), &folder)?;
        if races.context.interrupt.asked() {
            return Ok(false);
        }
        let race = judged(&contents, seed)?;
        folders.done_with(&folder)?;
        outln!("race {number} of {}, {:.0?}: {}", options.races, began.elapsed(), in_one_line(&race));
        found.races.push(race);
    }
    Ok(false)
}

fn judged(contents: &Contents, seed: u64) -> anyhow::Result<Race> {
    let scenario = contents.run.plan.scenarios.first().context("the scenario does not fit this host")?;
    let rows = Rows::of(scenario, contents);
    let kept = rows.kept();
    let failures =
        contents.run.failures.iter().map(|failure| format!("{}: {}", failure.what, failure.reason));
    Ok(Race {
        seed,
        began: contents.environment.started.clone(),
        gate_step: contents.run.gate.map(|gate| gate.step),
        kept_and_dropped: [kept.kept, kept.dropped],
        failures: failures.collect(),
        entrants: Entrant::ALL.map(|entrant| AgainstPlain::of(&rows, entrant)).into(),
    })
}

fn described(dose: &Dose) -> String {
    let Dose { per_second, cpu_us, burn_steps, p99_us, hold_us } = dose;
    format!(
        "at {per_second:.0} requests a second a plain request costs {cpu_us:.2} us of CPU time, to which {burn_steps} steps add {:.0}%; \
         its p99 over all windows is {p99_us:.0} us, which doubles if {:.0}% of the answers are held for {hold_us:.0} us",
        100.0 * field::BURNT,
        100.0 * field::HELD
    )
}

/// What is asked of each entrant, and what was found of it.
fn in_one_line(race: &Race) -> String {
    let [kept, dropped] = race.kept_and_dropped;
    let of_entrant = |against: &AgainstPlain| {
        let asked = field::FIGURES.into_iter().filter(|figure| against.entrant.asked(*figure).is_some());
        let figure = |figure: Figure| {
            let name = figure.name();
            let compared = against.figure(&name)?;
            let ratio = compared.ratio().map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}"));
            Some(format!("{name} {ratio} {}", word(compared.finding)))
        };
        let figures: Vec<String> = asked.filter_map(figure).collect();
        let said = if against.stalls_now_and_then { ", said to stall" } else { "" };
        format!("{}: {}{said}", against.entrant.planted(), figures.join(", "))
    };
    let entrants: Vec<String> = race.entrants.iter().map(of_entrant).collect();
    let step = race.gate_step.map_or_else(String::new, |step| format!(", gate {:.0}%", 100.0 * step));
    let failures: String = race.failures.iter().map(|failure| format!("; {failure}")).collect();
    format!("{}; {kept} of {} windows count{step}{failures}", entrants.join("; "), kept + dropped)
}

fn word(finding: record::Finding) -> &'static str {
    match finding {
        record::Finding::Nothing => "=",
        record::Finding::More => "more",
        record::Finding::Less => "less",
        record::Finding::NotJudged => "?",
    }
}

/// Where the races' results go.
#[derive(Debug)]
struct Folders {
    parent: PathBuf,
    /// Gone at the end, and race by race, since a race has some megabytes.
    temporary: Option<tempfile::TempDir>,
}

impl Folders {
    fn new(out: Option<PathBuf>) -> anyhow::Result<Self> {
        let temporary = match out {
            None => Some(tempfile::tempdir().context("cannot create a folder for the races")?),
            Some(_) => None,
        };
        let parent = out.or_else(|| Some(temporary.as_ref()?.path().to_owned())).unwrap_or_default();
        Ok(Self { parent, temporary })
    }

    fn dose(&self) -> PathBuf {
        self.parent.join("dose")
    }

    fn of(&self, race: u32) -> PathBuf {
        self.parent.join(format!("race-{race:03}"))
    }

    fn done_with(&self, folder: &Path) -> std::io::Result<()> {
        match self.temporary {
            Some(_) => std::fs::remove_dir_all(folder),
            None => Ok(()),
        }
    }
}
