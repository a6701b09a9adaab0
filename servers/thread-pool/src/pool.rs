//! A fixed number of threads that take tasks from one queue, first come, first served, each to its end.
//!
//! The queue itself refuses nothing: whoever fills it keeps to the bound (here kit's accept loop, by its limit of
//! connections). Knows nothing of what the tasks do.

use std::{
    collections::VecDeque,
    future::Future,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle, Thread},
};

use kit::worker::{Kind, Worker};
use kit_poll::Parker;

/// Of each thread, seven times what was touched in a debug build: hyper parses a head of 100 fields on the stack, and with such
/// heads, chunked bodies and the longest answers 72 KiB were resident, 36 KiB in a release build (`/proc/PID/smaps`). What is not
/// touched costs address space only.
const STACK_BYTES: usize = 512 << 10;

/// Tasks that wait for a thread, and threads that wait for a task.
struct Queue<Task>(Mutex<Waiting<Task>>);

struct Waiting<Task> {
    tasks: VecDeque<Task>,
    /// The one that came last is woken first: its stack and its caches are warm, and threads that are never needed at the
    /// same time never take memory of their own.
    idle: Vec<Thread>,
    closed: bool,
}

impl<Task> Queue<Task> {
    fn lock(&self) -> MutexGuard<'_, Waiting<Task>> {
        // Nothing that can panic happens under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next task, or `None` when there will be none. Whoever adds one takes a thread off the idle ones under the same lock, and
    /// unparks it; another may be faster, and the thread then finds nothing and waits again.
    fn next(&self) -> Option<Task> {
        let this = thread::current();
        loop {
            let mut waiting = self.lock();
            waiting.idle.retain(|idle| idle.id() != this.id());
            if let Some(task) = waiting.tasks.pop_front() {
                return Some(task);
            }
            if waiting.closed {
                return None;
            }
            waiting.idle.push(this.clone());
            drop(waiting);
            thread::park();
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
        let (tasks, idle) = (std::mem::take(&mut waiting.tasks), std::mem::take(&mut waiting.idle));
        drop(waiting);
        drop(tasks);
        idle.iter().for_each(Thread::unpark);
    }
}

impl<Task: Future<Output = ()> + Send + 'static> Pool<Task> {
    /// Starts `threads` threads, which are workers `t0` and so on.
    ///
    /// # Errors
    /// The system grants no more threads, or no more eventfds. Those that were started end.
    pub(crate) fn start(threads: usize) -> io::Result<(Self, Vec<JoinHandle<()>>)> {
        let waiting = Waiting { tasks: VecDeque::new(), idle: Vec::new(), closed: false };
        let pool = Self(Arc::new(Queue(Mutex::new(waiting))));
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
        let mut waiting = self.0.lock();
        waiting.tasks.push_back(task);
        let idle = waiting.idle.pop();
        drop(waiting);
        if let Some(thread) = idle {
            thread.unpark();
        }
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
