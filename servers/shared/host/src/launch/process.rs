//! A process that was launched, to its end.

use std::{
    io::{self, Write as _},
    process::{Child, ChildStdin},
    sync::mpsc::RecvTimeoutError,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde::de::DeserializeOwned;

use super::{error::LaunchError, pipes::Pipes};
use crate::{
    guard::{self, Ended, Usage},
    processes,
    ready::{Announced, Ready},
};

/// How long a killed process may take to vanish before that is reported as a failure.
const KILL_DEADLINE: Duration = Duration::from_secs(5);

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
    pipes: Pipes,
    ended: bool,
}

impl Process {
    /// Listens to what was just spawned; where nobody can be started who listens, ends it.
    pub(super) fn of(mut child: Child) -> io::Result<Self> {
        let (pid, control) = (child.id(), child.stdin.take());
        match Pipes::of(&mut child) {
            Ok(pipes) => Ok(Self { child, pid, control, pipes, ended: false }),
            Err(error) => {
                end(&mut child, control);
                Err(error)
            }
        }
    }

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
        self.pipes.stop_listening();
    }

    /// The last lines that the process wrote to stderr.
    pub fn stderr(&self) -> Vec<String> {
        self.pipes.stderr()
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
            match self.pipes.next_line(deadline) {
                Ok(line) => {
                    if let Ok(ready) = serde_json::from_str(&line) {
                        return Ok(ready);
                    }
                    if let Ok(report) = serde_json::from_str::<guard::Report>(&line) {
                        self.child.wait()?;
                        self.ended = true;
                        let ended = report.guarded.map_or_else(|reason| reason, |ended| ended.to_string());
                        return Err(LaunchError::Died { ended, stderr: self.pipes.final_stderr() });
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
                    return Err(LaunchError::Died { ended, stderr: self.pipes.final_stderr() });
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
            self.pipes.final_stderr();
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
        Ok(Exit { ended, forced, usage: None, left_behind: 0, stderr: self.pipes.final_stderr() })
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
        match self.pipes.next_line(deadline) {
            Ok(line) => {
                let Ok(report) = serde_json::from_str::<guard::Report>(&line) else {
                    return Ok(Heard::Line(line));
                };
                self.child.wait()?;
                self.ended = true;
                let ended =
                    report.guarded.map_err(|ended| LaunchError::Died { ended, stderr: Vec::new() })?;
                let (usage, left_behind) = (report.usage, report.left_behind);
                let stderr = self.pipes.final_stderr();
                Ok(Heard::End(Exit { ended, forced: false, usage, left_behind, stderr }))
            }
            Err(RecvTimeoutError::Timeout) => Ok(Heard::Nothing),
            Err(RecvTimeoutError::Disconnected) => {
                let ended = "the guard above it ended without a report".to_owned();
                Err(LaunchError::Died { ended, stderr: self.pipes.final_stderr() })
            }
        }
    }

    /// Waits for the direct child until `deadline`.
    fn wait_child(&mut self, deadline: Instant) -> Result<Option<Ended>, LaunchError> {
        let ended = processes::wait_until(&mut self.child, deadline)?;
        self.ended |= ended.is_some();
        Ok(ended.map(Ended::from))
    }

    fn kill(&mut self) {
        match self.control.as_mut() {
            Some(control) => drop(control.write_all(&[guard::KILL])),
            None => drop(self.child.kill()),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        end(&mut self.child, self.control.take());
    }
}

/// Closing the guard's pipe ends everything below it. The guard itself is waited for, so that nothing is still dying when the
/// caller goes on.
fn end(child: &mut Child, control: Option<ChildStdin>) {
    if control.is_none() {
        drop(child.kill());
    }
    drop(control);
    drop(processes::wait_until(child, Instant::now() + KILL_DEADLINE));
}
