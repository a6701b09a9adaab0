//! What must be installed here, and by which package of Debian.

use std::{env, path::PathBuf, process::Stdio};

use host::tether;
use rustix::process::geteuid;

/// A program, and the package that has it.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// The program's name.
    pub program: &'static str,
    /// The package's.
    pub package: &'static str,
}

const fn wanted(program: &'static str, package: &'static str) -> Wanted {
    Wanted { program, package }
}

/// For hosts that one can ssh to.
pub const HOSTS: &[Wanted] = &[
    wanted("ip", "iproute2"),
    wanted("unshare", "util-linux"),
    wanted("nsenter", "util-linux"),
    wanted("hostname", "hostname"),
    wanted("ssh", "openssh-client"),
    wanted("ssh-keygen", "openssh-client"),
    wanted("sshd", "openssh-server"),
];

/// For a cluster that runs Slurm.
pub const SLURM: &[Wanted] = &[
    wanted("munged", "munge"),
    wanted("slurmctld", "slurmctld"),
    wanted("slurmd", "slurmd"),
    wanted("sbatch", "slurm-client"),
];

/// For playbooks.
pub const ANSIBLE: &[Wanted] = &[wanted("ansible-playbook", "ansible")];

/// For clocks that are off.
pub const FAKETIME: &[Wanted] = &[wanted("faketime", "faketime")];

/// Why hosts with these programs cannot be had here, and what to do; nothing where they can.
pub fn missing(wanted: &[&[Wanted]]) -> Option<String> {
    let absent: Vec<&Wanted> =
        wanted.iter().copied().flatten().filter(|wanted| found(wanted.program).is_none()).collect();
    if !absent.is_empty() {
        let (mut programs, mut packages): (Vec<_>, Vec<_>) =
            absent.iter().map(|wanted| (wanted.program, wanted.package)).unzip();
        programs.sort_unstable();
        packages.sort_unstable();
        packages.dedup();
        return Some(format!("no {}: apt-get install {}", programs.join(", "), packages.join(" ")));
    }
    if !geteuid().is_root() {
        return Some("only root makes hosts of namespaces: run it as root".to_owned());
    }
    let mut probe = tether::command("unshare");
    probe.args(["--net", "--uts", "--ipc", "--mount", "--pid", "--fork", "--mount-proc", "true"]);
    let made = probe.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let refused =
        "namespaces may not be made here: run it where CAP_SYS_ADMIN is given (docker run --privileged)";
    (!made.is_ok_and(|status| status.success())).then(|| refused.to_owned())
}

/// Where a program is: on the `PATH`, or where the system's own are.
pub(crate) fn found(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}
