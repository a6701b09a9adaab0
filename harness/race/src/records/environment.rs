//! The host, the tools and the code that a run was made with, so that its figures can be placed.

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
use sha2::{Digest, Sha256};

use crate::{
    programs::{start_environment::StartRecord, workspace::Workspace},
    schema,
};

/// Everything about a run that is not a measurement. Unknown is `null`, never left out.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    /// When the run began, RFC 3339 with the host's offset.
    pub started: String,
    /// The command line that made it, as a person would type it.
    pub command: String,
    /// The host's name.
    pub host: String,
    /// The processor.
    pub cpu: Cpu,
    /// Memory in all, MiB.
    pub memory_mib: Option<u64>,
    /// Kernel release and version.
    pub kernel: String,
    /// Kernel settings that matter to servers and to timing, by their path below `/proc/sys`.
    pub sysctls: BTreeMap<String, Option<String>>,
    /// Limits of this process, soft value.
    pub limits: BTreeMap<String, Option<String>>,
    /// Whether the programs were built as the tests are, to see that a race works: such figures mean nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rehearsal: bool,
    /// The code that was measured.
    pub code: Code,
    /// Tool versions.
    pub tools: BTreeMap<String, Option<String>>,
    /// Versions of what the rows require, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub required: BTreeMap<String, Option<String>>,
    /// What the rows' programs started with; absent in records of before that was stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<StartRecord>,
    /// SHA-256 of every measured program, by row; of each package that it uses and each file that it is made of, by both.
    pub programs: BTreeMap<String, String>,
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

/// The code that was measured.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Code {
    /// The git revision.
    pub revision: Option<String>,
    /// Whether the checkout differed from it.
    pub modified: Option<bool>,
    /// SHA-256 of Cargo.lock.
    pub lock_sha256: Option<String>,
    /// SHA-256 of the harness: of the generator above all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub harness_sha256: Option<String>,
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

impl Environment {
    /// Looks at this host and checkout.
    ///
    /// # Errors
    /// The CPU mask of this process cannot be read.
    pub fn capture(workspace: &Workspace, command: String) -> std::io::Result<Self> {
        let root = workspace.root();
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
            started: jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
            command,
            host: host_name(),
            cpu: Cpu::capture()?,
            memory_mib: procfs::Meminfo::current().ok().map(|memory| memory.mem_total >> 20),
            kernel: rustix::system::uname().release().to_string_lossy().into_owned(),
            sysctls: SYSCTLS.map(|name| (name.to_owned(), line(format!("/proc/sys/{name}")))).into(),
            limits: limits.into_iter().flatten().collect(),
            code: Code {
                revision: output(root, "git", &["rev-parse", "HEAD"]),
                modified: output(root, "git", &["status", "--porcelain", "--untracked-files=no"])
                    .map(|changes| !changes.is_empty()),
                lock_sha256: sha256_of(&workspace.lock_file()).ok(),
                // Not by its path: it may have been replaced meanwhile.
                harness_sha256: sha256_of(Path::new("/proc/self/exe")).ok(),
            },
            tools: [
                ("cargo", output(root, "cargo", &["--version"])),
                ("rustc", output(root, "rustc", &["--version"])),
                ("gcc", output(root, "gcc", &["-dumpfullversion"])),
                ("harness", Some(env!("CARGO_PKG_VERSION").to_owned())),
            ]
            .map(|(name, version)| (name.to_owned(), version))
            .into(),
            required: BTreeMap::new(),
            start: None,
            rehearsal: false,
            programs: BTreeMap::new(),
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

/// The host's name, for the name of the results folder.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// SHA-256 of a file, in hexadecimal.
///
/// # Errors
/// The file cannot be read.
pub fn sha256_of(path: &Path) -> std::io::Result<String> {
    Ok(sha256_of_bytes(&fs::read(path)?))
}

/// The SHA-256 of bytes, in hexadecimal digits.
pub fn sha256_of_bytes(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The first line of a file of the kernel.
fn line(path: impl AsRef<Path>) -> Option<String> {
    fs::read_to_string(path).ok().and_then(|text| text.lines().next().map(|line| line.trim().to_owned()))
}

/// What a command prints, if it succeeds.
fn output(folder: &Path, program: &str, arguments: &[&str]) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "it only says something, and is waited for")]
    let command =
        Command::new(program).args(arguments).current_dir(folder).stderr(Stdio::null()).output().ok()?;
    command.status.success().then(|| String::from_utf8_lossy(&command.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_is_described_and_the_description_reads_back() {
        let workspace = Workspace::at_or_above(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        let environment = Environment::capture(&workspace, "cargo bench-all".to_owned()).unwrap();
        assert!(!environment.cpu.allowed.is_empty() && environment.memory_mib > Some(0));
        assert_eq!(environment.code.harness_sha256, sha256_of(&std::env::current_exe().unwrap()).ok());
        let text = serde_json::to_string(&environment).unwrap();
        let back: Environment = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&back).unwrap(), text);
    }

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

    #[test]
    fn the_hash_of_a_file_is_the_one_that_the_standard_gives() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("abc");
        fs::write(&file, "abc").unwrap();
        // FIPS 180-4, example of SHA-256 for the message "abc".
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256_of(&file).unwrap(), expected);
    }
}
