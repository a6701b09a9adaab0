//! What a part brings to a meeting.

use std::{path::Path, time::Duration};

use load::Share;
use serde_json::Value;

/// How long after the last part was ready the load begins where nothing else is said: others see a new file within 3 s (NFS keeps what
/// it knows of a folder for that long, nfs(5) acregmin), and open their connections in the 2 s before the start.
pub const LEAD: Duration = Duration::from_secs(5);

/// What a part brings to a meeting.
pub struct Wanted<'a> {
    /// The folder.
    pub folder: &'a Path,
    /// What it would do.
    pub plan: &'a Value,
    /// What it would draw from, where a person said so; part 0 draws one otherwise.
    pub seed: Option<u64>,
    /// How it meets the others.
    pub terms: Terms,
}

/// How a part meets the others.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Which part it is.
    pub part: Share,
    /// How long it waits for others.
    pub within: Duration,
    /// How long after the last part was ready the load begins.
    pub lead: Duration,
    /// Whether several parts may be on one host.
    pub share_host: bool,
    /// Whether each part has a folder of its own, which somebody brings together afterwards: seed and start are said to all beforehand,
    /// and nobody is waited for.
    pub apart: bool,
}
