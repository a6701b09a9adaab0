//! Giving workers what the primary is offered: who asks, who was given how many, and what is left at a stop.
//!
//! What is given is the worker's at once: nothing of it stays open here. A worker that ends before it has taken it takes it along, and
//! that is counted, by how many it was given and how many connections it has counted as accepted.

use std::{
    collections::{BTreeMap, VecDeque},
    mem,
    os::fd::{BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use kit::{
    cluster::{Cluster, Connections, Member},
    start::Error,
};

use super::Primary;
use crate::{
    channel::{MOST_DESCRIPTORS, Order},
    machine::words::{Level, Life},
    offers::{Handed, Offer, Offers, Taker},
};

/// How long a worker is left alone to whose channel nothing could be written, although it had asked.
const RETRY: Duration = Duration::from_millis(100);

/// How many are given out at a stop: as many as are likely to wait. New ones must not keep a server from stopping.
const LAST: usize = 1024;

/// How many of them go to one worker before another has its turn: few, so that none gets much more than another, and enough for the
/// channel of a single worker to hold them all, which takes some 270 packets.
const AT_ONCE: usize = 8;
const _: () = assert!(AT_ONCE <= MOST_DESCRIPTORS && LAST / AT_ONCE < 200);

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Giving {
    /// Until the stop begins.
    offers: Option<Box<dyn Offers>>,
    /// Whether there ever were any.
    gives: bool,
    workers: BTreeMap<Life, Standing>,
    /// What was offered and could not be given yet.
    waiting: VecDeque<OwnedFd>,
    not_before: Option<Instant>,
}

/// How one worker stands.
#[derive(Debug)]
struct Standing {
    member: Member,
    asks: bool,
    /// It was told to end, or is to be.
    leaves: bool,
    not_before: Option<Instant>,
    given: u64,
    /// What its side of its place had accepted before it.
    accepted_before: u64,
}

impl Standing {
    fn may_be_given(&self, now: Instant) -> bool {
        self.asks && !self.leaves && self.not_before.is_none_or(|at| at <= now)
    }
}

impl Giving {
    pub(super) fn new(offers: Option<Box<dyn Offers>>) -> Self {
        let gives = offers.is_some();
        Self { offers, gives, workers: BTreeMap::new(), waiting: VecDeque::new(), not_before: None }
    }

    /// A worker process was started, on a side on which so much was counted before.
    pub(super) fn begins(&mut self, life: Life, member: Member, before: Connections) {
        if self.gives {
            let accepted_before = before.accepted;
            let standing =
                Standing { member, asks: false, leaves: false, not_before: None, given: 0, accepted_before };
            self.workers.insert(life, standing);
        }
    }

    /// It would take one more.
    pub(super) fn asks(&mut self, life: Life) {
        if let Some(worker) = self.workers.get_mut(&life) {
            worker.asks = true;
        }
    }

    /// It is to be given nothing more. Whether it could have been.
    pub(super) fn leaves(&mut self, life: Life) -> bool {
        self.workers.get_mut(&life).is_some_and(|worker| !mem::replace(&mut worker.leaves, true))
    }

    /// What to watch, as long as somebody asks.
    pub(super) fn watched(&self) -> Option<BorrowedFd<'_>> {
        let now = Instant::now();
        let wanted = self.workers.values().any(|worker| worker.may_be_given(now));
        let offers = self.offers.as_ref().filter(|_| wanted && self.not_before.is_none_or(|at| at <= now))?;
        Some(offers.watched())
    }

    /// When what is put off is due.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let now = Instant::now();
        let workers = self.workers.values().filter(|worker| worker.asks && !worker.leaves);
        let workers = workers.filter_map(|worker| worker.not_before);
        workers.chain(self.not_before).filter(|at| self.offers.is_some() && *at > now).min()
    }

    /// Those who ask, in the order of their places.
    fn takers(&self, cluster: &Cluster) -> Vec<(Life, Taker)> {
        let now = Instant::now();
        let asking = self.workers.iter().filter(|(_, worker)| worker.may_be_given(now));
        let mut takers: Vec<_> = asking
            .map(|(life, worker)| {
                let connections_open = cluster.connections(worker.member).open;
                (*life, Taker { place: worker.member.place, connections_open })
            })
            .collect();
        takers.sort_by_key(|(_, taker)| taker.place);
        takers
    }

    /// The next one to be given, what was left before first.
    fn next(&mut self) -> Option<OwnedFd> {
        if let Some(left) = self.waiting.pop_front() {
            return Some(left);
        }
        match self.offers.as_mut()?.next() {
            Offer::One(one) => Some(one),
            Offer::None => None,
            Offer::NotWithin(pause) => {
                self.not_before = Instant::now().checked_add(pause);
                None
            }
        }
    }
}

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
