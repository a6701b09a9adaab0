//! What was due and never sent, when the run is over: it stays in the distribution, at the age that it has reached.
//!
//! Its due times are drawn once more, one by one, unless that would keep a person waiting. Where they are too many for that, the
//! slices tell how many were due when: ages are then known to a hundredth of a slice.

use crate::{outcome::StreamOutcome, schedule::Schedule, window::Window};

/// So many are drawn once more: that takes some 50 ms at most.
const MOST_DRAWN_AGAIN: u64 = 1_000_000;

/// Into how many instants the requests of one slice are put together.
const INSTANTS: u64 = 100;

/// Gives up what waits in `schedule`. Returns the sum of the parts of its sojourn times that lie in the window, in nanoseconds.
pub(crate) fn give_up(
    schedule: &mut Schedule,
    window: &Window,
    record: &mut StreamOutcome,
    now_ns: u64,
) -> u128 {
    if schedule.queued() > MOST_DRAWN_AGAIN {
        return give_up_by_slices(schedule.queued(), window, record, now_ns);
    }
    let mut sojourn_ns = 0;
    while let Some(due_ns) = schedule.take() {
        sojourn_ns += u128::from(window.overlap_ns(due_ns, now_ns));
        if window.contains(due_ns) {
            record.counts.unsent_at_end += 1;
            record.unanswered.record_ns(now_ns.saturating_sub(due_ns));
        }
    }
    sojourn_ns
}

/// What is sent is sent in the order of due times, so that the last `queued` were not.
fn give_up_by_slices(queued: u64, window: &Window, record: &mut StreamOutcome, now_ns: u64) -> u128 {
    let mut sojourn_ns = 0;
    let mut before_window = queued;
    for (from_ns, to_ns, count) in record.slices.last_due(queued) {
        before_window -= count;
        let instants = count.min(INSTANTS);
        for instant in 0..instants {
            // In the middle of its part of the slice.
            let since_ns =
                u128::from(to_ns - from_ns) * u128::from(2 * instant + 1) / u128::from(2 * instants);
            let due_ns = from_ns + u64::try_from(since_ns).unwrap_or(u64::MAX);
            let here = count / instants + u64::from(instant < count % instants);
            sojourn_ns += u128::from(here) * u128::from(window.overlap_ns(due_ns, now_ns));
            record.counts.unsent_at_end += here;
            record.unanswered.record_n_ns(now_ns.saturating_sub(due_ns), here);
        }
    }
    sojourn_ns + u128::from(before_window) * u128::from(window.overlap_ns(window.opens_ns, now_ns))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clocked::{ReadBecause, ReceivedBy},
        pacing::{Arrivals, Pacing},
        share::Share,
        slices::Slices,
    };

    const MS: u64 = 1_000_000;

    /// What is left unsent at `now_ns` of a schedule of which `sent` were, given up either way.
    fn given_up(window: Window, sent: u64, now_ns: u64, by_slices: bool) -> (u128, StreamOutcome) {
        let pacing = Pacing::Poisson { per_second: 500_000.0.into() };
        let arrivals = Arrivals::new(pacing, 3, 0, Share::WHOLE).expect("an open loop");
        let mut schedule = Schedule::new(arrivals, window.closes_ns, u64::MAX);
        let received_by = ReceivedBy::Read(ReadBecause::NotAsked);
        let mut record = StreamOutcome::new("s".to_owned(), pacing, received_by);
        record.slices = Slices::new(window.opens_ns, window.length_ns());
        while let Some(due_ns) = schedule.count_due(now_ns) {
            record.slices.due(due_ns);
        }
        (0..sent).for_each(|_| assert!(schedule.take().is_some()));
        let sojourn_ns = if by_slices {
            give_up_by_slices(schedule.queued(), &window, &mut record, now_ns)
        } else {
            give_up(&mut schedule, &window, &mut record, now_ns)
        };
        (sojourn_ns, record)
    }

    #[test]
    fn slices_tell_nearly_what_single_due_times_do() {
        let window = Window { opens_ns: 100 * MS, closes_ns: 700 * MS };
        // Some of the warm-up's are among them, all of the window's, and some of the window's.
        for sent in [10_000, 50_000, 123_456] {
            let (exact_ns, exact) = given_up(window, sent, 900 * MS, false);
            let (nearly_ns, nearly) = given_up(window, sent, 900 * MS, true);
            assert_eq!(exact.counts, nearly.counts);
            assert_eq!(exact.unanswered.len(), nearly.unanswered.len());
            assert!((nearly_ns as f64 / exact_ns as f64 - 1.0).abs() < 1e-4, "{nearly_ns}, not {exact_ns}");
            for q in [0.0, 0.01, 0.5, 0.99, 1.0] {
                let age = |outcome: &StreamOutcome| outcome.unanswered.quantile_ns(q).expect("many");
                assert!(age(&exact).abs_diff(age(&nearly)) < MS / 2, "{q}: {} {}", age(&exact), age(&nearly));
            }
        }
    }
}
