//! Where operations run: the one thing that differs between this server's rows.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use actix_web::web;
use app::Operation;
use kit::{
    execute::{Done, Execute as _, Refused, run_here},
    start::Error,
    worker::Worker,
};
use kit_rayon::{Offload, RETRY_AFTER};
use tokio::sync::Semaphore;

use crate::Place;

/// What all workers share of it.
#[derive(Clone)]
pub(crate) enum Execution {
    Inline,
    Block { room: usize },
    Rayon(Arc<Offload>),
}

/// One worker's way to run operations.
pub(crate) enum Execute {
    Inline,
    /// With a permit for each operation that its threads may run or that may wait for one.
    Block(Arc<Semaphore>),
    Rayon(Arc<Offload>),
}

impl Execution {
    /// Starts what workers share.
    pub(crate) fn start(place: &Place) -> Result<Self, Error> {
        Ok(match place {
            Place::Inline => Self::Inline,
            Place::Block { threads, queue } => {
                Self::Block { room: threads.get().saturating_add(*queue).min(Semaphore::MAX_PERMITS) }
            }
            Place::Rayon(pool) => Self::Rayon(Arc::new(Offload::start(pool)?)),
        })
    }

    pub(crate) fn of_worker(&self) -> Execute {
        match self {
            Self::Inline => Execute::Inline,
            Self::Block { room } => Execute::Block(Arc::new(Semaphore::new(*room))),
            Self::Rayon(offload) => Execute::Rayon(Arc::clone(offload)),
        }
    }
}

impl Execute {
    /// Runs `operation`; it leaves the worker only if it is CPU-bound.
    pub(crate) async fn run(&self, operation: Operation) -> Result<Done, Refused> {
        match self {
            Self::Rayon(offload) => offload.execute(operation).await,
            Self::Block(room) if operation.is_cpu_bound() => block(room, operation).await,
            Self::Inline | Self::Block(_) => run_here(&operation),
        }
    }
}

/// The queue of `web::block` has no bound and nothing leaves it, so room in it is taken beforehand, and given back by the
/// operation's end, also where its client has long gone.
async fn block(room: &Arc<Semaphore>, operation: Operation) -> Result<Done, Refused> {
    const BUSY: Refused = Refused::Busy { retry_after: RETRY_AFTER };
    let Ok(permit) = Arc::clone(room).try_acquire_owned() else { return Err(BUSY) };
    let worker = Worker::current();
    let compute = move || {
        let _permit = permit;
        // The thread is one of this worker's.
        worker.make_current();
        run_here(&operation)
    };
    // Where its worker has no such thread yet and the system starts none, it panics.
    let called = catch_unwind(AssertUnwindSafe(|| web::block(compute)));
    let Ok(outcome) = called else { return Err(BUSY) };
    outcome.await.unwrap_or(Err(Refused::Panicked))
}
