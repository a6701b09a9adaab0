//! `harness merge DIR`: the parts of one load, from the folder in which they gathered, as one result.
//!
//! Here it is known what belongs together, so that whatever is missing or does not fit is an error: there is no merged result that
//! looks whole and is not.

mod error;
mod read;

mod figures;
mod windows;
mod words;

use std::path::Path;

use stats::hdr_log::{HdrLog, TimeRange};
use terminal::{errln, out, outcome::Outcome, output::Output};

use super::{error::MergeError, input::Input, sum, table, warning};
use crate::gather::{error::GatherError, names};
use figures::Figures;
use read::Part;
use windows::{Overlap, Window, Written};

pub use error::GatheredError;

/// Merges what is in `folder`, and writes the sum to `out` where wanted.
pub(super) fn merge(folder: &Path, out: Option<&Path>) -> anyhow::Result<Outcome> {
    if let Some(out) = out.filter(|out| is_of(folder, out)) {
        return Err(MergeError::OutIsInput { path: out.to_owned() }.into());
    }
    let gathered = read::read(folder)?;
    let written: Vec<Written<'_>> = gathered.parts.iter().map(written).collect();
    let windows = windows::by_one_clock(&written)?;
    let overlap = windows::overlap(&windows).ok_or_else(|| GatheredError::None(folder.to_owned()))?;
    if overlap.together_s <= 0.0 {
        return Err(apart(&overlap, &windows).into());
    }
    let inputs: Vec<Input> =
        gathered.parts.iter().zip(&windows).map(|(part, window)| input(folder, part, window)).collect();
    let merged = sum::of(&inputs);
    let figures =
        gathered.parts.iter().map(|part| figures_of(folder, part)).collect::<Result<Vec<_>, _>>()?;
    out!("{}", words::parts(&gathered, &figures, &windows));
    out!("{}\n", words::together(&overlap, &windows));
    out!("{}", table::tags(&merged));
    let doubts = words::doubts(&overlap, &gathered, &windows);
    let of_hosts = figures::doubts(&gathered.parts, &figures);
    for warning in doubts.into_iter().chain(of_hosts).chain(warning::of_values(&inputs, &merged)) {
        errln!("\x1b[33mwarning:\x1b[0m {warning}");
    }
    if let Some(out) = out {
        Output::begin(out)?.finish(|file| merged.write(file))?;
    }
    let is_whole =
        overlap.share() >= words::TOGETHER && gathered.parts.iter().all(|part| part.record.is_good);
    Ok(if is_whole { Outcome::Done } else { Outcome::Partly })
}

/// Whether a file is one of those that are merged.
fn is_of(folder: &Path, file: &Path) -> bool {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let is_own = file.file_name().and_then(|name| name.to_str()).is_some_and(names::is_own);
    is_own && parent.canonicalize().ok() == folder.canonicalize().ok()
}

fn written(part: &Part) -> Written<'_> {
    let record = &part.record;
    let range = TimeRange { start_s: record.opened_s, end_s: record.opened_s + record.window_s };
    Written { part: record.part, host: &record.host, clock: record.clock.as_ref(), range }
}

fn figures_of(folder: &Path, part: &Part) -> Result<Figures, GatherError> {
    let path = folder.join(names::result(part.record.part));
    figures::of(part).map_err(|error| GatherError::File { path, error })
}

/// The part's log over its window by the common clock.
fn input(folder: &Path, part: &Part, window: &Window) -> Input {
    let mut log = HdrLog::new(Some(window.range));
    part.log.tagged().for_each(|(tag, histogram)| log.add(tag, histogram));
    part.log.comments().iter().for_each(|comment| log.comment(comment));
    let name = names::log(window.part);
    Input { path: folder.join(&name), name, bytes: Vec::new(), log }
}

fn apart(overlap: &Overlap, windows: &[Window]) -> GatheredError {
    let of = |part: u32| windows.iter().find(|window| window.part == part).and_then(|window| window.bound_s);
    let bound = match (of(overlap.early), of(overlap.late)) {
        (Some(early_s), Some(late_s)) if early_s + late_s == 0.0 => String::new(),
        (Some(early_s), Some(late_s)) => format!(", within {:.3} ms", 1e3 * (early_s + late_s)),
        _ => ", if their clocks agree".to_owned(),
    };
    let Overlap { early, late, .. } = *overlap;
    GatheredError::Apart { early, late, gap_s: -overlap.together_s, bound }
}
