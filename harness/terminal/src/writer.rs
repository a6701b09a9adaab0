//! A descriptor that is written to by a thread of its own.
//!
//! A write may fail (a full disk, a reader that went away), and it may never return (a pipe that nobody reads, a terminal that is
//! held). Neither is the business of whoever has something to say: bytes are put into a queue, a failure is remembered, and how long
//! the end waits for a reader is decided at the end ([`Writer::end`]).

use std::{
    collections::VecDeque,
    io,
    os::fd::AsFd,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
};

use crate::stop;

/// What one call of write(2) gets: a pipe takes so much as soon as it has room for anything (pipe(7), PIPE_BUF), so that a slow
/// reader is told from one that does not read.
const PART: usize = 4096;
/// How long nothing may be taken, once this process was asked to end.
const IN_A_HURRY: Duration = Duration::from_millis(500);
/// How often it is looked whether it was asked.
const GLANCE: Duration = Duration::from_millis(50);
/// How long whoever prints waits until it is there, so that two streams on one terminal show what was said in its order.
const IN_ORDER: Duration = Duration::from_millis(100);

/// Why what was written did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// The system refused it.
    #[error(transparent)]
    Failed(#[from] Errno),
    /// It is there, and nobody takes it.
    #[error("nobody reads it")]
    Unread,
}

impl Lost {
    /// Whether the reader has closed it, as `head` does when it has what it wants.
    pub(crate) fn is_unwanted(self) -> bool {
        self == Self::Failed(Errno::PIPE)
    }
}

impl From<Lost> for io::Error {
    fn from(lost: Lost) -> Self {
        match lost {
            Lost::Failed(errno) => errno.into(),
            Lost::Unread => Self::new(io::ErrorKind::TimedOut, lost),
        }
    }
}

/// A descriptor and its thread, which begins with the first bytes. A writer that is dropped leaves what is queued to the thread.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    /// More than so many bytes are not kept for a reader: what comes then is lost.
    most: usize,
}

struct Shared {
    to: Box<dyn AsFd + Send + Sync>,
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Vec<u8>>,
    /// Bytes that were put and not written, those in the thread's hands included.
    left: usize,
    /// Messages that were put, and that were written.
    put: u64,
    written: u64,
    /// Bytes that were ever taken.
    taken: u64,
    /// Whether somebody has waited in vain since bytes were taken last.
    is_held: bool,
    /// Why something is missing: the first reason.
    lost: Option<Lost>,
    has_thread: bool,
    is_dropped: bool,
}

impl Writer {
    /// Writes to `to`, of which at most so many bytes wait.
    pub(crate) fn new(to: impl AsFd + Send + Sync + 'static, most: usize) -> Self {
        let shared = Shared { to: Box::new(to), state: Mutex::default(), moved: Condvar::new() };
        Self { shared: Arc::new(shared), most }
    }

    /// Has bytes written, after those that were put before; does not wait.
    pub(crate) fn put(&self, bytes: &[u8]) {
        let mut state = self.shared.state();
        if bytes.is_empty() || matches!(state.lost, Some(Lost::Failed(_))) {
            return;
        }
        if state.left > 0 && state.left.saturating_add(bytes.len()) > self.most {
            state.lost.get_or_insert(Lost::Unread);
            return;
        }
        state.queue.push_back(bytes.to_owned());
        state.left += bytes.len();
        state.put += 1;
        if !state.has_thread {
            let shared = Arc::clone(&self.shared);
            state.has_thread =
                thread::Builder::new().name("output".to_owned()).spawn(move || shared.serve()).is_ok();
        }
        let has_thread = state.has_thread;
        drop(state);
        match has_thread {
            true => self.shared.moved.notify_all(),
            // Where no thread can be had, what is said is worth a wait.
            false => self.shared.write_queue(),
        }
    }

    /// Waits until what was put is written, but never long; not at all where it was waited for in vain.
    pub(crate) fn keep_order(&self) {
        let began = Instant::now();
        let mut state = self.shared.state();
        let all = state.put;
        while state.written < all && state.left > 0 && !state.is_held {
            let left = IN_ORDER.saturating_sub(began.elapsed());
            if left.is_zero() {
                state.is_held = true;
            } else {
                state = self.shared.wait(state, left);
            }
        }
    }

    /// Bytes that were put and not written.
    pub(crate) fn left(&self) -> usize {
        self.shared.state().left
    }

    /// Waits until everything is written. As long as a reader takes anything, it is waited for; one that takes nothing for
    /// `patience` is given up, and soon where this process was asked to end.
    ///
    /// # Errors
    /// Something did not arrive.
    pub(crate) fn end(&self, patience: Option<Duration>) -> Result<(), Lost> {
        let mut state = self.shared.state();
        let (mut taken, mut since) = (state.taken, Instant::now());
        while state.left > 0 {
            if state.taken != taken {
                (taken, since) = (state.taken, Instant::now());
            }
            let hurry = stop::is_asked().then_some(IN_A_HURRY);
            let patience = patience.into_iter().chain(hurry).min();
            if patience.is_some_and(|patience| since.elapsed() >= patience) {
                return Err(state.lost.unwrap_or(Lost::Unread));
            }
            state = self.shared.wait(state, GLANCE);
        }
        state.lost.map_or(Ok(()), Err)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.state().is_dropped = true;
        self.shared.moved.notify_all();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, most: Duration) -> MutexGuard<'a, State> {
        self.moved.wait_timeout(state, most).unwrap_or_else(PoisonError::into_inner).0
    }

    /// The thread.
    fn serve(&self) {
        loop {
            self.write_queue();
            let state = self.state();
            let is_done = |state: &mut State| state.queue.is_empty() && !state.is_dropped;
            let state = self.moved.wait_while(state, is_done).unwrap_or_else(PoisonError::into_inner);
            if state.queue.is_empty() {
                return;
            }
        }
    }

    fn write_queue(&self) {
        loop {
            let Some(next) = self.state().queue.pop_front() else { return };
            let written = next.chunks(PART).try_for_each(|part| self.write(part));
            let mut state = self.state();
            state.written += 1;
            if let Err(errno) = written {
                state.lost = Some(Lost::Failed(errno));
                state.queue.clear();
                state.left = 0;
            }
            drop(state);
            self.moved.notify_all();
        }
    }

    fn write(&self, mut part: &[u8]) -> Result<(), Errno> {
        while !part.is_empty() {
            match rustix::io::write(&self.to, part) {
                Ok(0) => return Err(Errno::IO),
                Ok(count) => {
                    part = &part[count..];
                    let mut state = self.state();
                    state.left = state.left.saturating_sub(count);
                    state.taken += count as u64;
                    state.is_held = false;
                    drop(state);
                    self.moved.notify_all();
                }
                Err(Errno::INTR) => {}
                // Another process that has the same pipe or terminal may have made it so.
                Err(Errno::AGAIN) => {
                    let room = PollFd::new(&self.to, PollFlags::OUT);
                    match poll(&mut [room], None) {
                        Ok(_) | Err(Errno::INTR) => {}
                        Err(errno) => return Err(errno),
                    }
                }
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::OpenOptions,
        io::{PipeReader, Read, pipe},
    };

    use rustix::{
        fs::{OFlags, fcntl_setfl},
        pipe::fcntl_setpipe_size,
    };

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);
    const MANY: usize = 1 << 20;

    /// A pipe that has room for one part, and a writer to it.
    fn narrow(most: usize) -> (PipeReader, Writer) {
        let (reader, writer) = pipe().unwrap();
        fcntl_setpipe_size(&writer, PART).unwrap();
        (reader, Writer::new(writer, most))
    }

    #[test]
    fn what_is_put_arrives_in_its_order_however_slowly_it_is_read() {
        let (mut reader, writer) = narrow(MANY);
        let text: Vec<u8> =
            (0..200_u32).flat_map(|n| format!("line {n}\n").repeat(20).into_bytes()).collect();
        text.chunks(77).for_each(|part| writer.put(part));
        let read = thread::spawn(move || {
            let (mut all, mut part) = (Vec::new(), [0; 100]);
            while let Ok(count @ 1..) = reader.read(&mut part) {
                all.extend_from_slice(&part[..count]);
            }
            all
        });
        assert_eq!(writer.end(Some(PATIENCE)), Ok(()));
        drop(writer);
        assert_eq!(read.join().unwrap(), text);
    }

    #[test]
    fn one_that_nobody_reads_holds_nobody_and_is_given_up_at_the_end() {
        let (reader, writer) = narrow(MANY);
        writer.put(&[b'x'; 3 * PART]);
        let began = Instant::now();
        // The first time there is a moment's wait, and then none.
        (0..1000).for_each(|_| {
            writer.put(b"x");
            writer.keep_order();
        });
        assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
        assert_eq!(writer.end(Some(Duration::from_millis(1))), Err(Lost::Unread));
        drop(reader);
    }

    #[test]
    fn what_is_beyond_the_most_is_lost_and_said_to_be() {
        let (mut reader, writer) = narrow(2 * PART);
        writer.put(&[b'a'; 2 * PART]);
        writer.put(b"b");
        let read = thread::spawn(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).map(|_| all)
        });
        assert_eq!(writer.end(Some(PATIENCE)), Err(Lost::Unread));
        drop(writer);
        let all = read.join().unwrap().unwrap();
        // Unless a part of it had been taken before there was more.
        assert!(all.starts_with(&[b'a'; 2 * PART]) && all.len() <= 2 * PART + 1, "{}", all.len());
    }

    #[test]
    fn a_failure_is_remembered_and_what_follows_is_dropped() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let writer = Writer::new(full, MANY);
        writer.put(b"a");
        assert_eq!(writer.end(Some(PATIENCE)), Err(Lost::Failed(Errno::NOSPC)));
        writer.put(b"b");
        assert_eq!((writer.left(), writer.end(None)), (0, Err(Lost::Failed(Errno::NOSPC))));

        let (reader, writer) = narrow(MANY);
        drop(reader);
        writer.put(b"a");
        let lost = writer.end(Some(PATIENCE)).unwrap_err();
        assert!(lost.is_unwanted(), "{lost}");
    }

    #[test]
    fn a_descriptor_that_another_process_made_non_blocking_is_waited_for() {
        let (mut reader, writer) = pipe().unwrap();
        fcntl_setpipe_size(&writer, PART).unwrap();
        fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
        let writer = Writer::new(writer, MANY);
        writer.put(&[b'x'; 5 * PART]);
        let read = thread::spawn(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).map(|_| all.len())
        });
        assert_eq!(writer.end(Some(PATIENCE)), Ok(()));
        drop(writer);
        assert_eq!(read.join().unwrap().unwrap(), 5 * PART);
    }
}
