//! One run at a time on one host: two would measure each other.
//!
//! A run holds a lock on a file (`flock(2)`), which the kernel releases however the run ends, so that what one left that was killed
//! stops nobody. The file is where every user of the host finds it, and may write: `/run/lock` is made for that, and is not everywhere,
//! and not everybody may write there; `/tmp` is nearly everywhere. `TMPDIR` is not looked at, since it can be each user's own. A run
//! takes the lock in each of the places where it can, so that two meet if there is one that both can use. Containers have
//! places of their own: what runs in another one shows as foreign time.

use std::{
    fs::{File, OpenOptions, Permissions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;

const PLACES: [&str; 2] = ["/run/lock", "/tmp"];
const NAME: &str = "server-architecture-race.lock";

/// That no other run measures on this host, while it is held.
#[derive(Debug)]
pub struct Alone {
    _locked: Vec<File>,
}

/// Why this run must not measure.
#[derive(Debug, thiserror::Error)]
pub enum NotAlone {
    /// Another does.
    #[error("another run measures on this host{}: wait for it, or end it", .pid.map_or_else(String::new, |pid| format!(" (process {pid})")))]
    Another {
        /// Its process, if it has said so.
        pid: Option<u32>,
    },
    /// Nobody can tell.
    #[error("cannot make sure that no other run measures on this host: {0}")]
    Unknown(String),
}

impl Alone {
    /// Takes the host.
    ///
    /// # Errors
    /// [`NotAlone`].
    pub fn on_this_host() -> Result<Self, NotAlone> {
        Self::in_places(&PLACES.map(PathBuf::from))
    }

    /// As [`Alone::on_this_host`], in each of `places` that can be used.
    ///
    /// # Errors
    /// [`NotAlone`].
    pub fn in_places(places: &[PathBuf]) -> Result<Self, NotAlone> {
        let (mut locked, mut reasons) = (Vec::new(), Vec::new());
        for place in places {
            let path = place.join(NAME);
            match lock(&path) {
                Ok(file) => locked.push(file),
                Err(Refused::Taken(pid)) => return Err(NotAlone::Another { pid }),
                Err(Refused::Unusable(error)) => reasons.push(format!("{}: {error}", path.display())),
            }
        }
        if locked.is_empty() {
            Err(NotAlone::Unknown(reasons.join(", ")))
        } else {
            Ok(Self { _locked: locked })
        }
    }
}

enum Refused {
    Taken(Option<u32>),
    Unusable(io::Error),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Unusable(error)
    }
}

fn lock(path: &Path) -> Result<File, Refused> {
    let mut file = open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(Refused::Taken(pid_in(&mut file))),
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    // For whoever comes next. Where it is another user's, who may forbid it, the lock does without.
    drop(
        file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id())),
    );
    Ok(file)
}

/// Opens the file, which anybody may have made. It stays when the run ends: two runs could hold the locks of two files of one name if
/// one of them removed it.
fn open(path: &Path) -> io::Result<File> {
    // No link to something else that this user may write, and no pipe that never opens.
    let careful = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let existing = |write: bool| OpenOptions::new().read(true).write(write).custom_flags(careful).open(path);
    let made = || {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).custom_flags(careful).open(path)
    };
    // Without asking to create it first: that is refused of a file in /tmp that is another user's (fs.protected_regular).
    let file = match existing(true) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => match made() {
            Ok(file) => {
                // Whatever this user's mask is, the next may be another.
                file.set_permissions(Permissions::from_mode(0o666))?;
                Ok(file)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => existing(true),
            Err(error) => Err(error),
        },
        // Which is enough for a lock.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => existing(false),
        opened => opened,
    }?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not a file")) }
}

/// None where the other has taken the lock and not yet written, or could not.
fn pid_in(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(20).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    fn two_places() -> (tempfile::TempDir, [PathBuf; 2]) {
        let host = tempfile::tempdir().unwrap();
        let places = ["one", "other"].map(|name| host.path().join(name));
        places.iter().for_each(|place| fs::create_dir(place).unwrap());
        (host, places)
    }

    fn other(places: &[PathBuf]) -> Option<u32> {
        match Alone::in_places(places).unwrap_err() {
            NotAlone::Another { pid } => pid,
            unknown @ NotAlone::Unknown(_) => panic!("{unknown}"),
        }
    }

    #[test]
    fn two_that_meet_in_one_place_are_refused_with_the_others_pid_and_the_next_is_not() {
        let (_host, places) = two_places();
        let first = Alone::in_places(&places).unwrap();
        for shared in [&places[..], &places[..1], &places[1..]] {
            assert_eq!(other(shared), Some(std::process::id()));
        }
        let message = Alone::in_places(&places).unwrap_err().to_string();
        assert!(message.contains(&format!("(process {})", std::process::id())), "{message}");
        drop(first);
        drop(Alone::in_places(&places).unwrap());
    }

    #[test]
    fn what_an_earlier_run_left_stops_nobody() {
        let (_host, places) = two_places();
        fs::write(places[0].join(NAME), "4194304\nmore of it\n").unwrap();
        let now = Alone::in_places(&places).unwrap();
        assert_eq!(fs::read_to_string(places[0].join(NAME)).unwrap(), format!("{}\n", std::process::id()));
        assert_eq!(fs::metadata(places[1].join(NAME)).unwrap().permissions().mode() & 0o777, 0o666);
        drop(now);
    }

    #[test]
    fn a_place_that_cannot_be_used_is_done_without_and_none_at_all_is_an_error() {
        let (host, places) = two_places();
        let missing = host.path().join("missing");
        let held = Alone::in_places(&[missing.clone(), places[0].clone()]).unwrap();
        assert_eq!(other(&places), Some(std::process::id()));
        drop(held);
        // Neither a link nor a folder of that name is followed or taken.
        let precious = host.path().join("precious");
        fs::write(&precious, "mine").unwrap();
        symlink(&precious, places[0].join(NAME)).unwrap_or_else(|_| {
            fs::remove_file(places[0].join(NAME)).unwrap();
            symlink(&precious, places[0].join(NAME)).unwrap();
        });
        fs::create_dir_all(missing.join(NAME)).unwrap();
        let unusable = [missing, places[0].clone()];
        let error = Alone::in_places(&unusable).unwrap_err();
        assert!(matches!(&error, NotAlone::Unknown(_)), "{error}");
        for place in unusable {
            assert!(error.to_string().contains(&place.display().to_string()), "{error}");
        }
        assert_eq!(fs::read_to_string(precious).unwrap(), "mine");
    }
}
