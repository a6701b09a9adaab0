//! Who used some CPUs between two readings of the table of processes.
//!
//! A task used them if it ran there last at either reading. Of one that was elsewhere at both it is assumed that it was elsewhere all
//! the time, and of one that was there at one of them, that all its time was there.

use std::cmp::Reverse;

use host::cpus::CpuSet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tasks::{Process, Table, Task};

/// How many of those who took most are named.
const NAMED: usize = 8;

/// Whose work a task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The row's.
    Row,
    /// The harness's, whose threads the generator's are, and that of its guards.
    Harness,
    /// The row's by other hands: the kernel's threads that do what the row's packets, locks and rings ask for.
    Kernel,
    /// Nobody's who takes part.
    Foreign,
}

impl Side {
    /// Of one who is neither the row's nor the harness's.
    pub fn of_outsider(is_kernel: bool, name: &str) -> Self {
        let by_other_hands = ["ksoftirqd/", "migration/", "rcu"];
        // The last is a worker that tears rings down, whose name has what it does last behind its own.
        let is_one = by_other_hands.iter().any(|begin| name.starts_with(begin)) || name.contains("iou_exit");
        // A program can call itself what it likes.
        if is_kernel && is_one { Self::Kernel } else { Self::Foreign }
    }
}

/// CPU time on some CPUs, by whose it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Shares {
    /// The row's.
    pub row_ns: u64,
    /// That of the harness, its generator and its guards.
    pub harness_ns: u64,
    /// That of kernel threads which do the row's work: ksoftirqd, migration, rcu, iou_exit.
    pub kernel_ns: u64,
    /// Everybody else's.
    pub foreign_ns: u64,
    /// Of these, who took most.
    pub takers: Vec<Taker>,
    /// Processes of nobody who takes part that were there at the first reading and not at the last. What they used within is told
    /// by nothing but the CPUs.
    pub foreign_ended: usize,
}

/// A process that took CPU time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Taker {
    /// What it is called.
    pub name: String,
    /// Its number.
    pub pid: u32,
    /// How much its threads took.
    pub ns: u64,
}

/// What counts as where.
#[derive(Clone, Copy, Debug)]
pub struct Where<'a> {
    /// The CPUs that are asked about.
    pub cpus: &'a CpuSet,
    /// Those to which the generator's threads are pinned, which come and go between the readings.
    pub generator: &'a CpuSet,
}

impl Shares {
    /// All of it.
    pub fn sum_ns(&self) -> u64 {
        self.row_ns + self.harness_ns + self.kernel_ns + self.foreign_ns
    }
}

/// Who used `at.cpus` between the two tables; `side` says whose a process is that takes part.
pub(super) fn between(
    before: &Table,
    after: &Table,
    at: Where<'_>,
    side: impl Fn(&Process) -> Option<Side>,
) -> Shares {
    let mut shares = Shares::default();
    let mut takers: Vec<Taker> = Vec::new();
    for process in after.values() {
        let earlier = before.get(&process.pid).filter(|earlier| earlier.is(process)).map(AsRef::as_ref);
        if earlier.is_some_and(|earlier| earlier.on_cpu_ns == process.on_cpu_ns) {
            continue;
        }
        let (known, mut of_tasks, mut foreign_ns) = (side(process), 0, 0);
        let mut take = |side: Side, ns| match side {
            Side::Row => shares.row_ns += ns,
            Side::Harness => shares.harness_ns += ns,
            Side::Kernel => shares.kernel_ns += ns,
            Side::Foreign => foreign_ns += ns,
        };
        for task in &process.tasks {
            let then = earlier.and_then(|earlier| earlier.task(task));
            let ns = task.on_cpu_ns.saturating_sub(then.map_or(0, |then| then.on_cpu_ns));
            of_tasks += ns;
            if ns > 0 && is_on(at.cpus, task, then) {
                take(known.unwrap_or_else(|| of_outsider(process, task, then)), ns);
            }
        }
        // What its clock shows beyond that was used by threads that have ended.
        let in_all = process.on_cpu_ns.saturating_sub(earlier.map_or(0, |earlier| earlier.on_cpu_ns));
        let of_ended = in_all.saturating_sub(of_tasks);
        if of_ended > 0 && ended_on(at, process, earlier, known == Some(Side::Harness)) {
            let of_first = |task: &Task| of_outsider(process, task, None);
            take(known.unwrap_or(process.tasks.first().map_or(Side::Foreign, of_first)), of_ended);
        }
        if foreign_ns > 0 {
            shares.foreign_ns += foreign_ns;
            takers.push(Taker { name: process.name().to_owned(), pid: process.pid, ns: foreign_ns });
        }
    }
    let is_gone = |process: &Process| !after.get(&process.pid).is_some_and(|later| later.is(process));
    let gone = before.values().filter(|process| side(process).is_none() && is_gone(process));
    shares.foreign_ended = gone.count();
    takers.sort_by_key(|taker| (Reverse(taker.ns), taker.pid));
    takers.truncate(NAMED);
    shares.takers = takers;
    shares
}

/// A worker of the kernel is called after what it does now: it was the row's work if it did such at either reading.
fn of_outsider(process: &Process, now: &Task, then: Option<&Task>) -> Side {
    let names = [&now.name, then.map_or(&now.name, |then| &then.name)];
    match names.map(|name| Side::of_outsider(process.is_kernel, name)) {
        [Side::Foreign, Side::Foreign] => Side::Foreign,
        _ => Side::Kernel,
    }
}

fn is_on(cpus: &CpuSet, now: &Task, then: Option<&Task>) -> bool {
    cpus.contains(now.cpu) || then.is_some_and(|then| cpus.contains(then.cpu))
}

/// Whether the threads of a process that ended ran there: those of the harness are the generator's. Of others, those decide that
/// were seen before, and where there were none, the threads that are left.
fn ended_on(at: Where<'_>, now: &Process, then: Option<&Process>, is_harness: bool) -> bool {
    if is_harness {
        return at.generator.iter().any(|cpu| at.cpus.contains(cpu));
    }
    let tasks_then = then.map_or(&[][..], |then| &then.tasks);
    let mut ended = tasks_then.iter().filter(|task| now.task(task).is_none()).peekable();
    match ended.peek() {
        Some(_) => ended.any(|task| at.cpus.contains(task.cpu)),
        None => now.tasks.iter().chain(tasks_then).any(|task| at.cpus.contains(task.cpu)),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::tasks::tests::{kernel_thread, process, table, task},
        *,
    };

    fn cpus(list: &str) -> CpuSet {
        list.parse().unwrap()
    }

    /// On CPU 0, where the generator is on CPU 1, process 1 is the row and process 2 the harness.
    fn shares(before: &Table, after: &Table) -> Shares {
        let at = Where { cpus: &cpus("0"), generator: &cpus("1") };
        between(before, after, at, side)
    }

    fn side(process: &Process) -> Option<Side> {
        match process.pid {
            1 => Some(Side::Row),
            2 => Some(Side::Harness),
            _ => None,
        }
    }

    #[test]
    fn each_side_gets_what_its_tasks_used() {
        let one = |pid, ns| process(pid, 1, ns, [task(pid, 0, ns)]);
        let before = table([one(1, 10), one(2, 20), one(3, 30), kernel_thread(4, "ksoftirqd/0", 0, 40)]);
        let after = table([one(1, 11), one(2, 22), one(3, 34), kernel_thread(4, "ksoftirqd/0", 0, 48)]);
        let shares = shares(&before, &after);
        assert_eq!((shares.row_ns, shares.harness_ns, shares.foreign_ns, shares.kernel_ns), (1, 2, 4, 8));
        assert_eq!(shares.sum_ns(), 15);
        assert_eq!(shares.takers, [Taker { name: "t3".to_owned(), pid: 3, ns: 4 }]);
    }

    #[test]
    fn a_task_counts_where_it_was_seen_at_either_reading() {
        let one = |cpu, ns| table([process(3, 1, ns, [task(3, cpu, ns)])]);
        for (then, now, counted) in [(0, 0, 5), (0, 1, 5), (1, 0, 5), (1, 1, 0)] {
            assert_eq!(shares(&one(then, 10), &one(now, 15)).foreign_ns, counted, "{then} {now}");
        }
    }

    #[test]
    fn a_new_task_counts_from_its_start_and_an_ended_process_is_counted_as_such() {
        let shares = shares(
            &table([process(5, 1, 70, [task(5, 0, 70)])]),
            &table([process(3, 2, 9, [task(3, 0, 9)]), process(5, 3, 4, [task(5, 0, 4)])]),
        );
        assert_eq!((shares.foreign_ns, shares.foreign_ended), (13, 1));
        assert_eq!(shares.takers.iter().map(|taker| taker.pid).collect::<Vec<_>>(), [3, 5]);
    }

    #[test]
    fn threads_that_ended_count_by_the_clock_of_their_process() {
        // Thread 31 was on CPU 0 and thread 32 on CPU 1; both are gone.
        for (ended, counted) in [(31, 6), (32, 0)] {
            let cpu = ended - 31;
            let before = table([process(3, 1, 20, [task(3, 1, 10), task(ended, cpu as usize, 10)])]);
            let after = table([process(3, 1, 27, [task(3, 1, 11)])]);
            assert_eq!(shares(&before, &after).foreign_ns, counted, "{ended}");
        }
        // One that came and went meanwhile is where its process is.
        for (cpu, counted) in [(0, 7), (1, 0)] {
            let before = table([process(3, 1, 10, [task(3, cpu, 10)])]);
            let after = table([process(3, 1, 17, [task(3, cpu, 12)])]);
            assert_eq!(shares(&before, &after).foreign_ns, counted, "{cpu}");
        }
    }

    #[test]
    fn the_generators_threads_are_where_they_were_pinned() {
        // The harness's own thread has been on CPU 0, where the generator never is.
        let before = table([process(2, 1, 10, [task(2, 0, 10)])]);
        let after = table([process(2, 1, 100, [task(2, 0, 11)])]);
        assert_eq!(shares(&before, &after).harness_ns, 1);
        let shared = Where { cpus: &cpus("0-1"), generator: &cpus("1") };
        assert_eq!(between(&before, &after, shared, side).harness_ns, 90);
    }

    #[test]
    fn only_the_kernels_own_threads_do_the_rows_work_by_other_hands() {
        for (name, side) in [
            ("ksoftirqd/0", Side::Kernel),
            ("migration/1", Side::Kernel),
            ("rcu_preempt", Side::Kernel),
            ("rcuop/3", Side::Kernel),
            ("kworker/u8:3+iou_exit", Side::Kernel),
            ("kworker/0:1-events", Side::Foreign),
            ("kdamond.0", Side::Foreign),
        ] {
            assert_eq!(Side::of_outsider(true, name), side, "{name}");
            assert_eq!(Side::of_outsider(false, name), Side::Foreign, "{name}");
        }
        // It did such work at one of the readings.
        let before = table([kernel_thread(7, "kworker/u8:3+iou_exit", 0, 10)]);
        let after = table([kernel_thread(7, "kworker/u8:3-events_unbound", 0, 14)]);
        assert_eq!(shares(&before, &after).kernel_ns, 4);
    }

    #[test]
    fn no_more_are_named_than_can_be_read() {
        let all = |ns: u64| {
            (10..40).map(move |pid| process(pid, 1, ns * u64::from(pid), [task(pid, 0, ns * u64::from(pid))]))
        };
        let shares = shares(&table(all(1)), &table(all(2)));
        assert_eq!(shares.takers.len(), NAMED);
        assert_eq!((shares.takers[0].pid, shares.takers[0].ns), (39, 39));
        assert_eq!(shares.foreign_ns, (10..40).sum::<u64>());
    }
}
