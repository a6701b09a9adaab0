//! What a person wants of `load`, as it was typed, before anything is read or resolved.

use std::{
    ffi::OsString,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use host::cpus::CpuSet;
use load::{Share, Verify};

use super::{
    mix,
    values::{Bursts, Field, LONGEST, Ramp},
};
use crate::clock::Clock;

/// One load of one server.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// What to load; http:// may be left out
    pub url: String,
    /// Open loop: requests per second in all, evenly spaced; without it, a closed loop
    pub rate: Option<f64>,
    /// Random arrivals: exponential gaps with this mean rate
    pub poisson: bool,
    /// Open loop whose rate changes evenly over the window, from its start to its end
    pub ramp: Option<Ramp>,
    /// Requests at --rate for so long, then none for so long, and again
    pub bursts: Option<Bursts>,
    /// Several targets relative to the URL, each with its weight after the last `=`; in an open loop each has its own
    /// share of the rate and an equal part of the connections; a closed loop draws each next request by weight
    pub mix: Option<mix::Mix>,
    /// Connections in all: no more requests than these are outstanding, what is due meanwhile waits, and the wait counts
    pub connections: u32,
    /// Measuring window, such as 500ms, 10s or 2m [default: 10s, or until --requests are answered]
    pub duration: Option<Duration>,
    /// End when so many requests were sent and answered
    pub requests: Option<u64>,
    /// Load before the window, which is not recorded [default: 1s; none with --requests or --ramp]
    pub warm_up: Option<Duration>,
    /// Start at this instant, RFC 3339 or @SECONDS since 1970, so that several generators begin together
    pub start_at: Option<SystemTime>,
    /// Seed of arrivals and choices; printed with the results, a new one each time where nothing is said
    pub seed: Option<u64>,
    /// Method; GET, or POST where there is a body
    pub method: Option<String>,
    /// Body: text, or @FILE for the bytes of a file
    pub body: Option<OsString>,
    /// Header field, as often as wanted
    pub headers: Vec<Field>,
    /// How long a request may take from its send, and an attempt to connect
    pub timeout: Duration,
    /// Close each connection after so many requests, and open another
    pub requests_per_connection: Option<u32>,
    /// Requests in flight on each connection at most (HTTP/1.1 pipelining)
    pub pipeline: u32,
    /// Open the connections evenly over so long, not before the load
    pub open_over: Option<Duration>,
    /// Slow clients: send no faster than this, in bytes per second
    pub slow_send: Option<u32>,
    /// Slow clients: read no faster than this, in bytes per second
    pub slow_read: Option<u32>,
    /// Which answers have their content compared: all, sample (one of 100), sample:N or none; status and framing are
    /// always checked
    pub verify: Verify,
    /// The longest head of an answer, in bytes
    pub max_head: usize,
    /// The longest content of an answer, in bytes; no limit where nothing is said
    pub max_body: Option<u64>,
    /// The one status that is right, such as 204, whatever the content
    pub expect_status: Option<u16>,
    /// The one content that is right: text, or @FILE
    pub expect_body: Option<OsString>,
    /// One generator thread pinned to each of these CPUs, such as 0-3,6; without it, one thread that is not pinned
    pub cpus: Option<CpuSet>,
    /// Poll rather than sleep (in a closed loop: while an answer may come soon), for the least lag; only for CPUs that
    /// belong to the generator alone
    pub spin: bool,
    /// Write all figures as JSON
    pub export_json: Option<PathBuf>,
    /// Write the histograms as an HdrHistogram log (V2), which other tools plot
    pub export_hdr: Option<PathBuf>,
    /// No live view
    pub quiet: bool,
    /// Which part of a load among several this is
    pub parts: PartsOptions,
}

/// What a person wants of a load that several generators make together.
#[derive(Clone, Debug)]
pub struct PartsOptions {
    /// Which part of the load this generator makes
    pub part: Option<Share>,
    /// How many parts the load has, where Slurm or Kubernetes says which of them this is
    pub parts: Option<u32>,
    /// The folder in which all parts meet
    pub gather: Option<PathBuf>,
    /// How long the others are waited for
    pub gather_within: Duration,
    /// How long after the last part was ready the load begins
    pub gather_lead: Duration,
    /// Whether several parts may be on one host
    pub share_host: bool,
    /// Whether each part has a folder of its own
    pub apart: bool,
    /// By which clock the window is written down, and the start is meant
    pub clock: Clock,
}

impl LoadOptions {
    /// Whether requests are due whether or not the server answers.
    pub fn is_open(&self) -> bool {
        self.rate.is_some() || self.ramp.is_some()
    }

    /// How long is measured: 10 s, or as long as so many requests take.
    pub fn window(&self) -> Duration {
        self.duration.unwrap_or(if self.requests.is_some() { LONGEST } else { Duration::from_secs(10) })
    }

    /// How long load is made before: 1 s, but nothing before what counts requests, or before a ramp, which is its own.
    pub fn warm_up(&self) -> Duration {
        let none = self.requests.is_some() || self.ramp.is_some();
        self.warm_up.unwrap_or(if none { Duration::ZERO } else { Duration::from_secs(1) })
    }
}
