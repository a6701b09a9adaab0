//! One host: a shell in namespaces of its own, which holds them, and what runs in there.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead as _, BufReader, PipeWriter, Read as _},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::channel,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use host::tether;
use rustix::process::{Pid, Signal, kill_process};

use crate::running::{Daemon, until};

/// How long a host may take to begin, and to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// What every host begins with; `$1` is its name. It is process 1 there, and inherits what others leave behind. When nobody is left
/// who could write to it, it ends, and the kernel ends all processes of the host with it.
const BEGIN: &str = r#"
set -e
hostname "$1"
ip link set lo up
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/sshd /run/munge /run/slurm /run/home
mount -t tmpfs -o mode=755 tmpfs /usr/local/bin
# What is shared by name there (faketime, for one) is of one host.
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
# By its boot id a kernel is told from others: here it is one, and stands for several.
cat /proc/sys/kernel/random/uuid >/run/boot-id
mount --bind /run/boot-id /proc/sys/kernel/random/boot_id
eval "$2"
echo ready
read -r || true
"#;

/// A host.
#[derive(Debug)]
pub struct Machine {
    name: String,
    /// The `unshare` whose child the shell is.
    holder: Child,
    /// Closed by the end of this process, if not before.
    lifeline: Option<PipeWriter>,
    /// The shell, as it is called outside.
    pid: u32,
}

/// A process of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// As it is called outside of the host.
    pub pid: u32,
    /// Its program, without folders, and its arguments.
    pub command: String,
}

impl Machine {
    /// Makes a host. `like` is one whose mounts it begins with; `more` is what its shell runs at the end of the beginning.
    pub(crate) fn new(name: &str, like: Option<&Machine>, more: &str) -> Result<Self> {
        let mut command = match like {
            Some(like) => {
                let mut command = tether::command("nsenter");
                command.args(["--target", &like.pid.to_string(), "--mount", "--", "unshare"]);
                command
            }
            None => tether::command("unshare"),
        };
        command.args(["--net", "--uts", "--ipc", "--mount", "--propagation", "private"]);
        command.args([
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "--",
            "bash",
            "-c",
            BEGIN,
            "bash",
            name,
            more,
        ]);
        let (reader, lifeline) = std::io::pipe()?;
        command.stdin(reader).stdout(Stdio::piped()).stderr(Stdio::piped()).env("LC_ALL", "C");
        let mut holder = command.spawn().with_context(|| format!("cannot make host {name}"))?;
        // The reading end stays with the command until that is gone.
        drop(command);
        let (out, err) = (holder.stdout.take(), holder.stderr.take());
        let mut machine = Self { name: name.to_owned(), holder, lifeline: Some(lifeline), pid: 0 };
        let (sender, receiver) = channel();
        thread::spawn(move || {
            let first = out.and_then(|out| BufReader::new(out).lines().next()).and_then(|line| line.ok());
            let mut said = String::new();
            if first.as_deref() != Some("ready") {
                let _cut = err.map(|mut err| err.read_to_string(&mut said));
            }
            let _ = sender.send((first, said));
        });
        match receiver.recv_timeout(PATIENCE) {
            Ok((Some(line), _)) if line == "ready" => {}
            Ok((_, said)) => bail!("host {name} did not begin: {}", said.trim()),
            Err(_) => bail!("host {name} did not begin within {PATIENCE:?}"),
        }
        machine.pid =
            child_of(machine.holder.id()).with_context(|| format!("host {name} has no first process"))?;
        Ok(machine)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command that runs there. Killed, it leaves its program to the host: see [`kill`](Self::kill).
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = tether::command("nsenter");
        command.args([
            "--target",
            &self.pid.to_string(),
            "--net",
            "--uts",
            "--ipc",
            "--mount",
            "--pid",
            "--",
        ]);
        command
            .arg(program)
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .env("LC_ALL", "C.UTF-8");
        command
    }

    /// Starts what serves there until the host ends; `name` is what its log is called, in `/run`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn daemon(&self, name: &str, command: Command) -> Result<Daemon> {
        Daemon::start(command, &self.path(&format!("/run/{name}.log")))
    }

    /// What a daemon said until now.
    pub fn log(&self, name: &str) -> String {
        fs::read_to_string(self.path(&format!("/run/{name}.log"))).unwrap_or_default()
    }

    /// A command in its network alone, to which processes have their names from outside.
    pub(crate) fn in_network(&self, program: &str) -> Command {
        let mut command = tether::command("nsenter");
        command.args(["--target", &self.pid.to_string(), "--net", "--", program]);
        command
    }

    /// Its first process, as it is called outside.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Where a path of the host is to be found outside.
    pub fn path(&self, there: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root", self.pid)).join(there.trim_start_matches('/'))
    }

    /// Puts a program of this machine on the host's `PATH`.
    ///
    /// # Errors
    /// It is not there to be put, or is on the host already.
    pub fn install(&self, program: &Path) -> Result<()> {
        let name = program.file_name().context("a program has a name")?.to_string_lossy();
        symlink(program, self.path(&format!("/usr/local/bin/{name}")))
            .with_context(|| format!("cannot install {name}"))
    }

    /// What runs there, but for the shell that holds it; what is dead and not yet reaped is left out.
    pub fn processes(&self) -> Vec<Process> {
        let namespace = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        let own = namespace(self.pid);
        let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        pids.filter(|&pid| pid != self.pid && own.is_some() && namespace(pid) == own)
            .filter_map(|pid| {
                let arguments = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
                // The kernel has no arguments any more of what is dead.
                let text = String::from_utf8_lossy(&arguments).replace('\0', " ");
                // What writes its own title there (`sshd: /usr/sbin/sshd ...`) has folders in it that are not its program's.
                let (program, arguments) = text.trim_end().split_once(' ').unwrap_or((text.trim_end(), ""));
                let name = program.rsplit('/').next().filter(|name| !name.is_empty())?;
                let command = format!("{name} {arguments}");
                Some(Process { pid, command: command.trim_end().to_owned() })
            })
            .collect()
    }

    /// Those of them whose command begins like this: not the shells that have it to run.
    pub fn running(&self, beginning: &str) -> Vec<Process> {
        let all = self.processes();
        all.into_iter().filter(|process| process.command.starts_with(beginning)).collect()
    }

    /// Sends SIGKILL to all whose command begins like this, and returns how many these were.
    pub fn kill(&self, beginning: &str) -> usize {
        let killed = self.running(beginning).into_iter().filter(|process| {
            let pid = i32::try_from(process.pid).ok().and_then(Pid::from_raw);
            pid.is_some_and(|pid| kill_process(pid, Signal::KILL).is_ok())
        });
        killed.count()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        let ended = until(PATIENCE, || self.holder.try_wait().ok().flatten());
        if ended.is_none() {
            let _gone = self.holder.kill();
            let _reaped = self.holder.wait();
        }
    }
}

/// The only child that a process has.
fn child_of(pid: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}
