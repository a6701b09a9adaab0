//! Where a path leads, and how what is there can be written to. Links are followed first: what stands at their end is what a person
//! names.

use std::{
    ffi::OsStr,
    fs::{self, File, Metadata, OpenOptions},
    io,
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    str::FromStr,
    thread,
    time::Duration,
};

use rustix::{
    fs::{AtFlags, CWD, OFlags, StatxAttributes, StatxFlags, fcntl_getfl, fcntl_setfl, fstat, statx},
    io::Errno,
    process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open},
};

use crate::{errln, stop, streams::Stream};

/// Links that are followed: as many as the kernel follows (path_resolution(7)).
const MOST_LINKS: u32 = 40;
/// How often it is looked whether a pipe has a reader.
const GLANCE: Duration = Duration::from_millis(20);

/// What can be written to.
#[derive(Debug)]
pub(crate) enum Place {
    /// One of this process's own streams, or the file that it leads to: what is printed and what is written there stand one after
    /// the other, where two descriptors would overwrite each other.
    Stream(Stream),
    /// A pipe, a device or a descriptor: what is written follows what was written before.
    Special(File),
    /// A regular file, or none yet.
    File(Box<Target>),
}

/// A regular file.
#[derive(Debug)]
pub(crate) struct Target {
    /// Where it is: no link.
    pub(crate) path: PathBuf,
    /// What is there already.
    pub(crate) existing: Option<Existing>,
}

/// A regular file that is there.
#[derive(Debug)]
pub(crate) struct Existing {
    /// Open for writing.
    pub(crate) file: File,
    /// What another file in its place would have to be like.
    pub(crate) like: Metadata,
    /// Whether another file can take its place, as far as can be told.
    pub(crate) is_replaceable: bool,
}

impl Place {
    /// Finds out where a path leads, and that it can be written to. What is there stays as it is. A pipe without a reader is waited
    /// for, as a shell would.
    ///
    /// # Errors
    /// It cannot be written to; of kind `Interrupted` if this process is to end while there is no reader.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        match Named::of(path)? {
            Named::Own(1) => Ok(Self::Stream(Stream::Out)),
            Named::Own(2) => Ok(Self::Stream(Stream::Err)),
            Named::Own(number) => of_descriptor(number),
            // What another process has open is opened anew, at its end.
            Named::Others(path) => OpenOptions::new().append(true).open(path).map(Self::Special),
            Named::Path(path) => of_path(path),
        }
    }
}

/// What a path is the name of, when all links were followed.
enum Named {
    /// A descriptor of this process.
    Own(i32),
    /// A descriptor of another.
    Others(PathBuf),
    /// A file, or none yet, in a folder that is there.
    Path(PathBuf),
}

impl Named {
    fn of(path: &Path) -> io::Result<Self> {
        let mut path = path.to_owned();
        for _ in 0..MOST_LINKS {
            // `a/..` and `a/` name folders, whatever `a` is.
            let is_folder = path.as_os_str().as_encoded_bytes().ends_with(b"/");
            let name = path.file_name().filter(|_| !is_folder).ok_or(io::ErrorKind::IsADirectory)?;
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            // As it was named: a folder can be one to write to whose whole path may not be known.
            let folder = parent.unwrap_or(Path::new("."));
            let full = folder.join(name);
            if let Some(process) = whose_descriptors(folder) {
                return match number(name) {
                    Some(number) if process == std::process::id() => Ok(Self::Own(number)),
                    Some(_) => Ok(Self::Others(full)),
                    None => Err(io::ErrorKind::NotFound.into()),
                };
            }
            match fs::read_link(&full) {
                Ok(to) => path = folder.join(to),
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::NotFound) =>
                {
                    return Ok(Self::Path(full));
                }
                Err(error) => return Err(error),
            }
        }
        Err(Errno::LOOP.into())
    }
}

fn number<T: FromStr>(name: &OsStr) -> Option<T> {
    name.to_str()?.parse().ok()
}

/// The process whose descriptors are in `folder` (proc_pid_fd(5)), if they are anybody's: the links there lead to what is open,
/// whatever its name is by now.
fn whose_descriptors(folder: &Path) -> Option<u32> {
    let whole = fs::canonicalize(folder).ok()?;
    let parts: Vec<&OsStr> = whole.strip_prefix("/proc").ok()?.iter().collect();
    match parts[..] {
        [process, descriptors] if descriptors == "fd" => number(process),
        [process, task, _, descriptors] if task == "task" && descriptors == "fd" => number(process),
        _ => None,
    }
}

fn of_path(path: PathBuf) -> io::Result<Place> {
    let like = match fs::symlink_metadata(&path) {
        Ok(like) => like,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            takes_files(&path)?;
            return Ok(Place::File(Box::new(Target { path, existing: None })));
        }
        Err(error) => return Err(error),
    };
    if like.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !like.is_file() {
        return Ok(Place::Special(open_special(&path, &like)?));
    }
    if let Some(stream) = stream_to(&like) {
        return Ok(Place::Stream(stream));
    }
    let file = OpenOptions::new().write(true).open(&path)?;
    let is_replaceable =
        like.nlink() == 1 && !is_mounted(&path) && !has_more_than_a_mode(&path) && takes_files(&path).is_ok();
    Ok(Place::File(Box::new(Target { path, existing: Some(Existing { file, like, is_replaceable }) })))
}

/// Whether a file can be created beside `path`. None stays there.
fn takes_files(path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    tempfile::tempfile_in(folder).map(drop)
}

/// Whether the file is one that is mounted there by itself, which nothing can be renamed to. Kernels before 5.8 do not tell.
fn is_mounted(path: &Path) -> bool {
    let told = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty());
    told.is_ok_and(|told| told.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

/// Whether the file has an access list or other attributes, which another in its place would lack. Labels of the kernel are given
/// to every file.
fn has_more_than_a_mode(path: &Path) -> bool {
    let mut names = Vec::with_capacity(4096);
    match rustix::fs::listxattr(path, rustix::buffer::spare_capacity(&mut names)) {
        Ok(_) => {
            names.split(|&byte| byte == 0).any(|name| !name.is_empty() && !name.starts_with(b"security."))
        }
        // A file system without attributes.
        Err(Errno::NOTSUP) => false,
        Err(_) => true,
    }
}

/// The stream of this process that leads to the very file.
fn stream_to(file: &Metadata) -> Option<Stream> {
    let is_it = |stat: rustix::io::Result<rustix::fs::Stat>| {
        stat.is_ok_and(|stat| (stat.st_dev, stat.st_ino) == (file.dev(), file.ino()))
    };
    if is_it(fstat(io::stdout())) {
        Some(Stream::Out)
    } else {
        is_it(fstat(io::stderr())).then_some(Stream::Err)
    }
}

/// A descriptor that this process was given, as in `3>file` and `>(command)`: with the place in it that it has, so that what others
/// write to it follows.
fn of_descriptor(number: i32) -> io::Result<Place> {
    let own = pidfd_open(getpid(), PidfdFlags::empty());
    let file = match own.and_then(|own| pidfd_getfd(own, number, PidfdGetfdFlags::empty())) {
        Ok(file) => File::from(file),
        Err(Errno::BADF) => return Err(Errno::BADF.into()),
        // Some containers refuse it. What is opened anew has a place of its own.
        Err(_) => OpenOptions::new().append(true).open(format!("/proc/self/fd/{number}"))?,
    };
    if !fcntl_getfl(&file)?.intersects(OFlags::WRONLY | OFlags::RDWR) {
        return Err(Errno::BADF.into());
    }
    let like = file.metadata()?;
    match stream_to(&like).filter(|_| like.is_file()) {
        Some(stream) => Ok(Place::Stream(stream)),
        None => Ok(Place::Special(file)),
    }
}

/// Opens what is no regular file. Without waiting: a pipe that nobody reads would keep this process from hearing that it is to end.
fn open_special(path: &Path, like: &Metadata) -> io::Result<File> {
    let at_once = (OFlags::NONBLOCK | OFlags::NOCTTY).bits();
    let mut options = OpenOptions::new();
    options.write(true).custom_flags(at_once.cast_signed());
    let mut is_said = false;
    let file = loop {
        match options.open(path) {
            Err(error)
                if like.file_type().is_fifo() && error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) =>
            {
                if stop::is_asked() {
                    return Err(io::ErrorKind::Interrupted.into());
                }
                if !is_said {
                    errln!("{} is a pipe: waiting for whoever reads it", path.display());
                    is_said = true;
                }
                thread::sleep(GLANCE);
            }
            opened => break opened?,
        }
    };
    fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    Ok(file)
}
