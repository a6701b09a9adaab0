//! How many attacks, and suites, go on beside each other in one process: as many as one machine, and one process's descriptors, bear.
//!
//! Each has a server with a tree of processes and a port of its own, and judges answers and what that tree holds. So most
//! can share the machine: they wait for timeouts. What an attack must not do is keep the CPUs from others for so long that
//! their servers cannot obey a timeout of a second, or take the descriptors that others need. It says so, and gets more places, or all.

use std::sync::{Condvar, Mutex, PoisonError};

/// How many attacks that wait go on at the same time. They use a tenth of a CPU or so each.
const PLACES: usize = 9;

/// How much of the machine something takes while it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    /// It waits nearly all the time.
    Little,
    /// It keeps one or two threads computing, of its own or of its server.
    Much,
    /// It keeps dozens of threads computing, or needs nearly all the descriptors that a process may have.
    All,
}

impl Takes {
    fn places(self) -> usize {
        match self {
            Self::Little => 1,
            Self::Much => PLACES / 3,
            Self::All => PLACES,
        }
    }
}

/// Places that are free, of all in this process: tests run on several threads.
static FREE: Mutex<usize> = Mutex::new(PLACES);
static FREED: Condvar = Condvar::new();

/// Places that are taken; given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Held(usize);

/// Waits until there is room for something that takes so much. Whoever takes much waits behind all who take little: there
/// are only so many of these, and the machine is kept busy meanwhile.
pub(crate) fn enter(takes: Takes) -> Held {
    let places = takes.places();
    let free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut free = FREED.wait_while(free, |free| *free < places).unwrap_or_else(PoisonError::into_inner);
    *free -= places;
    Held(places)
}

impl Drop for Held {
    fn drop(&mut self) {
        *FREE.lock().unwrap_or_else(PoisonError::into_inner) += self.0;
        FREED.notify_all();
    }
}
