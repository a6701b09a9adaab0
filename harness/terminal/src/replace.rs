//! Putting bytes into a file, whole or not at all where that can be: they are written to another file beside it, which takes its name,
//! its mode and its owner. Where none can take its place (a file that is mounted, that has several names, in a folder that may not be
//! written to), they are written into the file that is there.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io, mem,
    os::unix::fs::{FileExt, MetadataExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use rustix::{
    fs::{FallocateFlags, fallocate},
    io::Errno,
};

use crate::place::{Existing, Target};

/// How a file is written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Way<'a> {
    /// What the other file has instead of its own extension; where nothing is said, it is hidden and has a name of its own.
    pub(crate) extension: Option<&'a str>,
    /// Whether it is on disk before it has its name. What it held is never written over for want of room then: that would not be
    /// whole after a crash.
    pub(crate) is_durable: bool,
}

impl Target {
    /// Puts `content` there.
    ///
    /// # Errors
    /// The disk is full, or the folder went away. The file is what it was then, unless a disk failed while it was written.
    pub(crate) fn put(&self, content: &[u8], way: Way<'_>) -> io::Result<()> {
        let Some(existing) = &self.existing else {
            return self.beside(content, way)?.take_place();
        };
        if existing.is_replaceable {
            match self.beside(content, way).and_then(Beside::take_place) {
                Err(error) if way.is_durable && is_of_room(&error) => return Err(error),
                Ok(()) => return Ok(()),
                // Why it cannot be replaced need not keep it from being written.
                Err(_) => {}
            }
        }
        existing.write_over(content)?;
        if way.is_durable { existing.file.sync_all() } else { Ok(()) }
    }

    /// Has `content` on disk beside the file, which keeps what it holds until the other takes its place. `None` where none can: it
    /// must be written over.
    ///
    /// # Errors
    /// The disk is full, or the folder went away. Nothing has changed then.
    pub(crate) fn stage(&self, content: &[u8], way: Way<'_>) -> io::Result<Option<Beside>> {
        match &self.existing {
            Some(existing) if !existing.is_replaceable => Ok(None),
            existing => match self.beside(content, way) {
                Err(error) if existing.is_some() && !is_of_room(&error) => Ok(None),
                staged => staged.map(Some),
            },
        }
    }

    fn beside(&self, content: &[u8], way: Way<'_>) -> io::Result<Beside> {
        let (path, file) = match way.extension {
            Some(extension) => create_anew(self.path.with_extension(extension))?,
            None => self.create_hidden()?,
        };
        let beside = Beside { path, to: self.path.clone() };
        write_new(&file, self.existing.as_ref(), content, way)?;
        Ok(beside)
    }

    /// Another file in the same folder, whose name is short, however long this one's is, and nobody else's: processes that share a
    /// folder need not share their numbers.
    fn create_hidden(&self) -> io::Result<(PathBuf, File)> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        loop {
            let (process, number) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let path = self.path.with_file_name(format!(".{process}-{number}-{}.partial", now.as_nanos()));
            match create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                created => return created.map(|file| (path, file)),
            }
        }
    }
}

/// A file that is written, and is to take another's place. Dropped before, it is gone: it is of no use, and on a full disk it is in the
/// way.
#[derive(Debug)]
pub(crate) struct Beside {
    path: PathBuf,
    to: PathBuf,
}

impl Beside {
    /// Gives it the name that it is for.
    ///
    /// # Errors
    /// The folder went away, or may not be written to any more.
    pub(crate) fn take_place(self) -> io::Result<()> {
        fs::rename(&self.path, &self.to)?;
        mem::forget(self);
        Ok(())
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn write_new(file: &File, existing: Option<&Existing>, content: &[u8], way: Way<'_>) -> io::Result<()> {
    if let Some(Existing { like, .. }) = existing {
        let new = file.metadata()?;
        if (new.uid(), new.gid()) != (like.uid(), like.gid()) {
            fchown(file, Some(like.uid()), Some(like.gid()))?;
        }
        // After the owner, whose change takes some of it away.
        file.set_permissions(Permissions::from_mode(like.mode() & 0o7777))?;
    }
    file.write_all_at(content, 0)?;
    // Before it is renamed: otherwise the new name may be on disk without the content.
    if way.is_durable { file.sync_all() } else { Ok(()) }
}

/// A new file: never one that somebody has put there, nor what a link leads to.
fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

/// A new file in the place of what a process left that was ended meanwhile.
fn create_anew(path: PathBuf) -> io::Result<(PathBuf, File)> {
    let created = match create(&path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(&path).and_then(|()| create(&path))
        }
        created => created,
    };
    created.map(|file| (path, file))
}

impl Existing {
    /// Writes into the file as it is. Room is made first, so that a full disk leaves it what it was.
    fn write_over(&self, content: &[u8]) -> io::Result<()> {
        let length = content.len() as u64;
        if length > 0 {
            match fallocate(&self.file, FallocateFlags::KEEP_SIZE, 0, length) {
                // A file system that cannot say beforehand says it when it is written to.
                Ok(()) | Err(Errno::NOTSUP | Errno::NOSYS | Errno::INVAL) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        self.file.write_all_at(content, 0)?;
        self.file.set_len(length)
    }
}

fn is_of_room(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}
