//! Stackful coroutines: one scheduler (may) whose worker threads share all connections, each in a coroutine of its own.
//!
//! Where connections live: in a coroutine with its own stack, on whichever worker saw its socket's last event, or took it from
//! one that was busy. Where operations run: in that coroutine.
//!
//! Two HTTP servers stand on it. [`run_hyper`] is kit's accept loop, service and limits, a future polled by each coroutine:
//! it differs from the rows on tokio by the coroutines alone. [`run_minihttp`] is `may_minihttp` as it is published.
//!
//! May steals work, in this version by a feature of its build and not by a switch: it is compiled in, and only
//! `--workers 1` is without it. An idle worker looks for work to steal when an event or its poll timeout of 10 ms wakes it.

mod controlled;
mod coroutine;
mod minihttp;
mod socket;
mod timer;
mod worker;

use std::net::TcpListener;

use kit::{args::Config, shutdown::Shutdown, start::Error};

/// The server's name.
pub const SERVER: &str = "may-coroutines";

/// The size of a coroutine's stack, in bytes, where nothing is said. The whole conformance suite, the largest head that hyper
/// takes included, passes with 24 KiB in a release build (not with 20) and with 64 KiB in a debug build (not with 48). Only
/// pages that were touched are resident.
pub const DEFAULT_STACK_BYTES: usize = if cfg!(debug_assertions) { 256 << 10 } else { 128 << 10 };

/// What a stack's size is rounded up to.
const PAGE_BYTES: usize = 4096;

/// How many stacks are kept for connections to come. May makes them all at the start and writes to two pages of each, so
/// this many cost eight times as many KiB before the first connection; beyond it a stack is mapped for its connection and
/// unmapped after it. may's default, stated because it decides a measurement.
const POOL_CAPACITY: usize = 1000;

/// How may is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coroutines {
    /// Bytes of stack for each. One that overflows is abandoned by may with a line on stderr: its connection is never
    /// answered and its place never given back.
    pub stack_bytes: usize,
    /// Whether each worker is kept on a CPU of its own.
    pub pin: bool,
}

impl Coroutines {
    /// Sets up may's scheduler, of which a process has one. To be called before anything else of may is used.
    fn set_up(self, workers: usize) {
        let stack_bytes = self.stack_bytes.div_ceil(PAGE_BYTES) * PAGE_BYTES;
        let may = may::config();
        may.set_workers(workers)
            .set_pool_capacity(POOL_CAPACITY)
            // May counts in words.
            .set_stack_size(stack_bytes / size_of::<usize>())
            .set_worker_pin(self.pin);
        tracing::info!(
            "coroutines with {stack_bytes} bytes of stack, {POOL_CAPACITY} kept; workers {}; work stealing compiled in",
            if self.pin { "pinned" } else { "not pinned" },
        );
    }
}

/// Serves with hyper until `stopping` is raised and the drain is over. Says when it accepts.
///
/// # Errors
/// The listener cannot be registered, or the ready line not be written.
pub fn run_hyper(
    config: &Config,
    coroutines: Coroutines,
    listener: TcpListener,
    stopping: Shutdown,
) -> Result<(), Error> {
    coroutines.set_up(config.workers);
    controlled::run(config, listener, stopping)
}

/// Serves with may_minihttp until `stopping` is raised and its connections are closed or quiet. Says when it accepts.
///
/// # Errors
/// There is no listener, or the ready line cannot be written.
pub fn run_minihttp(config: &Config, coroutines: Coroutines, stopping: Shutdown) -> Result<(), Error> {
    coroutines.set_up(config.workers);
    minihttp::run(config, stopping)
}
