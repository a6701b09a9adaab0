//! The ways in which what a program says is lost.

use std::{
    fs::File,
    io::{self, PipeReader, Write as _, pipe},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use rustix::{
    fs::{MemfdFlags, OFlags, fcntl_getfl, fcntl_setfl, memfd_create},
    io::Errno,
    pipe::fcntl_setpipe_size,
};

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Nobody reads the pipe, from the start.
    Gone,
    /// Whoever read the pipe leaves when the server answers: `server | head -1`.
    GoneLater,
    /// There is no such descriptor: `2>&-`.
    Closed,
    /// A device that is full.
    Full,
    /// A file that may not grow: `ulimit -f 0`.
    TooLong,
    /// A pipe that is full, held by somebody who does not read.
    Unread,
    /// The same, which is filled while the server runs, by a log of all there is to say.
    Filling,
    /// A socket that is full, as a service's output is one.
    UnreadSocket,
}

impl Lost {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Gone,
        Self::GoneLater,
        Self::Closed,
        Self::Full,
        Self::TooLong,
        Self::Unread,
        Self::Filling,
        Self::UnreadSocket,
    ];

    /// What the program gets, and what is to be held meanwhile: at the other end.
    pub(super) fn open(self) -> io::Result<(OwnedFd, Option<OwnedFd>)> {
        let held = |(reader, writer): (PipeReader, io::PipeWriter)| (writer.into(), Some(reader.into()));
        Ok(match self {
            Self::Gone => (pipe()?.1.into(), None),
            Self::GoneLater => held(pipe()?),
            Self::Closed => (File::open("/dev/null")?.into(), None),
            Self::Full => (File::options().write(true).open("/dev/full")?.into(), None),
            Self::TooLong => (memfd_create("log", MemfdFlags::CLOEXEC)?, None),
            Self::Unread => {
                let (reader, writer) = pipe()?;
                fill(&writer, |mut pipe| pipe.write(&[b'x'; 4096]))?;
                held((reader, writer))
            }
            Self::Filling => {
                let (reader, writer) = pipe()?;
                fcntl_setpipe_size(&writer, 4096)?;
                held((reader, writer))
            }
            Self::UnreadSocket => {
                let (far, near) = UnixStream::pair()?;
                fill(&near, |mut socket| socket.write(&[b'x'; 4096]))?;
                (near.into(), Some(far.into()))
            }
        })
    }

    /// What a shell does before it becomes the program, and at that, for descriptor `number`.
    pub(super) fn shell(self, number: u32) -> (&'static str, String) {
        match self {
            Self::TooLong => ("ulimit -f 0 &&", String::new()),
            Self::Closed => ("", format!("{number}>&-")),
            _ => ("", String::new()),
        }
    }
}

/// Writes until there is no more room.
fn fill<'a, T: AsFd>(to: &'a T, mut write: impl FnMut(&'a T) -> io::Result<usize>) -> Result<(), Errno> {
    let flags = fcntl_getfl(to)?;
    fcntl_setfl(to, flags | OFlags::NONBLOCK)?;
    while write(to).is_ok() {}
    // The program gets it as it is as a rule: whoever writes waits.
    fcntl_setfl(to, flags)
}
