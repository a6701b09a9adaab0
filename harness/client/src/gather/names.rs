//! What the files of a gathering are called: whoever lists the folder sees how far each part is.

/// What is to be done, written by part 0.
pub const PLAN: &str = "plan.json";
/// When it begins, written by part 0 once all are there.
pub const START: &str = "start.json";

const ARRIVED: &str = ".arrived.json";
const FAILED: &str = ".failed.json";

/// A part is there, and waits for the start.
pub fn arrived(part: u32) -> String {
    format!("part-{part}{ARRIVED}")
}

/// A part gave up, and why.
pub fn failed(part: u32) -> String {
    format!("part-{part}{FAILED}")
}

/// A part is ready or at work: its bytes change as long as it is.
pub fn alive(part: u32) -> String {
    format!("part-{part}.alive")
}

/// What a part found, written last.
pub fn result(part: u32) -> String {
    format!("part-{part}.json")
}

/// Its histograms.
pub fn log(part: u32) -> String {
    format!("part-{part}.hlog")
}

/// Whether a file is one of a gathering.
pub fn is_own(name: &str) -> bool {
    name == PLAN || name == START || name.starts_with("part-")
}

/// Whether a file says what a part found, under whatever number: copies too.
pub fn is_result(name: &str) -> bool {
    name.starts_with("part-")
        && name.ends_with(".json")
        && !name.ends_with(ARRIVED)
        && !name.ends_with(FAILED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_told_from_what_was_said_before_it() {
        assert!(is_result(&result(3)) && is_result("part-3 (copy).json"));
        for name in [
            arrived(3),
            alive(3),
            failed(3),
            log(3),
            PLAN.to_owned(),
            START.to_owned(),
            "notes.json".to_owned(),
        ] {
            assert!(!is_result(&name), "{name}");
        }
        for name in [arrived(3), alive(3), failed(3), log(3), result(3), PLAN.to_owned(), START.to_owned()] {
            assert!(is_own(&name), "{name}");
        }
        assert!(!is_own("slurm-17.out"));
    }
}
