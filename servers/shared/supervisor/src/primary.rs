//! The primary: starts the workers, replaces those that exit, and stops them all at the end.

use std::{
    hash::{BuildHasher, RandomState},
    io,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use kit::{shutdown::Shutdown, start::Error};
use rustix::process::Signal;

use crate::{
    events::{Event, Events},
    process::{Ended, Process},
};

/// How long a worker may take to be ready.
const START_DEADLINE: Duration = Duration::from_secs(10);

/// How much longer than its drain timeout a worker may take to end.
const DRAIN_SLACK: Duration = Duration::from_secs(2);

/// A worker that lived shorter than this crashed at its start: the next one waits.
const SHORT_LIFE: Duration = Duration::from_secs(1);

/// That wait: it doubles with every short life in a row, and a random half of it is left out so that workers that
/// crash for one reason do not all come back at one time.
const BACK_OFF_MIN: Duration = Duration::from_millis(100);
const BACK_OFF_MAX: Duration = Duration::from_secs(10);

/// Who is to be supervised.
#[derive(Debug)]
pub struct Crew<Hand> {
    /// By which name workers go in lists of processes (`argv[0]`).
    pub name: &'static str,
    /// How many there are.
    pub workers: usize,
    /// How long a worker may drain. It keeps this deadline itself; one that does not is killed a little later.
    pub drain_timeout: Duration,
    /// What to hand worker number `index` as its standard input; asked again for each replacement. Dropped when the
    /// stop begins, before the workers are told: what it alone keeps open is then open in the workers only.
    pub hand: Hand,
}

/// Runs the crew until `stopping` is raised and all workers have ended. Calls `all_ready` when every worker is ready for
/// the first time.
///
/// Must be called on a thread that lives as long as the workers are to, since the kernel ties their lives to it.
///
/// # Errors
/// A worker cannot be started, or is not ready in time, or `all_ready` failed. No worker is left then, either.
pub fn supervise<Hand>(
    crew: Crew<Hand>,
    stopping: &Shutdown,
    all_ready: impl FnOnce() -> Result<(), Error>,
) -> Result<(), Error>
where
    Hand: FnMut(usize) -> io::Result<OwnedFd>,
{
    let events = Events::new(stopping).map_err(Error::system("wait for a stop"))?;
    let places = (0..crew.workers).map(|_| Place::default()).collect();
    let workers = (0..crew.workers).map(|_| None).collect();
    let mut primary = Primary { crew, places, workers, events };
    let served = primary.start().and_then(|started| match started {
        Started::All => all_ready().and_then(|()| primary.replace_until_stopped()),
        Started::Stopped => Ok(()),
    });
    served.and(primary.stop())
}

struct Primary<Hand> {
    crew: Crew<Hand>,
    /// By number, as are `workers`.
    places: Vec<Place>,
    workers: Vec<Option<Process>>,
    events: Events,
}

/// One worker's place, whoever is in it.
#[derive(Default)]
struct Place {
    /// Workers in a row that crashed at their start.
    short_lives: u32,
    /// When an empty place is to be filled.
    due: Option<Instant>,
}

enum Started {
    All,
    Stopped,
}

impl<Hand> Primary<Hand>
where
    Hand: FnMut(usize) -> io::Result<OwnedFd>,
{
    /// Fills all places and waits until everybody is ready. A worker that ends before is a failure, not a case for a
    /// replacement: what keeps the first from starting would keep the next.
    fn start(&mut self) -> Result<Started, Error> {
        let deadline = Instant::now() + START_DEADLINE;
        for index in 0..self.workers.len() {
            self.fill(index).map_err(Error::system("start a worker process"))?;
        }
        let mut waiting = self.workers.len();
        while waiting > 0 {
            match self.next(Some(deadline))? {
                Event::Ready(_) => waiting -= 1,
                Event::Stop => return Ok(Started::Stopped),
                Event::Ended(index, ended) => {
                    return Err(Error::Failed(match ended.reason {
                        Some(reason) => format!("worker p{index}: {reason}"),
                        None => format!("worker p{index} {ended} before all workers accepted"),
                    }));
                }
                Event::Deadline => {
                    let seconds = START_DEADLINE.as_secs();
                    return Err(Error::Failed(format!(
                        "{waiting} workers did not accept within {seconds} s"
                    )));
                }
            }
        }
        Ok(Started::All)
    }

    fn replace_until_stopped(&mut self) -> Result<(), Error> {
        loop {
            let due = self.places.iter().filter_map(|place| place.due).min();
            match self.next(due)? {
                Event::Stop => return Ok(()),
                Event::Ready(index) => tracing::info!("worker p{index} accepts"),
                Event::Ended(index, ended) => self.plan_replacement(index, &ended),
                Event::Deadline => self.fill_due(),
            }
        }
    }

    fn plan_replacement(&mut self, index: usize, ended: &Ended) {
        let place = &mut self.places[index];
        let lived = ended.lived;
        place.short_lives = if lived < SHORT_LIFE { place.short_lives + 1 } else { 0 };
        let wait = back_off(place.short_lives);
        place.due = Some(Instant::now() + wait);
        let reason = ended.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        tracing::warn!("worker p{index} {ended} after {lived:.1?}{reason}; replaced in {wait:.1?}");
    }

    fn fill_due(&mut self) {
        let now = Instant::now();
        for index in 0..self.places.len() {
            if self.places[index].due.is_some_and(|due| due <= now)
                && let Err(error) = self.fill(index)
            {
                tracing::error!("cannot start worker p{index}: {error}; trying again");
                self.places[index].due = Some(now + BACK_OFF_MAX);
            }
        }
    }

    fn fill(&mut self, index: usize) -> io::Result<()> {
        let handed = (self.crew.hand)(index)?;
        self.workers[index] = Some(Process::start(self.crew.name, index, handed)?);
        self.places[index].due = None;
        Ok(())
    }

    fn next(&mut self, deadline: Option<Instant>) -> Result<Event, Error> {
        self.events.next(&mut self.workers, deadline).map_err(Error::system("watch the workers"))
    }

    /// Lets go of what was handed out, tells the workers, waits for them, and kills those that do not end in time.
    fn stop(self) -> Result<(), Error> {
        let Self { crew: Crew { drain_timeout, hand, .. }, mut workers, mut events, .. } = self;
        drop(hand);
        let patience = drain_timeout + DRAIN_SLACK;
        let mut deadline = Instant::now() + patience;
        let mut killed = false;
        signal_all(&workers, Signal::TERM);
        while workers.iter().any(Option::is_some) {
            match events.next(&mut workers, Some(deadline)).map_err(Error::system("watch the workers"))? {
                Event::Ended(index, ended) if !ended.is_success() => {
                    tracing::warn!("worker p{index} {ended} while it drained");
                }
                Event::Ended(..) | Event::Ready(_) | Event::Stop => {}
                Event::Deadline if !killed => {
                    tracing::warn!("workers that did not end in time are killed");
                    signal_all(&workers, Signal::KILL);
                    killed = true;
                    deadline += patience;
                }
                // Killed and still there: it hangs in the kernel, and nothing more can be done about it here.
                Event::Deadline => break,
            }
        }
        Ok(())
    }
}

fn signal_all(workers: &[Option<Process>], signal: Signal) {
    workers.iter().flatten().for_each(|process| process.signal(signal));
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
