//! kit's runtime interface on may's stackful coroutines: a future in a coroutine of its own, polled and suspended.
//!
//! May steals work, in this version by a feature of its build and not by a switch: it is compiled in, and only one worker is
//! without it. An idle worker looks for work to steal when an event or its poll timeout of 10 ms wakes it.

mod coroutine;
mod printed;
mod readiness;
mod socket;
mod timer;
mod worker;

use std::{
    future::{Future, poll_fn},
    io,
    net::TcpListener,
};

use kit::runtime::{Peer, Runtime};

pub use coroutine::{block_on, spawn};
pub use socket::{Listener, Stream};
pub use timer::Timer;
pub use worker::name_this_thread;

/// The size of a coroutine's stack, in bytes, where nothing is said. The whole conformance suite, the largest head that hyper
/// takes included, passes with 24 KiB in a release build (not with 20) and with 64 KiB in a debug build (not with 48). Only
/// pages that were touched are resident.
pub const DEFAULT_STACK_BYTES: usize = if cfg!(debug_assertions) { 256 << 10 } else { 128 << 10 };

/// What a stack's size is rounded up to.
const PAGE_BYTES: usize = 4096;

/// How many stacks are kept for connections to come. May makes them all at the start and writes to two pages of each, so
/// this many cost eight times as many KiB before the first connection; beyond it a stack is mapped for its connection and
/// unmapped after it. may's own default is 1,000; these are as many as thread-pool has threads.
const POOL_CAPACITY: usize = 256;

/// How may is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coroutines {
    /// Bytes of stack for each. One that overflows is abandoned by may with a line on stderr: its connection is never
    /// answered and its place never given back.
    pub stack_bytes: usize,
    /// Whether each worker is kept on a CPU of its own.
    pub pin: bool,
}

/// may's scheduler, of which a process has one, and the deadlines of its coroutines.
#[derive(Clone, Debug)]
pub struct May {
    timer: Timer,
}

impl May {
    /// Sets up the scheduler. To be called once, before anything else of may is used.
    ///
    /// # Errors
    /// The timer's thread, or the one that takes what may prints, cannot be started.
    pub fn start(coroutines: Coroutines, workers: usize) -> io::Result<Self> {
        let stack_bytes = coroutines.stack_bytes.div_ceil(PAGE_BYTES) * PAGE_BYTES;
        let may = may::config();
        may.set_workers(workers)
            .set_pool_capacity(POOL_CAPACITY)
            // May counts in words.
            .set_stack_size(stack_bytes / size_of::<usize>())
            .set_worker_pin(coroutines.pin);
        tracing::info!(
            "coroutines with {stack_bytes} bytes of stack, {POOL_CAPACITY} kept; workers {}; work stealing compiled in",
            if coroutines.pin { "pinned" } else { "not pinned" },
        );
        printed::forward()?;
        Ok(Self { timer: Timer::start()? })
    }
}

impl Runtime for May {
    type Listener = Listener;
    type Stream = Stream;
    type Timer = Timer;

    fn listener(&self, listener: TcpListener) -> io::Result<Listener> {
        Listener::new(listener)
    }

    async fn accept(&self, listener: &Listener) -> io::Result<Stream> {
        poll_fn(|context| listener.poll_accept(context)).await
    }

    fn peer(stream: &Stream) -> Peer {
        stream.peer()
    }

    fn timer(&self) -> Timer {
        self.timer.clone()
    }
}

impl<Task> hyper::rt::Executor<Task> for May
where
    Task: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: Task) {
        // Detached: a connection's coroutine ends by itself.
        if let Err(error) = spawn(self.timer.clone(), task) {
            tracing::warn!(%error, "a connection was closed (vm.max_map_count? each stack takes two maps)");
        }
    }
}
