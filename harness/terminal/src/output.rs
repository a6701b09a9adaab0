//! Files that a person names on the command line: known to be writable before anything is measured, and there whole or
//! not at all. What is no regular file (a pipe, a device such as /dev/null) is written to as it is.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

/// A file to be written at the end of a run.
#[derive(Debug)]
pub struct Output {
    path: PathBuf,
    /// Written beside the path and moved there at the end; absent for what is no regular file.
    partial: Option<PathBuf>,
    file: File,
}

/// A file that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be written: {error}; name a file in a folder that exists and may be written to", path.display())]
pub struct OutputError {
    path: PathBuf,
    error: io::Error,
}

impl Output {
    /// Finds out whether the file can be written later. What it holds stays until there is something to replace it.
    ///
    /// # Errors
    /// It cannot.
    pub fn begin(path: &Path) -> Result<Self, OutputError> {
        Self::try_begin(path).map_err(|error| OutputError { path: path.to_owned(), error })
    }

    fn try_begin(path: &Path) -> io::Result<Self> {
        let special = fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir());
        if special {
            let file = OpenOptions::new().write(true).open(path)?;
            return Ok(Self { path: path.to_owned(), partial: None, file });
        }
        let name = path.file_name().filter(|_| !path.is_dir()).ok_or(io::ErrorKind::IsADirectory)?;
        let mut partial = name.to_owned();
        partial.push(format!(".{}.partial", std::process::id()));
        let partial = path.with_file_name(partial);
        let file = File::create(&partial)?;
        Ok(Self { path: path.to_owned(), partial: Some(partial), file })
    }

    /// Writes the file and gives it its name.
    ///
    /// # Errors
    /// The disk is full, or the folder went away.
    pub fn finish(
        mut self,
        write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
    ) -> Result<(), OutputError> {
        self.try_finish(write).map_err(|error| OutputError { path: self.path.clone(), error })
    }

    fn try_finish(&mut self, write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>) -> io::Result<()> {
        let mut out = BufWriter::new(&self.file);
        write(&mut out)?;
        out.flush()?;
        drop(out);
        if let Some(partial) = &self.partial {
            fs::rename(partial, &self.path)?;
            self.partial = None;
        }
        Ok(())
    }

    /// Writes a value as JSON, indented, and gives the file its name.
    ///
    /// # Errors
    /// See [`Output::finish`].
    pub fn finish_json(self, value: &impl serde::Serialize) -> Result<(), OutputError> {
        self.finish(|out| {
            serde_json::to_writer_pretty(&mut *out, value)?;
            out.write_all(b"\n")
        })
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some(partial) = &self.partial {
            // Nothing was measured that it could hold.
            let _ = fs::remove_file(partial);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileTypeExt;

    use super::*;

    #[test]
    fn a_file_holds_what_it_held_until_there_is_something_to_replace_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        fs::write(&path, "old").unwrap();
        drop(Output::begin(&path).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        Output::begin(&path).unwrap().finish_json(&[1]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "[\n  1\n]\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_device_is_written_to_and_stays_what_it_is() {
        let path = Path::new("/dev/null");
        Output::begin(path).unwrap().finish_json(&[1]).unwrap();
        assert!(fs::metadata(path).unwrap().file_type().is_char_device());
    }

    #[test]
    fn what_cannot_be_written_is_known_beforehand() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().to_owned(), folder.path().join("nowhere/a.json")] {
            let error = Output::begin(&path).unwrap_err().to_string();
            assert!(error.contains(" cannot be written: "), "{error}");
        }
    }
}
