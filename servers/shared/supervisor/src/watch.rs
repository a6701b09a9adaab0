//! Tells that a file or a directory has changed, for `--watch`.
//!
//! Watched is a name, and not what has it at the moment: deployments rename a new file over the old one, or remove and write it
//! again. So it is the directory above that is watched, and for a directory itself its files, not those below them. Where the name is a
//! symbolic link, what it leads to is watched in the same way.
//!
//! A change is what leaves something new to load: a file that was written and closed, renamed to the name, linked, or whose times
//! or mode were set. One that is only being written is none yet, and one that was removed is none until it is back. Changes that follow
//! each other closely are one, so that a burst of writes is one reload.

use std::{
    ffi::{OsStr, OsString},
    fs, io,
    mem::MaybeUninit,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::{ffi::OsStrExt, fs::MetadataExt},
    },
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::{
    fs::inotify::{CreateFlags, Event, ReadFlags, Reader, WatchFlags, add_watch, init, remove_watch},
    io::Errno,
};

/// After the last change, how long it must be quiet.
const QUIET: Duration = Duration::from_millis(300);

/// After the first, how long at most that is waited for.
const LONGEST_BURST: Duration = Duration::from_secs(5);

/// How often a directory that has gone is looked for.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// After how many events others have their turn.
const READ_AT_ONCE: usize = 64;
const BUFFER_BYTES: usize = 4096;

/// What is reported of what is in a directory, and of itself.
const WATCHED: WatchFlags = WatchFlags::CLOSE_WRITE
    .union(WatchFlags::CREATE)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF);

/// Why a path cannot be watched.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WatchError {
    /// It is not there, or not for this user to see.
    #[error("--watch {}: {source}", path.display())]
    Path {
        /// As it was named.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There are too many watches already.
    #[error("--watch {}: the system grants no more watches ({source}): raise `sysctl fs.inotify.max_user_watches` or `max_user_instances`", path.display())]
    Limit {
        /// As it was named.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A watched path. Its descriptor is readable when [`Self::ready`] is to be called.
#[derive(Debug)]
pub(crate) struct Watch {
    inotify: OwnedFd,
    path: PathBuf,
    /// What the kernel watches, by its number there.
    spots: Vec<(i32, Spot)>,
    changes: Changes,
    /// When to look again for what is not there to be watched.
    look_again: Option<Instant>,
}

/// A directory, and what in it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Spot {
    directory: PathBuf,
    /// One name in it; every one where there is none.
    name: Option<OsString>,
}

impl Watch {
    /// Watches `path`, which must be there.
    ///
    /// # Errors
    /// See [`WatchError`].
    pub(crate) fn new(path: &Path) -> Result<Self, WatchError> {
        let fail = |source: io::Error| {
            let path = path.to_owned();
            match source.raw_os_error().map(Errno::from_raw_os_error) {
                Some(Errno::NOSPC | Errno::MFILE | Errno::NFILE) => WatchError::Limit { path, source },
                _ => WatchError::Path { path, source },
            }
        };
        // Whether it can be read at all; what it is may change later.
        let is_directory = fs::metadata(path).map_err(fail)?.is_dir();
        if is_directory { fs::read_dir(path).map(drop) } else { fs::File::open(path).map(drop) }
            .map_err(fail)?;
        let inotify =
            init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).map_err(|errno| fail(errno.into()))?;
        // The process may change its directory; the name is meant as it is now.
        let path = std::path::absolute(path).map_err(fail)?;
        let mut watch =
            Self { inotify, path, spots: Vec::new(), changes: Changes::default(), look_again: None };
        match watch.renew() {
            Ok(()) => Ok(watch),
            Err(error) => Err(fail(error)),
        }
    }

    /// To be called when the descriptor is readable: takes what happened.
    pub(crate) fn ready(&mut self, now: Instant) {
        let mut buffer = [MaybeUninit::uninit(); BUFFER_BYTES];
        let mut reader = Reader::new(self.inotify.as_fd(), &mut buffer);
        let (mut changed, mut moved) = (false, false);
        let mut read = 0;
        // What is in the buffer is nowhere else.
        while read < READ_AT_ONCE || !reader.is_buffer_empty() {
            read += 1;
            match reader.next() {
                Ok(event) => {
                    moved |= moves(&event);
                    changed |= self
                        .spots
                        .iter()
                        .any(|(number, spot)| *number == event.wd() && spot.is_changed_by(&event));
                    // Some were lost, and nobody knows which.
                    changed |= event.events().contains(ReadFlags::QUEUE_OVERFLOW);
                }
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
        if changed {
            self.changes.note(now);
        }
        if changed || moved {
            self.look(now);
        }
    }

    /// When [`Self::due`] is to be called at the latest.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.changes.deadline().into_iter().chain(self.look_again).min()
    }

    /// Whether there is a change, which is told once.
    pub(crate) fn due(&mut self, now: Instant) -> bool {
        if self.look_again.is_some_and(|at| at <= now) && self.look(now) {
            // It is back, and what happened to it meanwhile nobody saw.
            self.changes.note(now);
        }
        self.changes.is_over(now)
    }

    /// Watches what is to be watched by now; whether that is all there.
    fn look(&mut self, now: Instant) -> bool {
        let all = self.renew().is_ok();
        self.look_again = (!all).then(|| now + LOOK_AGAIN);
        all
    }

    /// # Errors
    /// The directory that holds the name cannot be watched.
    fn renew(&mut self) -> io::Result<()> {
        let wanted = spots(&self.path);
        let mut renewed = Vec::new();
        let mut failed = None;
        for spot in wanted {
            match add_watch(&self.inotify, &spot.directory, WATCHED) {
                Ok(number) => renewed.push((number, spot)),
                Err(errno) => failed = Some(errno),
            }
        }
        for (number, _) in &self.spots {
            if !renewed.iter().any(|(kept, _)| kept == number) {
                // It may have gone with its directory.
                let _ = remove_watch(&self.inotify, *number);
            }
        }
        self.spots = renewed;
        failed.map_or(Ok(()), |errno| Err(errno.into()))
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

/// Where `path` and what it leads to now can be seen to change.
fn spots(path: &Path) -> Vec<Spot> {
    let mut spots: Vec<_> = Spot::of(path).into_iter().collect();
    if let Ok(real) = fs::canonicalize(path) {
        if real.is_dir() {
            spots.push(Spot { directory: real, name: None });
        } else {
            spots.extend(Spot::of(&real));
        }
    }
    spots.dedup();
    spots
}

impl Spot {
    /// The name in its directory; none for the root, which has no other above.
    fn of(path: &Path) -> Option<Self> {
        let (directory, name) = (path.parent()?, path.file_name()?);
        // Through links above the name, so that a name is not watched twice.
        let directory = fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned());
        Some(Self { directory, name: Some(name.to_owned()) })
    }

    fn is_changed_by(&self, event: &Event<'_>) -> bool {
        let events = event.events();
        let Some(name) = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes())) else {
            // The directory itself.
            return false;
        };
        if self.name.as_deref().is_some_and(|own| own != name) {
            return false;
        }
        let found = || fs::symlink_metadata(self.directory.join(name));
        // A link to a file is whole when it is made, and one that is made by writing is not: that is told when it is closed.
        let is_made_whole = || found().is_ok_and(|made| !made.is_file() || made.nlink() > 1);
        // What sets the time of the last write alone is reported as a write. That sets the time of the last change alike.
        let is_touched = || {
            found().is_ok_and(|file| (file.mtime(), file.mtime_nsec()) != (file.ctime(), file.ctime_nsec()))
        };
        let is_gone = events.intersects(ReadFlags::DELETE | ReadFlags::MOVED_FROM);
        events.intersects(ReadFlags::CLOSE_WRITE | ReadFlags::MOVED_TO | ReadFlags::ATTRIB)
            || events.contains(ReadFlags::CREATE) && is_made_whole()
            || events.contains(ReadFlags::MODIFY) && is_touched()
            // In a directory that is loaded as a whole, one fewer is a change.
            || is_gone && self.name.is_none()
    }
}

/// Whether what the watched name leads to may be elsewhere now.
fn moves(event: &Event<'_>) -> bool {
    let whole = ReadFlags::CREATE | ReadFlags::DELETE | ReadFlags::MOVE_SELF | ReadFlags::DELETE_SELF;
    let ends = ReadFlags::IGNORED | ReadFlags::UNMOUNT | ReadFlags::QUEUE_OVERFLOW;
    event.events().intersects(whole | ReadFlags::MOVED_FROM | ReadFlags::MOVED_TO | ends)
}

/// Changes that were seen and not told.
#[derive(Clone, Copy, Debug, Default)]
struct Changes(Option<Burst>);

#[derive(Clone, Copy, Debug)]
struct Burst {
    first: Instant,
    last: Instant,
}

impl Changes {
    fn note(&mut self, now: Instant) {
        let first = self.0.map_or(now, |burst| burst.first);
        self.0 = Some(Burst { first, last: now });
    }

    fn deadline(&self) -> Option<Instant> {
        self.0.map(|Burst { first, last }| (last + QUIET).min(first + LONGEST_BURST))
    }

    fn is_over(&mut self, now: Instant) -> bool {
        let is_over = self.deadline().is_some_and(|deadline| deadline <= now);
        if is_over {
            self.0 = None;
        }
        is_over
    }
}

#[cfg(test)]
mod tests;
