//! What a primary decides, and nothing of how it is done: events go in, actions come out, and no system call is made in between.
//!
//! What always holds, and is tested over random sequences of events:
//! - a place has at most two processes, and two only while one of them replaces the other or leaves;
//! - a place that is wanted has somebody who serves it or starts for it, or a time at which somebody will, or has failed and
//!   says so; whatever is waited for has a deadline;
//! - a place that nobody serves for longer than [`words::UNSERVED`] is served by all others;
//! - a stop ends.
//!
//! Decisions that follow from the state and not from what just happened (whom to start, to lend to, to drain) are made in one
//! place, `settle`, after every event.

mod place;
mod rollover;
mod settle;
#[cfg(test)]
mod tests;
pub(crate) mod words;

pub(crate) use place::{Place, Stage, Vacancy, Worker};

use std::{mem, time::Duration};

use rollover::Rollover;
use words::{Action, Command, End, Event, KILL_TIMEOUT, Level, Life, Moment, Outcome, PINGS, Policy};

/// The state of a crew.
#[derive(Debug)]
pub(crate) struct Machine {
    policy: Policy,
    places: Vec<Place>,
    phase: Phase,
    rollover: Option<Rollover>,
    /// A reload was asked for while another was under way.
    reload_again: bool,
    next_life: u64,
    random: u64,
    now: Moment,
    actions: Vec<Action>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    /// Until all places are served for the first time.
    Starting,
    Serving,
    Stopping(Outcome),
    Over,
}

impl Machine {
    /// For so many places, all empty. The first [`Event::Tick`] fills them. `seed` is for the jitter.
    pub(crate) fn new(policy: Policy, places: usize, seed: u64) -> Self {
        Self {
            policy,
            places: (0..places.max(1)).map(|_| Place::new(Moment::ZERO)).collect(),
            phase: Phase::Starting,
            rollover: None,
            reload_again: false,
            next_life: 0,
            random: seed | 1,
            now: Moment::ZERO,
            actions: Vec::new(),
        }
    }

    /// All places that there ever were, by number.
    pub(crate) fn places(&self) -> &[Place] {
        &self.places
    }

    pub(crate) fn is_stopping(&self) -> bool {
        matches!(self.phase, Phase::Stopping(_) | Phase::Over)
    }

    pub(crate) fn is_reloading(&self) -> bool {
        self.rollover.as_ref().is_some_and(|rollover| rollover.reload)
    }

    /// Whether one place or all of them are being renewed.
    pub(crate) fn is_renewing(&self) -> bool {
        self.rollover.is_some()
    }

    /// Whether a reload was asked for that has not begun, although all are there.
    #[cfg(test)]
    fn is_reload_wanted(&self) -> bool {
        self.reload_again && self.phase == Phase::Serving
    }

    /// When [`Event::Tick`] must come at the latest.
    pub(crate) fn deadline(&self) -> Option<Moment> {
        let workers = self.places.iter().flat_map(Place::workers).filter_map(Worker::deadline);
        if self.is_stopping() {
            return workers.min();
        }
        let due = self.places.iter().filter(|place| place.free_side().is_some()).filter_map(Place::due);
        let lend = self.places.iter().filter(|_| self.may_lend()).filter_map(Place::lend_at);
        workers.chain(due).chain(lend).min()
    }

    /// Takes in what happened, and says what is to be done, in this order.
    pub(crate) fn handle(&mut self, now: Moment, event: Event) -> Vec<Action> {
        self.now = self.now.max(now);
        if self.phase == Phase::Over {
            return Vec::new();
        }
        match event {
            Event::Ready(life) => self.ready(life),
            Event::Pong(life) => self.pong(life),
            Event::Ended(life, end) => self.ended(life, &end),
            Event::NotStarted(life, why) => self.not_started(life, &why),
            Event::Command(command) => self.obey(command),
            Event::Tick => {}
        }
        self.expire();
        self.settle();
        mem::take(&mut self.actions)
    }

    fn ready(&mut self, life: Life) {
        let (now, hang) = (self.now, self.policy.hang_timeout);
        let Some((index, worker)) = self.find(life).filter(|(_, worker)| worker.is_starting()) else {
            return;
        };
        worker.stage = Stage::Ready {
            since: now,
            answer_by: hang.map(|patience| now + patience),
            next_ping: hang.map(|patience| now + patience / PINGS),
        };
        if self.phase != Phase::Starting {
            self.say(Level::Info, format!("worker p{index} accepts"));
        }
    }

    fn pong(&mut self, life: Life) {
        let (now, hang) = (self.now, self.policy.hang_timeout);
        if let Some((_, worker)) = self.find(life)
            && let Stage::Ready { answer_by, .. } = &mut worker.stage
        {
            *answer_by = hang.map(|patience| now + patience);
        }
    }

    fn ended(&mut self, life: Life, end: &End) {
        let Some((index, worker)) = self.take(life) else { return };
        match worker.stage {
            Stage::Starting { .. } => self.never_ready(index, life, end),
            Stage::Ready { .. } if self.phase == Phase::Starting => {
                let how = end.whole();
                self.fail_start(format!(
                    "worker p{index} {how} after it was ready and before all workers accepted"
                ));
            }
            Stage::Ready { since, .. } => self.crash(index, self.now.saturating_sub(since), &end.whole()),
            Stage::Draining { .. } if !end.clean => {
                self.say(Level::Warn, format!("worker p{index} {} while it drained", end.whole()));
            }
            Stage::Draining { .. } => {}
            Stage::Killed { fault: Some((why, served)), .. } => self.crash(index, served, &why),
            Stage::Killed { fault: None, .. } => {}
        }
    }

    /// A worker ended before it was ready.
    fn never_ready(&mut self, index: usize, life: Life, end: &End) {
        if self.phase == Phase::Starting {
            let why = match &end.said {
                Some(said) => format!("worker p{index}: {said}"),
                None => format!("worker p{index} {} before all workers accepted", end.how),
            };
            return self.fail_start(why);
        }
        let how = format!("{} before it was ready", end.whole());
        self.abandon(life, index, &how);
        self.crash(index, Duration::ZERO, &how);
    }

    /// Not the fault of a worker: it costs no crash budget, and is tried again for as long as it takes.
    fn not_started(&mut self, life: Life, why: &str) {
        let Some((index, _)) = self.take(life) else { return };
        if self.phase == Phase::Starting {
            return self.fail_start(format!("cannot start worker p{index}: {why}"));
        }
        let how = format!("could not be started: {why}");
        self.abandon(life, index, &how);
        if self.is_stopping() || self.places[index].is_taken() {
            return;
        }
        let chance = self.chance();
        let wait = self.places[index].not_started(self.now, &how, chance);
        self.say(Level::Error, format!("worker p{index} {how}; trying again in {wait:.1?}"));
    }

    /// A worker that had `served` for so long ended and was not told to.
    fn crash(&mut self, index: usize, served: Duration, how: &str) {
        if self.is_stopping() {
            return self.say(Level::Warn, format!("worker p{index} {how} before it drained"));
        }
        let chance = self.chance();
        let (now, policy) = (self.now, &self.policy);
        let place = &mut self.places[index];
        place.crashed(now, served, how, policy, chance);
        let then = match &place.vacancy {
            _ if !place.wanted => "its place is no longer wanted".to_owned(),
            _ if place.is_taken() => "its successor starts already".to_owned(),
            Vacancy::Due(at) => {
                self.actions.push(Action::Crashed(index));
                match at.saturating_sub(now) {
                    Duration::ZERO => "replaced at once".to_owned(),
                    wait => format!("replaced in {wait:.1?}"),
                }
            }
            Vacancy::Failed(_) => {
                let (max, window) = (policy.max_crashes, policy.crash_window);
                let text = format!(
                    "worker p{index} {how}: that makes {max} crashes within {window:?}, so its place has failed, and the others serve \
                     it; reload when the cause is mended"
                );
                return self.say(Level::Error, text);
            }
        };
        self.say(Level::Warn, format!("worker p{index} {how} after {served:.1?} of serving; {then}"));
    }

    fn obey(&mut self, command: Command) {
        if self.is_stopping() && !matches!(command, Command::Stop { .. }) {
            return;
        }
        match command {
            Command::Reload => self.reload_again = true,
            Command::Renew(index, why) => {
                let serves =
                    self.places.get(index).is_some_and(|place| place.wanted && place.ready().is_some());
                if self.rollover.is_none() && !self.reload_again && serves && self.phase == Phase::Serving {
                    self.say(Level::Info, format!("worker p{index} is renewed: {why}"));
                    self.rollover = Some(Rollover::of([index], false));
                }
            }
            Command::Scale(count) => self.scale(count.max(1)),
            Command::Stop { graceful } => self.stop(graceful),
        }
    }

    fn scale(&mut self, count: usize) {
        let now = self.now;
        while self.places.len() < count {
            self.places.push(Place::new(now));
        }
        for (index, place) in self.places.iter_mut().enumerate() {
            let wanted = index < count;
            if wanted {
                place.forgive(now);
                if !place.wanted {
                    place.vacancy = Vacancy::Due(now);
                }
            }
            place.wanted = wanted;
        }
    }

    fn stop(&mut self, graceful: bool) {
        if !self.is_stopping() {
            let failed = |(index, place): (usize, &Place)| match &place.vacancy {
                Vacancy::Failed(why) if place.has_failed() => Some(format!("p{index} {why}")),
                _ => None,
            };
            let failed = self.places.iter().enumerate().filter_map(failed).collect();
            self.begin_stop(Outcome::Stopped { failed });
        }
        self.end_all(graceful);
    }

    fn fail_start(&mut self, why: String) {
        self.begin_stop(Outcome::NotStarted(why));
        self.end_all(false);
    }

    fn begin_stop(&mut self, outcome: Outcome) {
        self.reload_again = false;
        if self.rollover.take().is_some_and(|rollover| rollover.reload) {
            self.actions.push(Action::Reloaded(Err("given up: a stop came first".to_owned())));
        }
        self.phase = Phase::Stopping(outcome);
    }

    fn end_all(&mut self, graceful: bool) {
        for index in 0..self.places.len() {
            let workers: Vec<_> =
                self.places[index].workers().map(|worker| (worker.life, worker.stage.clone())).collect();
            for (life, stage) in workers {
                match stage {
                    Stage::Killed { .. } => {}
                    Stage::Draining { .. } if graceful => {}
                    _ if graceful => self.drain(life, false),
                    _ => self.kill(life, None),
                }
            }
        }
    }

    /// What had a deadline that is over.
    fn expire(&mut self) {
        let now = self.now;
        let over = |worker: &&Worker| worker.deadline().is_some_and(|deadline| deadline <= now);
        let over: Vec<(usize, Worker)> = (self.places.iter().enumerate())
            .flat_map(|(index, place)| {
                place.workers().filter(over).map(move |worker| (index, worker.clone()))
            })
            .collect();
        for (index, worker) in over {
            let life = worker.life;
            // What was done about another may have settled this one too.
            if self.find(life).is_none_or(|(_, now)| now.stage != worker.stage) {
                continue;
            }
            match worker.stage {
                Stage::Starting { .. } if self.phase == Phase::Starting => {
                    let waiting = self.places.iter().filter(|place| place.ready().is_none()).count();
                    let patience = self.policy.ready_timeout;
                    self.fail_start(format!("{waiting} workers did not accept within {patience:?}"));
                }
                Stage::Starting { .. } => {
                    let why = format!("was not ready within {:?} and was killed", self.policy.ready_timeout);
                    self.abandon(life, index, &why);
                    self.kill(life, Some((why, Duration::ZERO)));
                }
                Stage::Ready { answer_by, since, .. } if answer_by.is_some_and(|by| by <= now) => {
                    let patience = self.policy.hang_timeout.unwrap_or_default();
                    let why = format!("did not answer its primary for {patience:?} and was killed");
                    self.say(Level::Warn, format!("worker p{index} {why}"));
                    self.kill(life, Some((why, now.saturating_sub(since))));
                }
                Stage::Ready { .. } => self.ping(life),
                Stage::Draining { .. } => {
                    self.say(Level::Warn, format!("worker p{index} did not end in time and is killed"));
                    self.kill(life, None);
                }
                // It hangs in the kernel: nothing more can be done about it here.
                Stage::Killed { .. } if self.is_stopping() => drop(self.take(life)),
                Stage::Killed { fault, .. } => {
                    self.say(
                        Level::Error,
                        format!("worker p{index} was killed and does not end: it hangs in the kernel"),
                    );
                    self.kill(life, fault);
                }
            }
        }
    }

    fn start(&mut self, index: usize, renewed: bool) -> Option<Life> {
        let place = &mut self.places[index];
        let side = place.free_side()?;
        let life = Life(self.next_life);
        self.next_life += 1;
        let stage = Stage::Starting { until: self.now + self.policy.ready_timeout };
        place.sides[side] = Some(Worker { life, stage, serves: Vec::new() });
        self.actions.push(Action::Start { life, place: index, side, renewed });
        Some(life)
    }

    fn drain(&mut self, life: Life, handed_over: bool) {
        let until = self.now + self.policy.drain_timeout;
        if let Some((_, worker)) = self.find(life) {
            worker.stage = Stage::Draining { until };
            self.actions.push(Action::Drain { life, handed_over });
        }
    }

    /// `fault` is there if that is for its own fault: which, and for how long it had served.
    fn kill(&mut self, life: Life, fault: Option<(String, Duration)>) {
        let until = self.now + KILL_TIMEOUT;
        if let Some((_, worker)) = self.find(life) {
            worker.stage = Stage::Killed { until, fault };
            self.actions.push(Action::Kill(life));
        }
    }

    fn ping(&mut self, life: Life) {
        let (now, hang) = (self.now, self.policy.hang_timeout);
        if let Some((_, worker)) = self.find(life)
            && let Stage::Ready { next_ping, .. } = &mut worker.stage
        {
            *next_ping = hang.map(|patience| now + patience / PINGS);
            self.actions.push(Action::Ping(life));
        }
    }

    fn say(&mut self, level: Level, text: String) {
        self.actions.push(Action::Say(level, text));
    }

    fn find(&mut self, life: Life) -> Option<(usize, &mut Worker)> {
        let workers = self.places.iter_mut().enumerate();
        let mut workers =
            workers.flat_map(|(index, place)| place.workers_mut().map(move |worker| (index, worker)));
        workers.find(|(_, worker)| worker.life == life)
    }

    fn take(&mut self, life: Life) -> Option<(usize, Worker)> {
        let (index, _) = self.find(life)?;
        let sides = &mut self.places[index].sides;
        let side = sides.iter_mut().find(|side| side.as_ref().is_some_and(|worker| worker.life == life))?;
        Some((index, side.take()?))
    }

    /// From 0 to 1: xorshift64 (Marsaglia 2003).
    fn chance(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1_u64 << 53) as f64
    }
}
