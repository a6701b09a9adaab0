//! The rows that scenarios about numbers of workers race: each row once for each number.

use crate::{
    plan::{
        cpu_plan::Topology,
        scenario::{Scenario, Unsuited},
    },
    registry::Row,
};

/// `rows`, and behind them the variants that `scenarios` ask for on this host, which are told what numbers these are. A scenario that the host
/// is too small for asks for none, which is said where its CPUs are planned.
pub fn with_variants(mut rows: Vec<Row>, scenarios: &mut [Scenario], topology: &Topology) -> Vec<Row> {
    let mut variants: Vec<Row> = Vec::new();
    for scenario in scenarios {
        let (Some(numbers), Ok(cpus)) = (&scenario.workers, topology.plan(scenario, 0)) else { continue };
        let counts = numbers.on(cpus.server.len());
        scenario.worker_counts = counts.clone();
        let able = rows.iter().filter(|row| scenario.unsuited(row) == Some(Unsuited::Represented));
        for variant in
            able.flat_map(|row| counts.iter().filter_map(move |&workers| row.with_workers(workers).ok()))
        {
            if !variants.iter().any(|known| known.name == variant.name) {
                variants.push(variant);
            }
        }
    }
    rows.extend(variants);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::run::{rows, scenario};

    #[test]
    fn each_row_that_can_be_told_is_raced_once_for_each_number_and_the_others_are_left_out() {
        let mut scenarios = [scenario("oversubscription", 1), scenario("mixed", 1)];
        let base = rows(&["work-stealing", "single-thread"]);
        let Ok(topology) = Topology::of_this_host() else { return };
        let Ok(cpus) = topology.plan(&scenarios[0], 0) else { return };
        let all = with_variants(base, &mut scenarios, &topology);
        let names: Vec<&str> = all.iter().map(|row| row.name.as_str()).collect();
        let of = |times: usize| format!("work-stealing-w{}", times * cpus.server.len());
        assert_eq!(names, ["work-stealing", "single-thread", &of(1), &of(2), &of(4)]);
        let suited = |scenario: &Scenario| all.iter().filter(|row| scenario.suits(row)).count();
        assert_eq!((suited(&scenarios[0]), suited(&scenarios[1])), (3, 2));
    }
}
