//! A pool of one thread that works only when it is told to, behind kit's queue.

use std::{
    collections::VecDeque,
    future::{Ready, ready},
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use app::Operation;
use kit::{
    execute::{Execute, Outcome, run_here},
    offload::{Call, Offload, Offloaded, Pool},
};

use super::{model::OPERATION_MS, row::Place};
use crate::connection::Frugal;

/// The thread's end of the pool.
#[derive(Clone, Debug, Default)]
pub(super) struct Thread {
    calls: Arc<Mutex<VecDeque<Call>>>,
    begun: Arc<AtomicUsize>,
    /// When it has done what it was called for, since the beginning.
    done_at: Option<Duration>,
}

impl Thread {
    /// It is `now`: begins what it was called for, if it has nothing to do. When that will be done.
    pub(super) fn done_at(&mut self, now: Duration) -> Option<Duration> {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if self.done_at.is_none() && !calls.is_empty() {
            self.done_at = Some(now + Duration::from_millis(OPERATION_MS));
        }
        self.done_at
    }

    /// Does it, unless its client has left meanwhile.
    pub(super) fn does_it(&mut self) {
        self.done_at = None;
        let call = self.calls.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        if let Some(call) = call {
            call.answer(|operation| {
                self.begun.fetch_add(1, Relaxed);
                run_here(operation)
            });
        }
    }

    /// How many operations it has begun.
    pub(super) fn begun(&self) -> usize {
        self.begun.load(Relaxed)
    }
}

impl Pool for Thread {
    fn call(&self, call: Call) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push_back(call);
    }
}

/// Where a row's operations run: at once, or on the thread.
#[derive(Debug)]
pub(super) enum Places {
    Here,
    Pool(Offload<Thread>),
}

impl Places {
    pub(super) fn of(place: Place, thread: &Thread) -> Self {
        match place {
            Place::Here => Self::Here,
            Place::Pool => Self::Pool(Offload::new(thread.clone(), 8)),
        }
    }
}

/// An operation under way.
#[derive(Debug)]
pub(super) enum Underway {
    Here(Ready<Outcome>),
    Pool(Offloaded),
}

impl Future for Underway {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        match self.get_mut() {
            Self::Here(outcome) => Pin::new(outcome).poll(context),
            Self::Pool(outcome) => Pin::new(outcome).poll(context),
        }
    }
}

impl Execute for Places {
    type Future = Underway;

    fn execute(&self, operation: Operation) -> Underway {
        match self {
            Self::Pool(pool) if Frugal::computes(&operation) => Underway::Pool(pool.execute(operation)),
            _ => Underway::Here(ready(Frugal.outcome(&operation))),
        }
    }
}
