//! Launching a server, reading its ready line, and ending it, with a deadline on every wait.

use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde::de::DeserializeOwned;

use crate::{
    class::SchedulingClass,
    cpus::CpuSet,
    guard::{self, Ended, Usage},
    processes,
    ready::{Announced, Ready},
    tether,
};

/// How many of the last lines that a process wrote to stderr are kept for messages.
const KEPT_LINES: usize = 40;
/// How long a killed process may take to vanish before that is reported as a failure.
const KILL_DEADLINE: Duration = Duration::from_secs(5);
/// How long to wait for the rest of stderr once a process has ended: a descendant may hold the pipe open.
const STDERR_DEADLINE: Duration = Duration::from_millis(200);

/// What is to be launched.
#[derive(Clone, Debug)]
pub struct Launch {
    program: PathBuf,
    arguments: Vec<OsString>,
    folder: Option<PathBuf>,
    environment: Vec<(OsString, OsString)>,
    inherits: bool,
    cpus: Option<CpuSet>,
    class: SchedulingClass,
    ends_by: EndsBy,
}

/// What ends a process whose launcher was killed.
#[derive(Clone, Debug)]
enum EndsBy {
    /// The watcher of this process.
    Tether,
    /// A guard above it: the program with its leading arguments.
    Guard(Vec<OsString>),
    /// Itself.
    Itself,
}

/// Why a process did not become what it should be.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// There is no such program, or it cannot be executed.
    #[error("cannot start {program}: {source}")]
    Spawn {
        /// What should have been started.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It ended before its ready line.
    #[error("ended before it was ready ({ended}){}", last_words(.stderr))]
    Died {
        /// How it ended.
        ended: String,
        /// The last lines of its stderr.
        stderr: Vec<String>,
    },
    /// It runs, but said nothing in time.
    #[error("printed no ready line within {within:?}{}", last_words(.stderr))]
    NeverReady {
        /// How long it was given.
        within: Duration,
        /// The last lines of its stderr.
        stderr: Vec<String>,
    },
    /// It did not end when it was told to, nor when it was killed.
    #[error("did not end within {within:?} of SIGKILL")]
    Immortal {
        /// How long it was given.
        within: Duration,
    },
    /// Its pipes could not be used.
    #[error("cannot talk to the process: {0}")]
    Io(#[from] io::Error),
}

fn last_words(stderr: &[String]) -> String {
    stderr
        .iter()
        .rev()
        .find(|line| !line.trim().is_empty())
        .map_or_else(String::new, |line| format!(": {line}"))
}

/// How a launched process ended, and what it used.
#[derive(Clone, Debug)]
pub struct Exit {
    /// How the program itself ended.
    pub ended: Ended,
    /// Whether it had to be killed because it outstayed its deadline.
    pub forced: bool,
    /// What the whole tree used; only a guard can tell, where the system tells it.
    pub usage: Option<Usage>,
    /// How many descendants outlived it and were killed by the guard.
    pub left_behind: usize,
    /// The last lines of its stderr.
    pub stderr: Vec<String>,
}

impl Exit {
    /// Whether it ended by itself, with code 0 and nothing left behind.
    pub fn is_clean(&self) -> bool {
        self.ended == Ended::Code(0) && !self.forced && self.left_behind == 0
    }
}

impl Launch {
    /// `program`, without arguments, on the CPUs that the caller may use.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            folder: None,
            environment: Vec::new(),
            inherits: true,
            cpus: None,
            class: SchedulingClass::Normal,
            ends_by: EndsBy::Tether,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Starts the process in `folder`, instead of the caller's. The program's own path must then be absolute.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Empties the process's environment of what is the caller's, so that it has the variables that are set here alone.
    #[must_use]
    pub fn inherits_nothing(mut self) -> Self {
        self.inherits = false;
        self
    }

    /// Sets a variable of the process's environment, which is otherwise the caller's.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Restricts the process to `cpus`.
    #[must_use]
    pub fn cpus(mut self, cpus: CpuSet) -> Self {
        self.cpus = Some(cpus);
        self
    }

    /// Starts the process, and its guard, in a scheduling class, which whatever they start inherits.
    #[must_use]
    pub fn class(mut self, class: SchedulingClass) -> Self {
        self.class = class;
        self
    }

    /// Puts a guard (see [`guard`]) above the process. `guard` is the program, with its leading arguments, that
    /// runs [`guard::run`]; the launched program and its arguments are appended.
    #[must_use]
    pub fn guarded_by<S: AsRef<OsStr>>(mut self, guard: impl IntoIterator<Item = S>) -> Self {
        self.ends_by = EndsBy::Guard(guard.into_iter().map(|part| part.as_ref().to_owned()).collect());
        self
    }

    /// Says that the process ends with this one by its own doing (see [`parent`](crate::parent)). Any other that has no guard
    /// is [tethered](tether) to this one.
    #[must_use]
    pub fn ends_by_itself(mut self) -> Self {
        self.ends_by = EndsBy::Itself;
        self
    }

    /// Starts the process, in a process group of its own so that a terminal's Ctrl-C reaches only the launcher.
    ///
    /// # Errors
    /// [`LaunchError::Spawn`]; with a guard, a program that cannot be started is reported by the first wait.
    pub fn spawn(self) -> Result<Process, LaunchError> {
        #[expect(clippy::disallowed_methods, reason = "each arm says what ends it")]
        let mut command = match &self.ends_by {
            EndsBy::Itself => Command::new(&self.program),
            EndsBy::Tether => {
                let mut command = Command::new(&self.program);
                command.env(tether::MARK, tether::mark()?);
                command
            }
            EndsBy::Guard(guard) => {
                let [guard, leading @ ..] = guard.as_slice() else {
                    return Err(LaunchError::Io(io::ErrorKind::InvalidInput.into()));
                };
                let mut command = Command::new(guard);
                command.args(leading).arg(&self.program).env_remove(tether::MARK);
                command
            }
        };
        let guarded = matches!(self.ends_by, EndsBy::Guard(_));
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        if !self.inherits {
            command.env_clear();
        }
        command
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .process_group(0)
            .stdin(if guarded { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let spawn_error = |source| LaunchError::Spawn { program: self.program.clone(), source };
        let mut child = spawn_on(self.cpus.as_ref(), self.class, &mut command).map_err(spawn_error)?;

        let (sender, stdout) = channel();
        let deaf = Arc::<AtomicBool>::default();
        let stderr = Arc::<Mutex<VecDeque<String>>>::default();
        let (closed, stderr_closed) = channel::<()>();
        let pipes = (child.stdout.take(), child.stderr.take());
        let (pid, control) = (child.id(), child.stdin.take());
        let (now_deaf, kept) = (Arc::clone(&deaf), Arc::clone(&stderr));
        // Ended where nobody can be started to listen to it.
        let process = Process { pid, child, control, stdout, deaf, stderr, stderr_closed, ended: false };
        if let Some(pipe) = pipes.0 {
            for_each_line(pipe, move |line| {
                let is_dropped = now_deaf.load(Relaxed) && !line.starts_with(guard::REPORT_BEGINS);
                is_dropped || sender.send(line).is_ok()
            })?;
        }
        if let Some(pipe) = pipes.1 {
            for_each_line(pipe, move |line| {
                let _held_until_the_pipe_closes = &closed;
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() == KEPT_LINES {
                    kept.pop_front();
                }
                kept.push_back(line);
                true
            })?;
        }
        Ok(process)
    }
}

/// Spawns from a thread that is restricted to `cpus` and of the scheduling class, since a process inherits both from
/// the thread that creates it: this needs no code between fork and exec.
fn spawn_on(cpus: Option<&CpuSet>, class: SchedulingClass, command: &mut Command) -> io::Result<Child> {
    if cpus.is_none() && class == SchedulingClass::Normal {
        return command.spawn();
    }
    thread::scope(|scope| {
        let spawner = thread::Builder::new().spawn_scoped(scope, || {
            if let Some(cpus) = cpus {
                cpus.apply_to_current_thread()?;
            }
            if class != SchedulingClass::Normal {
                class.apply_to_current_thread()?;
            }
            command.spawn()
        })?;
        spawner.join().unwrap_or_else(|_| Err(io::Error::other("the spawning thread panicked")))
    })
}

/// Calls `take` with each line of `pipe`, on a thread of its own, until the pipe closes or `take` says false.
fn for_each_line(
    pipe: impl Read + Send + 'static,
    mut take: impl FnMut(String) -> bool + Send + 'static,
) -> io::Result<()> {
    let read = move || {
        for line in BufReader::new(pipe).split(b'\n') {
            let Ok(line) = line else { return };
            if !take(String::from_utf8_lossy(&line).into_owned()) {
                return;
            }
        }
    };
    thread::Builder::new().name("listener".to_owned()).spawn(read).map(drop)
}

/// What a guarded process said.
#[derive(Debug)]
pub enum Heard {
    /// One line on stdout.
    Line(String),
    /// It ended, and everything below it.
    End(Exit),
    /// Nothing until the deadline.
    Nothing,
}

/// A process that was launched. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// The process to signal: the guard's own until the ready line names another.
    pid: u32,
    /// The guard's pipe: closing it ends everything below the guard.
    control: Option<ChildStdin>,
    stdout: Receiver<String>,
    /// Whether lines on stdout are dropped.
    deaf: Arc<AtomicBool>,
    stderr: Arc<Mutex<VecDeque<String>>>,
    stderr_closed: Receiver<()>,
    ended: bool,
}

impl Process {
    /// The process to look at in `/proc`: the server itself once it is ready, never the guard.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The process that was launched itself: the guard, where there is one, below which everything else is, children
    /// that put themselves into the background included.
    pub fn launched(&self) -> u32 {
        self.child.id()
    }

    /// From now on drops what the process prints on stdout, as soon as it is there, so that one that prints for every request fills
    /// no memory. Its end is still heard.
    pub fn stop_listening(&self) {
        self.deaf.store(true, Relaxed);
    }

    /// The last lines that the process wrote to stderr.
    pub fn stderr(&self) -> Vec<String> {
        self.stderr.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Waits for the ready line. Other lines on stdout are passed over.
    ///
    /// # Errors
    /// [`LaunchError::Died`] as soon as the process ends, [`LaunchError::NeverReady`] after `within`.
    pub fn ready(&mut self, within: Duration) -> Result<Ready, LaunchError> {
        let ready: Ready = self.hear(within)?;
        self.pid = ready.pid;
        Ok(ready)
    }

    /// As [`Process::ready`], of a program that is not held to all of the ready line.
    ///
    /// # Errors
    /// See [`Process::ready`].
    pub fn announced(&mut self, within: Duration) -> Result<Announced, LaunchError> {
        self.hear(within)
    }

    /// Waits for a line on stdout that is a `T`.
    fn hear<T: DeserializeOwned>(&mut self, within: Duration) -> Result<T, LaunchError> {
        let deadline = Instant::now() + within;
        loop {
            match self.stdout.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Ok(ready) = serde_json::from_str(&line) {
                        return Ok(ready);
                    }
                    if let Ok(report) = serde_json::from_str::<guard::Report>(&line) {
                        self.child.wait()?;
                        self.ended = true;
                        let ended = report.guarded.map_or_else(|reason| reason, |ended| ended.to_string());
                        return Err(LaunchError::Died { ended, stderr: self.final_stderr() });
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    return Err(LaunchError::NeverReady { within, stderr: self.stderr() });
                }
                Err(RecvTimeoutError::Disconnected) => {
                    // It closed its stdout, which for a server means that it is ending.
                    let ended = match self.wait_child(deadline)? {
                        Some(ended) => ended.to_string(),
                        None => return Err(LaunchError::NeverReady { within, stderr: self.stderr() }),
                    };
                    return Err(LaunchError::Died { ended, stderr: self.final_stderr() });
                }
            }
        }
    }

    /// How the process ended, if it has, and then its stderr is whole; only for one without a guard, whose end is in
    /// its report.
    ///
    /// # Errors
    /// It was already waited for by somebody else.
    pub fn ended(&mut self) -> Result<Option<Ended>, LaunchError> {
        let ended = self.wait_child(Instant::now())?;
        if ended.is_some() {
            self.final_stderr();
        }
        Ok(ended)
    }

    /// Sends SIGTERM to the process, which a server takes as the order to drain.
    pub fn terminate(&mut self) {
        match self.control.as_mut() {
            // A guard that is gone has ended everything already.
            Some(control) => drop(control.write_all(&[guard::TERMINATE])),
            None => {
                processes::send(self.child.id(), Signal::TERM);
            }
        }
    }

    /// Sends SIGTERM, waits up to `within` for the end, and kills what is still there then.
    ///
    /// # Errors
    /// [`LaunchError::Immortal`] if even that does not end it.
    pub fn stop(mut self, within: Duration) -> Result<Exit, LaunchError> {
        self.terminate();
        self.wait(within)
    }

    /// Waits up to `within` for the process to end by itself, and kills it then.
    ///
    /// # Errors
    /// [`LaunchError::Immortal`] if even that does not end it.
    pub fn wait(mut self, within: Duration) -> Result<Exit, LaunchError> {
        if self.control.is_some() {
            return self.wait_guard(within);
        }
        let (ended, forced) = match self.wait_child(Instant::now() + within)? {
            Some(ended) => (ended, false),
            None => {
                self.kill();
                let ended = self.wait_child(Instant::now() + KILL_DEADLINE)?;
                (ended.ok_or(LaunchError::Immortal { within: KILL_DEADLINE })?, true)
            }
        };
        Ok(Exit { ended, forced, usage: None, left_behind: 0, stderr: self.final_stderr() })
    }

    fn wait_guard(&mut self, within: Duration) -> Result<Exit, LaunchError> {
        let mut deadline = Instant::now() + within;
        let mut forced = false;
        loop {
            match self.next_line(deadline)? {
                Heard::Line(_) => {}
                Heard::End(exit) => return Ok(Exit { forced, ..exit }),
                Heard::Nothing if forced => return Err(LaunchError::Immortal { within: KILL_DEADLINE }),
                Heard::Nothing => {
                    self.kill();
                    forced = true;
                    deadline = Instant::now() + KILL_DEADLINE;
                }
            }
        }
    }

    /// What a guarded process says next on stdout, for programs whose output is wanted line by line.
    ///
    /// # Errors
    /// The guard ended without a report, or reported that the program could not be started.
    pub fn next_line(&mut self, deadline: Instant) -> Result<Heard, LaunchError> {
        match self.stdout.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                let Ok(report) = serde_json::from_str::<guard::Report>(&line) else {
                    return Ok(Heard::Line(line));
                };
                self.child.wait()?;
                self.ended = true;
                let ended =
                    report.guarded.map_err(|ended| LaunchError::Died { ended, stderr: Vec::new() })?;
                let (usage, left_behind) = (report.usage, report.left_behind);
                let stderr = self.final_stderr();
                Ok(Heard::End(Exit { ended, forced: false, usage, left_behind, stderr }))
            }
            Err(RecvTimeoutError::Timeout) => Ok(Heard::Nothing),
            Err(RecvTimeoutError::Disconnected) => {
                let ended = "the guard above it ended without a report".to_owned();
                Err(LaunchError::Died { ended, stderr: self.final_stderr() })
            }
        }
    }

    /// Waits for the direct child until `deadline`.
    fn wait_child(&mut self, deadline: Instant) -> Result<Option<Ended>, LaunchError> {
        let ended = crate::processes::wait_until(&mut self.child, deadline)?;
        self.ended |= ended.is_some();
        Ok(ended.map(Ended::from))
    }

    fn kill(&mut self) {
        match self.control.as_mut() {
            Some(control) => drop(control.write_all(&[guard::KILL])),
            None => drop(self.child.kill()),
        }
    }

    /// All of stderr that will be kept: waits until the pipe closes, or for a moment where somebody else holds it.
    fn final_stderr(&self) -> Vec<String> {
        let _closed_or_not = self.stderr_closed.recv_timeout(STDERR_DEADLINE);
        self.stderr()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        // Closing the guard's pipe ends everything below it. The guard itself is waited for, so that nothing is
        // still dying when the caller goes on.
        if self.control.take().is_none() {
            drop(self.child.kill());
        }
        let deadline = Instant::now() + KILL_DEADLINE;
        drop(processes::wait_until(&mut self.child, deadline));
    }
}
