//! The report as a file of JSON.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::report::Report;

/// A file that is there whole or not at all: written beside its name, and moved there at the end.
#[derive(Debug)]
pub(super) struct Export {
    path: PathBuf,
    partial: PathBuf,
    file: File,
    finished: bool,
}

/// A file that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be written: {error}; name a file in a folder that exists and may be written to", path.display())]
pub(super) struct ExportError {
    path: PathBuf,
    error: io::Error,
}

impl Export {
    /// Finds out before the run whether the file can be written after it.
    ///
    /// # Errors
    /// It cannot.
    pub(super) fn begin(path: &Path) -> Result<Self, ExportError> {
        let failed = |error| ExportError { path: path.to_owned(), error };
        let name = path
            .file_name()
            .filter(|_| !path.is_dir())
            .ok_or_else(|| failed(io::ErrorKind::IsADirectory.into()))?;
        let mut partial = name.to_owned();
        partial.push(format!(".{}.partial", std::process::id()));
        let partial = path.with_file_name(partial);
        let file = File::create(&partial).map_err(failed)?;
        Ok(Self { path: path.to_owned(), partial, file, finished: false })
    }

    /// Writes the report and gives the file its name.
    ///
    /// # Errors
    /// The disk is full, or the folder went away.
    pub(super) fn finish(mut self, report: &Report) -> Result<(), ExportError> {
        self.write(report).map_err(|error| ExportError { path: self.path.clone(), error })
    }

    fn write(&mut self, report: &Report) -> io::Result<()> {
        let mut json = serde_json::to_vec_pretty(report)?;
        json.push(b'\n');
        self.file.write_all(&json)?;
        fs::rename(&self.partial, &self.path)?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for Export {
    fn drop(&mut self) {
        if !self.finished {
            // Nothing was measured that it could hold.
            let _ = fs::remove_file(&self.partial);
        }
    }
}
