//! Several logs as one.

use stats::hdr_log::HdrLog;

use super::input::Input;

/// All of them added up, tag by tag, with what each says of itself.
pub(super) fn of(inputs: &[Input]) -> HdrLog {
    let mut merged = HdrLog::new(None);
    for input in inputs {
        merged.merge(&input.log);
        let file = input.path.file_name().unwrap_or_default().to_string_lossy();
        merged.comment(&format!("merged from {file}"));
        input.log.comments().iter().for_each(|comment| merged.comment(&format!("{file}: {comment}")));
    }
    merged
}
