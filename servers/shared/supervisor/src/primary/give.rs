//! How workers are given what the primary is offered.

use std::{collections::VecDeque, os::fd::OwnedFd, time::Instant};

use kit::start::Error;

use super::{
    giving::{AT_ONCE, LAST, RETRY, Standing},
    state::Primary,
};
use crate::{
    channel::Order,
    machine::words::{Level, Life},
    offers::Handed,
};

impl<Hand, AllReady> Primary<Hand, AllReady>
where
    Hand: FnMut(usize) -> Handed,
    AllReady: FnOnce() -> Result<(), Error>,
{
    /// Gives what there is, one to each worker that asks at most.
    pub(super) fn give(&mut self) {
        loop {
            let takers = self.giving.takers(&self.cluster);
            if takers.is_empty() {
                return;
            }
            let Some(one) = self.giving.next() else { return };
            let choices: Vec<_> = takers.iter().map(|(_, taker)| *taker).collect();
            let chosen = self.giving.offers.as_mut().map_or(0, |offers| offers.choose(&choices));
            let (life, _) = takers[chosen % takers.len()];
            if let Err(left) = self.hand_over(life, vec![one]) {
                self.giving.waiting.extend(left);
            }
        }
    }

    /// The same where something is left from before.
    pub(super) fn give_what_was_not_taken(&mut self) {
        if !self.giving.waiting.is_empty() {
            self.give();
        }
    }

    /// Gives a worker so many, or gives them back where it cannot be reached now.
    fn hand_over(&mut self, life: Life, handed: Vec<OwnedFd>) -> Result<(), Vec<OwnedFd>> {
        let (count, order) = (handed.len() as u64, Order::Take { handed });
        let told = self.tell(life, &order);
        let Some(worker) = self.giving.workers.get_mut(&life) else { return Ok(()) };
        if told.is_ok() {
            worker.asks = false;
            worker.given += count;
            return Ok(());
        }
        worker.not_before = Instant::now().checked_add(RETRY);
        match order {
            Order::Take { handed } => Err(handed),
            _ => Ok(()),
        }
    }

    /// At a stop: gives the workers what waits, in turn and whether they ask or not, since nobody takes it after them. Then what is
    /// offered is no more.
    pub(super) fn give_out_the_rest(&mut self) {
        let mut lives: VecDeque<Life> =
            self.giving.workers.iter().filter(|(_, worker)| !worker.leaves).map(|(life, _)| *life).collect();
        let mut left = LAST;
        while let Some(life) = lives.pop_front() {
            let share: Vec<_> = std::iter::from_fn(|| self.giving.next()).take(AT_ONCE.min(left)).collect();
            if share.is_empty() {
                break;
            }
            left -= share.len();
            match self.hand_over(life, share) {
                Ok(()) => lives.push_back(life),
                // For those who can be reached.
                Err(back) => {
                    left += back.len();
                    self.giving.waiting.extend(back);
                }
            }
        }
        let closed = self.giving.waiting.len();
        if closed > 0 {
            let text = format!("{closed} connections are closed, since no worker could be given them");
            self.desk.say(Level::Warn, &text);
        }
        self.giving.waiting.clear();
        self.giving.offers = None;
    }

    /// A worker has ended: what it was given and had not taken has ended with it.
    pub(super) fn count_lost(&mut self, life: Life) {
        let Some(Standing { member, given, accepted_before, .. }) = self.giving.workers.remove(&life) else {
            return;
        };
        // Without memory to share nobody knows.
        if self.memory.is_none() {
            return;
        }
        let accepted = self.cluster.connections(member).accepted.saturating_sub(accepted_before);
        let lost = given.saturating_sub(accepted);
        if lost > 0 {
            self.cluster.add_lost(member.place, lost);
            let text =
                format!("worker p{} ended with {lost} connections that it had not taken", member.place);
            self.desk.say(Level::Warn, &text);
        }
    }
}
