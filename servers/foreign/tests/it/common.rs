//! What the tests of all originals need.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use app::Endpoint;
use host::{
    launch::{Exit, Launch, Process},
    processes,
    program::find_program,
    ready::Ready,
};

/// For anything that must happen, on a machine that does much else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Whether the programs are here; says so where they are not, and the test is no test then.
pub(crate) fn have(programs: &[&str]) -> bool {
    let missing = programs.iter().find(|name| {
        let folders = ["", "/usr/sbin/"];
        !folders.iter().any(|folder| find_program(Path::new(&format!("{folder}{name}"))).is_some())
    });
    if let Some(missing) = missing {
        println!("skipped: {missing} is not on this machine");
    }
    missing.is_none()
}

/// Whether Node and what `just setup-reference` installs are here.
pub(crate) fn have_node() -> bool {
    let installed = node("node_modules/pm2").is_dir() && node("node_modules/express").is_dir();
    if !installed {
        println!("skipped: run `just setup-reference` first");
    }
    installed && have(&["node"])
}

/// A file of the Node application.
pub(crate) fn node(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("node").join(file)
}

/// The server behind nginx; cargo builds it with the tests.
pub(crate) fn upstream() -> String {
    let own = std::env::current_exe().unwrap();
    own.parent().and_then(Path::parent).unwrap().join("examples/upstream").display().to_string()
}

/// The launcher, with a place for its folders that nobody else's tests sweep.
pub(crate) fn foreign(arguments: &[&str]) -> Launch {
    let launcher = Launch::new(env!("CARGO_BIN_EXE_foreign")).args(["--listen", "127.0.0.1:0"]);
    launcher.args(arguments).env("TMPDIR", env!("CARGO_TARGET_TMPDIR"))
}

/// A process that said that it is ready.
pub(crate) struct Running {
    pub(crate) process: Process,
    pub(crate) ready: Ready,
}

impl Running {
    pub(crate) fn start(launch: Launch) -> Self {
        let mut process = launch.spawn().unwrap();
        let ready = process.ready(PATIENCE).unwrap();
        assert_eq!(ready.pid, process.pid());
        Self { process, ready }
    }

    pub(crate) fn check(&self, endpoints: &[Endpoint]) {
        for &endpoint in endpoints {
            conformance::check_endpoint(self.ready.address, endpoint, Some(&self.ready.server)).unwrap();
        }
    }

    pub(crate) fn get(&self, target: &str) -> (u16, String) {
        get(self.ready.address, target)
    }

    pub(crate) fn info(&self) -> serde_json::Value {
        let (status, body) = self.get("/info");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    /// How often each process answers of so many requests, each on a connection of its own.
    pub(crate) fn spread(&self, requests: usize) -> BTreeMap<u32, usize> {
        let mut counts = BTreeMap::new();
        for _ in 0..requests {
            let pid = self.info()["pid"].as_u64().unwrap();
            *counts.entry(u32::try_from(pid).unwrap()).or_default() += 1;
        }
        counts
    }

    /// Stops it with SIGTERM: it must end with code 0 and take everything below it with it.
    pub(crate) fn stop(self) {
        let below = processes::descendants(self.ready.pid);
        let exit = self.process.stop(PATIENCE).unwrap();
        assert!(exit.is_clean(), "{exit:?}");
        let left: Vec<u32> = below.into_iter().filter(|&pid| lives(pid)).collect();
        assert!(left.is_empty(), "processes {left:?} are left");
    }

    /// Ends it with SIGKILL: everything below it must be gone soon.
    pub(crate) fn kill(self) {
        let below = processes::descendants(self.ready.pid);
        assert!(!below.is_empty());
        assert!(processes::send(self.ready.pid, rustix::process::Signal::KILL));
        until("nothing is left", || !below.iter().any(|&pid| lives(pid)));
    }

    pub(crate) fn wait(self) -> Exit {
        self.process.wait(PATIENCE).unwrap()
    }
}

/// Status and body of an answer, on a connection of its own.
pub(crate) fn get(address: SocketAddr, target: &str) -> (u16, String) {
    try_get(address, target, PATIENCE).unwrap_or_else(|error| panic!("{target}: {error}"))
}

/// The same where there may be no answer within a time.
pub(crate) fn try_get(address: SocketAddr, target: &str, within: Duration) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, within)?;
    stream.set_read_timeout(Some(within))?;
    write!(stream, "GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let parts = answer.split_once("\r\n\r\n");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    match (status, parts) {
        (Some(status), Some((_, body))) => Ok((status, body.to_owned())),
        _ => Err(io::Error::other(format!("{answer:?}"))),
    }
}

/// Waits until `happened` says so.
pub(crate) fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !happened() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process is there and not merely unburied.
pub(crate) fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| !"ZX".contains(state))
}
