//! What a row does not pass, as tables for a file of deviations: a person fills in why.

use std::{collections::BTreeMap, fmt::Write as _};

use conformance::{Level, Verdict};

use super::{gate::Verified, judgement::shown_source, play::PlayedCase};

/// The failing cases of all rows, those of one source together. They are refused as they are: each lacks its reason.
pub fn tables(verified: &Verified) -> String {
    let mut text = String::new();
    for row in &verified.rows {
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "# What {} does not pass, by what requires it: write why, and join what has one reason.",
            row.row
        );
        if let Some(error) = &row.error {
            let _ = writeln!(text, "# The suite could not be played: {}", error.replace('\n', " "));
        }
        text.push_str(&tables_of(&row.cases));
    }
    text
}

fn tables_of(cases: &[PlayedCase]) -> String {
    let fails =
        |case: &&PlayedCase| case.level > Level::May && matches!(case.verdict, Verdict::Fail | Verdict::Warn);
    let mut by_source: BTreeMap<&str, Vec<&PlayedCase>> = BTreeMap::new();
    for case in cases.iter().filter(fails) {
        by_source.entry(&case.source).or_default().push(case);
    }
    let mut text = String::new();
    for (source, cases) in by_source {
        let (desyncs, listed): (Vec<&PlayedCase>, _) = cases.into_iter().partition(|case| case.is_desync());
        for case in desyncs {
            let _ = writeln!(text, "\n# No list excuses this: {}: {}", case.name, one_line(&case.detail));
        }
        if listed.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n# {}\n[[deviations]]\nwhy = \"\"\ncases = [", shown_source(source));
        for case in listed {
            let level = case.level.to_string().to_uppercase();
            let name = toml::Value::from(case.name.as_str());
            let _ = writeln!(text, "    {name}, # {level}: {}", one_line(&case.detail));
        }
        text.push_str("]\n");
    }
    text
}

fn one_line(detail: &str) -> String {
    detail.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::registry::Deviation;

    #[test]
    fn what_is_printed_is_a_file_of_deviations_but_for_the_reasons() {
        let case = |name: &str, level, source: &str, verdict, detail: &str| PlayedCase {
            name: name.to_owned(),
            level,
            source: source.to_owned(),
            verdict,
            detail: detail.to_owned(),
            said: String::new(),
        };
        let cases = [
            case("a \"quoted\" one", Level::Must, "9112 6", Verdict::Fail, "status is 200\nnot 400"),
            case("b", Level::Should, "contract", Verdict::Warn, "odd"),
            case("c", Level::Must, "9112 6", Verdict::Warn, "odd"),
            case("passes", Level::Must, "9112 6", Verdict::Pass, ""),
            case("may", Level::May, "9112 6", Verdict::Fail, "odd"),
            case(
                "worst",
                Level::Must,
                "9112 6",
                Verdict::Fail,
                &format!("{}: two answers", conformance::DESYNC),
            ),
        ];
        #[derive(Deserialize)]
        struct File {
            deviations: Vec<Deviation>,
        }
        let text = tables_of(&cases);
        let File { deviations } = toml::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let listed: Vec<Vec<&str>> =
            deviations.iter().map(|one| one.cases.iter().map(String::as_str).collect()).collect();
        assert_eq!(listed, [vec!["a \"quoted\" one", "c"], vec!["b"]], "{text}");
        assert!(deviations.iter().all(|one| one.why.is_empty()));
        assert!(text.contains("# No list excuses this: worst"), "{text}");
    }
}
