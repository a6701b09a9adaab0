//! What a primary waits for: one poll(2) on everything that can become readable. No threads: what happens is seen in turn, and every
//! decision is one thread's own.

use std::{io, time::Duration};

use kit::start::Error;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

use super::state::Primary;
use crate::{
    control::server::{self, Control},
    machine::words::Life,
    offers::Handed,
};

/// What has become readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The server is to stop.
    Stop,
    /// SIGHUP came.
    Hangup,
    /// A worker says something.
    Says(Life),
    /// A worker's log has something.
    Logs(Life),
    /// A worker process has ended.
    Ends(Life),
    /// Something may be there to be given.
    Offers,
    /// Of the control socket.
    Control(server::Source),
    /// What is watched has changed, or may have.
    Watch,
}

impl<Hand, AllReady> Primary<Hand, AllReady>
where
    Hand: FnMut(usize) -> Handed,
    AllReady: FnOnce() -> Result<(), Error>,
{
    /// What is readable, after a wait of at most `patience`: what workers say before their ends.
    pub(super) fn ready_sources(&self, patience: Option<Duration>) -> io::Result<Vec<Source>> {
        let mut sources = vec![Source::Stop, Source::Hangup];
        let mut descriptors =
            vec![PollFd::new(&self.bell, PollFlags::IN), PollFd::new(&self.hangups, PollFlags::IN)];
        for (life, process) in &self.processes {
            if let Some(says) = process.says() {
                sources.push(Source::Says(*life));
                descriptors.push(PollFd::from_borrowed_fd(says, PollFlags::IN));
            }
            if process.log.is_open() {
                sources.push(Source::Logs(*life));
                descriptors.push(PollFd::new(&process.log, PollFlags::IN));
            }
        }
        for (life, process) in &self.processes {
            sources.push(Source::Ends(*life));
            descriptors.push(PollFd::from_borrowed_fd(process.ends(), PollFlags::IN));
        }
        if let Some(offers) = self.giving.watched() {
            sources.push(Source::Offers);
            descriptors.push(PollFd::from_borrowed_fd(offers, PollFlags::IN));
        }
        for (source, descriptor, flags) in self.desk.control.iter().flat_map(Control::sources) {
            sources.push(Source::Control(source));
            descriptors.push(PollFd::from_borrowed_fd(descriptor, flags));
        }
        if let Some(watch) = &self.desk.watch {
            sources.push(Source::Watch);
            descriptors.push(PollFd::new(watch, PollFlags::IN));
        }
        // Longer than a `Timespec` can hold is as good as for ever.
        let patience = patience.and_then(|patience| Timespec::try_from(patience).ok());
        match poll(&mut descriptors, patience.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        // What is closed at the other end, and a process that ended, is readable or hung up.
        let ready =
            sources.iter().zip(&descriptors).filter(|(_, descriptor)| !descriptor.revents().is_empty());
        Ok(ready.map(|(source, _)| *source).collect())
    }
}
