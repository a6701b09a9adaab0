//! How each CPU spent its time, whoever used it, from `/proc/stat`.
//!
//! Time that is not idle is busy. The kernel knows idle time to the nanosecond where it stops its tick then (NO_HZ, nearly
//! everywhere), and shows it in ticks of 10 ms; what it says of user and system time is sampled, and is not used here.

use std::{collections::BTreeMap, io, time::Instant};

use host::cpus::CpuSet;

use super::tasks::{nanoseconds, ticks_as_ns};

/// The counters of every CPU that is online.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CpuTimes {
    at: Instant,
    cpus: BTreeMap<usize, Ticks>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ticks {
    idle: u64,
    stolen: u64,
}

/// How some CPUs together were busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy {
    /// Neither idle nor stolen.
    pub ns: u64,
    /// How far off that may be.
    pub within_ns: u64,
}

impl CpuTimes {
    /// Reads them.
    ///
    /// # Errors
    /// There is no `/proc/stat`, or nothing about CPUs in it.
    pub fn read() -> io::Result<Self> {
        let (text, at) = (std::fs::read_to_string("/proc/stat")?, Instant::now());
        match parsed(&text) {
            cpus if cpus.is_empty() => Err(io::Error::other("/proc/stat says nothing of any CPU")),
            cpus => Ok(Self { at, cpus }),
        }
    }

    /// Ticks of each CPU since `earlier` that the hypervisor gave to another machine; of those that had any.
    pub fn stolen_since(&self, earlier: &Self) -> BTreeMap<usize, u64> {
        let stolen = self.cpus.iter().filter_map(|(cpu, now)| {
            let then = earlier.cpus.get(cpu)?;
            Some((*cpu, now.stolen.saturating_sub(then.stolen)))
        });
        stolen.filter(|(_, ticks)| *ticks > 0).collect()
    }

    /// For how long `cpus` were busy since `earlier`; `None` where one of them was not online at both instants.
    pub fn busy_since(&self, earlier: &Self, cpus: &CpuSet) -> Option<Busy> {
        let passed = nanoseconds(self.at.saturating_duration_since(earlier.at));
        let mut busy = Busy { ns: 0, within_ns: 0 };
        for cpu in cpus.iter() {
            let (now, then) = (self.cpus.get(&cpu)?, earlier.cpus.get(&cpu)?);
            let elsewhere = now.idle.saturating_sub(then.idle) + now.stolen.saturating_sub(then.stolen);
            busy.ns += passed.saturating_sub(ticks_as_ns(elsewhere));
            // Idle, waiting for a disk, and stolen: each is cut to a tick at both instants.
            busy.within_ns += 3 * ticks_as_ns(1);
        }
        Some(busy)
    }
}

/// Lines `cpu0 user nice system idle iowait irq softirq steal ...`, not the first, which is of all CPUs together.
fn parsed(stat: &str) -> BTreeMap<usize, Ticks> {
    let of_one = |line: &str| {
        let (cpu, counters) = line.strip_prefix("cpu")?.split_once(' ')?;
        let counters: Vec<u64> = counters.split_ascii_whitespace().map_while(|n| n.parse().ok()).collect();
        let counter = |index: usize| counters.get(index).copied().unwrap_or(0);
        Some((cpu.parse().ok()?, Ticks { idle: counter(3) + counter(4), stolen: counter(7) }))
    };
    stat.lines().filter_map(of_one).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn times(at: Instant, stat: &str) -> CpuTimes {
        CpuTimes { at, cpus: parsed(stat) }
    }

    #[test]
    fn what_is_neither_idle_nor_stolen_is_busy() {
        let began = Instant::now();
        let then = times(
            began,
            "cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 0 0 0 100 0 0 0 5 0 0\ncpu2 1 1 1 50 50 0 0 0 0 0\n",
        );
        let now = times(
            began + Duration::from_secs(1),
            "cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 0 0 0 160 0 0 0 7 0 0\ncpu2 9 9 9 90 60 0 0 0 0 0\nintr 4 5\n",
        );
        let busy = |cpus: &str| now.busy_since(&then, &cpus.parse().unwrap()).map(|busy| busy.ns / 1_000_000);
        assert_eq!(busy("0"), Some(380));
        assert_eq!(busy("0,2"), Some(380 + 500));
        assert_eq!(busy("0-2"), None, "there is no CPU 1");
        assert_eq!(now.stolen_since(&then), BTreeMap::from([(0, 2)]));
    }

    #[test]
    fn the_cpus_of_this_machine_are_there() {
        let cpus = CpuSet::allowed().unwrap();
        let then = CpuTimes::read().unwrap();
        let busy = CpuTimes::read().unwrap().busy_since(&then, &cpus).unwrap();
        assert!(
            busy.within_ns > 0 && busy.ns <= nanoseconds(then.at.elapsed()) * cpus.len() as u64,
            "{busy:?}"
        );
    }
}
