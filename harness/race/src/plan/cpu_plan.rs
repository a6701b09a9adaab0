//! Which CPUs the server gets and which the generator.

use std::fmt;

use host::cpus::CpuSet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    plan::scenario::{Placement, Scenario},
    schema,
};

/// The CPUs of a host, grouped by physical core, as far as this process may use them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    cores: Vec<Vec<usize>>,
    /// Those of the generator, where it is on a host of its own: the others are the server's then.
    generator: Option<Vec<Vec<usize>>>,
}

/// Where the two sides of a start run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CpuPlan {
    /// Whether the two sides share CPUs.
    pub placement: Placement,
    /// What the server may use.
    #[schemars(with = "schema::Cpus")]
    pub server: CpuSet,
    /// What the generator may use: one thread each.
    #[schemars(with = "schema::Cpus")]
    pub generator: CpuSet,
}

/// A host that has too few CPUs for a scenario.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{scenario} needs {needed} CPUs but only {allowed} may be used: widen the mask of this process (taskset, cgroup)"
)]
pub struct TooFewCpus {
    scenario: String,
    needed: usize,
    allowed: usize,
}

impl Topology {
    /// The CPUs that this process may use, by the cores that `/sys` reports.
    ///
    /// # Errors
    /// The mask cannot be read. A host that does not tell its topology has one CPU a core.
    pub fn of_this_host() -> std::io::Result<Self> {
        let siblings = |cpu: usize| {
            let path = format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
            std::fs::read_to_string(path).ok()?.trim().parse::<CpuSet>().ok()
        };
        Ok(Self::of(&CpuSet::allowed()?, siblings))
    }

    /// The CPUs `allowed` of a host that lists the hardware threads of its `cores`, one list a core.
    pub fn of_other_host(allowed: &CpuSet, cores: &[String]) -> Self {
        let cores: Vec<CpuSet> = cores.iter().filter_map(|core| core.parse().ok()).collect();
        Self::of(allowed, |cpu| cores.iter().find(|core| core.contains(cpu)).cloned())
    }

    /// That of two hosts: the servers' and the generator's.
    #[must_use]
    pub fn apart(servers: Self, generator: Self) -> Self {
        Self { generator: Some(generator.cores), ..servers }
    }

    fn of(allowed: &CpuSet, siblings: impl Fn(usize) -> Option<CpuSet>) -> Self {
        let by_core = Self::group(allowed, siblings);
        // Where all hardware threads belong to one core, they are the only halves that there are.
        if by_core.cores.len() > 1 { by_core } else { Self::group(allowed, |_| None) }
    }

    /// One CPU for a server and one for a generator, on different physical cores where there are such. `None` where
    /// only one CPU may be used.
    pub fn one_each(&self) -> Option<(usize, usize)> {
        match &self.cores[..] {
            [first, .., last] => Some((first[0], last[0])),
            _ => None,
        }
    }

    fn group(allowed: &CpuSet, siblings: impl Fn(usize) -> Option<CpuSet>) -> Self {
        let mut cores: Vec<Vec<usize>> = Vec::new();
        for cpu in allowed.iter() {
            let of_same_core = siblings(cpu).unwrap_or_default();
            match cores.iter_mut().find(|core| of_same_core.contains(core[0])) {
                Some(core) => core.push(cpu),
                None => cores.push(vec![cpu]),
            }
        }
        Self { cores, generator: None }
    }

    /// Two CPUs, of different cores where there are any. `None` where only one may be used.
    pub fn two(&self) -> Option<[usize; 2]> {
        one_of_each_core_first(&self.cores).first_chunk().copied()
    }

    fn cpus(&self) -> usize {
        self.cores.iter().map(Vec::len).sum()
    }

    /// The plan of `scenario` in block number `block`.
    ///
    /// Split: the server gets the first half of the physical cores (rounded up) with all their hardware threads,
    /// the generator the other half, so that no core is shared. Shared: the server gets as many CPUs as the
    /// scenario says, on different cores where there are enough, and the generator one of these, a different one
    /// from block to block, since a pinned row cannot move out of its way. Where the generator has a host of its own, it gets all
    /// of that, and the server as many CPUs as the scenario says, or all: that is a split as well, whatever the scenario says.
    ///
    /// # Errors
    /// There are fewer CPUs than the placement needs.
    pub fn plan(&self, scenario: &Scenario, block: usize) -> Result<CpuPlan, TooFewCpus> {
        let too_few = |needed| TooFewCpus { scenario: scenario.name.clone(), needed, allowed: self.cpus() };
        if let Some(generator) = &self.generator {
            let all = one_of_each_core_first(&self.cores);
            let wanted = scenario.server_cpus.unwrap_or(all.len());
            if wanted > all.len() {
                return Err(too_few(wanted));
            }
            let server = all.into_iter().take(wanted).collect();
            let generator = generator.iter().flatten().copied().collect();
            return Ok(CpuPlan { placement: Placement::Split, server, generator });
        }
        let placement = scenario.placement;
        match placement {
            Placement::Split => {
                if self.cores.len() < 2 {
                    return Err(too_few(2));
                }
                let (server, generator) = self.cores.split_at(self.cores.len().div_ceil(2));
                let server = one_of_each_core_first(server);
                let wanted = scenario.server_cpus.unwrap_or(server.len());
                if wanted > server.len() {
                    return Err(too_few(2 * wanted));
                }
                let server = server.into_iter().take(wanted).collect();
                Ok(CpuPlan { placement, server, generator: generator.iter().flatten().copied().collect() })
            }
            Placement::Shared => {
                let all = one_of_each_core_first(&self.cores);
                let wanted = scenario.server_cpus.unwrap_or(all.len());
                if wanted > all.len() {
                    return Err(too_few(wanted));
                }
                let generator = CpuSet::from_iter([all[block % wanted]]);
                Ok(CpuPlan { placement, server: all.into_iter().take(wanted).collect(), generator })
            }
        }
    }
}

fn one_of_each_core_first(cores: &[Vec<usize>]) -> Vec<usize> {
    let widest = cores.iter().map(Vec::len).max().unwrap_or(0);
    (0..widest).flat_map(|thread| cores.iter().filter_map(move |core| core.get(thread).copied())).collect()
}

impl fmt::Display for CpuPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.placement {
            Placement::Split => write!(f, "server on CPUs {}, generator on {}", self.server, self.generator),
            Placement::Shared => write!(f, "server on CPUs {}, generator among them", self.server),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(placement: &str, server_cpus: Option<usize>) -> Scenario {
        let text = format!(
            "question = ''\nplacement = '{placement}'\nrank = {{ stream = 's', by = 'p99' }}\n{}\
             [[stream]]\nname = 's'\noperation = 'simple'\nconnections = 1\npacing = {{ kind = 'closed' }}\n",
            server_cpus.map(|n| format!("server_cpus = {n}\n")).unwrap_or_default()
        );
        let mut scenario: Scenario = toml::from_str(&text).unwrap();
        "test".clone_into(&mut scenario.name);
        scenario
    }

    /// `cores` cores of two hardware threads each, numbered as most hosts do: 0 and `cores` are siblings.
    fn with_smt(cores: usize) -> Topology {
        let allowed = (0..2 * cores).collect();
        Topology::group(&allowed, |cpu| Some(CpuSet::from_iter([cpu % cores, cpu % cores + cores])))
    }

    fn without_smt(cpus: usize) -> Topology {
        Topology::group(&(0..cpus).collect(), |_| None)
    }

    fn shown(topology: &Topology, scenario: &Scenario, block: usize) -> String {
        let plan = topology.plan(scenario, block).unwrap();
        format!("{} | {}", plan.server, plan.generator)
    }

    #[test]
    fn a_split_never_shares_a_physical_core() {
        let split = scenario("split", None);
        assert_eq!(shown(&without_smt(2), &split, 0), "0 | 1");
        assert_eq!(shown(&without_smt(5), &split, 0), "0-2 | 3-4");
        assert_eq!(shown(&with_smt(4), &split, 0), "0-1,4-5 | 2-3,6-7");
    }

    #[test]
    fn one_cpu_each_is_on_the_first_and_the_last_core() {
        assert_eq!(without_smt(2).one_each(), Some((0, 1)));
        assert_eq!(with_smt(4).one_each(), Some((0, 3)));
        assert_eq!(without_smt(1).one_each(), None);
    }

    #[test]
    fn fewer_server_cpus_than_half_are_taken_from_different_cores() {
        assert_eq!(shown(&with_smt(4), &scenario("split", Some(2)), 0), "0-1 | 2-3,6-7");
    }

    #[test]
    fn a_shared_generator_moves_from_block_to_block() {
        let shared = scenario("shared", Some(2));
        assert_eq!(shown(&without_smt(2), &shared, 0), "0-1 | 0");
        assert_eq!(shown(&without_smt(2), &shared, 1), "0-1 | 1");
        assert_eq!(shown(&with_smt(4), &shared, 2), "0-1 | 0");
    }

    #[test]
    fn on_two_hosts_each_side_has_all_of_its_own() {
        let apart = Topology::apart(with_smt(2), without_smt(3));
        assert_eq!(shown(&apart, &scenario("split", None), 0), "0-3 | 0-2");
        assert_eq!(shown(&apart, &scenario("shared", Some(2)), 1), "0-1 | 0-2");
        let placement = apart.plan(&scenario("shared", None), 0).unwrap().placement;
        assert_eq!(placement, Placement::Split);
        let error = apart.plan(&scenario("split", Some(5)), 0).unwrap_err();
        assert!(error.to_string().contains("needs 5 CPUs but only 4"), "{error}");
    }

    #[test]
    fn another_host_says_which_hardware_threads_are_one_core() {
        let cores = ["0,4".to_owned(), "1,5".to_owned()];
        let allowed: CpuSet = "0-1,4-5".parse().unwrap();
        let split = scenario("split", None);
        assert_eq!(shown(&Topology::of_other_host(&allowed, &cores), &split, 0), "0,4 | 1,5");
        assert_eq!(shown(&Topology::of_other_host(&"0,4".parse().unwrap(), &cores), &split, 0), "0 | 4");
    }

    #[test]
    fn too_few_cpus_are_refused_with_the_number_needed() {
        let error = without_smt(1).plan(&scenario("split", None), 0).unwrap_err();
        assert!(error.to_string().contains("needs 2 CPUs but only 1"), "{error}");
        let error = without_smt(1).plan(&scenario("shared", Some(2)), 0).unwrap_err();
        assert!(error.to_string().contains("needs 2 CPUs but only 1"), "{error}");
    }
}
