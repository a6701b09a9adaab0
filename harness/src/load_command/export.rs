//! Files of results: JSON for scripts, and HdrHistogram's log for tools that plot or merge distributions.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use load::Outcome;
use stats::hdr_log::{self, HdrLog, TimeRange};

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
    pub(super) fn finish_json(self, report: &Report) -> Result<(), ExportError> {
        self.finish(|out| {
            serde_json::to_writer_pretty(&mut *out, report)?;
            out.write_all(b"\n")
        })
    }

    /// Writes the histograms and gives the file its name. The tags of a stream are its name and `response`,
    /// `unanswered` (together the response time), `service`, and for open loops `lag`.
    ///
    /// # Errors
    /// The disk is full, or the folder went away.
    pub(super) fn finish_hdr(
        self,
        report: &Report,
        outcome: &Outcome,
        window: Option<TimeRange>,
    ) -> Result<(), ExportError> {
        let mut log = HdrLog::new(window);
        log.comment(&format!("{}, seed {}", report.command, report.seed));
        if report.interrupted {
            log.comment("interrupted: partial results");
        }
        for stream in &outcome.streams {
            log.add(&HdrLog::tag(&stream.name, hdr_log::RESPONSE), &stream.response);
            log.add(&HdrLog::tag(&stream.name, hdr_log::UNANSWERED), &stream.unanswered);
            log.add(&HdrLog::tag(&stream.name, "service"), &stream.service);
            if stream.pacing.is_open() {
                log.add(&HdrLog::tag(&stream.name, "lag"), &stream.lag);
            }
        }
        self.finish(|out| log.write(out))
    }

    fn finish(
        mut self,
        write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
    ) -> Result<(), ExportError> {
        self.try_finish(write).map_err(|error| ExportError { path: self.path.clone(), error })
    }

    fn try_finish(&mut self, write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>) -> io::Result<()> {
        let mut out = BufWriter::new(&self.file);
        write(&mut out)?;
        out.flush()?;
        drop(out);
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
