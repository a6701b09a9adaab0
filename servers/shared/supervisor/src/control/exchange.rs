//! One command of a client and what comes back, with a deadline on every wait.

use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
    path::Path,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, recv, send, socket_with,
        sockopt::{Timeout, set_socket_timeout},
    },
};

use super::{
    protocol::{Command, NoReply, Reply, Status, VERSION},
    socket::address,
};

/// Why there is no outcome.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// It was tried.
    #[error("{0}")]
    Failed(String),
    /// The command cannot be meant.
    #[error("{0}")]
    Refused(String),
    /// Nobody is there.
    #[error("{0}")]
    Nobody(String),
    /// A person ended it.
    #[error("interrupted")]
    Interrupted,
    /// Nobody reads what is printed.
    #[error("standard output is closed")]
    Unread,
}

impl Failure {
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }

    pub(super) fn exit_code(&self) -> u8 {
        match self {
            Self::Failed(_) | Self::Interrupted | Self::Unread => 1,
            Self::Refused(_) => 2,
            Self::Nobody(_) => 3,
        }
    }
}

/// How long a server may take to take a command, and to answer one that it answers at once.
pub(super) const AT_ONCE: Duration = Duration::from_secs(5);

/// The longest line that is read, bytes: the status of the most places that there can be, and their reasons.
const LONGEST_REPLY: usize = 16 << 20;

/// A connection to a server that was told something.
pub(super) struct Exchange<'a> {
    stream: OwnedFd,
    path: &'a Path,
    read: Vec<u8>,
    /// Readable when a person ends it.
    interrupt: Option<BorrowedFd<'a>>,
}

impl<'a> Exchange<'a> {
    /// Tells the server at `path` something.
    pub(super) fn begin(
        path: &'a Path,
        command: Command,
        interrupt: Option<BorrowedFd<'a>>,
    ) -> Result<Self, Failure> {
        let Some(address) = address(path) else {
            return Err(Failure::Refused(format!(
                "`{}` is too long for a Unix socket's path: name a shorter one with --control PATH",
                path.display()
            )));
        };
        let system =
            |errno: Errno| Failure::failed(format!("cannot reach a server: {}", io::Error::from(errno)));
        let stream = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
            .map_err(system)?;
        // A connect to a Unix socket whose backlog is full waits as long as a send may.
        set_socket_timeout(&stream, Timeout::Send, Some(AT_ONCE)).map_err(system)?;
        connect(&stream, &address).map_err(|errno| unreachable(path, errno))?;
        let line = command.to_line();
        match send(&stream, &line, SendFlags::NOSIGNAL) {
            // Turned away before it was asked: why stands in what there is to read.
            Ok(_) | Err(Errno::PIPE | Errno::CONNRESET) => {}
            Err(errno) => return Err(system(errno)),
        }
        Ok(Self { stream, path, read: Vec::new(), interrupt })
    }

    /// The next reply; `None` where the server closed without one. Waits until `deadline`, and without one for as long as it takes.
    pub(super) fn next(&mut self, deadline: Option<Instant>) -> Result<Option<Reply>, Failure> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                return self.understand(&line[..end]).map(Some);
            }
            if self.read.len() > LONGEST_REPLY {
                return Err(self.foreign());
            }
            self.wait(deadline)?;
            let mut buffer = [0; 1 << 16];
            match recv(&self.stream, &mut buffer[..], RecvFlags::DONTWAIT) {
                Ok((_, 0)) | Err(Errno::CONNRESET) if self.read.is_empty() => return Ok(None),
                Ok((_, 0)) | Err(Errno::CONNRESET) => return Err(self.foreign()),
                Ok((_, count)) => self.read.extend_from_slice(&buffer[..count]),
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(errno) => {
                    return Err(Failure::failed(format!(
                        "cannot read the answer: {}",
                        io::Error::from(errno)
                    )));
                }
            }
        }
    }

    /// What became of it: the last reply's message.
    pub(super) fn outcome(reply: Option<Reply>, path: &Path) -> Result<String, Failure> {
        match reply {
            Some(Reply::Done { message }) => Ok(message),
            Some(Reply::Refused { message }) => Err(Failure::Refused(message)),
            Some(Reply::Failed { message }) => Err(Failure::Failed(message)),
            Some(Reply::Status(_) | Reply::Line { .. }) => {
                Err(Failure::failed(format!("the server at `{}` answered something else", path.display())))
            }
            None => Err(Failure::failed(format!(
                "the server at `{}` ended before it answered: its log says why",
                path.display()
            ))),
        }
    }

    fn understand(&self, line: &[u8]) -> Result<Reply, Failure> {
        Reply::from_line(line).map_err(|not| match not {
            NoReply::Version(version) => Failure::Refused(format!(
                "the server at `{}` speaks version {version} of the control protocol and this client version {VERSION}: use the client in the server's own program",
                self.path.display()
            )),
            NoReply::Foreign => self.foreign(),
        })
    }

    fn foreign(&self) -> Failure {
        Failure::failed(format!("what listens at `{}` is no server of this kind", self.path.display()))
    }

    fn wait(&self, deadline: Option<Instant>) -> Result<(), Failure> {
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let patience = left.and_then(|left| Timespec::try_from(left).ok());
            let mut polled = vec![PollFd::new(&self.stream, PollFlags::IN)];
            polled.extend(self.interrupt.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
            match poll(&mut polled, patience.as_ref()) {
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) if polled.iter().skip(1).any(|fd| !fd.revents().is_empty()) => {
                    return Err(Failure::Interrupted);
                }
                Ok(_) => return Ok(()),
                Err(errno) => {
                    return Err(Failure::failed(format!(
                        "cannot wait for the answer: {}",
                        io::Error::from(errno)
                    )));
                }
            }
            if left.is_some_and(|left| left.is_zero()) {
                return Err(Failure::failed(format!(
                    "the server at `{}` did not answer in time: it may be stopped or hang (its log, `ps`), or take longer (--timeout)",
                    self.path.display()
                )));
            }
        }
    }
}

/// The status of the server at `path`. Ends early when `interrupt` is readable.
pub(super) fn ask_status(path: &Path, interrupt: Option<BorrowedFd<'_>>) -> Result<Status, Failure> {
    let mut exchange = Exchange::begin(path, Command::Status, interrupt)?;
    match exchange.next(Some(Instant::now() + AT_ONCE))? {
        Some(Reply::Status(status)) => Ok(status),
        other => Exchange::outcome(other, path).and_then(|message| Err(Failure::Failed(message))),
    }
}

fn unreachable(path: &Path, errno: Errno) -> Failure {
    let path = path.display();
    match errno {
        Errno::NOENT => Failure::Nobody(format!(
            "no server is there: `{path}` does not exist. Is one running, on this port (--port N), or with another socket (--control PATH)?"
        )),
        Errno::CONNREFUSED => Failure::Nobody(format!(
            "no server is there: nobody listens at `{path}`, which one that was killed may have left. Start it again, or name another socket (--control PATH)"
        )),
        Errno::ACCESS | Errno::PERM => Failure::failed(format!(
            "`{path}` is not this user's: only the user who runs the server and root may command it"
        )),
        Errno::INTR => Failure::Interrupted,
        Errno::AGAIN => Failure::failed(format!(
            "the server at `{path}` accepts nobody: it may be stopped or hang (its log, `ps`)"
        )),
        errno => Failure::failed(format!("cannot reach a server at `{path}`: {}", io::Error::from(errno))),
    }
}
