//! Recorded races, which hold the comparison to known answers without a measurement: of a row and itself, each of the ways in which
//! they could have come out.

use report::compared::Figure;
use stats::{
    itself::{AgainstItself, Verdict},
    rounds::{Bound, StartRatio},
    sign_flips::SignFlips,
};

use super::{
    field::{Entrant, FIGURES},
    record::{Finding, Found},
};

/// What `selftest --comparison --export-json` wrote; `made_by` says when and where.
fn recorded() -> Found {
    serde_json::from_str(include_str!("recorded.json")).unwrap()
}

/// The log ratios of all races' starts of a row and itself.
fn against_itself(found: &Found, figure: &str) -> Vec<f64> {
    let races = found.races.iter().filter_map(|race| race.entrant(Entrant::Again)?.figure(figure));
    races.flat_map(super::record::Compared::logs).collect()
}

fn starts(logs: &[f64]) -> Vec<StartRatio> {
    let start = |&log| StartRatio { log_ratio: Some(log), pairs: 4, rounds: 4, bound: Bound::Exact };
    logs.iter().map(start).collect()
}

#[test]
fn a_recorded_row_against_itself_differs_in_one_of_twenty_sign_flips() {
    let found = recorded();
    for figure in FIGURES.map(Figure::name) {
        let logs = against_itself(&found, &figure);
        assert!(logs.len() >= 14, "{figure}: {} starts", logs.len());
        let flips = SignFlips::of(&logs, 0.05).unwrap();
        // Of so many starts the share is 4.2 to 5.3% where log ratios are normal, and less where they have a heavy tail: Student's t is
        // cautious then. More would be a comparison that finds what is not there.
        let share = flips.share_found();
        assert!((0.02..0.056).contains(&share), "{figure}: {share}");
    }
}

#[test]
fn three_percent_on_top_of_a_recorded_row_against_itself_are_found() {
    let found = recorded();
    for figure in ["CPU a request", "p50"] {
        let logs = against_itself(&found, figure);
        let shifted: Vec<f64> = logs.iter().map(|log| log + 1.03_f64.ln()).collect();
        let verdict = AgainstItself::of(&starts(&shifted)).map(|itself| itself.verdict);
        assert_eq!(verdict, Some(Verdict::Found), "{figure}");
        // Nothing but the shift: none of the ways in which the noise alone could have come out is as far from 1.
        let flips = SignFlips::of(&shifted, 0.05).unwrap();
        assert!(flips.p_value() < 0.001, "{figure}: {}", flips.p_value());
    }
}

#[test]
fn what_was_found_of_recorded_ratios_is_found_today() {
    for race in recorded().races {
        for against in race.entrants {
            for compared in against.figures {
                let ratio = |&log_ratio| StartRatio { log_ratio, pairs: 4, rounds: 4, bound: Bound::Exact };
                let starts: Vec<StartRatio> = compared.log_ratios.iter().map(ratio).collect();
                let (entrant, figure) = (against.entrant, &compared.figure);
                assert_eq!(Finding::of(&starts), compared.finding, "{entrant:?}, {figure}");
            }
        }
    }
}
