//! Every task of the machine and what it has used, as `/proc` tells it.
//!
//! Reading two files for each of some hundred tasks takes milliseconds; most of them have not run since they were last read, and the
//! clock of a process says so in one call. A [`Reader`] therefore remembers, and opens only what belongs to those that ran.

use std::{
    collections::{BTreeSet, HashMap},
    io,
    sync::Arc,
    time::Duration,
};

use host::{cpu_clock, processes};
use procfs::process::Stat;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Set in the flags of kernel threads: `PF_KTHREAD` in include/linux/sched.h.
const KERNEL_THREAD: u32 = 0x0020_0000;

/// Every process, by its number.
pub type Table = HashMap<u32, Arc<Process>>;

/// One process, dead ones that nobody has waited for included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// When it began, in ticks: with its number it is nobody else.
    pub started: u64,
    /// Whether it is a thread of the kernel.
    pub is_kernel: bool,
    /// CPU time of all its threads, ended ones included, by its own clock.
    pub on_cpu_ns: u64,
    /// CPU time of the children that it has waited for, and of theirs: to two ticks.
    pub children_ns: u64,
    /// Where its own time was used, and where that of those children.
    pub modes: [Modes; 2],
    /// Those of its threads that are there.
    pub tasks: Vec<Task>,
}

/// One thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its number.
    pub tid: u32,
    /// When it began, in ticks.
    pub started: u64,
    /// What it is called.
    pub name: Arc<str>,
    /// The CPU on which it ran last.
    pub cpu: usize,
    /// Its CPU time: to the nanosecond, except on kernels that account no such thing, where it is to the tick.
    pub on_cpu_ns: u64,
    /// For how long it could have run and had no CPU.
    pub waiting_ns: u64,
    /// How often it left its CPU, where that was asked for.
    pub switches: Option<Switches>,
}

/// Where CPU time was used, each to a tick of 10 ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Modes {
    /// In the program's own code.
    pub user_ns: u64,
    /// In the kernel, on its behalf.
    pub system_ns: u64,
}

/// How often tasks left their CPUs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Switches {
    /// Because they waited for something.
    pub voluntary: u64,
    /// Because another was to run.
    pub involuntary: u64,
}

impl Modes {
    /// What is more than `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        self.with(earlier, u64::saturating_sub)
    }

    /// Both.
    pub fn and(self, other: Self) -> Self {
        self.with(other, u64::saturating_add)
    }

    fn with(self, other: Self, of: fn(u64, u64) -> u64) -> Self {
        Self { user_ns: of(self.user_ns, other.user_ns), system_ns: of(self.system_ns, other.system_ns) }
    }
}

impl Process {
    /// Whether it is the same process and not merely of the same number.
    pub fn is(&self, other: &Self) -> bool {
        (self.pid, self.started) == (other.pid, other.started)
    }

    /// What it is called: as its first thread is.
    pub fn name(&self) -> &str {
        let first = self.tasks.iter().find(|task| task.tid == self.pid);
        first.or(self.tasks.first()).map_or("", |task| &task.name)
    }

    /// The thread of this process that `task` is or was.
    pub fn task(&self, task: &Task) -> Option<&Task> {
        self.tasks.iter().find(|own| (own.tid, own.started) == (task.tid, task.started))
    }

    fn reads_as_before(&self, pid: u32, on_cpu_ns: u64, with_switches: bool) -> bool {
        self.pid == pid
            && self.on_cpu_ns == on_cpu_ns
            && (!with_switches || self.tasks.iter().all(|task| task.switches.is_some()))
    }
}

/// Reads the table again and again.
#[derive(Debug, Default)]
pub struct Reader {
    last: Table,
}

impl Reader {
    /// The table as it is now, with the switches of the tasks of the processes in `row`. A process that ends while the table is read
    /// may be missing, and so is one that this process may not see.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn read(&mut self, row: &BTreeSet<u32>) -> io::Result<Table> {
        let mut table = Table::new();
        for pid in processes::numbers_in("/proc")?.unwrap_or_default() {
            let Some(used) = cpu_clock::of_process(pid) else { continue };
            let (on_cpu_ns, with_switches) = (nanoseconds(used), row.contains(&pid));
            let before = self.last.get(&pid);
            // Whoever has not used CPU time has changed nothing that is read here: neither threads nor children nor CPUs.
            if let Some(before) = before.filter(|it| it.reads_as_before(pid, on_cpu_ns, with_switches)) {
                table.insert(pid, Arc::clone(before));
            } else if let Some(process) =
                read_process(pid, on_cpu_ns, with_switches, before.map(Arc::as_ref))?
            {
                table.insert(pid, Arc::new(process));
            }
        }
        self.last.clone_from(&table);
        Ok(table)
    }
}

fn read_process(
    pid: u32,
    on_cpu_ns: u64,
    with_switches: bool,
    before: Option<&Process>,
) -> io::Result<Option<Process>> {
    let Some(stat) = processes::stat(&format!("/proc/{pid}/stat"))? else { return Ok(None) };
    let before = before.filter(|before| before.started == stat.starttime);
    let tids = match stat.num_threads {
        ..=1 => vec![pid],
        _ => processes::numbers_in(&format!("/proc/{pid}/task"))?.unwrap_or_default(),
    };
    let mut tasks = Vec::with_capacity(tids.len());
    for tid in tids {
        let known = before.and_then(|before| before.tasks.iter().find(|task| task.tid == tid));
        tasks.extend(read_task(pid, tid, with_switches, known)?);
    }
    let children = u64::try_from(stat.cutime + stat.cstime).unwrap_or(0);
    Ok(Some(Process {
        pid,
        started: stat.starttime,
        is_kernel: stat.flags & KERNEL_THREAD != 0,
        on_cpu_ns,
        children_ns: ticks_as_ns(children),
        modes: modes(&stat),
        tasks,
    }))
}

/// Of the process, its ended threads included, and of the children that it has waited for: proc(5), fields 14 to 17.
fn modes(stat: &Stat) -> [Modes; 2] {
    let ns = |ticks: i64| ticks_as_ns(u64::try_from(ticks).unwrap_or(0));
    [
        Modes { user_ns: ticks_as_ns(stat.utime), system_ns: ticks_as_ns(stat.stime) },
        Modes { user_ns: ns(stat.cutime), system_ns: ns(stat.cstime) },
    ]
}

fn read_task(pid: u32, tid: u32, with_switches: bool, known: Option<&Task>) -> io::Result<Option<Task>> {
    let folder = format!("/proc/{pid}/task/{tid}");
    let accounted = processes::read(&format!("{folder}/schedstat"))?.and_then(|text| schedstat(&text));
    if let (Some((on_cpu_ns, waiting_ns)), Some(known)) = (accounted, known)
        && (known.on_cpu_ns, known.waiting_ns) == (on_cpu_ns, waiting_ns)
        && (!with_switches || known.switches.is_some())
    {
        return Ok(Some(known.clone()));
    }
    let Some(stat) = processes::stat(&format!("{folder}/stat"))? else { return Ok(None) };
    let (on_cpu_ns, waiting_ns) = accounted.unwrap_or((ticks_as_ns(stat.utime + stat.stime), 0));
    let switches = match with_switches {
        true => processes::read(&format!("{folder}/status"))?.map(|text| switches(&text)),
        false => None,
    };
    Ok(Some(Task {
        tid,
        started: stat.starttime,
        name: stat.comm.into(),
        cpu: stat.processor.and_then(|cpu| usize::try_from(cpu).ok()).unwrap_or(0),
        on_cpu_ns,
        waiting_ns,
        switches,
    }))
}

/// "Time on the CPU, time waiting for one, timeslices" (Documentation/scheduler/sched-stats.rst); all zero on a kernel that does not
/// account for it, as on one of a task that has never run.
fn schedstat(text: &[u8]) -> Option<(u64, u64)> {
    let text = std::str::from_utf8(text).ok()?;
    let mut fields = text.split_ascii_whitespace().map(|field| field.parse::<u64>().ok());
    let (on_cpu_ns, waiting_ns, slices) = (fields.next()??, fields.next()??, fields.next()??);
    (slices > 0).then_some((on_cpu_ns, waiting_ns))
}

fn switches(status: &[u8]) -> Switches {
    let status = String::from_utf8_lossy(status);
    let field = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name));
        value.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
    };
    Switches {
        voluntary: field("voluntary_ctxt_switches:"),
        involuntary: field("nonvoluntary_ctxt_switches:"),
    }
}

/// Ticks of the clock in which `/proc` counts, which is not the kernel's own.
pub(super) fn ticks_as_ns(ticks: u64) -> u64 {
    ticks * 1_000_000_000 / procfs::ticks_per_second()
}

pub(super) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(super) mod tests {
    use std::{io::Write, process::Stdio, time::Instant};

    use super::*;

    /// A made-up table.
    pub(in super::super) fn table(processes: impl IntoIterator<Item = Process>) -> Table {
        processes.into_iter().map(|process| (process.pid, Arc::new(process))).collect()
    }

    pub(in super::super) fn process(
        pid: u32,
        started: u64,
        on_cpu_ns: u64,
        tasks: impl Into<Vec<Task>>,
    ) -> Process {
        let modes = [Modes::default(); 2];
        Process { pid, started, is_kernel: false, on_cpu_ns, children_ns: 0, modes, tasks: tasks.into() }
    }

    pub(in super::super) fn task(tid: u32, cpu: usize, on_cpu_ns: u64) -> Task {
        let name = format!("t{tid}").into();
        Task { tid, started: 1, name, cpu, on_cpu_ns, waiting_ns: 0, switches: None }
    }

    pub(in super::super) fn kernel_thread(pid: u32, name: &str, cpu: usize, on_cpu_ns: u64) -> Process {
        let task = Task { name: name.into(), ..task(pid, cpu, on_cpu_ns) };
        Process { is_kernel: true, ..process(pid, 1, on_cpu_ns, [task]) }
    }

    #[test]
    fn the_two_kinds_of_switch_are_told_apart() {
        let status = b"Name:\tx\nvoluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t3\n";
        assert_eq!(switches(status), Switches { voluntary: 12, involuntary: 3 });
        assert_eq!(switches(b""), Switches::default());
    }

    #[test]
    fn an_account_that_the_kernel_does_not_keep_is_none() {
        assert_eq!(schedstat(b"79720883 17683849 403\n"), Some((79_720_883, 17_683_849)));
        assert_eq!(schedstat(b"0 0 0\n"), None);
        assert_eq!(schedstat(b"1 2\n"), None);
    }

    #[test]
    fn who_has_not_run_is_remembered_and_who_has_is_read_again() {
        let mut shell = host::tether::command("sh");
        let mut shell = shell.args(["-c", "read -r _; read -r _"]).stdin(Stdio::piped()).spawn().unwrap();
        let (mut reader, nobody, pid) = (Reader::default(), BTreeSet::new(), shell.id());
        let mut stdin = shell.stdin.take().unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        // Once it waits for its first line.
        let mut before = reader.read(&nobody).unwrap();
        loop {
            assert!(Instant::now() < deadline);
            let again = reader.read(&nobody).unwrap();
            if Arc::ptr_eq(&before[&pid], &again[&pid]) {
                break;
            }
            before = again;
        }
        assert!(before[&pid].tasks[0].switches.is_none());
        let with_switches = reader.read(&BTreeSet::from([pid])).unwrap();
        assert!(with_switches[&pid].tasks[0].switches.is_some());
        assert!(
            with_switches[&pid].is(&before[&pid])
                && before[&pid].task(&with_switches[&pid].tasks[0]).is_some()
        );
        stdin.write_all(b"\n").unwrap();
        loop {
            assert!(Instant::now() < deadline);
            let now = reader.read(&nobody).unwrap();
            if now[&pid].on_cpu_ns > before[&pid].on_cpu_ns {
                break;
            }
        }
        drop(stdin);
        shell.wait().unwrap();
        assert!(!reader.read(&nobody).unwrap().contains_key(&pid));
    }
}
