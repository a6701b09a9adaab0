//! One process of a server, as all its workers see it.

use std::{sync::Arc, time::Instant};

use app::Faults;
use host::cpus::CpuSet;

use crate::{
    args::{Config, Limits},
    metrics::Metrics,
    policy::Policy,
    shutdown::Shutdown,
    worker::Worker,
};

/// What all workers of one process have in common.
#[derive(Debug)]
pub struct Site {
    /// The server's name: the `origin` of its answers.
    pub server: &'static str,
    /// Workers of the whole server.
    pub workers: usize,
    /// What clients may take.
    pub limits: Limits,
    /// What requests must be.
    pub policy: Policy,
    /// Whether a client may ask for faults.
    pub faults: Faults,
    /// Counters of this process.
    pub metrics: Metrics,
    /// Raised while the server drains.
    pub stopping: Shutdown,
    started: Instant,
}

impl Site {
    /// The site of a server that runs all `config.workers` workers in this process.
    pub fn new(server: &'static str, config: &Config, stopping: Shutdown) -> Arc<Self> {
        Arc::new(Self {
            server,
            workers: config.workers,
            limits: config.limits.clone(),
            policy: config.policy,
            faults: config.faults,
            metrics: Metrics::new(config.workers),
            stopping,
            started: Instant::now(),
        })
    }

    /// What `/info` tells, of this process and as seen from the calling thread.
    pub fn info(&self) -> app::Info {
        app::Info {
            origin: self.server.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            worker: Worker::current().to_string(),
            workers: self.workers,
            processors: app::Processors {
                present: online_cpus().map_or(0, |cpus| cpus.len()),
                allowed: CpuSet::allowed().map_or(0, |cpus| cpus.len()),
            },
            rss_bytes: rss_bytes().unwrap_or(0),
            uptime_seconds: self.started.elapsed().as_secs(),
            arguments: std::env::args_os()
                .skip(1)
                .map(|argument| argument.to_string_lossy().into_owned())
                .collect(),
        }
    }
}

/// The second field of `/proc/self/statm`, in pages (proc_pid_statm(5)).
fn rss_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

/// The processors that are on line, whoever may use them.
fn online_cpus() -> Option<CpuSet> {
    std::fs::read_to_string("/sys/devices/system/cpu/online").ok()?.trim().parse().ok()
}
