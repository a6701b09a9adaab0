//! What a process writes to its stdout and stderr, line by line, each read on a thread of its own.

use std::{
    collections::VecDeque,
    io::{self, BufRead, BufReader, Read},
    process::Child,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::{Duration, Instant},
};

use crate::guard;

/// How many of the last lines that a process wrote to stderr are kept for messages.
const KEPT_LINES: usize = 40;
/// How long to wait for the rest of stderr once a process has ended: a descendant may hold the pipe open.
const STDERR_DEADLINE: Duration = Duration::from_millis(200);

/// Both, as far as they were read.
#[derive(Debug)]
pub(super) struct Pipes {
    stdout: Receiver<String>,
    /// Whether lines on stdout are dropped.
    deaf: Arc<AtomicBool>,
    stderr: Arc<Mutex<VecDeque<String>>>,
    stderr_closed: Receiver<()>,
}

impl Pipes {
    /// Begins to read those of `child`.
    pub(super) fn of(child: &mut Child) -> io::Result<Self> {
        let (sender, stdout) = channel();
        let deaf = Arc::<AtomicBool>::default();
        let stderr = Arc::<Mutex<VecDeque<String>>>::default();
        let (closed, stderr_closed) = channel::<()>();
        let (now_deaf, kept) = (Arc::clone(&deaf), Arc::clone(&stderr));
        if let Some(pipe) = child.stdout.take() {
            for_each_line(pipe, move |line| {
                let is_dropped = now_deaf.load(Relaxed) && !line.starts_with(guard::REPORT_BEGINS);
                is_dropped || sender.send(line).is_ok()
            })?;
        }
        if let Some(pipe) = child.stderr.take() {
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
        Ok(Self { stdout, deaf, stderr, stderr_closed })
    }

    /// The next line on stdout.
    pub(super) fn next_line(&self, deadline: Instant) -> Result<String, RecvTimeoutError> {
        self.stdout.recv_timeout(deadline.saturating_duration_since(Instant::now()))
    }

    /// Drops stdout from now on, but for a guard's report.
    pub(super) fn stop_listening(&self) {
        self.deaf.store(true, Relaxed);
    }

    /// The last lines on stderr.
    pub(super) fn stderr(&self) -> Vec<String> {
        self.stderr.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// All of stderr that will be kept: waits until the pipe closes, or for a moment where somebody else holds it.
    pub(super) fn final_stderr(&self) -> Vec<String> {
        let _closed_or_not = self.stderr_closed.recv_timeout(STDERR_DEADLINE);
        self.stderr()
    }
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
