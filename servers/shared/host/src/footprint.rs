//! What a tree of processes holds at one moment: memory, open files and CPU time, read from `/proc`.
//!
//! For bounds on what a server may be made to take. Rates and distributions over time are the harness's business.

use std::time::Duration;

use procfs::{ProcResult, process::Process};
use rustix::time::{ClockId, clock_gettime};

use crate::processes::descendants;

/// What all processes of a tree hold together. A process that is gone when it is looked at counts for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Resident memory, bytes. Pages that several processes share are counted for each of them.
    pub rss_bytes: u64,
    /// Open file descriptors.
    pub open_files: usize,
    /// User and system time of the processes, and of those that they have waited for, to the kernel's tick (10 ms as a rule).
    pub cpu: Duration,
}

impl Footprint {
    /// Of process `root` and everything below it.
    pub fn of_tree(root: u32) -> Self {
        tree(root).into_iter().filter_map(|pid| Self::of_one(pid).ok()).fold(Self::default(), |sum, one| {
            Self {
                rss_bytes: sum.rss_bytes + one.rss_bytes,
                open_files: sum.open_files + one.open_files,
                cpu: sum.cpu + one.cpu,
            }
        })
    }

    fn of_one(pid: u32) -> ProcResult<Self> {
        let process = Process::new(i32::try_from(pid).unwrap_or(i32::MAX))?;
        let stat = process.stat()?;
        let waited_for = u64::try_from(stat.cutime + stat.cstime).unwrap_or(0);
        let ticks = stat.utime + stat.stime + waited_for;
        Ok(Self {
            // One that has ended and was not waited for holds neither, and has used what it has.
            rss_bytes: process.statm().map_or(0, |memory| memory.resident) * procfs::page_size(),
            open_files: process.fd_count().unwrap_or(0),
            cpu: Duration::from_secs_f64(ticks as f64 / procfs::ticks_per_second() as f64),
        })
    }
}

/// CPU time of the calling thread, exactly.
pub fn own_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("CPU time is never negative")
}

/// Process `root` and everything below it.
pub fn tree(root: u32) -> Vec<u32> {
    let mut pids = descendants(root);
    pids.insert(0, root);
    pids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_process_takes_shows() {
        let before = Footprint::of_tree(std::process::id());
        let memory = vec![1_u8; 64 << 20];
        let files: Vec<_> = (0..50).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
        let after = Footprint::of_tree(std::process::id());
        assert!(after.rss_bytes > before.rss_bytes + (memory.len() as u64) / 2, "{before:?} {after:?}");
        assert!(after.open_files >= before.open_files + files.len() / 2, "{before:?} {after:?}");
        assert!(after.cpu >= before.cpu);
    }

    #[test]
    fn what_a_child_used_still_counts_when_it_was_waited_for() {
        let mut child = crate::tether::command("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        let of_child = || Footprint::of_tree(child.id()).cpu;
        while of_child() < Duration::from_millis(50) {
            std::thread::yield_now();
        }
        let before = Footprint::of_tree(std::process::id()).cpu;
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(Footprint::of_tree(std::process::id()).cpu >= before);
    }

    #[test]
    fn a_threads_own_time_grows_only_while_it_runs() {
        let spun = own_cpu();
        while own_cpu() == spun {}
        let (before, others) = (
            own_cpu(),
            std::thread::spawn(|| {
                let start = own_cpu();
                while own_cpu() - start < Duration::from_millis(50) {}
            }),
        );
        others.join().unwrap();
        assert!(own_cpu() - before < Duration::from_millis(50));
    }
}
