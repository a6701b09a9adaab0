//! What a report says of its rows' conformance: the score of each, and where rows deviate and why.

use race::records::conformance::{Conformance, RowConformance, Status};

/// What stands above the tables of a run that did not ask.
pub(crate) fn caveat(conformance: Option<&Conformance>) -> &'static str {
    match conformance {
        Some(Conformance::Unverified) => {
            "\n**The rows were not verified:** nobody asked whether they keep the contract (`--unverified`), and a row that \
             breaks it may be fast because of that.\n"
        }
        Some(Conformance::Verified { .. }) | None => "",
    }
}

/// The section, under a heading of so many `#`; empty where there is nothing to say.
pub(crate) fn section(level: &str, conformance: Option<&Conformance>) -> String {
    let Some(Conformance::Verified { rows }) = conformance else { return String::new() };
    if rows.is_empty() {
        return String::new();
    }
    let mut text = format!(
        "\n{level} Conformance\n\nCases of the suite that each row's very binary passes, of those that were judged \
         (METHODOLOGY.md, \"What verified means\").\n\n"
    );
    rows.iter().for_each(|row| text.push_str(&line(row)));
    text
}

fn line(row: &RowConformance) -> String {
    let RowConformance { row: name, tier, status, must, should, skipped, deviations, .. } = row;
    if *status == Status::NotVerified {
        return format!("- {name}: not verified, since rows of tier {tier} are not held to the contract\n");
    }
    if must.all + should.all == 0 {
        return format!("- {name}: could not be verified\n");
    }
    let skipped = if *skipped > 0 { format!(", {skipped} not judged") } else { String::new() };
    let broken = if *status == Status::Broken { "; **not raced, because it does not hold**" } else { "" };
    let mut text = format!("- {name}: MUST {must}, SHOULD {should}{skipped}{broken}\n");
    for deviation in deviations {
        text.push_str(&format!("  - deviates, {}: {}\n", deviation.why, deviation.cases_in_short()));
    }
    text
}
