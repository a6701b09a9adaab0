//! Giving workers what the primary is offered: who asks, who was given how many, and what is left at a stop.
//!
//! What is given is the worker's at once: nothing of it stays open here. A worker that ends before it has taken it takes it along, and
//! that is counted, by how many it was given and how many connections it has counted as accepted.

use std::{
    collections::{BTreeMap, VecDeque},
    os::fd::{BorrowedFd, OwnedFd},
    time::{Duration, Instant},
};

use kit::cluster::{Cluster, Connections, Member};

use crate::{
    channel::MOST_DESCRIPTORS,
    machine::words::Life,
    offers::{Offer, Offers, Taker},
};

/// How long a worker is left alone to whose channel nothing could be written, although it had asked.
pub(super) const RETRY: Duration = Duration::from_millis(100);

/// How many are given out at a stop: as many as are likely to wait. New ones must not keep a server from stopping.
pub(super) const LAST: usize = 1024;

/// How many of them go to one worker before another has its turn: few, so that none gets much more than another, and enough for the
/// channel of a single worker to hold them all, which takes some 270 packets.
pub(super) const AT_ONCE: usize = 8;
const _: () = assert!(AT_ONCE <= MOST_DESCRIPTORS && LAST / AT_ONCE < 200);

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Giving {
    /// Until the stop begins.
    pub(super) offers: Option<Box<dyn Offers>>,
    /// Whether there ever were any.
    gives: bool,
    pub(super) workers: BTreeMap<Life, Standing>,
    /// What was offered and could not be given yet.
    pub(super) waiting: VecDeque<OwnedFd>,
    pub(super) not_before: Option<Instant>,
}

/// How one worker stands.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) member: Member,
    pub(super) asks: bool,
    /// It was told to end, or is to be.
    pub(super) leaves: bool,
    /// The word for it has gone out.
    pub(super) is_told: bool,
    pub(super) not_before: Option<Instant>,
    pub(super) given: u64,
    /// What its side of its place had accepted before it.
    pub(super) accepted_before: u64,
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
            let standing = Standing {
                member,
                asks: false,
                leaves: false,
                is_told: false,
                not_before: None,
                given: 0,
                accepted_before,
            };
            self.workers.insert(life, standing);
        }
    }

    /// It would take one more.
    pub(super) fn asks(&mut self, life: Life) {
        if let Some(worker) = self.workers.get_mut(&life) {
            worker.asks = true;
        }
    }

    /// It is to be given nothing more. Whether it waits for the word that says so.
    pub(super) fn leaves(&mut self, life: Life) -> bool {
        self.workers.get_mut(&life).is_some_and(|worker| {
            worker.leaves = true;
            !worker.is_told
        })
    }

    /// The word has gone out to it.
    pub(super) fn is_told(&mut self, life: Life) {
        if let Some(worker) = self.workers.get_mut(&life) {
            worker.is_told = true;
        }
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
    pub(super) fn takers(&self, cluster: &Cluster) -> Vec<(Life, Taker)> {
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
    pub(super) fn next(&mut self) -> Option<OwnedFd> {
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
