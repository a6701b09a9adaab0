//! One worker process, from the primary's side.

use std::{
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
};

use rustix::{
    io::ioctl_fionbio,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};

use crate::{
    channel::{self, Order, Word},
    machine::words::End,
    program::Image,
    worker::arguments,
};

/// What a worker is not to inherit of its primary's environment: what was meant for one process alone (sd_notify(3), sd_listen_fds(3)).
const NOT_INHERITED: [&str; 6] =
    ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"];

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
    /// Its log; `None` once it is closed.
    stderr: Option<ChildStderr>,
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
        #[expect(clippy::disallowed_methods, reason = "a worker ties itself to its primary")]
        let mut command = Command::new(image.executable());
        command
            .arg0(name)
            .args(std::env::args_os().skip(1))
            .args(arguments(place))
            .stdin(end.try_clone()?)
            .stdout(end)
            .stderr(Stdio::piped())
            // A Ctrl-C at a terminal must reach the primary alone, which passes it on once.
            .process_group(0);
        for name in NOT_INHERITED {
            command.env_remove(name);
        }
        let mut child = command.spawn()?;
        let stderr = child.stderr.take();
        let handle = pidfd_open(Pid::from_child(&child), PidfdFlags::empty()).and_then(|handle| {
            // Only this end: the worker's own is its to set.
            stderr.as_ref().map_or(Ok(()), |stderr| ioctl_fionbio(stderr, true)).map(|()| handle)
        });
        match handle {
            Ok(handle) => Ok(Self {
                child,
                place,
                side,
                image,
                handle,
                channel: Some(channel),
                stderr,
                said: None,
            }),
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

    /// Readable when its log has something.
    pub(crate) fn logs(&mut self) -> Option<&mut ChildStderr> {
        self.stderr.as_mut()
    }

    pub(crate) fn log_descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.stderr.as_ref().map(AsFd::as_fd)
    }

    /// To be called at the end of its log.
    pub(crate) fn close_log(&mut self) {
        self.stderr = None;
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

    /// To be called when [`Self::ends`] is readable: how it ended.
    pub(crate) fn end(mut self) -> End {
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
        End { clean, how, said: self.said }
    }
}
