//! An sshd of a test's own on the loopback, which lets nobody in but the test.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

use rustix::process::geteuid;

use crate::{lap::PATIENCE, support::finish};

/// It ends when this is dropped.
pub(crate) struct Sshd {
    /// What the other host keeps temporary files in: every process of a session there has it in its environment.
    pub(crate) there: PathBuf,
    /// How ssh is called to get in.
    pub(crate) ssh: String,
    daemon: Child,
    _folder: tempfile::TempDir,
}

/// As ssh names that host.
pub(crate) const HOST: &str = "127.0.0.1";

/// How often a port that was free may be taken before the daemon has it.
const ATTEMPTS: usize = 5;

impl Sshd {
    /// `None`, and what to install, where there is no sshd.
    pub(crate) fn start() -> Option<Self> {
        let Some(program) = program() else {
            eprintln!("skipped: no sshd: apt-get install openssh-server openssh-client");
            return None;
        };
        if geteuid().is_root() {
            // What the service of the distribution makes before it starts the daemon.
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for key in ["host", "user", "stranger"] {
            let mut keygen = host::tether::command("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path(key));
            keygen.stdout(Stdio::piped()).stderr(Stdio::piped());
            let made = finish(keygen.spawn().unwrap(), PATIENCE);
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        }
        let there = path("there");
        fs::create_dir(&there).unwrap();
        let (port, daemon) = (0..ATTEMPTS).find_map(|_| listening(&program, folder.path(), &there)).unwrap();
        let key = fs::read_to_string(path("host.pub")).unwrap();
        fs::write(path("known"), format!("[{HOST}]:{port} {key}")).unwrap();
        let ssh = format!(
            "ssh -F none -p {port} -i {} -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile={}",
            path("user").display(),
            path("known").display()
        );
        Some(Self { there, ssh, daemon, _folder: folder })
    }

    /// The process of the daemon, which is above all sessions.
    pub(crate) fn daemon(&self) -> u32 {
        self.daemon.id()
    }

    /// The processes that were started in sessions there and have not ended.
    pub(crate) fn left(&self) -> Vec<(u32, String)> {
        let marked = |pid: u32| {
            let of = |file: &str| format!("/proc/{pid}/{file}");
            let environment = fs::read(of("environ")).unwrap_or_default();
            let wanted = format!("TMPDIR={}", self.there.display());
            let is_of_session = environment.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes());
            // Servers start in an environment that the harness states.
            let is_brought = fs::read_link(of("exe")).is_ok_and(|program| program.starts_with(&self.there));
            let line =
                || String::from_utf8_lossy(&fs::read(of("cmdline")).unwrap_or_default()).replace('\0', " ");
            (is_of_session || is_brought).then(|| (pid, line()))
        };
        let folders = fs::read_dir("/proc").unwrap().flatten();
        let processes = folders.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        processes.filter_map(marked).collect()
    }
}

/// The daemon on a port that is free; `None` where somebody else took it meanwhile.
fn listening(program: &Path, folder: &Path, there: &Path) -> Option<(u16, Child)> {
    let port = TcpListener::bind((HOST, 0)).unwrap().local_addr().unwrap().port();
    let configuration = folder.join("sshd_config");
    let text = format!(
        "ListenAddress {HOST}:{port}\nHostKey {}\nAuthorizedKeysFile {}\nSetEnv TMPDIR={}\nPasswordAuthentication no\n\
         KbdInteractiveAuthentication no\nUsePAM no\nStrictModes no\nPidFile none\nMaxStartups 100\n",
        folder.join("host").display(),
        folder.join("user.pub").display(),
        there.display(),
    );
    fs::write(&configuration, text).unwrap();
    let mut command = host::tether::command(program);
    command.args(["-D", "-e", "-f"]).arg(&configuration);
    let mut daemon =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(daemon.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("Server listening on") {
        line.clear();
        if said.read_line(&mut line).unwrap() == 0 || line.contains("already in use") {
            let _gone = daemon.kill();
            daemon.wait().unwrap();
            return None;
        }
    }
    std::thread::spawn(move || said.read_to_end(&mut Vec::new()));
    Some((port, daemon))
}

/// It is started by its whole path, which it demands.
fn program() -> Option<PathBuf> {
    let folders = ["/usr/sbin", "/usr/local/sbin", "/sbin"];
    folders.iter().map(|folder| Path::new(folder).join("sshd")).find(|program| program.exists())
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _gone = self.daemon.kill();
        let _ended = self.daemon.wait();
    }
}
