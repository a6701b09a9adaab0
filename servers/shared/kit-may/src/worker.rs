//! Names of may's worker threads.
//!
//! May calls nobody when a worker starts, so each is named when it first polls something.

use std::{
    cell::Cell,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use host::cpus::CpuSet;
use kit::worker::{Kind, Worker};

static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static NAMED: Cell<bool> = const { Cell::new(false) };
}

/// Gives the calling thread the next name, if it has none, and says on which CPUs it runs.
pub fn name_this_thread() {
    if !NAMED.replace(true) {
        let worker = Worker::new(Kind::Thread, NEXT.fetch_add(1, Relaxed));
        worker.make_current();
        if let Ok(cpus) = CpuSet::allowed() {
            tracing::info!("worker {worker} runs on CPUs {cpus}");
        }
    }
}
