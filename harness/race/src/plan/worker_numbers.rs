//! With how many workers rows are raced, where a scenario says so.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// More workers than this for each CPU are threads that wait for each other.
const MOST_TIMES: usize = 64;
/// How many workers rows are told to have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorkerNumbers {
    /// So many times the server's CPUs.
    TimesCpus(Vec<usize>),
    /// From one to as many as the server has CPUs: each up to four, then every other or so.
    OneToCpus,
}

impl WorkerNumbers {
    /// The numbers for a server on so many CPUs, ascending.
    pub fn on(&self, cpus: usize) -> Vec<usize> {
        let mut numbers: Vec<usize> = match self {
            Self::TimesCpus(times) => times.iter().map(|times| times * cpus).collect(),
            Self::OneToCpus => {
                let steps = (0..).map(|step| (2 + step % 2) << (step / 2 + 1));
                (1..4).chain(steps).take_while(|&number| number < cpus).chain([cpus]).collect()
            }
        };
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// What is wrong with it, where something is.
    ///
    /// # Errors
    /// Numbers that nobody means, in words.
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Self::TimesCpus(times)
                if times.is_empty() || times.iter().any(|times| !(1..=MOST_TIMES).contains(times)) =>
            {
                Err(format!(
                    "workers are 1 to {MOST_TIMES} times the CPUs, as in workers = {{ times_cpus = [1, 2] }}"
                ))
            }
            Self::TimesCpus(_) | Self::OneToCpus => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_workers_follow_from_the_cpus() {
        let one_to = |cpus| WorkerNumbers::OneToCpus.on(cpus);
        assert_eq!(one_to(1), [1]);
        assert_eq!(one_to(2), [1, 2]);
        assert_eq!(one_to(4), [1, 2, 3, 4]);
        assert_eq!(one_to(10), [1, 2, 3, 4, 6, 8, 10]);
        assert_eq!(one_to(32), [1, 2, 3, 4, 6, 8, 12, 16, 24, 32]);
        assert_eq!(WorkerNumbers::TimesCpus(vec![4, 1, 2]).on(2), [2, 4, 8]);
    }
}
