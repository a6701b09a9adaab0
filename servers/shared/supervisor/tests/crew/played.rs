//! A primary as a test sees it: its log, its children, its end.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use host::processes::{descendants, send, wait_until};
use rustix::process::Signal;

use crate::crew::{CREW, PATIENCE};

/// A primary that was started, and the folder of its script.
pub(crate) struct Primary {
    child: Child,
    folder: tempfile::TempDir,
    lines: Receiver<String>,
    /// What it has said so far, on both streams.
    pub(crate) log: Vec<String>,
}

impl Primary {
    /// Starts one whose workers do what `script` says.
    pub(crate) fn start(script: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("script");
        fs::write(&path, script).unwrap();
        let program = std::env::current_exe().unwrap();
        let mut child = host::tether::command(program)
            .arg(CREW)
            .arg(&path)
            .args(["--control", "off"])
            .args(arguments)
            .env_remove("RUST_LOG")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (said, lines) = mpsc::channel();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let other = said.clone();
        thread::spawn(move || {
            BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|line| said.send(line))
        });
        thread::spawn(move || {
            BufReader::new(stderr).lines().map_while(Result::ok).try_for_each(|line| other.send(line))
        });
        Self { child, folder, lines, log: Vec::new() }
    }

    /// One whose workers are all ready and stay so.
    pub(crate) fn ready(arguments: &[&str]) -> Self {
        let mut primary = Self::start("serve", arguments);
        primary.until("all ready");
        primary
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// From now on workers do this; those that serve already go on.
    pub(crate) fn script(&self, script: &str) {
        let path = self.folder.path().join("script");
        // Whole at any time.
        fs::write(path.with_extension("new"), script).unwrap();
        fs::rename(path.with_extension("new"), path).unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        assert!(send(self.child.id(), signal));
    }

    /// Waits until it says this, and gives the whole line.
    pub(crate) fn until(&mut self, words: &str) -> String {
        let deadline = Instant::now() + PATIENCE / 2;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("it does not say `{words}`:\n{}", self.log.join("\n"));
            };
            self.log.push(line.clone());
            if line.contains(words) {
                return line;
            }
        }
    }

    /// Its workers, which are all its children.
    pub(crate) fn workers(&self) -> Vec<u32> {
        descendants(self.child.id())
    }

    /// Waits until its workers are as wanted.
    pub(crate) fn workers_become(&self, wanted: impl Fn(&[u32]) -> bool) -> Vec<u32> {
        let deadline = Instant::now() + PATIENCE / 2;
        loop {
            let workers = self.workers();
            if wanted(&workers) {
                return workers;
            }
            assert!(Instant::now() < deadline, "the workers are {workers:?}");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Its exit code and all that it has said.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let status = wait_until(&mut self.child, Instant::now() + PATIENCE / 2).unwrap();
        let status = status.unwrap_or_else(|| panic!("it does not end:\n{}", self.log.join("\n")));
        self.log.extend(self.lines.iter());
        (status.code(), self.log.join("\n"))
    }

    /// Stops it, which must leave nobody.
    pub(crate) fn stop(self) -> (Option<i32>, String) {
        self.signal(Signal::TERM);
        let workers = self.workers();
        let (code, log) = self.end();
        for worker in workers {
            assert!(fs::read_link(format!("/proc/{worker}/exe")).is_err(), "worker {worker} is left:\n{log}");
        }
        (code, log)
    }
}
