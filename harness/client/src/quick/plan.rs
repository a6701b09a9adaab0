//! What `quick` asks of the generator: a closed loop of users who come one after the other, send and leave.

use std::{path::PathBuf, sync::Arc, time::Duration};

use load::{Afterwards, ConnectionPolicy, Limits, Opening, Pacing, Plan, Request, Stream};

use super::crowd::Crowd;
use crate::target::Target;

/// What a person wants of `quick`.
#[derive(Clone, Debug)]
pub struct QuickOptions {
    /// What to load, such as http://127.0.0.1:8080/simple
    pub url: String,
    /// Users that arrive, evenly over one second
    pub count: u32,
    /// Requests that each user sends, one after the other
    pub num: u32,
    /// Write the report to this file, as JSON
    pub output: Option<PathBuf>,
    /// Print nothing but warnings and errors
    pub quiet: bool,
}
/// Over how long users arrive.
pub(super) const ARRIVALS_LAST: Duration = Duration::from_secs(1);

/// How long a request may wait for its whole answer, and a handshake for its end: the original's default for the first
/// byte, connecting included; it knows no limit for the rest of an answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The original has no limit on content. It is held in memory until it is complete.
const LIMITS: Limits = Limits { max_head_bytes: 64 * 1024, max_body_bytes: 1 << 30 };

/// A run ends when its last user has left, however long that takes: longer than any patience.
const NO_END: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How often it is looked whether a period is over.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Sent by the original too: a server that compresses shall do the same work. The content is counted as it comes.
const HEADERS: &[(&str, &str)] = &[
    ("user-agent", concat!("harness-quick/", env!("CARGO_PKG_VERSION"))),
    ("accept-encoding", "gzip, deflate, br"),
    ("connection", "keep-alive"),
];

/// The plan of a run that `crowd` watches.
///
/// # Errors
/// The target makes no request.
pub(super) fn plan(args: &QuickOptions, target: &Target, crowd: &Arc<Crowd>) -> anyhow::Result<Plan> {
    let request = Request::new("GET", &target.path, &target.host, HEADERS, b"")?;
    // Any final status is an answer.
    let any = Arc::new(|_: u16, _: &[u8]| Ok(()));
    let mut stream = Stream::new("users", request, any, Pacing::Closed, args.count);
    stream.policy = ConnectionPolicy {
        requests_each: Some(args.num),
        then: Afterwards::ReopenIfAnnounced,
        opening: Opening::Over(ARRIVALS_LAST),
        ..ConnectionPolicy::default()
    };
    let mut plan = Plan::new(target.address, vec![stream]);
    plan.warm_up = Duration::ZERO;
    plan.window = NO_END;
    plan.timeout = PATIENCE;
    plan.limits = LIMITS;
    plan.first_byte = true;
    plan.progress_every = LOOK_EVERY;
    plan.witness = Some(crowd.clone());
    Ok(plan)
}
