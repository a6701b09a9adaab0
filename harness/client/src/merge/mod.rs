//! `harness merge`: what several generators recorded, as one result.
//!
//! Histograms are added tag by tag, and every percentile is taken from the sum. It knows files and the log's tags, and
//! nothing of how a load was made. What makes the sum doubtful is a warning, not an error: the files may be all there
//! is. Where the parts of a load gathered in a folder, that says what belongs together, and whatever is missing or does not fit is an
//! error.

mod error;
mod input;
mod sum;

mod table;
mod warning;

mod gathered;

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use input::Input;
use terminal::{errln, out, outcome::Outcome, output::Output};

pub use error::MergeError;
pub use gathered::GatheredError;

/// What a person wants of `merge`.
#[derive(Clone, Debug)]
pub struct MergeOptions {
    /// The generators' logs; or the one folder in which the parts of a load gathered
    pub logs: Vec<PathBuf>,
    /// Also write the merged log here; an existing file is replaced
    pub out: Option<PathBuf>,
}

/// Runs `harness merge`.
///
/// # Errors
/// See [`MergeError`] and [`GatheredError`].
pub fn merge(args: &MergeOptions) -> anyhow::Result<Outcome> {
    if let [folder] = &args.logs[..]
        && folder.is_dir()
    {
        return gathered::merge(folder, args.out.as_deref());
    }
    if let Some(path) = args.logs.iter().find(|path| path.is_dir()) {
        return Err(MergeError::Folder { path: path.clone() }.into());
    }
    if let Some(out) = args.out.as_ref().filter(|out| args.logs.iter().any(|log| are_same_file(log, out))) {
        return Err(MergeError::OutIsInput { path: out.clone() }.into());
    }
    let mut inputs: Vec<Input> = Vec::new();
    let mut repeated = Vec::new();
    for path in &args.logs {
        let input = Input::read(path)?;
        match inputs.iter().find(|other| other.bytes == input.bytes) {
            Some(other) => repeated.push(warning::repeated(&other.name, &input.name)),
            None => inputs.push(input),
        }
    }
    let merged = sum::of(&inputs);
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
