//! One worker process, from the primary's side.

use std::{
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::{Child, Command, ExitStatus},
};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::{
    channel::{self, Order, Word},
    logs::Pipe,
    machine::words::End,
    program::Image,
    systemd,
    worker::arguments,
};

/// How much is read of a channel before the others have their turn: a worker may shout.
const WORDS_AT_A_TIME: usize = 16;

/// A worker process that was started and whose end was not seen yet.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pub(crate) place: usize,
    pub(crate) side: usize,
    pub(crate) image: Image,
    /// Readable when the process has ended.
    handle: OwnedFd,
    /// `None` once the worker has closed its end.
    channel: Option<OwnedFd>,
    pub(crate) log: Pipe,
    /// Why it cannot start.
    said: Option<String>,
}

/// Who is to be started.
pub(crate) struct Start<'a> {
    pub(crate) name: &'a str,
    pub(crate) place: usize,
    pub(crate) image: Image,
    pub(crate) begin: Order,
}

impl Process {
    /// Starts a worker and hands it what it begins with. The kernel ends it when the calling thread ends.
    pub(crate) fn start(Start { name, place, image, begin }: Start<'_>) -> io::Result<Self> {
        let side = if let Order::Begin { side, .. } = begin { side } else { 0 };
        let (channel, end) = channel::pair()?;
        // Before there is anybody to read it: a worker whose primary could not hand it over would wait for it.
        begin.send(channel.as_fd())?;
        let (log, end_of_log) = Pipe::new()?;
        #[expect(clippy::disallowed_methods, reason = "a worker ties itself to its primary")]
        let mut command = Command::new(image.executable());
        command
            .arg0(name)
            .args(std::env::args_os().skip(1))
            .args(arguments(place))
            .stdin(end.try_clone()?)
            .stdout(end)
            .stderr(end_of_log)
            // A Ctrl-C at a terminal must reach the primary alone, which passes it on once.
            .process_group(0);
        systemd::hide_from(&mut command);
        let mut child = command.spawn()?;
        match pidfd_open(Pid::from_child(&child), PidfdFlags::empty()) {
            Ok(handle) => {
                Ok(Self { child, place, side, image, handle, channel: Some(channel), log, said: None })
            }
            // Nobody would see it end.
            Err(errno) => child.kill().and_then(|()| child.wait()).and(Err(errno.into())),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        // The one error there can be is that it has ended, which is what is wanted.
        let _ = pidfd_send_signal(&self.handle, signal);
    }

    /// Tells it something.
    ///
    /// # Errors
    /// It is gone, or takes nothing any more.
    pub(crate) fn tell(&self, order: &Order) -> io::Result<()> {
        match &self.channel {
            Some(channel) => order.send(channel.as_fd()),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Readable when the process has ended.
    pub(crate) fn ends(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }

    /// Readable when it says something.
    pub(crate) fn says(&self) -> Option<BorrowedFd<'_>> {
        self.channel.as_ref().map(AsFd::as_fd)
    }

    /// What it has said since, of which its reason for not starting is kept.
    pub(crate) fn listen(&mut self) -> Vec<Word> {
        let mut words = Vec::new();
        for _ in 0..WORDS_AT_A_TIME {
            let Some(channel) = &self.channel else { break };
            match Word::receive(channel.as_fd()) {
                Ok(Some(Word::Error(why))) => self.said = Some(why),
                Ok(Some(word)) => words.push(word),
                Ok(None) => break,
                Err(_gone) => self.channel = None,
            }
        }
        words
    }

    /// To be called when [`Self::ends`] is readable: how it ended, and its log, of which something may be left.
    pub(crate) fn end(mut self) -> (End, Pipe) {
        // Nothing that it said before is lost.
        self.listen();
        let status = self.child.wait();
        let clean = status.as_ref().is_ok_and(ExitStatus::success);
        let how = match status {
            Err(error) => format!("was lost ({error})"),
            Ok(status) => match (status.code(), status.signal()) {
                (Some(code), _) => format!("exited with code {code}"),
                (None, Some(signal)) => format!("was ended by signal {signal}"),
                (None, None) => "ended".to_owned(),
            },
        };
        (End { clean, how, said: self.said }, self.log)
    }
}
