//! How figures and streams are called in sentences and headings.

use race::plan::scenario::{Metric, Scenario};

/// The figure by which the scenario compares rows, with its stream where there is more than one.
pub(crate) fn ranked_figure(scenario: &Scenario) -> String {
    let of = if scenario.streams.len() > 1 { format!("{} ", scenario.rank.stream) } else { String::new() };
    match scenario.rank.by {
        Metric::Throughput => format!("{of}requests/s"),
        Metric::IdleMemory => "bytes an idle connection".to_owned(),
        Metric::P95 => format!("{of}p95"),
        Metric::P99 => format!("{of}p99"),
    }
}

/// Names in a sentence: `a, b and c`.
pub(crate) fn listed<S: AsRef<str>>(names: &[S], last: &str) -> String {
    match names {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [others @ .., end] => {
            let others: Vec<&str> = others.iter().map(AsRef::as_ref).collect();
            format!("{} {last} {}", others.join(", "), end.as_ref())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_as_in_a_sentence() {
        assert_eq!(listed::<&str>(&[], "and"), "");
        assert_eq!(listed(&["a"], "and"), "a");
        assert_eq!(listed(&["a", "b", "c"], "or"), "a, b or c");
    }
}
