//! `harness merge`: what several generators recorded, as one result.
//!
//! Histograms are added tag by tag, and every percentile is taken from the sum. It knows files and the log's tags, and
//! nothing of how a load was made. What makes the sum doubtful is a warning, not an error: the files may be all there
//! is.

mod input;

mod table;
mod warning;

use std::{
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use stats::hdr_log::{HdrLog, LogError};

use input::Input;
use terminal::{
    errln, out,
    outcome::Outcome,
    output::{Output, OutputError},
};

/// What a person wants of `merge`.
#[derive(Clone, Debug)]
pub struct MergeOptions {
    /// The generators' logs
    pub logs: Vec<PathBuf>,
    /// Also write the merged log here; an existing file is replaced
    pub out: Option<PathBuf>,
}
/// A day of seconds at 3 kB each: a file beyond it is a mistake, or has no end.
const LARGEST_LOG_BYTES: u64 = 256 << 20;

/// Why logs could not be merged; the reason behind it is the error's source.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// A file cannot be read.
    #[error("cannot read {path}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is too large to be a log.
    #[error("{path} is larger than any log ({} MiB)", LARGEST_LOG_BYTES >> 20, path = path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A file is not a log that can be merged.
    #[error("{path}", path = path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: LogError,
    },
    /// The result would replace what it is made from.
    #[error("--out {path} is one of the logs to be merged: give another file", path = path.display())]
    OutIsInput {
        /// The file.
        path: PathBuf,
    },
    /// The result cannot be written.
    #[error(transparent)]
    Unwritable(#[from] OutputError),
}

impl MergeError {
    /// Whether another command line would help.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Unreadable { .. } | Self::OutIsInput { .. })
    }
}

/// Runs `harness merge`.
///
/// # Errors
/// See [`MergeError`].
pub fn merge(args: &MergeOptions) -> anyhow::Result<Outcome> {
    if let Some(out) = args.out.as_ref().filter(|out| args.logs.iter().any(|log| are_same_file(log, out))) {
        return Err(MergeError::OutIsInput { path: out.clone() }.into());
    }
    let mut inputs: Vec<Input> = Vec::new();
    let mut repeated = Vec::new();
    for path in &args.logs {
        let input = read(path)?;
        match inputs.iter().find(|other| other.bytes == input.bytes) {
            Some(other) => repeated.push(warning::repeated(&other.name, &input.name)),
            None => inputs.push(input),
        }
    }
    let merged = sum(&inputs);
    out!("{}", table::inputs(&inputs));
    out!("{}", table::tags(&merged));
    for warning in repeated.into_iter().chain(warning::about(&inputs, &merged)) {
        errln!("\x1b[33mwarning:\x1b[0m {warning}");
    }
    // Nothing was measured that would be lost: the sum is shown, and is made again as fast.
    if let Some(out) = &args.out {
        Output::begin(out)?.finish(|file| merged.write(file))?;
    }
    Ok(Outcome::Done)
}

/// By whatever names: a link to a log leads to it, and a second name is as good as the first.
fn are_same_file(a: &Path, b: &Path) -> bool {
    let regular = |path: &Path| fs::metadata(path).ok().filter(fs::Metadata::is_file);
    match (regular(a), regular(b)) {
        (Some(a), Some(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

fn read(path: &Path) -> Result<Input, MergeError> {
    let unreadable = |source| MergeError::Unreadable { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(LARGEST_LOG_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST_LOG_BYTES {
        return Err(MergeError::TooLarge { path: path.to_owned() });
    }
    let log = HdrLog::read(&bytes).map_err(|source| MergeError::Log { path: path.to_owned(), source })?;
    Ok(Input { path: path.to_owned(), name: path.display().to_string(), bytes, log })
}

fn sum(inputs: &[Input]) -> HdrLog {
    let mut merged = HdrLog::new(None);
    for input in inputs {
        merged.merge(&input.log);
        let file = input.path.file_name().unwrap_or_default().to_string_lossy();
        merged.comment(&format!("merged from {file}"));
        input.log.comments().iter().for_each(|comment| merged.comment(&format!("{file}: {comment}")));
    }
    merged
}
