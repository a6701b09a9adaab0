//! Stop signals: the first SIGTERM or SIGINT drains, a second one ends the process at once.
//!
//! A thread of its own waits for them, so that no runtime has to know of signals. It also keeps the drain's deadline where
//! a runtime cannot: an operation that computes on the runtime's own thread keeps that from seeing the time. It does what a
//! signal asks for before it speaks of it, and needs nothing for that which it does not have since the start: no memory, no
//! thread, no descriptor, nobody who reads its words.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    process, thread,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    pipe::{PipeFlags, pipe_with},
};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    low_level::pipe,
};

use crate::shutdown::Shutdown;

/// What a shell reports for a process that a signal ended: 128 plus the signal's number. A second stop signal
/// ends the process with it, so that a supervisor can tell a drain that was cut short from a clean one.
const EXIT_BY_SIGNAL: i32 = 128;

/// How much later than its drain timeout a process ends that could not end by itself. Shorter than a supervisor's
/// patience, which is to see the end and not to cause it.
const GRACE: Duration = Duration::from_millis(500);

/// Starts to listen for stop signals, and returns what they raise.
///
/// With a `drain_timeout` the process ends, with a warning and code 0, when it still runs shortly after that much time has
/// passed since the first signal. Without one whoever waits for the shutdown keeps the deadline.
///
/// # Errors
/// Whatever installing the handlers or starting the thread reports.
pub fn install(drain_timeout: Option<Duration>) -> io::Result<Shutdown> {
    let signals = [Arrivals::of(SIGTERM)?, Arrivals::of(SIGINT)?];
    let shutdown = Shutdown::new();
    let raised = shutdown.clone();
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || obey(&signals, &raised, drain_timeout))?;
    Ok(shutdown)
}

fn obey(signals: &[Arrivals; 2], stopping: &Shutdown, drain_timeout: Option<Duration>) {
    let mut end = None;
    loop {
        match next(signals, end) {
            None => {
                tracing::warn!("still running after --drain-timeout: ending, and what is not done is cut");
                process::exit(0);
            }
            Some(signal) if stopping.is_raised() => {
                tracing::warn!("a second stop signal: stopping at once, connections are cut");
                process::exit(EXIT_BY_SIGNAL + signal);
            }
            Some(_) => {
                stopping.raise();
                end = drain_timeout.map(|timeout| Instant::now() + timeout + GRACE);
                tracing::info!("stopping: no new connections; a second signal stops at once");
            }
        }
    }
}

/// SIGHUP, by which a supervisor is told to reload: readable when it has come.
#[derive(Debug)]
pub struct Hangups(Arrivals);

impl Hangups {
    /// Starts to listen for it.
    ///
    /// # Errors
    /// Whatever installing the handler reports.
    pub fn install() -> io::Result<Self> {
        Arrivals::of(SIGHUP).map(Self)
    }

    /// Whether it has come since it was last asked, however often.
    pub fn take(&self) -> bool {
        let mut came = false;
        while self.0.take() {
            came = true;
        }
        came
    }
}

impl AsFd for Hangups {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.seen.as_fd()
    }
}

/// The arrivals of one signal, a byte in a pipe for each.
#[derive(Debug)]
struct Arrivals {
    signal: i32,
    seen: OwnedFd,
}

impl Arrivals {
    fn of(signal: i32) -> io::Result<Self> {
        let (seen, arrived) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        pipe::register(signal, arrived)?;
        Ok(Self { signal, seen })
    }

    fn take(&self) -> bool {
        rustix::io::read(&self.seen, &mut [0]).is_ok_and(|count| count == 1)
    }
}

/// The next signal; `None` when `end`, if there is one, comes first.
fn next(signals: &[Arrivals; 2], end: Option<Instant>) -> Option<i32> {
    loop {
        if let Some(arrived) = signals.iter().find(|arrivals| arrivals.take()) {
            return Some(arrived.signal);
        }
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return None;
        }
        let patience = left.and_then(|left| Timespec::try_from(left).ok());
        let mut polled = signals.each_ref().map(|arrivals| PollFd::new(&arrivals.seen, PollFlags::IN));
        match poll(&mut polled, patience.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            // The kernel has no memory for it at present.
            Err(_) => thread::sleep(GRACE / 10),
        }
    }
}
