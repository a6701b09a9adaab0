//! What a run will do: which rows under which scenarios, in which order, with which seeds, how often and for how long.

use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_xoshiro::SplitMix64;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    plan::{
        experiment::{EventKind, Experiment},
        scenario::{Metric, Scenario, Unsuited},
    },
    registry::{Row, Tier},
};

/// Fewer starts than this give values and intervals, but no places.
pub const STARTS_FOR_PLACES: u32 = stats::decide::FEWEST_STARTS as u32;

/// More connections than this leave memory behind in a server that shows in what is measured after them.
const MANY_CONNECTIONS: usize = 1_000;

/// A run before it begins. How often is fixed with it: nothing that is measured ends a run sooner or later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunPlan {
    /// The rows.
    pub rows: Vec<Row>,
    /// Those of them that were given on the command line, and not listed by a registry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub with: Vec<String>,
    /// The scenarios, in their order within a start.
    pub scenarios: Vec<Scenario>,
    /// How often all servers are started; 0 where there are experiments alone.
    pub starts: u32,
    /// Where all randomness comes from.
    pub seed: u64,
}

/// One server of a start: a row's, or the second one of the row that is compared with itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry<'a> {
    /// The row.
    pub row: &'a Row,
    /// Whether this is its second server.
    pub twin: bool,
}

/// One pass of an experiment.
#[derive(Clone, Debug)]
pub struct Pass<'a> {
    /// Under which scenario.
    pub scenario: &'a Scenario,
    /// What that does to its rows.
    pub experiment: &'a Experiment,
    /// Of which row.
    pub row: &'a Row,
    /// The events.
    pub events: Vec<EventKind>,
    /// Which of the row's passes, from 0.
    pub start: usize,
}

impl Pass<'_> {
    /// How a log names it.
    pub fn is(&self, scenario: &str, row: &str, start: usize) -> bool {
        (self.scenario.name.as_str(), self.row.name.as_str(), self.start) == (scenario, row, start)
    }
}

impl Entry<'_> {
    /// How tables call it.
    pub fn label(&self) -> String {
        label(&self.row.name, self.twin)
    }
}

impl RunPlan {
    /// All entries of a round of `scenario`, in the registry's order, the twin last.
    ///
    /// The first controlled row is entered twice where places can come of it: what the comparison says of a row and
    /// itself is the check of the comparison.
    pub fn entries(&self, scenario: &Scenario) -> Vec<Entry<'_>> {
        let suited = || self.rows.iter().filter(|row| scenario.suits(row));
        let mut entries: Vec<Entry<'_>> = suited().map(|row| Entry { row, twin: false }).collect();
        let mut controlled = suited().filter(|row| row.tier == Tier::Controlled);
        if let (Some(row), Some(_), true) =
            (controlled.next(), controlled.next(), self.starts >= STARTS_FOR_PLACES)
        {
            entries.push(Entry { row, twin: true });
        }
        entries
    }

    /// The scenarios in which rows are compared: what starts and rounds are of.
    pub fn compared(&self) -> impl Iterator<Item = &Scenario> {
        self.scenarios.iter().filter(|scenario| scenario.experiment.is_none())
    }

    /// The passes of experiments, in their order: each scenario, each of its rows in turn, as often as the scenario says; a row without any
    /// event has none.
    pub fn passes(&self) -> Vec<Pass<'_>> {
        let mut passes = Vec::new();
        for scenario in &self.scenarios {
            let Some(experiment) = &scenario.experiment else { continue };
            for row in self.rows.iter().filter(|row| scenario.suits(row)) {
                let Ok(events) = experiment.events_of(row) else { continue };
                for start in 0..experiment.starts as usize {
                    passes.push(Pass { scenario, experiment, row, events: events.clone(), start });
                }
            }
        }
        passes
    }

    /// The rows that a scenario leaves out, with the reasons: they cannot do what it asks, or it has no event for them. The null server, which
    /// answers one operation, is not missed.
    pub fn left_out(&self, scenario: &Scenario) -> Vec<(&Row, String)> {
        let Some(experiment) = &scenario.experiment else {
            let reason = |row: &Row| match scenario.unsuited(row) {
                Some(Unsuited::Because(reason)) if row.tier != Tier::Calibration => Some(reason),
                _ => None,
            };
            return self.rows.iter().filter_map(|row| Some((row, reason(row)?))).collect();
        };
        let suited = self.rows.iter().filter(|row| scenario.suits(row));
        suited.filter_map(|row| Some((row, experiment.events_of(row).err()?))).collect()
    }

    /// The seed of the arrivals of a pass.
    pub fn pass_seed(&self, pass: &Pass<'_>) -> u64 {
        // The very same load for all rows, as far as their rates are the same.
        self.arrivals_seed(pass.scenario, pass.start, 0)
    }

    /// The scenarios by the CPUs that they give their servers, in the scenarios' order: what one life of these serves.
    pub fn groups(&self) -> Vec<Vec<&Scenario>> {
        // Memory that a server once used it need not give back: idle connections are weighed in a life of its own, and what holds thousands
        // of connections is kept apart from what does not.
        let weighs = |scenario: &Scenario| scenario.rank.by == Metric::IdleMemory;
        let is_wide = |scenario: &Scenario| scenario.open_connections() > MANY_CONNECTIONS;
        let place = |scenario: &Scenario| {
            (scenario.placement, scenario.server_cpus, weighs(scenario), is_wide(scenario))
        };
        let mut groups: Vec<Vec<&Scenario>> = Vec::new();
        for scenario in self.compared() {
            match groups.iter_mut().find(|group| place(group[0]) == place(scenario)) {
                Some(group) => group.push(scenario),
                None => groups.push(vec![scenario]),
            }
        }
        groups
    }

    /// The servers of one start of a group, each once, in the order in which they are started.
    pub fn servers(&self, group: &[&Scenario], start: usize) -> Vec<Entry<'_>> {
        let mut servers: Vec<Entry<'_>> = Vec::new();
        for entry in group.iter().flat_map(|scenario| self.entries(scenario)) {
            if !servers.contains(&entry) {
                servers.push(entry);
            }
        }
        let name = group.first().map_or("", |scenario| &scenario.name);
        servers.shuffle(&mut self.random(name, start, 0, Purpose::Servers));
        servers
    }

    /// The entries of one round in the order in which they are measured.
    pub fn order(&self, scenario: &Scenario, start: usize, round: usize) -> Vec<Entry<'_>> {
        let mut entries = self.entries(scenario);
        entries.shuffle(&mut self.random(&scenario.name, start, round, Purpose::Order));
        entries
    }

    /// The rounds of a start in the order in which they are measured: one after the other, and of a ladder at random, so that what drifts
    /// meets every step alike.
    pub fn rounds(&self, scenario: &Scenario, start: usize) -> Vec<usize> {
        let mut rounds: Vec<usize> = (0..scenario.all_rounds()).collect();
        if scenario.ladder.is_some() {
            rounds.shuffle(&mut self.random(&scenario.name, start, 0, Purpose::Rounds));
        }
        rounds
    }

    /// The seed of the arrivals of one round: the same for all its rows, so that they are compared under the very same load.
    pub fn arrivals_seed(&self, scenario: &Scenario, start: usize, round: usize) -> u64 {
        self.random(&scenario.name, start, round, Purpose::Arrivals).next_u64()
    }

    fn random(&self, name: &str, start: usize, round: usize, purpose: Purpose) -> SplitMix64 {
        let and = |seed: u64, with: u64| SplitMix64::seed_from_u64(seed.wrapping_add(with)).next_u64();
        // The name, not the place, so that `--scenario` repeats what the whole run did.
        let named = name.bytes().fold(self.seed, |seed, byte| and(seed, u64::from(byte)));
        let parts = [start as u64, round as u64, purpose as u64];
        SplitMix64::seed_from_u64(parts.into_iter().fold(named, and))
    }

    /// How many windows there will be, if none has to be repeated.
    pub fn window_count(&self) -> usize {
        let of = |scenario: &Scenario| self.entries(scenario).len() * scenario.all_rounds();
        self.compared().map(of).sum::<usize>() * self.starts as usize
    }
}

/// What follows the row's name where the second server of one that is compared with itself is meant.
pub const AGAIN: &str = " (again)";

/// How tables call a row, or the second server of one that is compared with itself.
pub fn label(row: &str, twin: bool) -> String {
    if twin { format!("{row}{AGAIN}") } else { row.to_owned() }
}

/// What is drawn, so that one thing says nothing of another.
#[derive(Clone, Copy, Debug)]
enum Purpose {
    Servers,
    Order,
    Arrivals,
    Rounds,
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{
        plan::scenarios::Scenarios,
        registry::{Asked, Registry},
    };

    fn plan(seed: u64, starts: u32) -> RunPlan {
        let here = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        RunPlan {
            rows: Registry::read(&here.join("servers.toml")).unwrap().select(Asked::Default).unwrap(),
            with: Vec::new(),
            scenarios: Scenarios::read(&here.join("scenarios")).unwrap().select(Asked::Default).unwrap(),
            starts,
            seed,
        }
    }

    fn names(entries: &[Entry<'_>]) -> Vec<String> {
        entries.iter().map(Entry::label).collect()
    }

    #[test]
    fn every_round_holds_every_suited_row_once_and_the_first_controlled_row_twice() {
        let plan = plan(1, 6);
        let mixed = plan.scenarios.iter().find(|scenario| scenario.name == "mixed").unwrap();
        for round in 0..20 {
            let mut order = names(&plan.order(mixed, 0, round));
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
    fn a_start_has_each_server_that_any_scenario_of_its_cpus_asks_for_once() {
        let plan = plan(1, 6);
        let groups = plan.groups();
        assert_eq!(groups.iter().map(Vec::len).collect::<Vec<_>>(), [4, 1]);
        for group in &groups {
            let servers = plan.servers(group, 0);
            for entry in group.iter().flat_map(|scenario| plan.entries(scenario)) {
                assert_eq!(servers.iter().filter(|server| **server == entry).count(), 1, "{}", entry.label());
            }
            assert_ne!(names(&servers), names(&plan.servers(group, 1)));
        }
    }

    #[test]
    fn what_opens_thousands_of_connections_shares_no_servers_with_what_does_not() {
        let here = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let scenarios = Scenarios::read(&here.join("scenarios")).unwrap().select(Asked::All).unwrap();
        let plan = RunPlan { scenarios, ..plan(1, 6) };
        let names = |group: &[&Scenario]| group.iter().map(|one| one.name.clone()).collect::<Vec<_>>();
        let groups: Vec<Vec<String>> = plan.groups().iter().map(|group| names(group)).collect();
        let of = |wanted: &str| groups.iter().find(|group| group.iter().any(|name| name == wanted)).unwrap();
        assert_eq!(*of("idle-memory"), ["idle-memory"]);
        for (wide, narrow) in [("many-connections", "simple-latency"), ("slow-backend", "simple-latency")] {
            assert!(!of(wide).contains(&narrow.to_owned()), "{groups:?}");
        }
        assert!(of("mixed").contains(&"skew".to_owned()), "{groups:?}");
    }

    #[test]
    fn a_seed_repeats_the_order_and_the_arrivals_and_another_seed_changes_both() {
        let orders = |seed| {
            let plan = plan(seed, 6);
            let of_scenario = |scenario: &Scenario| {
                let rounds = (0..6).flat_map(|start| (0..4).map(move |round| (start, round)));
                let of_round = |(start, round)| {
                    (names(&plan.order(scenario, start, round)), plan.arrivals_seed(scenario, start, round))
                };
                rounds.map(of_round).collect::<Vec<_>>()
            };
            plan.scenarios.iter().map(of_scenario).collect::<Vec<_>>()
        };
        assert_eq!(orders(1), orders(1));
        assert_ne!(orders(1), orders(2));
        let rounds = &orders(1)[0];
        assert!(rounds.iter().any(|round| round.0 != rounds[0].0), "every round has the same order");
        let mut seeds: Vec<u64> = rounds.iter().map(|round| round.1).collect();
        seeds.sort_unstable();
        seeds.dedup();
        assert_eq!(seeds.len(), rounds.len(), "two rounds share their arrivals");
    }

    #[test]
    fn the_steps_of_a_ladder_are_climbed_in_another_order_each_start_and_rounds_of_others_in_their_own() {
        let here = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let shipped = Scenarios::read(&here.join("scenarios")).unwrap();
        let named = |name: &str| shipped.all().iter().find(|scenario| scenario.name == name).unwrap();
        let plan = plan(1, 6);
        let orders: Vec<Vec<usize>> = (0..6).map(|start| plan.rounds(named("curve"), start)).collect();
        assert!(orders.windows(2).all(|two| two[0] != two[1]), "{orders:?}");
        for mut order in orders {
            order.sort_unstable();
            assert_eq!(order, (0..named("curve").all_rounds()).collect::<Vec<_>>());
        }
        assert_eq!(plan.rounds(named("mixed"), 0), (0..named("mixed").rounds).collect::<Vec<_>>());
    }

    #[test]
    fn a_plan_reads_back_from_a_record_as_it_was() {
        let plan = plan(1, 6);
        let text = serde_json::to_string(&plan).unwrap();
        let back: RunPlan = serde_json::from_str(&text).unwrap();
        assert_eq!(back, plan);
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
    fn too_few_starts_for_places_need_no_twin() {
        let plan = plan(1, 5);
        assert!(plan.scenarios.iter().all(|scenario| plan.entries(scenario).iter().all(|entry| !entry.twin)));
    }
}
