//! A fixed number of threads that take tasks from one queue, first come, first served, each to its end.
//!
//! The queue itself refuses nothing: whoever fills it keeps to the bound (here kit's accept loop, by its limit of
//! connections). Knows nothing of what the tasks do.

use std::{
    collections::VecDeque,
    future::Future,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use kit::worker::{Kind, Worker};

use crate::park::Parker;

/// Of each thread. hyper parses a head of 100 fields on the stack: what was touched in the conformance suite and under
/// attack was at most TODO KiB in a release build and TODO KiB in a debug build (`/proc/PID/smaps`). What is
/// not touched costs address space only.
const STACK_BYTES: usize = 512 << 10;

/// Tasks that wait for a thread.
struct Queue<Task> {
    waiting: Mutex<Waiting<Task>>,
    changed: Condvar,
}

struct Waiting<Task> {
    tasks: VecDeque<Task>,
    closed: bool,
}

impl<Task> Queue<Task> {
    fn lock(&self) -> MutexGuard<'_, Waiting<Task>> {
        // Nothing that can panic happens under the lock.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next task, or `None` when there will be none.
    fn next(&self) -> Option<Task> {
        let mut waiting = self.lock();
        loop {
            if let Some(task) = waiting.tasks.pop_front() {
                return Some(task);
            }
            if waiting.closed {
                return None;
            }
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The way into a pool. Clones lead into the same one.
pub(crate) struct Pool<Task>(Arc<Queue<Task>>);

impl<Task> Clone for Pool<Task> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<Task> Pool<Task> {
    /// Ends each thread after its present task. What waits is dropped.
    pub(crate) fn close(&self) {
        let mut waiting = self.0.lock();
        waiting.closed = true;
        let dropped = std::mem::take(&mut waiting.tasks);
        drop(waiting);
        drop(dropped);
        self.0.changed.notify_all();
    }
}

impl<Task: Future<Output = ()> + Send + 'static> Pool<Task> {
    /// Starts `threads` threads, which are workers `t0` and so on.
    ///
    /// # Errors
    /// The system grants no more threads, or no more eventfds. Those that were started end.
    pub(crate) fn start(threads: usize) -> io::Result<(Self, Vec<JoinHandle<()>>)> {
        let tasks = VecDeque::new();
        let waiting = Mutex::new(Waiting { tasks, closed: false });
        let pool = Self(Arc::new(Queue { waiting, changed: Condvar::new() }));
        let started = (0..threads).map(|index| {
            let (queue, parker) = (Arc::clone(&pool.0), Parker::new()?);
            let builder = thread::Builder::new().name(format!("pool-{index}")).stack_size(STACK_BYTES);
            builder.spawn(move || work(index, &queue, &parker))
        });
        match started.collect() {
            Ok(handles) => Ok((pool, handles)),
            Err(error) => {
                pool.close();
                Err(error)
            }
        }
    }
}

impl<Task> hyper::rt::Executor<Task> for Pool<Task> {
    fn execute(&self, task: Task) {
        self.0.lock().tasks.push_back(task);
        self.0.changed.notify_one();
    }
}

/// What a thread of the pool does.
fn work<Task: Future<Output = ()>>(index: usize, queue: &Queue<Task>, parker: &Parker) {
    Worker::new(Kind::Thread, index).make_current();
    while let Some(task) = queue.next() {
        // What a panic leaves half done is dropped with the task.
        if catch_unwind(AssertUnwindSafe(|| parker.block_on(task))).is_err() {
            tracing::error!("a connection panicked and is closed; thread t{index} goes on");
        }
    }
}
