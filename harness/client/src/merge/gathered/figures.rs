//! What a whole load's result takes from the figures of its parts: how much each made, and what each found wrong with itself.
//!
//! Whether a generator kept up, sent in time and had its answers stamped is a question of its own host: it is asked there, part by part,
//! and said here with the name of that host.

use serde::Deserialize;

use super::read::Part;

/// What is read of a part's figures.
#[derive(Debug, Deserialize)]
pub(super) struct Figures {
    pub(super) streams: Vec<StreamFigures>,
    self_checks: Vec<Check>,
}

/// The same of one kind of request.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct StreamFigures {
    pub(super) name: String,
    pub(super) offered_per_second: f64,
    pub(super) requests_per_second: f64,
    clocked: Clocked,
    self_checks: Vec<Check>,
}

/// By what answers were timed.
#[derive(Clone, Debug, Deserialize)]
struct Clocked {
    by_stamp: u64,
    by_read: u64,
}

/// What a part asked of itself.
#[derive(Clone, Debug, Deserialize)]
struct Check {
    passed: bool,
    finding: String,
    advice: Option<String>,
}

/// The figures of a part.
pub(super) fn of(part: &Part) -> serde_json::Result<Figures> {
    Figures::deserialize(&part.record.report)
}

/// What parts found wrong, each as a sentence with the part and its host; and in what their clocks are not alike.
pub(super) fn doubts(parts: &[Part], all: &[Figures]) -> Vec<String> {
    let mut doubts = Vec::new();
    for (part, figures) in parts.iter().zip(all) {
        let whose = format!("part {} on {}", part.record.part, part.record.host.name);
        if !part.record.is_good {
            doubts.push(format!(
                "{whose} ended with exit code 1, and the sum is not what was asked for: see what it said"
            ));
        }
        let streams = figures.streams.iter().flat_map(|stream| {
            let of = if figures.streams.len() > 1 { format!(", {}", stream.name) } else { String::new() };
            stream.self_checks.iter().map(move |check| (of.clone(), check))
        });
        let all = figures.self_checks.iter().map(|check| (String::new(), check)).chain(streams);
        for (of, check) in all.filter(|(_, check)| !check.passed) {
            let advice = check.advice.as_ref().map_or_else(String::new, |advice| format!("; {advice}"));
            doubts.push(format!("{whose}{of}: {}{advice}", check.finding));
        }
    }
    doubts.extend(timed_otherwise(parts, all));
    doubts.extend(built_otherwise(parts));
    doubts
}

/// Parts whose answers were mostly timed when they were read, beside others whose kernel stamped them.
fn timed_otherwise(parts: &[Part], all: &[Figures]) -> Option<String> {
    let is_stamped = |figures: &Figures| {
        let sum = |count: fn(&Clocked) -> u64| {
            figures.streams.iter().map(|stream| count(&stream.clocked)).sum::<u64>()
        };
        sum(|clocked| clocked.by_stamp) >= sum(|clocked| clocked.by_read)
    };
    let named = |stamped: bool| {
        let of = parts.iter().zip(all).filter(|(_, figures)| is_stamped(figures) == stamped);
        let named: Vec<String> =
            of.map(|(part, _)| format!("part {} on {}", part.record.part, part.record.host.name)).collect();
        (!named.is_empty()).then(|| named.join(", "))
    };
    let (stamped, read) = (named(true)?, named(false)?);
    Some(format!(
        "answers were timed when they were read by {read}, and by stamps of the kernel by {stamped}: the first are longer by what the \
         generator took to read them"
    ))
}

/// Parts whose program is not that of the first.
fn built_otherwise(parts: &[Part]) -> Option<String> {
    let first = parts.first()?;
    let of = |part: &Part| part.record.program_sha256.clone();
    let other = parts.iter().find(|part| of(part) != of(first))?;
    let named = |part: &Part| format!("part {} on {}", part.record.part, part.record.host.name);
    Some(format!(
        "{} is another build of the harness than {}: build all from one revision, with one compiler, unless their processors differ",
        named(other),
        named(first)
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use stats::hdr_log::HdrLog;

    use super::*;
    use crate::{clock::HostId, gather::records::PartRecord};

    fn part(number: u32, by_stamp: u64, lag_passed: bool) -> Part {
        let stream = |name: &str| {
            json!({
                "name": name, "offered_per_second": 1.0, "requests_per_second": 1.0,
                "clocked": { "by_stamp": by_stamp, "by_read": 10 - by_stamp },
                "self_checks": [{ "passed": lag_passed, "finding": "it was late", "advice": "give it a CPU" }],
            })
        };
        let busy = json!({ "passed": number != 0, "finding": "it was busy" });
        let record = PartRecord {
            schema: 1,
            token: String::new(),
            plan_sha256: String::new(),
            part: number,
            parts: 2,
            host: HostId { name: format!("node{number}"), boot: String::new() },
            program_sha256: Some(if number < 2 { "a" } else { "b" }.to_owned()),
            clock: None,
            opened_s: 0.0,
            window_s: 1.0,
            is_good: number != 3,
            log_sha256: String::new(),
            report: json!({ "streams": [stream("/a"), stream("/b")], "self_checks": [busy] }),
        };
        Part { record, log: HdrLog::new(None) }
    }

    fn said(parts: &[Part]) -> Vec<String> {
        let all: Vec<Figures> = parts.iter().map(|part| of(part).unwrap()).collect();
        doubts(parts, &all)
    }

    #[test]
    fn what_a_generator_found_wrong_with_itself_is_said_with_its_host() {
        assert_eq!(
            said(&[part(0, 10, true), part(1, 10, false)]),
            [
                "part 0 on node0: it was busy",
                "part 1 on node1, /a: it was late; give it a CPU",
                "part 1 on node1, /b: it was late; give it a CPU",
            ]
        );
    }

    #[test]
    fn a_part_that_has_figures_and_did_not_end_well_is_named() {
        assert_eq!(
            said(&[part(2, 10, true), part(3, 10, true)]),
            [
                "part 3 on node3 ended with exit code 1, and the sum is not what was asked for: see what it said"
            ]
        );
    }

    #[test]
    fn another_build_of_the_harness_is_said() {
        let said = said(&[part(1, 9, true), part(2, 9, true)]);
        assert_eq!(said.len(), 1);
        assert!(
            said[0].starts_with("part 2 on node2 is another build of the harness than part 1 on node1: "),
            "{said:?}"
        );
    }

    #[test]
    fn stamps_on_some_hosts_alone_are_said() {
        let said = said(&[part(1, 9, true), part(2, 0, true)]);
        assert_eq!(said.len(), 2);
        assert!(
            said[0].starts_with("answers were timed when they were read by part 2 on node2, and by stamps of the kernel by part 1 on"),
            "{said:?}"
        );
    }
}
