//! A reload, or the renewal of one place: place by place a successor is started beside the worker, and when it is ready the worker
//! drains. Of what each step takes it knows nothing: it says what comes next.

use std::collections::VecDeque;

use super::{place::Place, words::Life};

/// One that is under way.
#[derive(Clone, Debug)]
pub(crate) struct Rollover {
    /// Whether it is a reload, whose end somebody waits for.
    pub(crate) reload: bool,
    /// Places whose turn is still to come.
    left: VecDeque<usize>,
    /// Whose turn it is.
    step: Option<Step>,
    /// Workers that were replaced and have not ended yet.
    leaving: Vec<Life>,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    place: usize,
    successor: Option<Life>,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Something that has a deadline of its own.
    Wait,
    /// A successor is to be started in this place.
    Start(usize),
    /// This worker was replaced: it is to drain.
    Drain(usize, Life),
    /// Nothing.
    Done,
}

impl Rollover {
    /// Of all these places, in their order.
    pub(crate) fn of(places: impl IntoIterator<Item = usize>, reload: bool) -> Self {
        Self { reload, left: places.into_iter().collect(), step: None, leaving: Vec::new() }
    }

    /// The successor that the present step waits for.
    pub(crate) fn successor(&self) -> Option<Life> {
        self.step.and_then(|step| step.successor)
    }

    /// The successor was started.
    pub(crate) fn started(&mut self, life: Life) {
        if let Some(step) = &mut self.step {
            step.successor = Some(life);
        }
    }

    /// What comes next. To be asked again after it was done, and whenever something happened.
    pub(crate) fn next(&mut self, places: &[Place]) -> Next {
        loop {
            let Some(Step { place: index, successor }) = self.step else {
                if let Some(place) = self.left.pop_front() {
                    self.step = Some(Step { place, successor: None });
                    continue;
                }
                self.leaving.retain(|leaving| places.iter().any(|place| has(place, *leaving)));
                return if self.leaving.is_empty() { Next::Done } else { Next::Wait };
            };
            let Some(place) = places.get(index).filter(|place| place.wanted) else {
                self.step = None;
                continue;
            };
            let Some(successor) = successor else {
                // Who starts there now has a deadline, and so has who leaves.
                let wait = place.workers().any(|worker| worker.is_starting()) || place.free_side().is_none();
                return if wait { Next::Wait } else { Next::Start(index) };
            };
            if place.workers().any(|worker| worker.life == successor && worker.is_starting()) {
                return Next::Wait;
            }
            let is_there = place.workers().any(|worker| worker.life == successor && worker.is_ready());
            let replaced =
                place.workers().find(|worker| is_there && worker.life != successor && worker.is_ready());
            let Some(replaced) = replaced.map(|worker| worker.life) else {
                self.step = None;
                continue;
            };
            self.leaving.push(replaced);
            self.step = None;
            return Next::Drain(index, replaced);
        }
    }
}

fn has(place: &Place, life: Life) -> bool {
    place.workers().any(|worker| worker.life == life)
}
