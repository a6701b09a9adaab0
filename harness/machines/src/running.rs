//! A command that runs on a host, and how it ended: never waited for without a deadline.

use std::{
    fs::File,
    io,
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

/// A command that was started. What it prints is read all the while.
#[derive(Debug)]
pub struct Running {
    what: String,
    pid: Pid,
    end: Receiver<io::Result<Output>>,
    /// What was received already.
    ended: Option<io::Result<Output>>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it printed.
    pub out: String,
    /// What it said on stderr.
    pub err: String,
}

impl Running {
    /// Starts it, with nothing to read.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(mut command: Command) -> Result<Self> {
        let what = format!("{command:?}");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().with_context(|| format!("cannot start {what}"))?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("a child has a pid")?;
        let (sender, end) = channel();
        thread::spawn(move || sender.send(child.wait_with_output()));
        Ok(Self { what, pid, end, ended: None })
    }

    /// Whether it has ended.
    pub fn is_over(&mut self) -> bool {
        self.ended = self.ended.take().or_else(|| self.end.try_recv().ok());
        self.ended.is_some()
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// It did not end in time, and was killed. What it started on a host goes with the host.
    pub fn finish(self, within: Duration) -> Result<Ran> {
        let Self { what, pid, end, ended } = self;
        let Some(output) = ended.or_else(|| end.recv_timeout(within).ok()) else {
            let _gone = kill_process(pid, Signal::KILL);
            bail!("{what} did not end within {within:?}");
        };
        let output = output.with_context(|| format!("cannot read what {what} printed"))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Ran { status: output.status, out: text(&output.stdout), err: text(&output.stderr) })
    }
}

impl Ran {
    /// Whether it exited with 0.
    pub fn is_well(&self) -> bool {
        self.status.success()
    }

    /// What it printed, if it exited with 0.
    ///
    /// # Errors
    /// It did not; both streams are in the message.
    pub fn well(self) -> Result<String> {
        if self.is_well() {
            return Ok(self.out);
        }
        bail!("{}:\n{}{}", self.status, self.out, self.err)
    }
}

/// Runs it to its end, which must be good, and returns what it printed.
///
/// # Errors
/// See [`Running::finish`] and [`Ran::well`].
pub(crate) fn run(command: Command, within: Duration) -> Result<String> {
    let what = format!("{command:?}");
    Running::start(command)?.finish(within)?.well().with_context(|| what)
}

/// What serves on a host. Ends with the host, and is waited for here.
#[derive(Debug)]
pub struct Daemon(Child);

impl Daemon {
    /// Starts it; what it says goes to this file.
    ///
    /// # Errors
    /// It cannot be started, or the file not be made.
    pub(crate) fn start(mut command: Command, log: &Path) -> Result<Self> {
        let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        Ok(Self(child))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // What led there; the program itself is the host's.
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// How far apart two looks are.
const LOOK: Duration = Duration::from_millis(50);

/// Looks until there is something, and returns it; nothing where there was none in time.
pub fn until<T>(within: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + within;
    loop {
        match look() {
            Some(found) => return Some(found),
            None if Instant::now() >= deadline => return None,
            None => thread::sleep(LOOK),
        }
    }
}
