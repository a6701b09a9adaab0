//! What follows from the state of a crew, whatever brought it about: whom to start, whom to lend to, whom to end.

use super::{
    Machine, Phase,
    place::{Place, Vacancy},
    rollover::{Next, Rollover},
    words::{Action, Level, Life, Outcome},
};

impl Machine {
    /// Does what the state asks for.
    pub(super) fn settle(&mut self) {
        if let Phase::Stopping(outcome) = &self.phase {
            if self.places.iter().all(Place::is_empty) {
                let outcome = outcome.clone();
                self.actions.push(Action::End(outcome));
                self.phase = Phase::Over;
            }
            return;
        }
        self.roll();
        self.fill();
        if self.phase == Phase::Starting
            && self.places.iter().all(|place| place.ready().is_some() || !place.wanted)
        {
            self.phase = Phase::Serving;
            self.actions.push(Action::AllReady);
            // What was asked for meanwhile.
            self.roll();
        }
        if self.phase == Phase::Serving {
            let leaving = self.close();
            self.lend();
            self.actions.extend(leaving);
            self.give_up();
        }
    }

    /// Goes on with the reload, and begins the one that was asked for meanwhile.
    fn roll(&mut self) {
        loop {
            if self.rollover.is_none() && self.reload_again && self.phase == Phase::Serving {
                self.reload_again = false;
                // Each gets its chance, also those that have failed.
                self.places.iter_mut().for_each(|place| place.forgive(self.now));
                let wanted = (0..self.places.len()).filter(|&index| self.places[index].wanted);
                self.rollover = Some(Rollover::of(wanted, true));
                self.actions.push(Action::Reloading);
            }
            let Some(rollover) = &mut self.rollover else { return };
            match rollover.next(&self.places) {
                Next::Wait => return,
                Next::Start(index) => {
                    let life = self.start(index, true);
                    if let (Some(rollover), Some(life)) = (&mut self.rollover, life) {
                        rollover.started(life);
                    }
                }
                Next::Drain(_, life) => self.drain(life, true),
                Next::Done => {
                    if self.rollover.take().is_some_and(|rollover| rollover.reload) {
                        self.actions.push(Action::Reloaded(Ok(())));
                    }
                }
            }
        }
    }

    /// Gives up the reload or renewal, if this was the successor that it waited for.
    pub(super) fn abandon(&mut self, life: Life, index: usize, why: &str) {
        if self.rollover.as_ref().is_none_or(|rollover| rollover.successor() != Some(life)) {
            return;
        }
        let Some(rollover) = self.rollover.take() else { return };
        let text = format!("the successor of p{index} {why}");
        if rollover.reload {
            self.actions
                .push(Action::Reloaded(Err(format!("abandoned: {text}; workers not yet replaced go on"))));
        } else {
            self.say(Level::Warn, format!("not renewed: {text}; the worker goes on"));
        }
    }

    fn fill(&mut self) {
        for index in 0..self.places.len() {
            if self.places[index].due().is_some_and(|due| due <= self.now) {
                self.start(index, false);
            }
        }
    }

    /// Ends the workers of places that are no longer wanted, once others can serve them; what is to be done for that comes last.
    fn close(&mut self) -> Vec<Action> {
        let others = self.places.iter().any(|place| place.wanted && place.ready().is_some());
        let unwanted = self.places.iter().filter(|place| !place.wanted).flat_map(Place::workers);
        let unwanted: Vec<_> = unwanted.cloned().collect();
        let before = self.actions.len();
        for worker in unwanted {
            if worker.is_starting() {
                self.kill(worker.life, None);
            } else if worker.is_ready() && others {
                self.drain(worker.life, true);
            }
        }
        self.actions.split_off(before)
    }

    pub(super) fn may_lend(&self) -> bool {
        self.policy.lends && self.phase == Phase::Serving
    }

    /// Has places that nobody serves be served by everybody, and no others.
    fn lend(&mut self) {
        let (now, may_lend) = (self.now, self.may_lend());
        for (index, place) in self.places.iter_mut().enumerate() {
            if place.ready().is_some() {
                place.unserved_since = None;
                place.lent = false;
                continue;
            }
            place.unserved_since.get_or_insert(now);
            if may_lend && place.lend_at().is_some_and(|at| at <= now) {
                place.lent = true;
                tracing::debug!("p{index} is served by the others");
            }
        }
        let lent: Vec<usize> = (0..self.places.len()).filter(|&index| self.places[index].lent).collect();
        for place in &mut self.places {
            for worker in place.workers_mut().filter(|worker| worker.is_ready()) {
                for &index in worker.serves.iter().filter(|index| !lent.contains(index)) {
                    self.actions.push(Action::Release(worker.life, index));
                }
                for &index in lent.iter().filter(|index| !worker.serves.contains(index)) {
                    self.actions.push(Action::Serve(worker.life, index));
                }
                worker.serves.clone_from(&lent);
            }
        }
    }

    /// Ends where all has failed.
    fn give_up(&mut self) {
        let reason = |(index, place): (usize, &Place)| match &place.vacancy {
            Vacancy::Failed(why) => Some(format!("worker p{index} {why}")),
            Vacancy::Due(_) => None,
        };
        let over = self.places.iter().all(|place| place.is_empty() && (!place.wanted || place.has_failed()));
        if over {
            let reasons =
                self.places.iter().enumerate().filter(|(_, place)| place.wanted).filter_map(reason).collect();
            self.begin_stop(Outcome::AllFailed(reasons));
            self.settle();
        }
    }
}
