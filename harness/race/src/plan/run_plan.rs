//! What a run will do: which rows under which scenarios, in which order, with which seeds, for how long.

use std::{fmt, time::Duration};

use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_xoshiro::SplitMix64;
use serde::{Deserialize, Serialize};

use crate::{
    plan::{
        cpu_plan::{TooFewCpus, Topology},
        scenario::Scenario,
    },
    registry::{Row, Tier},
};
use terminal::progress::about;

/// Fewer valid blocks than this give values and intervals, but no ranks.
pub const BLOCKS_FOR_RANKS: u32 = stats::decide::FEWEST_STARTS as u32;
/// What starting, checking, calibrating and stopping a server takes beside warm-up and window: for the estimate only.
const OVERHEAD: Duration = Duration::from_millis(350);

/// A run before it begins.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunPlan {
    /// The rows.
    pub rows: Vec<Row>,
    /// Those of them that were given on the command line, and not listed by a registry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub with: Vec<String>,
    /// The scenarios, in their order within a block.
    pub scenarios: Vec<Scenario>,
    /// Trials of each row under each scenario.
    pub trials: u32,
    /// Where all randomness comes from.
    pub seed: u64,
}

/// One place in a block: a row, or the second entry of the row that is compared with itself.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    /// The row.
    pub row: &'a Row,
    /// Whether this is its second entry.
    pub twin: bool,
}

impl RunPlan {
    /// All entries of a block of `scenario`, in the registry's order, the twin last.
    ///
    /// The first controlled row is entered twice where ranks can come of it: what the comparison says of a row and
    /// itself is the check of the comparison.
    pub fn entries(&self, scenario: &Scenario) -> Vec<Entry<'_>> {
        let suited = || self.rows.iter().filter(|row| scenario.suits(row));
        let mut entries: Vec<Entry<'_>> = suited().map(|row| Entry { row, twin: false }).collect();
        let mut controlled = suited().filter(|row| row.tier == Tier::Controlled);
        if let (Some(row), Some(_), true) =
            (controlled.next(), controlled.next(), self.trials >= BLOCKS_FOR_RANKS)
        {
            entries.push(Entry { row, twin: true });
        }
        entries
    }

    /// The entries of one block in the order in which they are measured.
    pub fn order(&self, scenario: &Scenario, block: usize) -> Vec<Entry<'_>> {
        let mut entries = self.entries(scenario);
        entries.shuffle(&mut self.random(scenario, block, 0));
        entries
    }

    /// The seed of the arrivals of one block: the same for all its rows, so that they are compared under the very
    /// same load.
    pub fn arrivals_seed(&self, scenario: &Scenario, block: usize) -> u64 {
        self.random(scenario, block, 1).next_u64()
    }

    fn random(&self, scenario: &Scenario, block: usize, purpose: u64) -> SplitMix64 {
        // The name, not the place, so that `--scenario` repeats what the whole run did.
        let named = scenario.name.bytes().fold(self.seed, |seed, byte| {
            SplitMix64::seed_from_u64(seed.wrapping_add(u64::from(byte))).next_u64()
        });
        SplitMix64::seed_from_u64(named ^ (block as u64) << 1 ^ purpose << 63)
    }

    /// How many trials there will be, if none has to be repeated.
    pub fn trial_count(&self) -> usize {
        self.scenarios.iter().map(|scenario| self.entries(scenario).len()).sum::<usize>()
            * self.trials as usize
    }

    /// How long they will take.
    pub fn expected_duration(&self) -> Duration {
        let trial = |scenario: &Scenario, row: &Row| {
            scenario.trial_time() + OVERHEAD + row.warm_up.saturating_sub(scenario.warm_up)
        };
        let block = |scenario: &Scenario| {
            self.entries(scenario).iter().map(|entry| trial(scenario, entry.row)).sum::<Duration>()
        };
        self.scenarios.iter().map(block).sum::<Duration>() * self.trials
    }

    /// The plan as a person reads it, with the CPU sets of `topology`.
    ///
    /// # Errors
    /// A scenario needs more CPUs than there are.
    pub fn describe(&self, topology: &Topology) -> Result<String, TooFewCpus> {
        let mut text = String::new();
        let mut line = |line: fmt::Arguments<'_>| {
            text.push_str(&line.to_string());
            text.push('\n');
        };
        line(format_args!("Rows"));
        let widest = self.rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
        for row in &self.rows {
            line(format_args!("  {:widest$}  {}: {}", row.name, row.tier, row.about));
        }
        line(format_args!("Scenarios"));
        let widest = self.scenarios.iter().map(|scenario| scenario.name.len()).max().unwrap_or(0);
        for scenario in &self.scenarios {
            let cpus = topology.plan(scenario, 0)?;
            line(format_args!("  {:widest$}  {}", scenario.name, scenario.question));
            line(format_args!(
                "  {:widest$}  {cpus}; {} trials of {:?} after {:?} of warm-up",
                "",
                self.entries(scenario).len() * self.trials as usize,
                scenario.window,
                scenario.warm_up,
            ));
        }
        let (blocks, seed) = (self.trials, self.seed);
        let plural = if blocks == 1 { "block" } else { "blocks" };
        line(format_args!(
            "{blocks} {plural} in random order, seed {seed}; about {} of measuring",
            about(self.expected_duration())
        ));
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{
        plan::scenario::Scenarios,
        registry::{Asked, Registry},
    };

    fn plan(seed: u64, trials: u32) -> RunPlan {
        let here = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        RunPlan {
            rows: Registry::read(&here.join("servers.toml")).unwrap().select(Asked::Default).unwrap(),
            with: Vec::new(),
            scenarios: Scenarios::read(&here.join("scenarios")).unwrap().select(Asked::Default).unwrap(),
            trials,
            seed,
        }
    }

    fn names(entries: &[Entry<'_>]) -> Vec<String> {
        entries.iter().map(|entry| crate::records::record::label(&entry.row.name, entry.twin)).collect()
    }

    #[test]
    fn every_block_holds_every_suited_row_once_and_the_first_controlled_row_twice() {
        let plan = plan(1, 6);
        let mixed = plan.scenarios.iter().find(|scenario| scenario.name == "mixed").unwrap();
        for block in 0..20 {
            let mut order = names(&plan.order(mixed, block));
            order.sort_unstable();
            let mut expected = names(&plan.entries(mixed));
            assert!(expected.iter().filter(|name| *name == "fork-per-core (again)").count() == 1);
            let suited = || plan.rows.iter().filter(|row| mixed.suits(row));
            assert!(
                suited().all(|row| expected.contains(&row.name)) && expected.len() == suited().count() + 1
            );
            expected.sort_unstable();
            assert_eq!(order, expected);
        }
    }

    #[test]
    fn a_seed_repeats_the_order_and_the_arrivals_and_another_seed_changes_both() {
        let orders = |seed| {
            let plan = plan(seed, 6);
            let of_scenario = |scenario: &Scenario| {
                (0..6)
                    .map(|b| (names(&plan.order(scenario, b)), plan.arrivals_seed(scenario, b)))
                    .collect::<Vec<_>>()
            };
            plan.scenarios.iter().map(of_scenario).collect::<Vec<_>>()
        };
        assert_eq!(orders(1), orders(1));
        assert_ne!(orders(1), orders(2));
        let blocks = &orders(1)[0];
        assert!(blocks.iter().any(|block| block.0 != blocks[0].0), "every block has the same order");
        assert!(blocks.iter().skip(1).all(|block| block.1 != blocks[0].1), "two blocks share their arrivals");
    }

    #[test]
    fn a_plan_reads_back_from_a_record_as_it_was() {
        let plan = plan(1, 6);
        let text = serde_json::to_string(&plan).unwrap();
        let back: RunPlan = serde_json::from_str(&text).unwrap();
        assert_eq!((back.rows, back.scenarios), (plan.rows, plan.scenarios));
    }

    /// Every text in `value` under a key that is a duration's.
    fn durations_in<'a>(value: &'a serde_json::Value, found: &mut Vec<&'a str>) {
        const KEYS: [&str; 5] = ["ready_within", "warm_up", "window", "timeout", "service_time"];
        match value {
            serde_json::Value::Object(fields) => {
                let texts = fields.iter().filter(|(key, _)| KEYS.contains(&key.as_str()));
                found.extend(texts.filter_map(|(_, value)| value.as_str()));
                fields.values().for_each(|value| durations_in(value, found));
            }
            serde_json::Value::Array(values) => values.iter().for_each(|value| durations_in(value, found)),
            _ => {}
        }
    }

    #[test]
    fn the_durations_of_published_runs_read_back_as_they_were_written() {
        for run in ["2026-11-21-vm", "2026-11-21-vm-2"] {
            let path = format!("{}/../../results/{run}/run.json", env!("CARGO_MANIFEST_DIR"));
            let record: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
            let mut texts = Vec::new();
            durations_in(&record["plan"], &mut texts);
            assert!(texts.len() > 15, "{texts:?}");
            for text in texts {
                let read = duration::parse(text).unwrap();
                let written = duration::serialize(&read, serde_json::value::Serializer).unwrap();
                assert_eq!(written, text);
            }
        }
    }

    #[test]
    fn too_few_trials_for_ranks_need_no_twin() {
        let plan = plan(1, 5);
        assert!(plan.scenarios.iter().all(|scenario| plan.entries(scenario).iter().all(|entry| !entry.twin)));
    }
}
