//! A folder for one run of an original, which the next start removes where this one could not.
//!
//! All of one user's are in one place, `TMPDIR/foreign-UID`, and each is named after the launcher that made it. The launcher
//! holds a lock on its folder, which the kernel releases however it ends: who gets the lock knows that the owner is gone, also
//! where its pid is another's by now or of another namespace. A lock on the place itself keeps a start from sweeping what
//! another has made and not locked yet.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use rustix::{
    fs::{FlockOperation, OFlags, flock},
    io::Errno,
    process::geteuid,
};
use tempfile::TempDir;

use crate::{
    answering::{START_WITHIN, retry},
    failure::Failure,
};

/// Such a folder; removed with this value.
#[derive(Debug)]
pub(crate) struct RunFolder {
    folder: TempDir,
    /// Released after the folder is gone.
    _lock: File,
}

impl RunFolder {
    /// Makes one, and removes those of launchers that are gone.
    pub(crate) fn create() -> Result<Self, Failure> {
        let place = std::env::temp_dir().join(format!("foreign-{}", geteuid().as_raw()));
        let shown = place.display();
        // Somebody else who starts holds the place as long as sweeping takes.
        retry(START_WITHIN, &format!("{shown} was not free"), || {
            Self::create_in(&place).map_err(|error| {
                Failure::of(format!(
                    "cannot make a run folder in {shown} ({error}): set TMPDIR to a folder where that can be done"
                ))
            })
        })
    }

    /// `None` while somebody else holds the place.
    fn create_in(place: &Path) -> io::Result<Option<Self>> {
        // Programs that this process starts as somebody else, as root does nginx's workers, must get through to their folder.
        match DirBuilder::new().mode(0o711).create(place) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let held = open_own(place)?;
        if held.metadata()?.mode() & 0o022 != 0 {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "others can write to it"));
        }
        if !try_lock(&held)? {
            return Ok(None);
        }
        // Whatever the mask of this process, or of an earlier one, left of it.
        held.set_permissions(fs::Permissions::from_mode(0o711))?;
        sweep(place)?;
        let folder =
            tempfile::Builder::new().prefix(&format!("{}-", std::process::id())).tempdir_in(place)?;
        let lock = open_own(folder.path())?;
        let locked = try_lock(&lock)?;
        debug_assert!(locked, "nobody else sweeps while this holds the place");
        Ok(Some(Self { folder, _lock: lock }))
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes the folders in `place` whose owner is gone. What is no folder of this user's is not this program's, and stays.
fn sweep(place: &Path) -> io::Result<()> {
    for entry in fs::read_dir(place)? {
        let path = entry?.path();
        match remove_abandoned(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!("cannot remove {}, whose launcher is gone: {error}", path.display());
            }
            _ => {}
        }
    }
    Ok(())
}

fn remove_abandoned(path: &Path) -> io::Result<()> {
    // Of a link itself, wherever it leads.
    let found = fs::symlink_metadata(path)?;
    if !found.is_dir() || found.uid() != geteuid().as_raw() {
        return Ok(());
    }
    let folder = open_own(path)?;
    if try_lock(&folder)? { fs::remove_dir_all(path) } else { Ok(()) }
}

/// Opens a folder of this user's, and no link to one: others may make what they like in `TMPDIR`.
fn open_own(path: &Path) -> io::Result<File> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW;
    let folder = File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    if folder.metadata()?.uid() == geteuid().as_raw() {
        Ok(folder)
    } else {
        Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is somebody else's"))
    }
}

/// Takes the lock, which is held until the file is closed; whether nobody else has it.
fn try_lock(file: &File) -> io::Result<bool> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// What is in a folder, by name.
    fn names(folder: &Path) -> Vec<PathBuf> {
        let mut names: Vec<PathBuf> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_start_removes_what_nobody_holds_and_leaves_what_somebody_does() {
        let temporary = tempfile::tempdir().unwrap();
        let place = temporary.path().join("place");
        let live = RunFolder::create_in(&place).unwrap().unwrap();
        let abandoned = place.join("1-abandoned");
        fs::create_dir_all(abandoned.join("logs")).unwrap();
        fs::write(abandoned.join("logs/x"), "x").unwrap();
        let next = RunFolder::create_in(&place).unwrap().unwrap();
        let mut held = [live.path().to_owned(), next.path().to_owned()];
        held.sort();
        assert_eq!(names(&place), held);
        drop((live, next));
        assert!(names(&place).is_empty());
    }

    #[test]
    fn links_and_files_are_none_of_its_business() {
        let temporary = tempfile::tempdir().unwrap();
        let (place, kept) = (temporary.path().join("place"), temporary.path().join("kept"));
        drop(RunFolder::create_in(&place).unwrap().unwrap());
        fs::create_dir(&kept).unwrap();
        fs::write(kept.join("precious"), "x").unwrap();
        std::os::unix::fs::symlink(&kept, place.join("1-link")).unwrap();
        fs::write(place.join("1-file"), "x").unwrap();
        // A link within what is removed is removed, and not what it leads to.
        fs::create_dir(place.join("2-abandoned")).unwrap();
        std::os::unix::fs::symlink(&kept, place.join("2-abandoned/link")).unwrap();
        drop(RunFolder::create_in(&place).unwrap().unwrap());
        assert_eq!(names(&place), [place.join("1-file"), place.join("1-link")]);
        assert!(kept.join("precious").exists());
    }

    #[test]
    fn a_folder_of_another_user_is_left_alone() {
        let temporary = tempfile::tempdir().unwrap();
        let place = temporary.path().join("place");
        drop(RunFolder::create_in(&place).unwrap().unwrap());
        let others = place.join("1-others");
        fs::create_dir(&others).unwrap();
        if let Err(error) = std::os::unix::fs::chown(&others, Some(65_534), None) {
            #[expect(clippy::disallowed_macros, reason = "what a test prints is what it is for")]
            return println!("skipped: only root can give a folder away ({error})");
        }
        drop(RunFolder::create_in(&place).unwrap().unwrap());
        assert_eq!(names(&place), [others]);
    }

    #[test]
    fn a_place_that_somebody_else_made_is_refused() {
        let temporary = tempfile::tempdir().unwrap();
        let (link, open) = (temporary.path().join("link"), temporary.path().join("open"));
        fs::create_dir(&open).unwrap();
        std::os::unix::fs::symlink(&open, &link).unwrap();
        assert!(RunFolder::create_in(&link).is_err(), "a link may lead anywhere");
        fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
        let error = RunFolder::create_in(&open).unwrap_err();
        assert!(error.to_string().contains("others can write to it"), "{error}");
        assert!(names(&open).is_empty());
    }

    #[test]
    fn a_place_that_is_being_swept_is_waited_for() {
        let temporary = tempfile::tempdir().unwrap();
        let place = temporary.path().join("place");
        drop(RunFolder::create_in(&place).unwrap().unwrap());
        let sweeping = open_own(&place).unwrap();
        assert!(try_lock(&sweeping).unwrap());
        assert!(RunFolder::create_in(&place).unwrap().is_none());
        drop(sweeping);
        assert!(RunFolder::create_in(&place).unwrap().is_some());
    }
}
