//! A folder that processes on several hosts share, and files in it that are there whole or not at all.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, RenameFlags, renameat_with},
    io::Errno,
};
use serde::{Serialize, de::DeserializeOwned};
use terminal::output::write_durably;

use super::error::GatherError;

/// The folder.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// One that may not be there yet.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Makes it, where it is not there.
    pub fn make(&self) -> Result<(), GatherError> {
        fs::create_dir_all(&self.path).map_err(|error| self.failed(error))
    }

    /// What is in it now; nothing where it is not there. A file system over a network may know of a file that another host made only
    /// once the folder is read: asking for the name is answered from memory that is up to a minute old (nfs(5), "Directory entry
    /// caching").
    pub fn names(&self) -> Result<Vec<String>, GatherError> {
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.failed(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            // What has no name in UTF-8 is nobody's here.
            names.extend(entry.map_err(|error| self.failed(error))?.file_name().into_string().ok());
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Reads a file; nothing where it is not there.
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, GatherError> {
        if !self.names()?.iter().any(|own| own == name) {
            return Ok(None);
        }
        let path = self.file(name);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| GatherError::File { path: path.clone(), error }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(GatherError::Folder { path, error }),
        }
    }

    /// Writes a file that only one may write: true if this process is the one. It is there whole or not at all.
    pub fn put_new(&self, name: &str, value: &impl Serialize) -> Result<bool, GatherError> {
        let path = self.file(name);
        put_new(&path, &json(value)).map_err(|error| GatherError::Folder { path, error })
    }

    /// Writes a file, whole or not at all.
    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<(), GatherError> {
        let path = self.file(name);
        write_durably(&path, None, bytes).map(drop).map_err(|error| GatherError::Folder { path, error })
    }

    fn failed(&self, error: io::Error) -> GatherError {
        GatherError::Folder { path: self.path.clone(), error }
    }
}

/// A value as a file holds it.
pub fn json(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).expect("a record has names of fields as its keys");
    bytes.push(b'\n');
    bytes
}

/// Beside it first, under a name that no other process has; then under its own, unless that is taken.
fn put_new(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(
        ".{name}.{}.{}",
        race::records::environment::host_name(),
        std::process::id()
    ));
    let mut file = File::create(&beside)?;
    let written =
        file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| take_name(&beside, path));
    // A link has a second name by then, and what could not be written is worth nothing.
    let _gone = fs::remove_file(&beside);
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// A link is made on one host alone, on NFS too (open(2), O_EXCL). Where there are none, the name is taken by a rename that replaces nothing.
fn take_name(beside: &Path, path: &Path) -> io::Result<()> {
    let linked = fs::hard_link(beside, path);
    match linked.as_ref().err().and_then(io::Error::raw_os_error).map(Errno::from_raw_os_error) {
        Some(Errno::PERM | Errno::NOTSUP | Errno::NOSYS | Errno::MLINK) => {
            Ok(renameat_with(CWD, beside, CWD, path, RenameFlags::NOREPLACE)?)
        }
        _ => linked,
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, thread};

    use super::*;

    #[test]
    fn of_many_who_write_a_file_that_is_new_one_did() {
        let folder = tempfile::tempdir().unwrap();
        let shared = Folder::at(&folder.path().join("made"));
        assert_eq!(shared.names().unwrap(), [""; 0]);
        shared.make().unwrap();
        assert!(shared.put_new("a.json", &7).unwrap());
        assert!(!shared.put_new("a.json", &8).unwrap());
        assert_eq!(shared.read::<u32>("a.json").unwrap(), Some(7));
        assert_eq!(shared.names().unwrap(), ["a.json"], "nothing is left beside it");
    }

    #[test]
    fn a_link_is_made_once_however_many_threads_try() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let together = Barrier::new(8);
        let made = thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|number| {
                    let (path, together) = (&path, &together);
                    let beside = path.with_file_name(number.to_string());
                    scope.spawn(move || {
                        fs::write(&beside, "").unwrap();
                        together.wait();
                        take_name(&beside, path).is_ok()
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).filter(|made| *made).count()
        });
        assert_eq!(made, 1);
    }

    #[test]
    fn what_is_not_there_is_nothing_and_what_is_no_record_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let shared = Folder::at(folder.path());
        assert_eq!(shared.read::<u32>("a.json").unwrap(), None);
        shared.put("a.json", b"{").unwrap();
        let error = shared.read::<u32>("a.json").unwrap_err().to_string();
        assert!(error.contains("a.json cannot be read: ") && error.contains("same revision"), "{error}");
        let nowhere = Folder::at(&folder.path().join("a.json/b"));
        let error = nowhere.make().unwrap_err().to_string();
        assert!(
            error.ends_with("name a folder that all parts share and may write to, with room in it"),
            "{error}"
        );
    }
}
