//! Whether a window's figures count, as far as the window itself tells. Instrument and server are judged apart: where the instrument
//! failed the window is invalid and repeated; what the server failed at is a result.
//!
//! Nothing that depends on what a row did decides: neither how fast it answered, nor how late the generator sent beside that,
//! nor what the generator needed of a CPU that it shares with the row. Otherwise the fast rows would be thrown out, since any
//! lateness is a large part of a short tail. Lateness is measured and printed. What others did to the machine is the
//! [gate](stats::gate)'s business, which sees no figure of the row. It is asked before a row is blamed for silence: a host that stood
//! still for a whole window silences whoever is measured in it.

use crate::{
    measure::soundness,
    records::window::{Measured, StreamRecord, Verdict},
};

/// Judges a window by its figures, and by what the gate says of it: whether others disturbed it.
pub fn judge(measured: &Measured, disturbed: bool) -> Verdict {
    let reasons: Vec<String> = measured.streams.iter().flat_map(faults_of_stream).collect();
    if !reasons.is_empty() {
        return Verdict::Invalid { reasons };
    }
    if let Some(reason) = wrong_answers(measured) {
        return Verdict::Failed { reason };
    }
    if let Some(silence) = silence(measured) {
        return if disturbed {
            Verdict::Invalid { reasons: vec![format!("{silence}, and others disturbed it")] }
        } else {
            Verdict::Failed { reason: silence }
        };
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
    faults.extend(out_of_ports(stream));
    faults
}

/// What this side had none of left to connect with. It says nothing of the server.
fn out_of_ports(stream: &StreamRecord) -> Option<String> {
    let lacked =
        |&(name, _): &(&String, &u64)| ["EADDRNOTAVAIL", "EMFILE", "ENFILE"].contains(&name.as_str());
    let (lacked, count) = stream.causes.values().flatten().find(lacked)?;
    let what = if lacked == "EADDRNOTAVAIL" { "local ports" } else { "descriptors" };
    Some(format!("{}: the generator had no {what} left ({lacked} {count})", stream.name))
}

/// A row with a wrong answer has no score.
fn wrong_answers(measured: &Measured) -> Option<String> {
    measured.streams.iter().find_map(|stream| {
        let wrong = *stream.errors.get("wrong_answer")?;
        let first = stream.first_wrong.as_deref().unwrap_or("its text was not kept");
        (wrong > 0).then(|| format!("{}: {wrong} wrong answers under load, the first: {first}", stream.name))
    })
}

/// What is said of a window in which a stream had no answer at all: its figures would be of nothing.
pub fn silence(measured: &Measured) -> Option<String> {
    let silent =
        |stream: &&StreamRecord| stream.due > 0 && stream.right == 0 && stream.answered_in_window == 0;
    let stream = measured.streams.iter().find(silent)?;
    let causes = stream.causes.values().flatten().map(|(name, count)| format!("{name} {count}"));
    let causes = causes.collect::<Vec<_>>().join(", ");
    let said = if causes.is_empty() { causes } else { format!(" ({causes})") };
    Some(format!("{}: no right answer to any of {} requests{said}", stream.name, stream.due))
}

fn is_generator_bound(measured: &Measured) -> bool {
    !measured.generator.spins
        && soundness::is_busy(measured.generator.busy)
        && !soundness::is_busy(measured.accounts.busy_share())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{always, digest_of, sound};

    fn verdict_of(change: impl FnOnce(&mut Measured)) -> Verdict {
        let mut measured = sound();
        change(&mut measured);
        judge(&measured, false)
    }

    fn invalid(change: impl FnOnce(&mut Measured), expected: &str) {
        match verdict_of(change) {
            Verdict::Invalid { reasons } => {
                assert!(reasons.len() == 1 && reasons[0].contains(expected), "{reasons:?}");
            }
            other => panic!("{other:?}, not invalid because of {expected}"),
        }
    }

    #[test]
    fn a_sound_window_is_valid_and_not_bound() {
        assert_eq!(verdict_of(|_| {}), Verdict::Valid { generator_bound: false });
    }

    #[test]
    fn what_is_wrong_with_the_instrument_makes_a_window_invalid() {
        invalid(|m| m.streams[0].accounts_agree = false, "accounts differ");
        invalid(|m| m.streams[0].littles_law_difference = 0.06, "Little's law");
        let without_ports = |m: &mut Measured| {
            let lacked = [("EADDRNOTAVAIL".to_owned(), 3)].into();
            m.streams[0].causes = [("connect".to_owned(), lacked)].into();
        };
        invalid(without_ports, "had no local ports left (EADDRNOTAVAIL 3)");
    }

    #[test]
    fn nothing_that_depends_on_the_row_decides_whether_it_counts() {
        let late_beside_a_short_tail = |m: &mut Measured| {
            m.streams[0].lag = digest_of(5_000);
            m.streams[0].response = always(100);
        };
        let busy_and_waiting =
            |m: &mut Measured| (m.generator.busy, m.accounts.generator.run_delay_s) = (0.5, 0.5);
        // How much of a load a row carries is concluded from all its windows, and makes none of them invalid.
        let overloaded =
            |m: &mut Measured| (m.streams[0].right, m.streams[0].answered_in_window) = (130, 130);
        for verdict in
            [verdict_of(late_beside_a_short_tail), verdict_of(busy_and_waiting), verdict_of(overloaded)]
        {
            assert_eq!(verdict, Verdict::Valid { generator_bound: false });
        }
    }

    #[test]
    fn a_wrong_answer_costs_the_row_its_score() {
        let verdict = verdict_of(|m| m.streams[0].errors = [("wrong_answer".to_owned(), 1)].into());
        assert!(matches!(verdict, Verdict::Failed { .. }), "{verdict:?}");
    }

    #[test]
    fn a_window_without_any_answer_has_no_figures() {
        let silent = |m: &mut Measured| {
            (m.streams[0].right, m.streams[0].answered_in_window) = (0, 0);
            let refused = [("ECONNREFUSED".to_owned(), 3)].into();
            m.streams[0].causes = [("connect".to_owned(), refused)].into();
        };
        let Verdict::Failed { reason } = verdict_of(silent) else { panic!("it has no figures") };
        assert!(reason.ends_with(" requests (ECONNREFUSED 3)"), "{reason}");
    }

    #[test]
    fn a_row_is_not_blamed_for_its_silence_while_others_disturbed_it_but_for_a_wrong_answer_it_is() {
        let mut measured = sound();
        (measured.streams[0].right, measured.streams[0].answered_in_window) = (0, 0);
        assert!(matches!(judge(&measured, true), Verdict::Invalid { .. }));
        measured.streams[0].errors = [("wrong_answer".to_owned(), 1)].into();
        assert!(matches!(judge(&measured, true), Verdict::Failed { .. }));
    }

    #[test]
    fn a_busy_generator_before_an_idle_server_is_the_bottleneck_unless_it_spins() {
        let busy = |spins| verdict_of(|m| (m.generator.busy, m.generator.spins) = (0.99, spins));
        assert_eq!(busy(false), Verdict::Valid { generator_bound: true });
        assert_eq!(busy(true), Verdict::Valid { generator_bound: false });
    }
}
