//! The program that workers run: the primary's own, at its start; what is on disk in its place, after a reload.
//!
//! A file is held by a descriptor, so that what replaces a crashed worker is what ran before, also while a deployment is putting
//! something else in its place.

use std::{
    env, io,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::fs::{Mode, OFlags, Stat, fstat, open};

/// Where the program is.
#[derive(Debug)]
pub(crate) struct Program {
    path: PathBuf,
    running: Image,
}

/// A program's file, whatever has its name by now. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Image(Arc<OwnedFd>);

impl Program {
    /// The one that this process runs. By the name that it was started by, if it was a path: a link may lead elsewhere after a
    /// deployment, which is what a reload is for.
    pub(crate) fn of_this_process() -> io::Result<Self> {
        let running = Image::at(Path::new("/proc/self/exe"))?;
        let given = env::args_os().next().map(PathBuf::from).filter(|path| path.components().count() > 1);
        let given = given.and_then(|path| Some(env::current_dir().ok()?.join(path)));
        let is_it = |path: &PathBuf| Image::at(path).is_ok_and(|image| image.is(&running));
        let path = match given.filter(is_it) {
            Some(path) => path,
            None => env::current_exe()?,
        };
        Ok(Self { path, running })
    }

    /// What this process runs.
    pub(crate) fn running(&self) -> Image {
        self.running.clone()
    }

    /// What is there now.
    ///
    /// # Errors
    /// Nothing is, or it may not be looked at; the path is named.
    pub(crate) fn on_disk(&self) -> io::Result<Image> {
        Image::at(&self.path)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", self.path.display())))
    }
}

impl Image {
    fn at(path: &Path) -> io::Result<Self> {
        // A path that may be executed need not be readable.
        Ok(Self(Arc::new(open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?)))
    }

    /// The name by which a child of this process executes it: the descriptor is closed only when that is done.
    pub(crate) fn executable(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.0.as_fd().as_raw_fd()))
    }

    fn is(&self, other: &Self) -> bool {
        let identity = |image: &Self| fstat(&*image.0).map(|Stat { st_dev, st_ino, .. }| (st_dev, st_ino));
        matches!((identity(self), identity(other)), (Ok(one), Ok(other)) if one == other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_of_a_test_is_found_by_its_path() {
        let program = Program::of_this_process().unwrap();
        assert!(program.on_disk().unwrap().is(&program.running()));
        assert!(program.running().executable().exists());
    }

    #[test]
    fn an_image_is_the_file_and_not_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        std::fs::write(&path, "one").unwrap();
        let one = Image::at(&path).unwrap();
        std::fs::write(folder.path().join("other"), "two").unwrap();
        std::fs::rename(folder.path().join("other"), &path).unwrap();
        let two = Image::at(&path).unwrap();
        assert!(!one.is(&two));
        assert_eq!(std::fs::read_to_string(one.executable()).unwrap(), "one");
        std::fs::remove_file(&path).unwrap();
        let program = Program { path: path.clone(), running: one };
        let error = program.on_disk().unwrap_err();
        assert!(error.to_string().contains("program"), "{error}");
    }
}
