//! Workers' names: `p0` a process, `t1` a thread, `r0` a rayon thread, `b0` a thread of tokio's blocking pool.
//!
//! Each architecture names its threads when they start; an answer then tells who computed it. Knows nothing of how
//! threads come to be.

use std::{cell::Cell, fmt};

/// What kind of executor a worker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A process of its own.
    Process,
    /// A thread that owns or shares an event loop.
    Thread,
    /// A thread of a rayon pool.
    Rayon,
    /// A thread of tokio's blocking pool.
    Blocking,
}

/// The longest name: a letter and the ten digits of a `u32`.
const NAME_MAX: usize = 11;

/// A worker's name. Small and `Copy`, so that it travels with an answer from the thread that computed it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Worker {
    index: u32,
    length: u8,
    name: [u8; NAME_MAX],
}

thread_local! {
    // Threads that nobody named (the main thread before it becomes a worker) count as the first.
    static CURRENT: Cell<Worker> = const { Cell::new(Worker { index: 0, length: 2, name: *b"t0\0\0\0\0\0\0\0\0\0" }) };
}

impl Worker {
    /// Worker number `index` of its kind.
    pub fn new(kind: Kind, index: usize) -> Self {
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let mut name = [0; NAME_MAX];
        name[0] = match kind {
            Kind::Process => b'p',
            Kind::Thread => b't',
            Kind::Rayon => b'r',
            Kind::Blocking => b'b',
        };
        let digits = index.checked_ilog10().unwrap_or(0) as usize + 1;
        let mut rest = index;
        for place in (1..=digits).rev() {
            name[place] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        Self { index, length: digits as u8 + 1, name }
    }

    /// The worker that the calling thread is.
    pub fn current() -> Self {
        CURRENT.get()
    }

    /// Names the calling thread.
    pub fn make_current(self) {
        CURRENT.set(self);
    }

    /// The worker's number among those of its kind.
    pub fn index(&self) -> usize {
        self.index as usize
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.name[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl fmt::Display for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Worker({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_letter_and_the_number() {
        assert_eq!(Worker::new(Kind::Process, 0).to_string(), "p0");
        assert_eq!(Worker::new(Kind::Thread, 10).to_string(), "t10");
        assert_eq!(Worker::new(Kind::Rayon, u32::MAX as usize).to_string(), "r4294967295");
    }

    #[test]
    fn each_thread_has_its_own_name() {
        Worker::new(Kind::Thread, 7).make_current();
        let other = std::thread::spawn(|| Worker::current().to_string()).join();
        assert_eq!(other.ok().as_deref(), Some("t0"));
        assert_eq!(Worker::current().as_str(), "t7");
    }
}
