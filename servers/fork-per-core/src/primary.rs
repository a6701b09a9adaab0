//! The primary: starts the workers, replaces those that exit, and stops them all at the end.
//!
//! The main thread decides everything, on events from one channel; a thread for each worker process reads its ready
//! line and waits for its exit. Workers are started by the main thread alone, since the kernel ties a child's
//! death signal to the thread that started it.

use std::{
    hash::{BuildHasher, RandomState},
    io::{self, BufRead, BufReader},
    net::TcpListener,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    pin::pin,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    task::{Context, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use host::ready::Ready;
use kit::{
    args::Config,
    shutdown::Shutdown,
    start::{self, Error},
};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::SERVER;

/// How long a worker may take to accept.
const START_DEADLINE: Duration = Duration::from_secs(10);

/// How much longer than its drain timeout a worker may take to end.
const DRAIN_SLACK: Duration = Duration::from_secs(2);

/// A worker that lived shorter than this crashed at its start: the next one waits.
const SHORT_LIFE: Duration = Duration::from_secs(1);

/// That wait: it doubles with every short life in a row, and a random half of it is left out so that workers that
/// crash for one reason do not all come back at one time.
const BACK_OFF_MIN: Duration = Duration::from_millis(100);
const BACK_OFF_MAX: Duration = Duration::from_secs(10);

enum Event {
    Ready(usize),
    Exited(usize, io::Result<ExitStatus>),
    Stop,
}

/// One worker's place, whoever is in it.
struct Slot {
    listener: TcpListener,
    process: Option<OwnedFd>,
    started: Instant,
    short_lives: u32,
    /// When an empty place is to be filled.
    due: Option<Instant>,
}

/// Serves until `stopping` is raised and the workers have drained. Says so when all of them accept.
///
/// # Errors
/// A worker cannot be started, or does not accept in time.
pub fn run(config: &Config, listeners: Vec<TcpListener>, stopping: &Shutdown) -> Result<(), Error> {
    let address = match listeners.first() {
        Some(first) => first.local_addr().map_err(Error::system("read the listener's address"))?,
        None => return Err(Error::Failed("there is no listener".to_owned())),
    };
    let (events, inbox) = channel();
    let waker = Waker::from(Arc::new(Stopper(events.clone())));
    let mut stop = pin!(stopping.wait());
    if stop.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
        return Ok(());
    }
    let mut primary = Primary { slots: listeners.into_iter().map(Slot::new).collect(), events, inbox };
    let served = primary.start().and_then(|started| match started {
        Started::All => {
            start::announce(SERVER, config, address)?;
            primary.supervise();
            Ok(())
        }
        Started::Stopped => Ok(()),
    });
    primary.stop(config.limits.drain_timeout + DRAIN_SLACK);
    served
}

struct Primary {
    slots: Vec<Slot>,
    events: Sender<Event>,
    inbox: Receiver<Event>,
}

enum Started {
    All,
    Stopped,
}

impl Primary {
    /// Fills all places and waits until everybody accepts. A worker that ends before is a failure, not a case for a
    /// replacement: what keeps the first from starting would keep the next.
    fn start(&mut self) -> Result<Started, Error> {
        let deadline = Instant::now() + START_DEADLINE;
        for index in 0..self.slots.len() {
            self.fill(index).map_err(Error::system("start a worker process"))?;
        }
        let mut waiting = self.slots.len();
        while waiting > 0 {
            match self.inbox.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Event::Ready(_)) => waiting -= 1,
                Ok(Event::Stop) => return Ok(Started::Stopped),
                Ok(Event::Exited(index, status)) => {
                    self.slots[index].process = None;
                    let reason = reason(&status);
                    return Err(Error::Failed(format!(
                        "worker p{index} {reason} before it accepted; see its message above"
                    )));
                }
                Err(_) => {
                    let seconds = START_DEADLINE.as_secs();
                    return Err(Error::Failed(format!(
                        "{waiting} workers did not accept within {seconds} s"
                    )));
                }
            }
        }
        Ok(Started::All)
    }

    /// Replaces workers that exit, until the stop.
    fn supervise(&mut self) {
        loop {
            let due = self.slots.iter().filter_map(|slot| slot.due).min();
            let event = match due {
                None => self.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(due) => self.inbox.recv_timeout(due.saturating_duration_since(Instant::now())),
            };
            match event {
                Ok(Event::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(Event::Ready(index)) => tracing::info!("worker p{index} accepts"),
                Ok(Event::Exited(index, status)) => self.plan_replacement(index, &status),
                Err(RecvTimeoutError::Timeout) => self.fill_due(),
            }
        }
    }

    fn plan_replacement(&mut self, index: usize, status: &io::Result<ExitStatus>) {
        let slot = &mut self.slots[index];
        slot.process = None;
        let lived = slot.started.elapsed();
        slot.short_lives = if lived < SHORT_LIFE { slot.short_lives + 1 } else { 0 };
        let wait = back_off(slot.short_lives);
        slot.due = Some(Instant::now() + wait);
        tracing::warn!("worker p{index} {} after {lived:.1?}; replaced in {wait:.1?}", reason(status));
    }

    fn fill_due(&mut self) {
        let now = Instant::now();
        for index in 0..self.slots.len() {
            if self.slots[index].due.is_some_and(|due| due <= now)
                && let Err(error) = self.fill(index)
            {
                tracing::error!("cannot start worker p{index}: {error}; trying again");
                self.slots[index].due = Some(now + BACK_OFF_MAX);
            }
        }
    }

    /// Starts a worker: this same program again, told who it is.
    fn fill(&mut self, index: usize) -> io::Result<()> {
        let slot = &mut self.slots[index];
        let mut child = Command::new("/proc/self/exe")
            .arg0(SERVER)
            .args(std::env::args_os().skip(1))
            .args(["--worker-index", &index.to_string(), "--primary", &std::process::id().to_string()])
            .stdin(OwnedFd::from(slot.listener.try_clone()?))
            .stdout(Stdio::piped())
            // A Ctrl-C at a terminal must reach the primary alone, which passes it on once.
            .process_group(0)
            .spawn()?;
        slot.due = None;
        slot.started = Instant::now();
        // Opened before anybody waits for the child, so its number cannot have become another's.
        slot.process = Some(pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?);
        let stdout = child.stdout.take();
        let events = self.events.clone();
        thread::Builder::new()
            .name(format!("watch-p{index}"))
            .spawn(move || watch(index, child, stdout, &events))?;
        Ok(())
    }

    /// Lets go of the listeners, tells the workers, waits for them, and kills those that do not end in time.
    fn stop(self, patience: Duration) {
        let Self { slots, events, inbox } = self;
        drop(events);
        let mut processes: Vec<Option<OwnedFd>> = slots.into_iter().map(|slot| slot.process).collect();
        signal_all(&processes, Signal::TERM);
        let mut deadline = Instant::now() + patience;
        let mut killed = false;
        while processes.iter().any(Option::is_some) {
            match inbox.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Event::Exited(index, status)) => {
                    processes[index] = None;
                    if !matches!(&status, Ok(status) if status.success()) {
                        tracing::warn!("worker p{index} {} while it drained", reason(&status));
                    }
                }
                Ok(Event::Ready(_) | Event::Stop) => {}
                Err(RecvTimeoutError::Timeout) if !killed => {
                    tracing::warn!("workers that did not end in time are killed");
                    signal_all(&processes, Signal::KILL);
                    killed = true;
                    deadline += patience;
                }
                // Killed and still there: it hangs in the kernel, and nothing more can be done about it here.
                Err(_) => return,
            }
        }
    }
}

fn signal_all(processes: &[Option<OwnedFd>], signal: Signal) {
    for process in processes.iter().flatten() {
        // The one error there can be is that it has ended, which is what is wanted.
        let _ = pidfd_send_signal(process.as_fd(), signal);
    }
}

/// Reports what becomes of one worker process.
fn watch(index: usize, mut child: Child, stdout: Option<ChildStdout>, events: &Sender<Event>) {
    let mut line = String::new();
    let read = stdout.map(|stdout| BufReader::new(stdout).read_line(&mut line));
    // The main thread may have stopped listening; then nobody needs to know.
    if matches!(read, Some(Ok(_))) && serde_json::from_str::<Ready>(&line).is_ok() {
        let _ = events.send(Event::Ready(index));
    }
    let _ = events.send(Event::Exited(index, child.wait()));
}

fn reason(status: &io::Result<ExitStatus>) -> String {
    match status {
        Err(error) => format!("was lost ({error})"),
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("exited with code {code}"),
            (None, Some(signal)) => format!("was ended by signal {signal}"),
            (None, None) => "ended".to_owned(),
        },
    }
}

fn back_off(short_lives: u32) -> Duration {
    if short_lives == 0 {
        return Duration::ZERO;
    }
    let longest = BACK_OFF_MIN.saturating_mul(1 << (short_lives - 1).min(16)).min(BACK_OFF_MAX);
    // A hasher with random keys is the randomness that std has.
    let random = RandomState::new().hash_one(short_lives) as f64 / u64::MAX as f64;
    longest.mul_f64(0.5 + random / 2.0)
}

impl Slot {
    fn new(listener: TcpListener) -> Self {
        Self { listener, process: None, started: Instant::now(), short_lives: 0, due: None }
    }
}

/// Turns the shutdown's wake-up into an event.
struct Stopper(Sender<Event>);

impl Wake for Stopper {
    fn wake(self: Arc<Self>) {
        let _ = self.0.send(Event::Stop);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_short_lives_make_the_next_worker_wait_and_never_beyond_the_bound() {
        assert_eq!(back_off(0), Duration::ZERO);
        for short_lives in 1..100 {
            let wait = back_off(short_lives);
            assert!(wait >= BACK_OFF_MIN / 2 && wait <= BACK_OFF_MAX, "{short_lives}: {wait:?}");
        }
        assert!(back_off(50) >= BACK_OFF_MAX / 2);
    }
}
