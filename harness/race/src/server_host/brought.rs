//! Programs that were brought from another host, each under its SHA-256, in a folder that goes with this value.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use tempfile::TempDir;

use crate::records::environment::sha256_of;

/// The programs.
#[derive(Debug)]
pub(super) struct Brought {
    folder: TempDir,
    whole: BTreeMap<String, PathBuf>,
    coming: Option<Coming>,
}

/// A program of which parts are here.
#[derive(Debug)]
struct Coming {
    sha256: String,
    path: PathBuf,
    file: File,
}

impl Brought {
    /// None yet.
    ///
    /// # Errors
    /// There is no room for a folder.
    pub(super) fn new() -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("harness-programs-").tempdir()?;
        Ok(Self { folder, whole: BTreeMap::new(), coming: None })
    }

    /// Where the program of that SHA-256 is, if it is here.
    pub(super) fn path(&self, sha256: &str) -> Option<&PathBuf> {
        self.whole.get(sha256)
    }

    /// Takes the next part of a program, in base64. Parts of one follow each other; another one begins anew.
    ///
    /// # Errors
    /// It cannot be kept, or is not what its SHA-256 says.
    pub(super) fn take(&mut self, sha256: &str, name: &str, part: &str, is_last: bool) -> io::Result<()> {
        let mut coming = match self.coming.take().filter(|coming| coming.sha256 == sha256) {
            Some(coming) => coming,
            None => self.begin(sha256, name)?,
        };
        coming.file.write_all(&STANDARD.decode(part).map_err(io::Error::other)?)?;
        if !is_last {
            self.coming = Some(coming);
            return Ok(());
        }
        let Coming { sha256, path, file } = coming;
        // A program that somebody can still write to is not run (ETXTBSY).
        drop(file);
        if sha256_of(&path)? != sha256 {
            fs::remove_file(&path)?;
            return Err(io::Error::other(format!("the program {name} did not arrive as it was sent")));
        }
        self.whole.insert(sha256, path);
        Ok(())
    }

    fn begin(&self, sha256: &str, name: &str) -> io::Result<Coming> {
        let is_hash = sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_name = !name.is_empty() && name != "." && name != ".." && !name.contains('/');
        if !is_hash || !is_name {
            return Err(io::Error::other(format!("`{name}` with the hash `{sha256}` is no program")));
        }
        // By its own name, which is what its processes are called.
        let folder = self.folder.path().join(sha256);
        fs::create_dir_all(&folder)?;
        let path = folder.join(name);
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o755).open(&path)?;
        Ok(Coming { sha256: sha256.to_owned(), path, file })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::records::environment::sha256_of_bytes;

    fn encoded(bytes: &[u8]) -> String {
        STANDARD.encode(bytes)
    }

    #[test]
    fn a_program_is_there_once_its_last_part_is_and_goes_with_the_folder() {
        let mut brought = Brought::new().unwrap();
        let sha256 = sha256_of_bytes(b"#!/bin/sh\nexit 7\n");
        brought.take(&sha256, "seven", &encoded(b"#!/bin/sh\n"), false).unwrap();
        assert_eq!(brought.path(&sha256), None);
        brought.take(&sha256, "seven", &encoded(b"exit 7\n"), true).unwrap();
        let path = brought.path(&sha256).unwrap().clone();
        assert_eq!(fs::read(&path).unwrap(), b"#!/bin/sh\nexit 7\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o700, 0o700);
        assert!(path.ends_with("seven"));
        drop(brought);
        assert!(!path.exists());
    }

    #[test]
    fn what_is_not_what_its_hash_says_is_no_program_and_neither_is_a_path() {
        let mut brought = Brought::new().unwrap();
        let sha256 = sha256_of_bytes(b"one");
        let error = brought.take(&sha256, "one", &encoded(b"two"), true).unwrap_err().to_string();
        assert!(error.contains("one did not arrive"), "{error}");
        assert_eq!(brought.path(&sha256), None);
        for (sha256, name) in [("../x", "one"), (sha256.as_str(), "../one"), (sha256.as_str(), "..")] {
            let error = brought.take(sha256, name, &encoded(b"one"), true).unwrap_err().to_string();
            assert!(error.contains("is no program"), "{error}");
        }
        // And again as it is.
        brought.take(&sha256, "one", &encoded(b"one"), true).unwrap();
        assert!(brought.path(&sha256).is_some());
    }
}
