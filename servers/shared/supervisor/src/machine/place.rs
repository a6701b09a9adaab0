//! One place: the processes in it, when it is to be filled, and the crashes that it has seen.

use std::{collections::VecDeque, time::Duration};

use super::words::{BACK_OFF_MAX, BACK_OFF_MIN, Life, Moment, Policy, SOUND_AFTER, UNSERVED};

/// A worker process, from its start until it was reaped.
#[derive(Clone, Debug)]
pub(crate) struct Worker {
    pub(crate) life: Life,
    pub(crate) stage: Stage,
    /// The places besides its own that it was told to serve.
    pub(crate) serves: Vec<usize>,
}

/// How far a worker is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Not ready yet.
    Starting { until: Moment },
    /// It serves its place.
    Ready { since: Moment, answer_by: Option<Moment>, next_ping: Option<Moment> },
    /// It was told to end.
    Draining { until: Moment },
    /// It was killed and not reaped yet. `fault` is there if that was for its own fault: which, and for how long it had served.
    Killed { until: Moment, fault: Option<(String, Duration)> },
}

impl Worker {
    pub(crate) fn is_ready(&self) -> bool {
        matches!(self.stage, Stage::Ready { .. })
    }

    pub(crate) fn is_starting(&self) -> bool {
        matches!(self.stage, Stage::Starting { .. })
    }

    /// By when the next thing must have happened to it.
    pub(crate) fn deadline(&self) -> Option<Moment> {
        match self.stage {
            Stage::Starting { until } | Stage::Draining { until } | Stage::Killed { until, .. } => {
                Some(until)
            }
            Stage::Ready { answer_by, next_ping, .. } => answer_by.into_iter().chain(next_ping).min(),
        }
    }
}

/// What becomes of a place in which nobody serves or starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Vacancy {
    /// It is filled then, or as soon as a side is free.
    Due(Moment),
    /// Its crash budget is spent, and what the last one died of.
    Failed(String),
}

/// One place, whoever is in it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The two sides. Both are taken only while one replaces the other.
    pub(crate) sides: [Option<Worker>; 2],
    /// Whether there is to be such a place. One that is no longer wanted keeps its number, since it keeps its listener.
    pub(crate) wanted: bool,
    /// Counts for as long as nobody serves or starts.
    pub(crate) vacancy: Vacancy,
    /// Since when nobody serves it.
    pub(crate) unserved_since: Option<Moment>,
    /// Whether others serve it meanwhile.
    pub(crate) lent: bool,
    /// The last crashes.
    crashes: VecDeque<Moment>,
    /// Crashes in a row of workers that had not shown that they are sound.
    in_a_row: u32,
    /// How the last one ended that was not told to.
    pub(crate) last_end: Option<String>,
}

impl Place {
    /// An empty place that is to be filled at once.
    pub(crate) fn new(now: Moment) -> Self {
        Self {
            sides: [None, None],
            wanted: true,
            vacancy: Vacancy::Due(now),
            unserved_since: Some(now),
            lent: false,
            crashes: VecDeque::new(),
            in_a_row: 0,
            last_end: None,
        }
    }

    pub(crate) fn workers(&self) -> impl Iterator<Item = &Worker> {
        self.sides.iter().flatten()
    }

    pub(crate) fn workers_mut(&mut self) -> impl Iterator<Item = &mut Worker> {
        self.sides.iter_mut().flatten()
    }

    /// Who serves it.
    pub(crate) fn ready(&self) -> Option<&Worker> {
        self.workers().find(|worker| worker.is_ready())
    }

    /// Whether somebody serves it, or is about to.
    pub(crate) fn is_taken(&self) -> bool {
        self.workers().any(|worker| worker.is_ready() || worker.is_starting())
    }

    pub(crate) fn free_side(&self) -> Option<usize> {
        self.sides.iter().position(Option::is_none)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sides.iter().all(Option::is_none)
    }

    /// Whether nobody will come to it by himself.
    pub(crate) fn has_failed(&self) -> bool {
        self.wanted && !self.is_taken() && !self.awaits_an_end() && matches!(self.vacancy, Vacancy::Failed(_))
    }

    /// Whether a worker was killed whose end will decide when it is replaced.
    pub(crate) fn awaits_an_end(&self) -> bool {
        self.workers().any(|worker| matches!(worker.stage, Stage::Killed { fault: Some(_), .. }))
    }

    /// When it is to be filled, if it waits for that.
    pub(crate) fn due(&self) -> Option<Moment> {
        match self.vacancy {
            Vacancy::Due(at) if self.wanted && !self.is_taken() && !self.awaits_an_end() => Some(at),
            _ => None,
        }
    }

    /// When others are to serve it, if they do not yet: at once, if it is known now that its own worker comes later.
    pub(crate) fn lend_at(&self) -> Option<Moment> {
        let since = self.unserved_since.filter(|_| !self.lent)?;
        let patience = since + UNSERVED;
        match self.vacancy {
            _ if !self.wanted => Some(since),
            _ if self.is_taken() => Some(patience),
            Vacancy::Failed(_) => Some(since),
            Vacancy::Due(at) if at > patience => Some(since),
            Vacancy::Due(_) => Some(patience),
        }
    }

    /// Forgets what its workers have died of: somebody wants it tried anew.
    pub(crate) fn forgive(&mut self, now: Moment) {
        self.crashes.clear();
        self.in_a_row = 0;
        if matches!(self.vacancy, Vacancy::Failed(_)) {
            self.vacancy = Vacancy::Due(now);
        }
    }

    /// Counts a crash of a worker that had `served` for so long, and decides on the replacement. `chance` is from 0 to 1.
    pub(crate) fn crashed(&mut self, now: Moment, served: Duration, how: &str, policy: &Policy, chance: f64) {
        self.last_end = Some(how.to_owned());
        while self.crashes.front().is_some_and(|&at| at + policy.crash_window < now) {
            self.crashes.pop_front();
        }
        self.crashes.push_back(now);
        if served >= SOUND_AFTER {
            self.in_a_row = 0;
        }
        self.vacancy = if self.crashes.len() >= policy.max_crashes {
            Vacancy::Failed(how.to_owned())
        } else {
            Vacancy::Due(now + back_off(self.in_a_row, chance))
        };
        self.in_a_row = self.in_a_row.saturating_add(1);
    }

    /// Nobody could be started. How long to wait for the next try.
    pub(crate) fn not_started(&mut self, now: Moment, how: &str, chance: f64) -> Duration {
        self.last_end = Some(how.to_owned());
        self.in_a_row = self.in_a_row.saturating_add(1);
        let wait = back_off(self.in_a_row, chance);
        self.vacancy = Vacancy::Due(now + wait);
        wait
    }
}

/// How long to wait before the replacement, after so many crashes in a row.
pub(crate) fn back_off(in_a_row: u32, chance: f64) -> Duration {
    if in_a_row == 0 {
        return Duration::ZERO;
    }
    let longest = BACK_OFF_MIN.saturating_mul(1 << (in_a_row - 1).min(16)).min(BACK_OFF_MAX);
    longest.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy {
        ready_timeout: Duration::from_secs(10),
        drain_timeout: Duration::from_secs(10),
        hang_timeout: None,
        max_crashes: 10,
        crash_window: Duration::from_secs(60),
        lends: true,
    };

    /// When a place fails whose workers serve for `served` each time, and after how many.
    fn fails(served: Duration) -> Option<(Duration, u32)> {
        let mut place = Place::new(Duration::ZERO);
        let mut now = Duration::ZERO;
        for count in 1..1000 {
            now += served;
            place.crashed(now, served, "exited", &POLICY, 1.0);
            match place.vacancy {
                Vacancy::Due(at) => now = at,
                Vacancy::Failed(_) => return Some((now, count)),
            }
        }
        None
    }

    #[test]
    fn the_first_wait_is_none_and_none_is_beyond_the_bound() {
        assert_eq!(back_off(0, 1.0), Duration::ZERO);
        for in_a_row in 1..100 {
            for chance in [0.0, 0.5, 1.0] {
                let wait = back_off(in_a_row, chance);
                assert!(wait >= BACK_OFF_MIN / 2 && wait <= BACK_OFF_MAX, "{in_a_row}: {wait:?}");
            }
        }
        assert!(back_off(50, 0.0) >= BACK_OFF_MAX / 2);
    }

    #[test]
    fn the_budget_is_over_a_window_whatever_each_of_them_lived() {
        let (at_once, count) = fails(Duration::ZERO).unwrap();
        assert_eq!(count, 10);
        assert!(at_once < Duration::from_secs(30), "{at_once:?}");
        // Just long enough to be no crash at the start for others.
        assert_eq!(fails(Duration::from_millis(1100)).unwrap().1, 10);
        assert_eq!(fails(Duration::from_millis(5900)).unwrap().1, 10);
        // One crash in ten seconds is replaced for ever.
        assert_eq!(fails(Duration::from_secs(10)), None);
    }

    #[test]
    fn one_that_was_sound_is_replaced_at_once() {
        let mut place = Place::new(Duration::ZERO);
        for _ in 0..3 {
            place.crashed(Duration::ZERO, Duration::ZERO, "exited", &POLICY, 0.0);
        }
        assert!(matches!(place.vacancy, Vacancy::Due(at) if at > Duration::ZERO));
        place.crashed(SOUND_AFTER, SOUND_AFTER, "exited", &POLICY, 0.0);
        assert_eq!(place.vacancy, Vacancy::Due(SOUND_AFTER));
    }
}
