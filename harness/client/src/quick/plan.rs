//! What `quick` asks of the generator: a closed loop of users who come one after the other, send and leave.

use std::{path::PathBuf, sync::Arc, time::Duration};

use load::{
    Afterwards, Check, ConnectionPolicy, Content, Limits, Mismatch, Opening, Pacing, Plan, Request, Stream,
};

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
    /// The longest head of an answer, in bytes
    pub max_head: usize,
    /// Print nothing but warnings and errors
    pub quiet: bool,
}
/// Over how long users arrive.
pub(super) const ARRIVALS_LAST: Duration = Duration::from_secs(1);

/// How long a request may wait for its whole answer, and a handshake for its end: the original's default for the first
/// byte, connecting included; it knows no limit for the rest of an answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

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

/// Any final status is an answer, whatever comes with it.
struct AnyAnswer;

impl Check for AnyAnswer {
    fn check(&self, _status: u16, _body: &[u8]) -> Result<(), Mismatch> {
        Ok(())
    }

    fn accepts(&self, _status: u16) -> bool {
        true
    }

    fn content(&self) -> Content<'_> {
        Content::Any
    }
}

/// The plan of a run that `crowd` watches.
///
/// # Errors
/// The target makes no request.
pub(super) fn plan(args: &QuickOptions, target: &Target, crowd: &Arc<Crowd>) -> anyhow::Result<Plan> {
    let request = Request::new("GET", &target.path, &target.host, HEADERS, b"")?;
    let mut stream = Stream::new("users", request, Arc::new(AnyAnswer), Pacing::Closed, args.count);
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
    // The original has no limit on content, and what comes is only counted.
    plan.limits = Limits { max_head_bytes: args.max_head, max_body_bytes: None };
    plan.first_byte = true;
    plan.progress_every = LOOK_EVERY;
    plan.witness = Some(crowd.clone());
    Ok(plan)
}
