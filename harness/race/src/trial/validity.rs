//! Whether a trial's figures count. Instrument and server are judged apart: a trial in which the instrument failed
//! is invalid and repeated; one in which the server failed to keep up is a result.
//!
//! Nothing that depends on what a row did decides: neither how fast it answered, nor how late the generator sent beside that,
//! nor what the generator needed of a CPU that it shares with the row. Otherwise the fast rows would be thrown out, since any
//! lateness is a large part of a short tail. Lateness is measured and printed.

use load::CLOCK_STEP_ALLOWED_NS;

use crate::{
    plan::scenario::Placement,
    records::record::{Measured, StreamRecord, Verdict},
    trial::soundness,
};

/// Other processes of the machine may take this part of the plan's CPUs.
pub const DISTURBED: f64 = 0.05;
/// Judges a trial by its figures alone.
pub fn judge(measured: &Measured, placement: Placement) -> Verdict {
    let reasons: Vec<String> = measured
        .streams
        .iter()
        .flat_map(faults_of_stream)
        .chain(faults_of_surroundings(measured, placement))
        .collect();
    if !reasons.is_empty() {
        return Verdict::Invalid { reasons };
    }
    if let Some(reason) = wrong_answers(measured) {
        return Verdict::Failed { reason };
    }
    Verdict::Valid { generator_bound: is_generator_bound(measured) }
}

fn faults_of_stream(stream: &StreamRecord) -> Vec<String> {
    let mut faults = Vec::new();
    let name = &stream.name;
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
    if let Some(step) = measured.clock_step_ns.filter(|step| step.unsigned_abs() > CLOCK_STEP_ALLOWED_NS) {
        faults.push(format!("the clock of the kernel's stamps was set by {step} ns"));
    }
    // On shared CPUs it waits for the server, and how long depends on the row.
    if placement == Placement::Split && soundness::is_starved(generator.starved) {
        let percent = 100.0 * generator.starved;
        faults.push(format!("the generator waited for a CPU for {percent:.1}% of the window"));
    }
    if let Some(others) =
        measured.machine.as_ref().map(|machine| machine.others).filter(|&others| others > DISTURBED)
    {
        let percent = 100.0 * others;
        faults.push(format!("other processes of this machine took {percent:.1}% of the CPUs"));
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
    fn a_sound_trial_is_valid_and_not_bound() {
        let expected = Verdict::Valid { generator_bound: false };
        assert_eq!(verdict_of(|_| {}, Placement::Shared), expected);
    }

    #[test]
    fn what_is_wrong_with_the_instrument_makes_a_trial_invalid() {
        let split = Placement::Split;
        invalid(|m| m.streams[0].accounts_agree = false, split, "accounts differ");
        invalid(|m| m.streams[0].littles_law_difference = 0.06, split, "Little's law");
        invalid(|m| m.generator.starved = 0.06, split, "waited for a CPU");
        invalid(|m| m.clock_step_ns = Some(-2_000), split, "was set by -2000 ns");
        invalid(|m| m.machine.as_mut().unwrap().others = 0.06, split, "other processes");
    }

    #[test]
    fn nothing_that_depends_on_the_row_decides_whether_it_counts() {
        let late_beside_a_short_tail = |m: &mut Measured| {
            m.streams[0].lag = always(5_000);
            m.streams[0].response = always(100);
        };
        for placement in [Placement::Split, Placement::Shared] {
            let verdict = verdict_of(late_beside_a_short_tail, placement);
            assert!(matches!(verdict, Verdict::Valid { .. }), "{verdict:?}");
        }
        let busy_and_waiting = |m: &mut Measured| (m.generator.busy, m.generator.starved) = (0.5, 0.5);
        let verdict = verdict_of(busy_and_waiting, Placement::Shared);
        assert!(matches!(verdict, Verdict::Valid { .. }), "{verdict:?}");
    }

    #[test]
    fn a_server_that_does_not_keep_up_is_a_result() {
        // How much of a load a row carries is concluded from all its trials, and makes none of them invalid.
        let overloaded =
            |m: &mut Measured| (m.streams[0].right, m.streams[0].achieved_per_second) = (130, 130.0);
        assert_eq!(verdict_of(overloaded, Placement::Split), Verdict::Valid { generator_bound: false });
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
        assert_eq!(busy(false), Verdict::Valid { generator_bound: true });
        assert_eq!(busy(true), Verdict::Valid { generator_bound: false });
    }
}
