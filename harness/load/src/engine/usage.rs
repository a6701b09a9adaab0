//! What an engine thread has used so far, from the kernel's own counters.

use rustix::time::{ClockId, clock_gettime};

/// Counters of the calling thread since it began.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) cpu_ns: u64,
    pub(crate) run_delay_ns: u64,
    pub(crate) voluntary_switches: u64,
    pub(crate) involuntary_switches: u64,
}

impl Usage {
    /// Reads them. A kernel that hides the switches or the delay leaves them at zero.
    pub(crate) fn of_this_thread() -> Self {
        let cpu = clock_gettime(ClockId::ThreadCPUTime);
        // "Time on the CPU, time waiting for one, timeslices": Documentation/scheduler/sched-stats.rst.
        let schedule = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
        Self {
            cpu_ns: u64::try_from(cpu.tv_sec).unwrap_or(0) * 1_000_000_000
                + u64::try_from(cpu.tv_nsec).unwrap_or(0),
            run_delay_ns: schedule.split_whitespace().nth(1).and_then(|ns| ns.parse().ok()).unwrap_or(0),
            voluntary_switches: field(&status, "voluntary_ctxt_switches:"),
            involuntary_switches: field(&status, "nonvoluntary_ctxt_switches:"),
        }
    }
}

fn field(status: &str, name: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|value| value.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_kinds_of_switch_are_not_mixed_up() {
        let status = "Name:\tx\nvoluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t3\n";
        assert_eq!(field(status, "voluntary_ctxt_switches:"), 12);
        assert_eq!(field(status, "nonvoluntary_ctxt_switches:"), 3);
        assert_eq!(field("", "nonvoluntary_ctxt_switches:"), 0);
    }

    #[test]
    fn cpu_time_only_grows() {
        let before = Usage::of_this_thread();
        assert!(Usage::of_this_thread().cpu_ns >= before.cpu_ns && before.cpu_ns > 0);
    }
}
