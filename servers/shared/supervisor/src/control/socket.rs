//! The control socket as a file: where it is, whose it is, and what may be there already.
//!
//! No instant passes in which another user could connect: its mode is set before it has a name, and it listens only after that. A
//! socket that a killed primary left is replaced, one that is in use never: two primaries that start at one time are kept
//! apart by a lock on the directory, since a socket that is bound and does not listen yet looks like one that was left.

use std::{
    env, io,
    os::fd::OwnedFd,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    fs::{FileType, FlockOperation, Mode, OFlags, fchmod, flock, lstat, open, unlink},
    io::Errno,
    net::{
        AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with, sockopt,
    },
};

/// The longest path of a Unix socket, bytes: `sun_path` of `sockaddr_un` has 108, and one of them ends it (unix(7)).
const LONGEST_PATH: usize = 107;

/// How many clients may wait to be accepted.
const BACKLOG: i32 = 32;

/// How long another may hold the directory's lock, which takes as long as it takes to bind.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);
const LOCK_LOOK: Duration = Duration::from_millis(5);

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ControlError {
    /// The kernel has no room for its name.
    #[error("the control socket's path `{}` has {} bytes, and a Unix socket's at most {LONGEST_PATH}: choose a shorter one with --control PATH", .0.display(), .0.as_os_str().len())]
    TooLong(PathBuf),
    /// Something else has its name.
    #[error("`{}` is there and is no socket, so that it is left alone: choose another place with --control PATH", .0.display())]
    NoSocket(PathBuf),
    /// Somebody listens there.
    #[error("`{}` belongs to a server that runs ({who}): stop that, or choose another place with --control PATH", path.display())]
    InUse {
        /// Where.
        path: PathBuf,
        /// By which process, as far as that is known.
        who: String,
    },
    /// Another server is being started there all the time.
    #[error("the directory of `{}` is locked (flock) by another process: choose another place with --control PATH", .0.display())]
    Locked(PathBuf),
    /// The system refused.
    #[error("cannot {what} the control socket `{}`: {source}: choose another place with --control PATH, or none with --control off", path.display())]
    System {
        /// What was tried.
        what: &'static str,
        /// With which socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Where the control socket of `server` on `port` is where nobody says: `$XDG_RUNTIME_DIR/SERVER-PORT.sock`, which only its user
/// can reach. `None` where there is no such directory.
pub(crate) fn default_path(server: &str, port: u16) -> Option<PathBuf> {
    path_in(env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from), server, port)
}

fn path_in(directory: Option<PathBuf>, server: &str, port: u16) -> Option<PathBuf> {
    // The specification has a relative one ignored.
    let directory = directory.filter(|directory| directory.is_absolute())?;
    Some(directory.join(format!("{server}-{port}.sock")))
}

/// The address of `path`; `None` if that is too long.
pub(super) fn address(path: &Path) -> Option<SocketAddrUnix> {
    let fits = path.as_os_str().as_bytes().len() <= LONGEST_PATH;
    fits.then(|| SocketAddrUnix::new(path).ok()).flatten()
}

/// A socket that listens at `path` and does not block, and by what it is known again.
///
/// # Errors
/// See [`ControlError`].
pub(super) fn open_at(path: &Path) -> Result<(OwnedFd, Identity), ControlError> {
    let address = address(path).ok_or_else(|| ControlError::TooLong(path.to_owned()))?;
    let system =
        |what| move |errno: Errno| ControlError::System { what, path: path.to_owned(), source: errno.into() };
    let _lock = Lock::of_directory(path)?;
    make_way(path, &address)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket =
        socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(system("create"))?;
    // Linux makes the file with the socket's own mode, less the umask: it is 0600 from its first instant.
    fchmod(&socket, OWN).map_err(system("set the mode of"))?;
    bind(&socket, &address).map_err(system("create"))?;
    let opened = Identity::of(path).and_then(|identity| {
        // Elsewhere than on Linux's own file systems the mode may be another; nobody can connect yet.
        rustix::fs::chmod(path, OWN)?;
        listen(&socket, BACKLOG)?;
        Ok(identity)
    });
    match opened {
        Ok(identity) => Ok((socket, identity)),
        Err(errno) => {
            let _ = unlink(path);
            Err(system("listen on")(errno))
        }
    }
}

const OWN: Mode = Mode::RUSR.union(Mode::WUSR);

/// Removes a socket that nobody listens on.
fn make_way(path: &Path, address: &SocketAddrUnix) -> Result<(), ControlError> {
    let system =
        |what| move |errno: Errno| ControlError::System { what, path: path.to_owned(), source: errno.into() };
    let kind = match lstat(path) {
        Ok(stat) => FileType::from_raw_mode(stat.st_mode),
        Err(Errno::NOENT) => return Ok(()),
        Err(errno) => return Err(system("look for")(errno)),
    };
    if kind != FileType::Socket {
        return Err(ControlError::NoSocket(path.to_owned()));
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let probe =
        socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).map_err(system("look for"))?;
    let in_use = |who: String| Err(ControlError::InUse { path: path.to_owned(), who });
    match connect(&probe, address) {
        // Those of the process that listens.
        Ok(()) => in_use(match sockopt::socket_peercred(&probe) {
            Ok(peer) => format!("process {}", peer.pid),
            Err(_) => "its process is not known".to_owned(),
        }),
        // Its backlog is full; or it is a socket of another kind.
        Err(Errno::AGAIN | Errno::PROTOTYPE) => in_use("it does not answer".to_owned()),
        Err(Errno::CONNREFUSED) => match unlink(path) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(system("replace")(errno)),
        },
        Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(system("tell whether anybody uses")(errno)),
    }
}

/// By which a file is known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    fn of(path: &Path) -> Result<Self, Errno> {
        lstat(path).map(|stat| Self { device: stat.st_dev, inode: stat.st_ino })
    }
}

/// Removes the socket at `path`, if it is still the one of `identity`.
pub(super) fn remove(path: &Path, identity: Identity) {
    // Where the lock is not to be had, somebody is at work there and the file stays: it is replaced when it is in the way.
    if let Ok(_lock) = Lock::of_directory(path)
        && Identity::of(path) == Ok(identity)
    {
        let _ = unlink(path);
    }
}

/// The lock on a directory, for as long as it lives. None where the directory cannot be read: it is then nobody's but this
/// user's in all likelihood, and what follows fails by itself where it must.
struct Lock(#[expect(dead_code, reason = "it is held, not read")] Option<OwnedFd>);

impl Lock {
    fn of_directory(path: &Path) -> Result<Self, ControlError> {
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Ok(directory) = open(directory, flags, Mode::empty()) else { return Ok(Self(None)) };
        let deadline = Instant::now() + LOCK_PATIENCE;
        loop {
            match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self(Some(directory))),
                Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) if Instant::now() < deadline => thread::sleep(LOCK_LOOK),
                Err(Errno::WOULDBLOCK) => return Err(ControlError::Locked(path.to_owned())),
                // A file system without locks.
                Err(_) => return Ok(Self(None)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        os::unix::{
            fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink},
            net::{UnixDatagram, UnixListener, UnixStream},
        },
        sync::Barrier,
    };

    use rustix::{process::geteuid, thread::set_thread_res_uid};

    use super::*;

    #[test]
    fn the_socket_is_its_users_alone_whatever_the_umask() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let (_socket, _) = open_at(&path).unwrap();
        let found = fs::symlink_metadata(&path).unwrap();
        assert!(found.file_type().is_socket());
        assert_eq!(found.mode() & 0o7777, 0o600);
        // What the kernel itself gives it, before anything is mended.
        let early = folder.path().join("early");
        let socket =
            socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
        fchmod(&socket, OWN).unwrap();
        bind(&socket, &address(&early).unwrap()).unwrap();
        assert_eq!(fs::symlink_metadata(&early).unwrap().mode() & 0o7777, 0o600);
    }

    #[test]
    fn a_stale_socket_is_replaced_and_one_that_answers_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        drop(UnixListener::bind(&path).unwrap());
        let (socket, identity) = open_at(&path).unwrap();
        assert!(UnixStream::connect(&path).is_ok());

        let refused = open_at(&path).unwrap_err();
        let own = format!("process {}", std::process::id());
        assert!(matches!(&refused, ControlError::InUse { who, .. } if *who == own), "{refused}");
        assert!(
            refused.to_string().contains(path.to_str().unwrap())
                && refused.to_string().contains("--control PATH")
        );
        assert!(UnixStream::connect(&path).is_ok(), "the other one serves on");

        drop(socket);
        remove(&path, identity);
        assert!(!path.exists());
    }

    #[test]
    fn a_socket_whose_backlog_is_full_is_not_taken_for_a_stale_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let (_socket, _) = open_at(&path).unwrap();
        let mut waiting = Vec::new();
        loop {
            let one =
                socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::NONBLOCK, None).unwrap();
            match connect(&one, &address(&path).unwrap()) {
                Ok(()) => waiting.push(one),
                Err(errno) => break assert_eq!(errno, Errno::AGAIN),
            }
        }
        assert!(matches!(open_at(&path), Err(ControlError::InUse { .. })));
    }

    #[test]
    fn what_is_no_socket_of_this_kind_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "precious").unwrap();
        let directory = folder.path().join("directory");
        fs::create_dir(&directory).unwrap();
        let link = folder.path().join("link");
        symlink(&file, &link).unwrap();
        let dangling = folder.path().join("dangling");
        symlink("nowhere", &dangling).unwrap();
        for path in [&file, &directory, &link, &dangling] {
            let refused = open_at(path).unwrap_err();
            assert!(matches!(refused, ControlError::NoSocket(_)), "{refused}");
            assert!(refused.to_string().contains(path.to_str().unwrap()), "{refused}");
            assert!(fs::symlink_metadata(path).is_ok());
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "precious");

        let datagrams = folder.path().join("datagrams");
        let _bound = UnixDatagram::bind(&datagrams).unwrap();
        assert!(matches!(open_at(&datagrams), Err(ControlError::InUse { .. })));
        assert!(datagrams.exists());
    }

    #[test]
    fn where_none_can_be_made_that_is_said_with_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        for (path, words) in [
            (folder.path().join("missing/s"), "No such file or directory"),
            (folder.path().join("x".repeat(108)), "at most 107"),
            (PathBuf::from("/proc/s"), "cannot create"),
        ] {
            let refused = open_at(&path).unwrap_err().to_string();
            assert!(refused.contains(words) && refused.contains("--control"), "{refused}");
            assert!(refused.contains(path.to_str().unwrap()), "{refused}");
        }
        // The longest that there is room for.
        let room = LONGEST_PATH - folder.path().as_os_str().len() - 1;
        assert!(open_at(&folder.path().join("x".repeat(room))).is_ok());
    }

    #[test]
    fn a_directory_that_may_not_be_written_to_is_an_error_and_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let path = folder.path().join("s");
        let refused = if geteuid().is_root() {
            let as_another_user = || {
                become_somebody_else();
                open_at(&path).unwrap_err()
            };
            thread::scope(|scope| scope.spawn(as_another_user).join().unwrap())
        } else {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
            open_at(&path).unwrap_err()
        };
        let refused = refused.to_string();
        assert!(refused.contains("Permission denied") && refused.contains("--control off"), "{refused}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    /// The calling thread, and nobody else.
    fn become_somebody_else() {
        let other = rustix::process::Uid::from_raw(60_999);
        set_thread_res_uid(other, other, other).unwrap();
    }

    #[test]
    fn of_two_that_start_at_one_time_on_a_stale_socket_one_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        for _ in 0..50 {
            drop(UnixListener::bind(&path).unwrap());
            let barrier = Barrier::new(2);
            let start = || {
                barrier.wait();
                open_at(&path)
            };
            let both = thread::scope(|scope| {
                let (one, other) = (scope.spawn(start), scope.spawn(start));
                [one.join().unwrap(), other.join().unwrap()]
            });
            let [winner] = both.iter().flatten().collect::<Vec<_>>()[..] else { panic!("{both:?}") };
            assert_eq!(Identity::of(&path), Ok(winner.1));
            assert!(UnixStream::connect(&path).is_ok());
            fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn a_lock_that_somebody_holds_for_good_holds_up_nobody_for_good() {
        let folder = tempfile::tempdir().unwrap();
        let held = File::open(folder.path()).unwrap();
        flock(&held, FlockOperation::LockExclusive).unwrap();
        assert!(matches!(open_at(&folder.path().join("s")), Err(ControlError::Locked(_))));
    }

    #[test]
    fn at_the_end_only_the_own_socket_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let (_socket, identity) = open_at(&path).unwrap();
        let moved = folder.path().join("moved");
        fs::rename(&path, &moved).unwrap();
        fs::write(&path, "somebody else's").unwrap();
        remove(&path, identity);
        assert!(path.exists() && moved.exists());
    }

    #[test]
    fn the_place_where_nobody_says_is_the_users_own_directory() {
        let place = |directory: Option<&str>| path_in(directory.map(PathBuf::from), "fork-per-core", 8080);
        assert_eq!(place(Some("/run/user/7")), Some(PathBuf::from("/run/user/7/fork-per-core-8080.sock")));
        assert_eq!([place(None), place(Some("")), place(Some("run"))], [None, None, None]);
    }
}
