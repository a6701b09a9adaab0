//! A host, so that figures that were measured on it can be placed.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use host::cpus::CpuSet;
use procfs::Current;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// A host. Unknown is `null`, never left out.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct HostRecord {
    /// What it calls itself.
    pub name: String,
    /// The processor.
    pub cpu: Cpu,
    /// Memory in all, MiB.
    pub memory_mib: Option<u64>,
    /// Kernel release and version.
    pub kernel: String,
    /// Kernel settings that matter to servers and to timing, by their path below `/proc/sys`.
    pub sysctls: BTreeMap<String, Option<String>>,
    /// Limits of the harness's process there, soft value.
    pub limits: BTreeMap<String, Option<String>>,
}

/// The processor, and what makes its speed vary.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Cpu {
    /// Model name.
    pub model: Option<String>,
    /// CPUs that are online, and those that this process may use.
    pub online: Option<String>,
    /// CPUs that this process may use.
    #[schemars(with = "schema::Cpus")]
    pub allowed: CpuSet,
    /// Hardware threads that share a core, one list a core.
    pub cores: Vec<String>,
    /// NUMA nodes.
    pub numa_nodes: Option<String>,
    /// Frequency governor of CPU 0.
    pub governor: Option<String>,
    /// Whether the clock may rise above its nominal rate.
    pub turbo: Option<bool>,
    /// Whether simultaneous multithreading is on.
    pub smt: Option<String>,
    /// Whether a hypervisor runs this host.
    pub virtual_machine: bool,
    /// Clock source of the kernel.
    pub clock_source: Option<String>,
    /// Mitigations in force, by vulnerability.
    pub mitigations: BTreeMap<String, String>,
}

const SYSCTLS: [&str; 12] = [
    "kernel/numa_balancing",
    "kernel/randomize_va_space",
    "kernel/sched_rt_runtime_us",
    "kernel/timer_migration",
    "net/core/busy_poll",
    "net/core/somaxconn",
    "net/ipv4/ip_local_port_range",
    "net/ipv4/tcp_congestion_control",
    "net/ipv4/tcp_fin_timeout",
    "net/ipv4/tcp_max_syn_backlog",
    "net/ipv4/tcp_migrate_req",
    "net/ipv4/tcp_tw_reuse",
];

impl HostRecord {
    /// Looks at this one.
    ///
    /// # Errors
    /// The CPU mask of this process cannot be read.
    pub fn capture() -> std::io::Result<Self> {
        let limits = procfs::process::Process::myself().and_then(|own| own.limits()).ok();
        let limit = |value: procfs::process::LimitValue| match value {
            procfs::process::LimitValue::Unlimited => "unlimited".to_owned(),
            procfs::process::LimitValue::Value(value) => value.to_string(),
        };
        let limits = limits.map(|limits| {
            [
                ("open files", limits.max_open_files.soft_limit),
                ("locked memory", limits.max_locked_memory.soft_limit),
                ("processes", limits.max_processes.soft_limit),
                ("real-time priority", limits.max_realtime_priority.soft_limit),
            ]
            .map(|(name, value)| (name.to_owned(), Some(limit(value))))
        });
        Ok(Self {
            name: host_name(),
            cpu: Cpu::capture()?,
            memory_mib: procfs::Meminfo::current().ok().map(|memory| memory.mem_total >> 20),
            kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
            sysctls: SYSCTLS.map(|name| (name.to_owned(), line(format!("/proc/sys/{name}")))).into(),
            limits: limits.into_iter().flatten().collect(),
        })
    }
}

impl Cpu {
    fn capture() -> std::io::Result<Self> {
        let sys = |path: &str| line(format!("/sys/devices/system/{path}"));
        let allowed = CpuSet::allowed()?;
        let cores =
            cores_of(allowed.iter().map(|cpu| sys(&format!("cpu/cpu{cpu}/topology/thread_siblings_list"))));
        let mitigations =
            fs::read_dir("/sys/devices/system/cpu/vulnerabilities").into_iter().flatten().flatten();
        let info = procfs::CpuInfo::current().ok();
        let has_flag =
            |flag| info.as_ref().and_then(|info| info.flags(0)).is_some_and(|flags| flags.contains(&flag));
        Ok(Self {
            model: info.as_ref().and_then(|info| info.model_name(0)).map(str::to_owned),
            online: sys("cpu/online"),
            cores,
            numa_nodes: sys("node/online"),
            governor: sys("cpu/cpu0/cpufreq/scaling_governor"),
            turbo: sys("cpu/cpufreq/boost")
                .map(|on| on == "1")
                .or_else(|| sys("cpu/intel_pstate/no_turbo").map(|off| off == "0")),
            smt: sys("cpu/smt/control"),
            virtual_machine: has_flag("hypervisor"),
            clock_source: sys("clocksource/clocksource0/current_clocksource"),
            mitigations: mitigations
                .filter_map(|entry| Some((entry.file_name().into_string().ok()?, line(entry.path())?)))
                .collect(),
            allowed,
        })
    }
}

/// Each core once, by the hardware threads that each CPU says that it shares one with. On many hosts those of a core are far apart
/// (0,4 and 1,5), and each thread may write the list in another way.
fn cores_of(siblings: impl Iterator<Item = Option<String>>) -> Vec<String> {
    let mut cores: Vec<(Option<CpuSet>, String)> = Vec::new();
    for told in siblings.flatten() {
        let core = told.parse::<CpuSet>().ok();
        let is_known = |(known, text): &(Option<CpuSet>, String)| match (known, &core) {
            (Some(known), Some(core)) => known == core,
            _ => *text == told,
        };
        if !cores.iter().any(is_known) {
            let shown = core.as_ref().map_or_else(|| told.clone(), CpuSet::to_string);
            cores.push((core, shown));
        }
    }
    cores.into_iter().map(|(_, shown)| shown).collect()
}

/// What the kernel drew when it started (random(4)), by which machines are told apart; empty where it does not tell.
pub fn boot_id() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    boot.trim().to_owned()
}

/// The host's name, for the name of the results folder.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The first line of a file of the kernel.
pub(super) fn line(path: impl AsRef<Path>) -> Option<String> {
    fs::read_to_string(path).ok().and_then(|text| text.lines().next().map(|line| line.trim().to_owned()))
}

/// What a command prints, if it succeeds.
pub(super) fn output(folder: &Path, program: &str, arguments: &[&str]) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "it only says something, and is waited for")]
    let command =
        Command::new(program).args(arguments).current_dir(folder).stderr(Stdio::null()).output().ok()?;
    command.status.success().then(|| String::from_utf8_lossy(&command.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_core_is_listed_once_however_its_hardware_threads_are_numbered_and_written() {
        let cores = |told: &[&str]| cores_of(told.iter().map(|text| Some((*text).to_owned())));
        assert_eq!(cores(&["0,2", "1,3", "0,2", "1,3"]), ["0,2", "1,3"]);
        assert_eq!(cores(&["0-1", "0-1", "2-3", "2-3"]), ["0-1", "2-3"]);
        assert_eq!(cores(&["0-1", "0,1", "2,3", "2-3"]), ["0-1", "2-3"]);
        assert_eq!(cores(&["0,4", "1,5", "2,6", "3,7", "0,4", "1,5", "4,0"]), ["0,4", "1,5", "2,6", "3,7"]);
        assert_eq!(cores(&["0", "1"]), ["0", "1"]);
        assert_eq!(cores(&["odd", "odd", "even"]), ["odd", "even"]);
        assert_eq!(cores_of([None, Some("1".to_owned()), None].into_iter()), ["1"]);
    }
}
