//! Standard output and standard error of a server: lines that may be lost, and that hold up or end nobody who writes them.
//!
//! What a log loses, the log alone is to lose. Yet write(2) waits for as long as a pipe is full that nobody reads (a pager that was
//! suspended, a collector that hangs), and fails where the other end is gone or the disk is full, which the standard library's
//! print macros answer with a panic. Here a line is written at once or dropped, and how many were dropped is told with the next
//! one that gets through.
//!
//! No thread writes them in the background, as that of `tracing-appender` would: it would be one more for each worker process,
//! could itself not be started where threads are short, and would lose its queue at every exit. Nothing here waits, instead, by
//! what the descriptor offers (`Way`, below). What can block all the same is a file on a file system that hangs.

use std::{
    fmt,
    io::{self, IoSlice, IsTerminal as _, PipeReader, Write},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{FileType, Mode, OFlags, fstat, open},
    io::{Errno, ReadWriteFlags, fcntl_dupfd_cloexec, pwritev2, write},
    net::{SendFlags, send},
    pipe::PIPE_BUF,
    stdio,
};

static STDOUT: Outlet = Outlet::of(stdio::stdout(), "/proc/self/fd/1");
static STDERR: Outlet = Outlet::of(stdio::stderr(), "/proc/self/fd/2");

/// Standard output.
pub fn stdout() -> &'static Outlet {
    &STDOUT
}

/// Standard error.
pub fn stderr() -> &'static Outlet {
    &STDERR
}

/// One of the two. Used by any number of threads at once: a line of up to 4096 bytes (`PIPE_BUF`) is whole in a pipe.
#[derive(Debug)]
pub struct Outlet {
    inherited: BorrowedFd<'static>,
    /// By which it can be opened again.
    path: &'static str,
    /// Where the inherited one was, if that leads elsewhere by now.
    kept: OnceLock<OwnedFd>,
    way: OnceLock<Way>,
    /// Lines that were dropped and not spoken of yet.
    lost: AtomicU64,
    /// The last line that was dropped had been begun.
    cut: AtomicBool,
}

/// How to write and not to wait.
#[derive(Debug)]
enum Way {
    /// To a pipe or a terminal that this process has opened once more for itself. O_NONBLOCK on what it inherited would hold for
    /// everybody who shares that, the shell among them.
    Reopened(OwnedFd),
    /// A flag of each send.
    Socket,
    /// To a pipe or a terminal that may not be opened again, such as another user's, which those of a container are for a process
    /// that is not root there: with RWF_NOWAIT, or where the kernel lacks that (for pipes before Linux 6.4, for terminals) after a
    /// look whether there is room. That look alone leaves a gap: another process may take the room.
    Asking {
        /// How many bytes there is room for where there is any.
        room: usize,
    },
    /// Files and other devices: they wait for no reader.
    Plain,
}

impl Outlet {
    const fn of(inherited: BorrowedFd<'static>, path: &'static str) -> Self {
        Self {
            inherited,
            path,
            kept: OnceLock::new(),
            way: OnceLock::new(),
            lost: AtomicU64::new(0),
            cut: AtomicBool::new(false),
        }
    }

    /// Writes a line, or loses it.
    pub fn say(&self, line: fmt::Arguments<'_>) {
        // Counted where it is lost.
        let _ = self.put(format!("{line}\n").as_bytes());
    }

    /// Writes `bytes`, which should be whole lines, or drops them.
    ///
    /// # Errors
    /// Why they were dropped: [`WouldBlock`](io::ErrorKind::WouldBlock) where that would have taken a wait.
    pub fn put(&self, bytes: &[u8]) -> io::Result<()> {
        let lost = self.lost.swap(0, Relaxed);
        let cut = self.cut.swap(false, Relaxed);
        let written = if lost == 0 && !cut {
            self.put_whole(bytes)
        } else {
            let end_of_the_cut = if cut { "\n" } else { "" };
            let lines = if lost == 1 { "line was" } else { "lines were" };
            let notice = format!("{end_of_the_cut}{lost} {lines} lost here, which nobody took in time\n");
            self.put_whole(&[notice.as_bytes(), bytes].concat())
        };
        written.map_err(|errno| {
            self.lost.fetch_add(lost + 1, Relaxed);
            self.cut.fetch_or(cut, Relaxed);
            errno.into()
        })
    }

    /// Whether it is a terminal.
    pub fn is_terminal(&self) -> bool {
        self.descriptor().is_terminal()
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.kept.get().map_or(self.inherited, AsFd::as_fd)
    }

    /// In pieces that a pipe takes whole or not at all.
    fn put_whole(&self, bytes: &[u8]) -> Result<(), Errno> {
        let way = self.way.get_or_init(|| Way::to(self.descriptor(), self.path));
        let mut rest = bytes;
        while !rest.is_empty() {
            let piece = &rest[..rest.len().min(way.piece())];
            match way.write(self.descriptor(), piece) {
                Ok(count @ 1..) => rest = &rest[count..],
                Err(Errno::INTR) => {}
                refused => {
                    self.cut.store(rest.len() < bytes.len(), Relaxed);
                    return Err(refused.err().unwrap_or(Errno::IO));
                }
            }
        }
        Ok(())
    }
}

/// Never an error: what a log loses is not for who writes it to know.
impl Write for &Outlet {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Counted where it is lost.
        let _ = self.put(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Way {
    fn to(descriptor: BorrowedFd<'_>, path: &str) -> Self {
        let kind = fstat(descriptor).map(|stat| FileType::from_raw_mode(stat.st_mode));
        match kind {
            Ok(FileType::Socket) => Self::Socket,
            Ok(FileType::Fifo) => Self::reopened_or_asking(path, PIPE_BUF),
            Ok(FileType::CharacterDevice) if descriptor.is_terminal() => Self::reopened_or_asking(path, 1),
            _ => Self::Plain,
        }
    }

    fn reopened_or_asking(path: &str, room: usize) -> Self {
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        // Not to be had either where there is no /proc, no descriptor left, or nobody at the other end at present.
        open(path, flags, Mode::empty()).map_or(Self::Asking { room }, Self::Reopened)
    }

    /// What is written at a time, bytes: a pipe takes so many whole or not at all.
    fn piece(&self) -> usize {
        if let Self::Asking { room } = self { *room } else { PIPE_BUF }
    }

    fn write(&self, inherited: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize, Errno> {
        match self {
            Self::Reopened(own) => write(own, bytes),
            Self::Socket => send(inherited, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL),
            Self::Plain => write(inherited, bytes),
            Self::Asking { .. } => {
                match pwritev2(inherited, &[IoSlice::new(bytes)], HERE, ReadWriteFlags::NOWAIT) {
                    Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {
                        write_if_there_is_room(inherited, bytes)
                    }
                    outcome => outcome,
                }
            }
        }
    }
}

/// For pwritev2(2): wherever the file is at.
const HERE: u64 = u64::MAX;

fn write_if_there_is_room(descriptor: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize, Errno> {
    const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
    // The other end's absence is reported as well, and then it is the write that fails.
    match poll(&mut [PollFd::from_borrowed_fd(descriptor, PollFlags::OUT)], Some(&AT_ONCE))? {
        0 => Err(Errno::AGAIN),
        _ => write(descriptor, bytes),
    }
}

/// Has descriptor 2 lead into a pipe from now on, for libraries that print by themselves: [`stderr`] goes on to where it led
/// before. Somebody must read what is returned, for as long as the process lives, or whoever prints waits.
///
/// What the process says while it is being ended from within (by abort(3), for one) is lost unless it is read in that moment.
///
/// # Errors
/// No descriptors are left. To be called once: a second call is refused.
pub fn divert_stderr() -> io::Result<PipeReader> {
    // Below are those that programs give a meaning to.
    let kept = fcntl_dupfd_cloexec(stdio::stderr(), 3)?;
    let (said, pipe) = io::pipe()?;
    STDERR.kept.set(kept).map_err(|_| io::ErrorKind::AlreadyExists)?;
    stdio::dup2_stderr(&pipe)?;
    Ok(said)
}

#[cfg(test)]
mod tests;
