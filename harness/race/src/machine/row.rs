//! What a row's own tree used between two readings of the table of processes.
//!
//! CPU time is that of the processes' own clocks, which lose no thread. Children that came and went are on nobody's clock: what they
//! used shows in the account of the parent that waited for them, to a tick of 10 ms, and nowhere if nobody did (a parent that
//! ignores SIGCHLD): then only as busy time of the CPUs that nothing explains. Of a whole life the [guard](host::guard) reports the
//! same, likewise without those.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    memory::Memory,
    tasks::{Modes, Switches, Table, ticks_as_ns},
};

/// What a row's processes used within a stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RowUse {
    /// CPU time of its processes, by their clocks.
    pub cpu_ns: u64,
    /// CPU time of processes that ended and were waited for, as far as it is not on their own clocks' last reading.
    pub children_ns: u64,
    /// How far off `children_ns` may be.
    pub children_within_ns: u64,
    /// Processes that were there at the first reading and not at the last.
    pub ended: usize,
    /// CPU time that those had used before, and that no parent's account took over: if there is any, then what they used within the
    /// stretch is lost as well.
    pub lost_ns: u64,
    /// Where that time was used, of its processes and of those that were waited for. It is cut to ticks of 10 ms at both readings, so
    /// that a single window says little: over many of them what is cut off comes and goes evenly, and the ratio of the sums is right.
    /// Absent from records of before it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modes: Option<Modes>,
    /// For how long its threads could have run and had no CPU; without threads that ended.
    pub run_delay_ns: u64,
    /// Context switches because a thread waited; without threads that ended.
    pub voluntary_switches: u64,
    /// Context switches because another thread was to run; likewise.
    pub involuntary_switches: u64,
    /// Threads that were there at the first reading and not at the last.
    pub threads_ended: usize,
    /// Processes at the last reading.
    pub processes: usize,
    /// Threads at the last reading.
    pub threads: usize,
    /// What they held at the last reading.
    pub memory: Memory,
}

impl RowUse {
    /// CPU time in all.
    pub fn total_cpu_ns(&self) -> u64 {
        self.cpu_ns + self.children_ns
    }
}

/// What the processes of a row used between two tables, in which they were `then` and are `now`.
pub(super) fn between(
    (before, then): (&Table, &BTreeSet<u32>),
    (after, now): (&Table, &BTreeSet<u32>),
    memory: Memory,
) -> RowUse {
    let mut used = RowUse { memory, ..RowUse::default() };
    let (mut taken_over_ns, mut handed_over_ns) = (0, 0);
    let (mut own, mut taken_over, mut handed_over) = (Modes::default(), Modes::default(), Modes::default());
    for process in now.iter().filter_map(|pid| after.get(pid)) {
        let earlier = before.get(&process.pid).filter(|earlier| earlier.is(process));
        used.processes += 1;
        used.threads += process.tasks.len();
        used.cpu_ns += process.on_cpu_ns.saturating_sub(earlier.map_or(0, |earlier| earlier.on_cpu_ns));
        let of_children_ns =
            process.children_ns.saturating_sub(earlier.map_or(0, |earlier| earlier.children_ns));
        taken_over_ns += of_children_ns;
        if of_children_ns > 0 {
            // User and system time, each cut to a tick at both readings.
            used.children_within_ns += 2 * ticks_as_ns(1);
        }
        let [own_then, children_then] = earlier.map(|earlier| earlier.modes).unwrap_or_default();
        own = own.and(process.modes[0].since(own_then));
        taken_over = taken_over.and(process.modes[1].since(children_then));
        for task in &process.tasks {
            let known = earlier.and_then(|earlier| earlier.task(task));
            used.run_delay_ns += task.waiting_ns.saturating_sub(known.map_or(0, |known| known.waiting_ns));
            let switches =
                |task: Option<&super::tasks::Task>| task.and_then(|task| task.switches).unwrap_or_default();
            let (now, then): (Switches, Switches) = (switches(Some(task)), switches(known));
            used.voluntary_switches += now.voluntary.saturating_sub(then.voluntary);
            used.involuntary_switches += now.involuntary.saturating_sub(then.involuntary);
        }
        if let Some(earlier) = earlier {
            used.threads_ended += earlier.tasks.iter().filter(|task| process.task(task).is_none()).count();
        }
    }
    for process in then.iter().filter_map(|pid| before.get(pid)) {
        if !after.get(&process.pid).is_some_and(|later| later.is(process)) {
            used.ended += 1;
            used.threads_ended += process.tasks.len();
            handed_over_ns += process.on_cpu_ns + process.children_ns;
            handed_over = handed_over.and(process.modes[0]).and(process.modes[1]);
        }
    }
    used.children_ns = taken_over_ns.saturating_sub(handed_over_ns);
    used.modes = Some(own.and(taken_over.since(handed_over)));
    used.lost_ns = handed_over_ns.saturating_sub(taken_over_ns + used.children_within_ns);
    used
}

#[cfg(test)]
mod tests {
    use super::{
        super::tasks::tests::{process, table, task},
        *,
    };

    fn used(before: &Table, after: &Table) -> RowUse {
        let all = |table: &Table| table.keys().copied().collect();
        between((before, &all(before)), (after, &all(after)), Memory::default())
    }

    #[test]
    fn clocks_are_subtracted_and_a_new_process_counts_from_its_start() {
        let before = table([process(10, 1, 500, [task(10, 0, 500)])]);
        let after = table([
            process(10, 1, 900, [task(10, 0, 700), task(11, 1, 150)]),
            process(12, 2, 40, [task(12, 0, 40)]),
        ]);
        let used = used(&before, &after);
        // A thread that came and went used 50, which is on the clock of its process.
        assert_eq!((used.cpu_ns, used.children_ns, used.ended), (440, 0, 0));
        assert_eq!((used.processes, used.threads, used.threads_ended), (2, 3, 0));
    }

    #[test]
    fn a_child_that_was_waited_for_is_in_its_parents_account() {
        let ms = 1_000_000;
        let (mut parent, child) =
            (process(10, 1, 0, [task(10, 0, 0)]), process(12, 2, 300 * ms, [task(12, 0, 0)]));
        let before = table([parent.clone(), child]);
        parent.children_ns = 350 * ms;
        let used = used(&before, &table([parent]));
        assert_eq!((used.cpu_ns, used.children_ns, used.children_within_ns), (0, 50 * ms, 20 * ms));
        assert_eq!((used.ended, used.threads_ended, used.lost_ns), (1, 1, 0));
    }

    fn modes(user_ms: u64, system_ms: u64) -> Modes {
        Modes { user_ns: user_ms * 1_000_000, system_ns: system_ms * 1_000_000 }
    }

    #[test]
    fn user_and_system_time_are_those_of_processes_and_of_children_that_were_waited_for() {
        let (mut parent, mut child) = (process(10, 1, 0, []), process(12, 2, 0, []));
        parent.modes = [modes(100, 50), modes(0, 10)];
        child.modes = [modes(30, 20), modes(0, 0)];
        let before = table([parent.clone(), child]);
        parent.modes = [modes(160, 70), modes(40, 50)];
        let mut new = process(13, 3, 0, []);
        new.modes[0] = modes(10, 0);
        // Of the 40 and 40 that the parent's account took over the child had 30 and 20 already.
        let used = used(&before, &table([parent, new]));
        assert_eq!(used.modes, Some(modes(60 + 10 + 10, 20 + 20)));
    }

    #[test]
    fn a_record_of_before_user_and_system_were_told_apart_is_read() {
        let new = serde_json::to_value(RowUse::default()).unwrap();
        assert!(new.get("modes").is_none());
        assert_eq!(serde_json::from_value::<RowUse>(new).unwrap().modes, None);
    }

    #[test]
    fn a_child_that_nobody_waited_for_is_said_to_be_lost() {
        let before = table([process(10, 1, 7, [task(10, 0, 7)]), process(12, 2, 300, [task(12, 0, 300)])]);
        let used = used(&before, &table([process(10, 1, 9, [task(10, 0, 9)])]));
        assert_eq!((used.cpu_ns, used.ended, used.lost_ns), (2, 1, 300));
    }

    #[test]
    fn one_that_has_the_number_of_another_is_new() {
        let before = table([process(10, 1, 500, [task(10, 0, 500)])]);
        let used = used(&before, &table([process(10, 2, 600, [task(10, 0, 600)])]));
        assert_eq!((used.cpu_ns, used.ended, used.lost_ns), (600, 1, 500));
    }
}
