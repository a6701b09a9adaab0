//! What a primary waits for: one poll(2) on all its workers' descriptors and on a bell that the shutdown rings.
//!
//! No threads: a worker's readiness and its end are descriptors that become readable, so one thread sees them in turn
//! and everything that it decides upon is its own.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Waker},
    time::Instant,
};

use host::waker::Bell;
use kit::shutdown::{Shutdown, Wait};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

use crate::process::{Ended, Process};

/// What can happen.
#[derive(Debug)]
pub(crate) enum Event {
    /// The worker of this number is ready.
    Ready(usize),
    /// The worker of this number has ended; its place is empty.
    Ended(usize, Ended),
    /// The server is to stop. Said once.
    Stop,
    /// Nothing happened until the deadline.
    Deadline,
}

/// Where events come from, besides the workers.
#[derive(Debug)]
pub(crate) struct Events {
    bell: Arc<Bell>,
    /// The bell's registration with the shutdown.
    _stop: Wait,
}

#[derive(Clone, Copy)]
enum Source {
    Bell,
    Says(usize),
    Ends(usize),
}

impl Events {
    /// Has `stopping` ring, also when it is raised already.
    pub(crate) fn new(stopping: &Shutdown) -> io::Result<Self> {
        let bell = Arc::new(Bell::new()?);
        let mut stop = stopping.wait();
        if Pin::new(&mut stop).poll(&mut Context::from_waker(&Waker::from(Arc::clone(&bell)))).is_ready() {
            bell.ring();
        }
        Ok(Self { bell, _stop: stop })
    }

    /// Waits for the next event, until `deadline` if there is one. A stop comes first, a worker's readiness before its end.
    pub(crate) fn next(
        &mut self,
        workers: &mut [Option<Process>],
        deadline: Option<Instant>,
    ) -> io::Result<Event> {
        loop {
            let event = match self.source(workers, deadline)? {
                Some(Source::Bell) => {
                    self.bell.silence();
                    Some(Event::Stop)
                }
                Some(Source::Says(index)) => {
                    let process = workers[index].as_mut();
                    process.is_some_and(Process::is_ready).then_some(Event::Ready(index))
                }
                Some(Source::Ends(index)) => {
                    workers[index].take().map(|process| Event::Ended(index, process.end()))
                }
                // Otherwise the wait was interrupted by a signal, which another thread handles.
                None => {
                    deadline.is_some_and(|deadline| deadline <= Instant::now()).then_some(Event::Deadline)
                }
            };
            if let Some(event) = event {
                return Ok(event);
            }
        }
    }

    /// The first of the descriptors that is readable; `None` if the wait ended without any.
    fn source(&self, workers: &[Option<Process>], deadline: Option<Instant>) -> io::Result<Option<Source>> {
        let mut sources = vec![Source::Bell];
        let mut descriptors = vec![PollFd::new(&self.bell, PollFlags::IN)];
        for (index, process) in workers.iter().enumerate() {
            let Some(process) = process else { continue };
            if let Some(says) = process.says() {
                sources.push(Source::Says(index));
                descriptors.push(PollFd::from_borrowed_fd(says, PollFlags::IN));
            }
            sources.push(Source::Ends(index));
            descriptors.push(PollFd::from_borrowed_fd(process.ends(), PollFlags::IN));
        }
        // Longer than a `Timespec` can hold is as good as for ever.
        let patience = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let patience = patience.and_then(|patience| Timespec::try_from(patience).ok());
        match poll(&mut descriptors, patience.as_ref()) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        }
        // A pipe whose other end is closed, and a process that ended, are readable or hung up.
        let first = descriptors.iter().position(|descriptor| !descriptor.revents().is_empty());
        Ok(first.map(|at| sources[at]))
    }
}
