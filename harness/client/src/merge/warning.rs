//! What makes a merged result doubtful, each as one sentence with what to do.

use stats::hdr_log::{HdrLog, TimeRange};

use super::input::Input;

/// Generators that were together for less than this part of the longest log were not started together.
const TOGETHER: f64 = 0.9;

/// The same requests were given twice.
pub(super) fn repeated(first: &str, again: &str) -> String {
    if first == again {
        format!("{first} is given twice and was counted once")
    } else {
        format!("{again} holds the same as {first} and was counted once: is it a copy?")
    }
}

/// Everything that is doubtful about different logs and their sum.
pub(super) fn about(inputs: &[Input], merged: &HdrLog) -> Vec<String> {
    let mut warnings = not_together(inputs);
    warnings.extend(of_values(inputs, merged));
    warnings
}

/// What is doubtful about their values, whenever they were recorded.
pub(super) fn of_values(inputs: &[Input], merged: &HdrLog) -> Vec<String> {
    let mut warnings = only_in_some(inputs, merged);
    for input in inputs.iter().filter(|input| !input.log.states_unit()) {
        warnings.push(format!(
            "{} does not say in what unit its values are; nanoseconds, going by the largest values that it prints",
            input.name
        ));
    }
    for (tag, histogram) in merged.tagged().filter(|(_, histogram)| histogram.clamped_above() > 0) {
        warnings.push(format!(
            "{} of `{tag}` took more than 60 s: percentiles that fall there are lower bounds",
            histogram.clamped_above()
        ));
    }
    warnings
}

/// Generators that ran one after the other loaded the server with less than their sum.
fn not_together(inputs: &[Input]) -> Vec<String> {
    let mut warnings = Vec::new();
    let timed: Vec<(&str, TimeRange)> =
        inputs.iter().filter_map(|input| Some((input.name.as_str(), input.log.range()?))).collect();
    if inputs.len() > 1 {
        for input in inputs.iter().filter(|input| input.log.range().is_none()) {
            warnings.push(format!(
                "{} does not say when it was recorded: make sure that the generators ran together",
                input.name
            ));
        }
    }
    let last_start = timed.iter().max_by(|a, b| a.1.start_s.total_cmp(&b.1.start_s));
    let first_end = timed.iter().min_by(|a, b| a.1.end_s.total_cmp(&b.1.end_s));
    let longest_s = timed.iter().map(|(_, range)| range.length_s()).fold(0.0, f64::max);
    if let (Some((late, late_range)), Some((early, early_range))) = (last_start, first_end) {
        let together_s = early_range.end_s - late_range.start_s;
        if together_s <= 0.0 && late != early {
            warnings.push(format!(
                "{early} ended {:.1} s before {late} began: the generators did not run together, so this is no result of their summed load; start them with --start-at",
                -together_s
            ));
        } else if together_s < TOGETHER * longest_s {
            warnings.push(format!(
                "the generators ran together for {together_s:.1} of up to {longest_s:.1} s: start them with --start-at"
            ));
        }
    }
    warnings
}

/// A tag that is missing somewhere is the result of fewer generators than the others.
fn only_in_some(inputs: &[Input], merged: &HdrLog) -> Vec<String> {
    let lacks = |input: &&Input, tag: &str| input.log.histogram(tag).is_none();
    let names = |inputs: Vec<&Input>| {
        inputs.into_iter().map(|input| input.name.as_str()).collect::<Vec<_>>().join(", ")
    };
    merged
        .tagged()
        .filter_map(|(tag, _)| {
            let (without, with): (Vec<&Input>, Vec<&Input>) =
                inputs.iter().partition(|input| lacks(input, tag));
            let tag =
                if tag.is_empty() { "a histogram without a tag".to_owned() } else { format!("`{tag}`") };
            (!without.is_empty())
                .then(|| format!("{tag} is only in {}, not in {}", names(with), names(without)))
        })
        .collect()
}
