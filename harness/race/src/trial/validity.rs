//! Whether a trial's figures count. Instrument and server are judged apart: a trial in which the instrument failed
//! is invalid and repeated; one in which the server failed to keep up is a result.

use stats::Quantile;

use crate::{
    plan::scenario::Placement,
    records::record::{Measured, StreamRecord, Verdict},
    trial::soundness::{self, Flow},
};

/// Other processes of the machine may take this part of the plan's CPUs.
pub const DISTURBED: f64 = 0.05;
/// A shared generator may use this much of one CPU (METHODOLOGY.md, "Placement", says why not less).
const SHARED_GENERATOR_BUSY: f64 = 0.15;
/// Judges a trial by its figures alone.
pub fn judge(measured: &Measured, placement: Placement) -> Verdict {
    let reasons: Vec<String> = measured
        .streams
        .iter()
        .flat_map(|stream| faults_of_stream(stream, measured.machine.as_ref().map(|machine| machine.stolen)))
        .chain(faults_of_surroundings(measured, placement))
        .collect();
    if !reasons.is_empty() {
        return Verdict::Invalid { reasons };
    }
    if let Some(reason) = wrong_answers(measured) {
        return Verdict::Failed { reason };
    }
    let saturated = measured.streams.iter().any(is_saturated);
    Verdict::Valid { saturated, generator_bound: is_generator_bound(measured) }
}

fn faults_of_stream(stream: &StreamRecord, stolen: Option<f64>) -> Vec<String> {
    let mut faults = Vec::new();
    let name = &stream.name;
    let us = |quantile: Quantile| quantile.ns() as f64 / 1000.0;
    if let (Some(lag), Some(response)) = (&stream.lag, &stream.response) {
        let (lag, allowed) = (us(lag.p99), soundness::allowed_lag_us(us(response.p99)));
        if lag > allowed {
            let steal = stolen.map_or_else(String::new, |stolen| {
                format!("; {:.1}% of the CPU time was stolen", 100.0 * stolen)
            });
            faults.push(format!(
                "{name}: the generator's own lag has p99 {lag:.0} us, and {allowed:.0} us are allowed{steal}"
            ));
        }
    }
    if !stream.accounts_agree {
        let StreamRecord { due, sent, unsent, .. } = stream;
        faults.push(format!("{name}: the accounts differ ({due} due, {sent} sent, {unsent} unsent)"));
    }
    if !soundness::littles_law_holds(stream.littles_law_difference) {
        let percent = 100.0 * stream.littles_law_difference;
        faults.push(format!("{name}: Little's law is off by {percent:.1}%"));
    }
    faults
}

fn faults_of_surroundings(measured: &Measured, placement: Placement) -> Vec<String> {
    let generator = &measured.generator;
    let mut faults = Vec::new();
    if soundness::is_starved(generator.starved) {
        let percent = 100.0 * generator.starved;
        faults.push(format!("the generator waited for a CPU for {percent:.1}% of the window"));
    }
    if let Some(others) =
        measured.machine.as_ref().map(|machine| machine.others).filter(|&others| others > DISTURBED)
    {
        let percent = 100.0 * others;
        faults.push(format!("other processes of this machine took {percent:.1}% of the CPUs"));
    }
    if placement == Placement::Shared && generator.busy > SHARED_GENERATOR_BUSY {
        let percent = 100.0 * generator.busy;
        faults.push(format!("the generator took {percent:.1}% of a CPU that it shares with the server"));
    }
    faults
}

/// A row with a wrong answer has no score.
fn wrong_answers(measured: &Measured) -> Option<String> {
    measured.streams.iter().find_map(|stream| {
        let wrong = *stream.errors.get("wrong_answer")?;
        let first = stream.first_wrong.as_deref().unwrap_or("its text was not kept");
        (wrong > 0).then(|| format!("{}: {wrong} wrong answers under load, the first: {first}", stream.name))
    })
}

fn is_saturated(stream: &StreamRecord) -> bool {
    let StreamRecord { due, right, unsent, censored, .. } = *stream;
    match stream.offered_per_second {
        Some(_) => !soundness::kept_up(Flow { due, answered: right, unsent, censored }),
        None => unsent > 0,
    }
}

fn is_generator_bound(measured: &Measured) -> bool {
    let server_busy = measured.machine.as_ref().map_or(1.0, |machine| machine.server_cpus_busy);
    !measured.generator.spins
        && soundness::is_busy(measured.generator.busy)
        && !soundness::is_busy(server_busy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{always, sound};

    fn verdict_of(change: impl FnOnce(&mut Measured), placement: Placement) -> Verdict {
        let mut measured = sound();
        change(&mut measured);
        judge(&measured, placement)
    }

    fn invalid(change: impl FnOnce(&mut Measured), placement: Placement, expected: &str) {
        match verdict_of(change, placement) {
            Verdict::Invalid { reasons } => {
                assert!(reasons.len() == 1 && reasons[0].contains(expected), "{reasons:?}");
            }
            other => panic!("{other:?}, not invalid because of {expected}"),
        }
    }

    #[test]
    fn a_sound_trial_is_valid_and_neither_saturated_nor_bound() {
        let expected = Verdict::Valid { saturated: false, generator_bound: false };
        assert_eq!(verdict_of(|_| {}, Placement::Shared), expected);
    }

    #[test]
    fn what_is_wrong_with_the_instrument_makes_a_trial_invalid() {
        let split = Placement::Split;
        invalid(|m| m.streams[0].lag = always(202), split, "own lag");
        invalid(|m| m.streams[0].accounts_agree = false, split, "accounts differ");
        invalid(|m| m.streams[0].littles_law_difference = 0.06, split, "Little's law");
        invalid(|m| m.generator.starved = 0.06, split, "waited for a CPU");
        invalid(|m| m.machine.as_mut().unwrap().others = 0.06, split, "other processes");
        invalid(|m| m.generator.busy = 0.16, Placement::Shared, "shares with the server");
    }

    #[test]
    fn lag_is_measured_against_the_tail_that_it_could_have_made() {
        let verdict = verdict_of(
            |m| {
                m.streams[0].lag = always(202);
                m.streams[0].response = always(4000);
            },
            Placement::Split,
        );
        assert!(matches!(verdict, Verdict::Valid { .. }), "{verdict:?}");
    }

    #[test]
    fn a_server_that_does_not_keep_up_is_a_result() {
        let saturated = Verdict::Valid { saturated: true, generator_bound: false };
        assert_eq!(verdict_of(|m| m.streams[0].right = 989, Placement::Split), saturated);
        assert_eq!(verdict_of(|m| m.streams[0].censored = 1, Placement::Split), saturated);
    }

    #[test]
    fn a_wrong_answer_costs_the_row_its_score() {
        let wrong = |m: &mut Measured| m.streams[0].errors = [("wrong_answer".to_owned(), 1)].into();
        let verdict = verdict_of(wrong, Placement::Split);
        assert!(matches!(verdict, Verdict::Failed { .. }), "{verdict:?}");
    }

    #[test]
    fn a_busy_generator_before_an_idle_server_is_the_bottleneck_unless_it_spins() {
        let busy = |spins| {
            verdict_of(
                |m| {
                    m.generator.busy = 0.99;
                    m.generator.spins = spins;
                },
                Placement::Split,
            )
        };
        assert_eq!(busy(false), Verdict::Valid { saturated: false, generator_bound: true });
        assert_eq!(busy(true), Verdict::Valid { saturated: false, generator_bound: false });
    }
}
