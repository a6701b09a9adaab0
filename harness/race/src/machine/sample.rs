//! Counters of the kernel for commands that drive one server by themselves, outside a race: of its process tree, and of the machine, read at the
//! edges of a window and subtracted. A race reads more, and at other instants ([`edge`](super::edge)).

use std::{collections::HashMap, ops::AddAssign, time::Duration};

use host::{cpus::CpuSet, processes};
use procfs::{CurrentSI, process::Process};
use serde::{Deserialize, Serialize};

/// What a set of processes has used up to an instant.
#[derive(Clone, Debug, Default)]
pub struct TreeSample {
    tasks: HashMap<i32, TaskSample>,
    ticks_user: u64,
    ticks_system: u64,
    resident_kib: u64,
    peak_resident_kib: u64,
    processes: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct TaskSample {
    on_cpu_ns: u64,
    waiting_ns: u64,
    voluntary: u64,
    involuntary: u64,
}

/// What a set of processes used between two instants.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TreeUse {
    /// CPU time of all tasks, nanoseconds: the scheduler's own account, not the 10 ms ticks.
    pub cpu_ns: u64,
    /// The part of it that was spent in the kernel, between 0 and 1, from the ticks; absent if nothing ticked.
    pub system_share: Option<f64>,
    /// Time that tasks were runnable but had no CPU, nanoseconds.
    pub run_delay_ns: u64,
    /// Context switches because a task waited. A lower bound where tasks ended within the window.
    pub voluntary_switches: u64,
    /// Context switches because a task was preempted. A lower bound likewise.
    pub involuntary_switches: u64,
    /// Resident memory of all processes at the end, KiB. Pages that they share are counted once for each.
    pub resident_kib: u64,
    /// The sum of the largest resident set that each process has had, KiB.
    pub peak_resident_kib: u64,
    /// Processes at the end.
    pub processes: usize,
    /// Threads at the end.
    pub threads: usize,
    /// Tasks that ended within the window, whose counters are lost.
    pub tasks_ended: usize,
}

impl TreeSample {
    /// Process `root` and all its descendants.
    pub fn of_tree(root: u32) -> Self {
        let mut sample = Self::default();
        for pid in std::iter::once(root).chain(processes::descendants(root)) {
            sample.add_process(pid);
        }
        sample
    }

    /// All descendants of process `root`, without itself.
    pub fn below(root: u32) -> Self {
        let mut sample = Self::default();
        for pid in processes::descendants(root) {
            sample.add_process(pid);
        }
        sample
    }

    /// Adds a process; one that ended in the meantime adds nothing.
    fn add_process(&mut self, pid: u32) {
        let Some(process) = i32::try_from(pid).ok().and_then(|pid| Process::new(pid).ok()) else { return };
        let Ok(tasks) = process.tasks() else { return };
        for task in tasks.flatten() {
            let (Ok(schedule), Ok(status)) = (task.schedstat(), task.status()) else { continue };
            let sample = TaskSample {
                on_cpu_ns: schedule.sum_exec_runtime,
                waiting_ns: schedule.run_delay,
                voluntary: status.voluntary_ctxt_switches.unwrap_or(0),
                involuntary: status.nonvoluntary_ctxt_switches.unwrap_or(0),
            };
            self.tasks.insert(task.tid, sample);
        }
        if let Ok(stat) = process.stat() {
            self.ticks_user += stat.utime;
            self.ticks_system += stat.stime;
        }
        if let Ok(status) = process.status() {
            self.resident_kib += status.vmrss.unwrap_or(0);
            self.peak_resident_kib += status.vmhwm.unwrap_or(0);
        }
        self.processes += 1;
    }

    /// What was used from `earlier` to this sample.
    pub fn since(&self, earlier: &Self) -> TreeUse {
        let mut total = TaskSample::default();
        for (tid, now) in &self.tasks {
            total += now.since(earlier.tasks.get(tid).copied().unwrap_or_default());
        }
        let user = self.ticks_user.saturating_sub(earlier.ticks_user);
        let system = self.ticks_system.saturating_sub(earlier.ticks_system);
        let ticks = user + system;
        TreeUse {
            cpu_ns: total.on_cpu_ns,
            system_share: (ticks > 0).then(|| system as f64 / ticks as f64),
            run_delay_ns: total.waiting_ns,
            voluntary_switches: total.voluntary,
            involuntary_switches: total.involuntary,
            resident_kib: self.resident_kib,
            peak_resident_kib: self.peak_resident_kib,
            processes: self.processes,
            threads: self.tasks.len(),
            tasks_ended: earlier.tasks.keys().filter(|tid| !self.tasks.contains_key(tid)).count(),
        }
    }
}

impl TaskSample {
    fn since(self, earlier: Self) -> Self {
        Self {
            on_cpu_ns: self.on_cpu_ns.saturating_sub(earlier.on_cpu_ns),
            waiting_ns: self.waiting_ns.saturating_sub(earlier.waiting_ns),
            voluntary: self.voluntary.saturating_sub(earlier.voluntary),
            involuntary: self.involuntary.saturating_sub(earlier.involuntary),
        }
    }
}

impl AddAssign for TaskSample {
    fn add_assign(&mut self, other: Self) {
        self.on_cpu_ns += other.on_cpu_ns;
        self.waiting_ns += other.waiting_ns;
        self.voluntary += other.voluntary;
        self.involuntary += other.involuntary;
    }
}

/// The machine's per-CPU counters at an instant.
#[derive(Clone, Debug)]
pub struct MachineSample {
    cpus: Vec<CpuTicks>,
}

#[derive(Clone, Copy, Debug)]
struct CpuTicks {
    busy: u64,
    idle: u64,
    stolen: u64,
}

/// How the CPUs of a plan spent a window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MachineUse {
    /// Part of the time in which the server's CPUs were not idle, whoever used them.
    pub server_cpus_busy: f64,
    /// The same of the generator's CPUs.
    pub generator_cpus_busy: f64,
    /// Part of the time of either's CPUs that the hypervisor gave to another machine.
    pub stolen: f64,
    /// Part of the time of either's CPUs that other processes of this machine took. Interrupts are among them.
    pub others: f64,
}

impl MachineSample {
    /// Reads `/proc/stat`.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn take() -> procfs::ProcResult<Self> {
        let stat = procfs::KernelStats::current()?;
        let ticks = |cpu: &procfs::CpuTime| {
            let stolen = cpu.steal.unwrap_or(0);
            CpuTicks {
                busy: cpu.user
                    + cpu.nice
                    + cpu.system
                    + cpu.irq.unwrap_or(0)
                    + cpu.softirq.unwrap_or(0)
                    + stolen,
                idle: cpu.idle + cpu.iowait.unwrap_or(0),
                stolen,
            }
        };
        Ok(Self { cpus: stat.cpu_time.iter().map(ticks).collect() })
    }

    /// How the two CPU sets spent the time from `earlier` to this sample, in which server and generator together used
    /// `accounted` of CPU time.
    pub fn since(
        &self,
        earlier: &Self,
        server: &CpuSet,
        generator: &CpuSet,
        accounted: Duration,
    ) -> MachineUse {
        let spent = |set: &CpuSet| {
            let mut total = CpuTicks { busy: 0, idle: 0, stolen: 0 };
            // CPUs are numbered in `/proc/stat` without gaps as long as none is offline.
            for cpu in set.iter() {
                let (Some(now), Some(then)) = (self.cpus.get(cpu), earlier.cpus.get(cpu)) else { continue };
                total.busy += now.busy.saturating_sub(then.busy);
                total.idle += now.idle.saturating_sub(then.idle);
                total.stolen += now.stolen.saturating_sub(then.stolen);
            }
            total
        };
        let part = |part: u64, of: &CpuTicks| part as f64 / (of.busy + of.idle).max(1) as f64;
        let either: CpuSet = server.iter().chain(generator.iter()).collect();
        let (server, generator, either) = (spent(server), spent(generator), spent(&either));
        let accounted = (accounted.as_secs_f64() * procfs::ticks_per_second() as f64).round() as u64;
        MachineUse {
            server_cpus_busy: part(server.busy, &server),
            generator_cpus_busy: part(generator.busy, &generator),
            stolen: part(either.stolen, &either),
            others: part(either.busy.saturating_sub(either.stolen + accounted), &either),
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::time::{ClockId, clock_gettime};

    use super::*;

    #[test]
    fn cpu_time_of_a_tree_agrees_with_the_thread_clock() {
        let clock = || {
            let time = clock_gettime(ClockId::ThreadCPUTime);
            u64::try_from(time.tv_sec).unwrap() * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap()
        };
        let (sample, start) = (TreeSample::of_tree(std::process::id()), clock());
        while clock() - start < 100_000_000 {
            std::hint::spin_loop();
        }
        let own = clock() - start;
        // The scheduler's account of a running thread lags by up to a tick; giving the CPU up brings it up to date.
        std::thread::yield_now();
        let used = TreeSample::of_tree(std::process::id()).since(&sample);
        // Other tests of this binary may run beside this one, so that the process may only have used more.
        assert!(used.cpu_ns >= own, "{} ns reported, {own} ns spent", used.cpu_ns);
    }

    #[test]
    fn a_tree_includes_the_descendants_and_ended_tasks_are_counted() {
        let mut child = host::tether::command("sleep").arg("60").spawn().unwrap();
        let before = TreeSample::of_tree(std::process::id());
        assert!(before.tasks.contains_key(&i32::try_from(child.id()).unwrap()));
        child.kill().unwrap();
        child.wait().unwrap();
        let used = TreeSample::of_tree(std::process::id()).since(&before);
        assert!(used.tasks_ended >= 1, "{used:?}");
    }

    #[test]
    fn what_neither_server_nor_generator_used_was_taken_by_others() {
        let all = |busy, idle, stolen| MachineSample { cpus: vec![CpuTicks { busy, idle, stolen }] };
        let (cpu, second) = (CpuSet::from_iter([0]), procfs::ticks_per_second());
        let used =
            all(second, second, second / 10).since(&all(0, 0, 0), &cpu, &cpu, Duration::from_millis(600));
        // One second busy of two: a tenth stolen, six tenths accounted for, three tenths somebody else's.
        assert!((used.others - 0.15).abs() < 1e-9 && (used.stolen - 0.05).abs() < 1e-9, "{used:?}");
    }

    #[test]
    fn the_machine_is_never_busier_than_always() {
        let cpus = CpuSet::allowed().unwrap();
        let before = MachineSample::take().unwrap();
        let used = MachineSample::take().unwrap().since(&before, &cpus, &cpus, Duration::ZERO);
        for share in [used.server_cpus_busy, used.generator_cpus_busy, used.stolen, used.others] {
            assert!((0.0..=1.0).contains(&share), "{used:?}");
        }
    }
}
