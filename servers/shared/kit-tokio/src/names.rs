//! What a runtime's threads are called: its workers `t0`, `t1`, and the threads of its blocking pool `b0`, `b1`.
//!
//! Threads get their number when the runtime asks for them: first, while it is built, for the workers. They begin in whatever
//! order the kernel likes, so a count of those that have begun would not tell one kind from the other. The name that the
//! system shows (`worker-0`, `blocking-0`) carries the number from here to there.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use kit::worker::{Kind, Worker};

const KINDS: [(&str, Kind); 2] = [("worker-", Kind::Thread), ("blocking-", Kind::Blocking)];

/// Names for the threads of a runtime with `workers` workers, in the order in which it asks for them.
pub(crate) fn in_turn(workers: usize) -> impl Fn() -> String + Send + Sync + 'static {
    let next = AtomicUsize::new(0);
    move || {
        let asked = next.fetch_add(1, Ordering::Relaxed);
        let [(worker, _), (blocking, _)] = KINDS;
        match asked.checked_sub(workers) {
            None => format!("{worker}{asked}"),
            Some(index) => format!("{blocking}{index}"),
        }
    }
}

/// Gives the calling thread the worker's name that its own name stands for.
pub(crate) fn make_current() {
    if let Some(worker) = thread::current().name().and_then(worker) {
        worker.make_current();
    }
}

fn worker(name: &str) -> Option<Worker> {
    KINDS.iter().find_map(|(prefix, kind)| {
        let index = name.strip_prefix(prefix)?.parse().ok()?;
        Some(Worker::new(*kind, index))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_numbered_first_and_blocking_threads_by_themselves() {
        let name = in_turn(2);
        let names: Vec<_> = (0..4).map(|_| worker(&name()).unwrap().to_string()).collect();
        assert_eq!(names, ["t0", "t1", "b0", "b1"]);
        assert!(worker("main").is_none() && worker("worker-x").is_none());
    }
}
