//! How many attacks and suites go on beside each other in one process: as many as one machine, and one process's descriptors,
//! bear.
//!
//! Each has a server with a tree of processes and a port of its own, and judges answers and what that tree holds. So most
//! can share the machine: they wait for timeouts. What one must not do is keep the CPUs from others for so long that
//! their servers cannot obey a timeout of a second, or take the descriptors that they need. It says so, and gets more
//! places, or all.

use std::sync::{Condvar, Mutex, PoisonError};

/// How many of those that wait go on at the same time. They use a tenth of a CPU or so each.
const PLACES: usize = 9;

/// How much of the machine something takes while it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// It waits nearly all the time.
    Little,
    /// It keeps one or two threads computing, of its own or of its server.
    Much,
    /// The same, and it needs nearly all the descriptors that a process may have: there is room for one such.
    MuchAndFiles,
    /// It keeps dozens of threads computing.
    All,
}

impl Takes {
    fn places(self) -> usize {
        match self {
            Self::Little => 1,
            Self::Much | Self::MuchAndFiles => PLACES / 3,
            Self::All => PLACES,
        }
    }
}

/// What is left of it.
struct Room {
    places: usize,
    files: bool,
}

impl Room {
    fn fits(&self, takes: Takes) -> bool {
        self.places >= takes.places() && (self.files || takes != Takes::MuchAndFiles)
    }
}

/// Of this process: tests run on several threads.
static LEFT: Mutex<Room> = Mutex::new(Room { places: PLACES, files: true });
static MORE: Condvar = Condvar::new();

/// Room that is taken; given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Held(Takes);

/// Waits until there is room for something that takes so much. Whoever takes much waits behind all who take little: there
/// are only so many of these, and the machine is kept busy meanwhile.
pub(crate) fn enter(takes: Takes) -> Held {
    let left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
    let mut left = MORE.wait_while(left, |left| !left.fits(takes)).unwrap_or_else(PoisonError::into_inner);
    left.places -= takes.places();
    left.files &= takes != Takes::MuchAndFiles;
    Held(takes)
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
        left.places += self.0.places();
        left.files |= self.0 == Takes::MuchAndFiles;
        MORE.notify_all();
    }
}
