//! What the files of a gathering hold.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::{ClockRecord, HostId};

/// Version of these records: raised when a field changes its meaning or goes away.
pub const SCHEMA: u32 = 1;

/// What all parts do together, under the name [`PLAN`](super::names::PLAN).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlanRecord {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Drawn by part 0: whoever read it sees the same folder.
    pub token: String,
    /// Of `plan` and `seed`.
    pub sha256: String,
    /// What all draw from.
    pub seed: u64,
    /// How many parts there are.
    pub parts: u32,
    /// All else that is the same for all of them.
    pub plan: Value,
}

/// A part is there: [`arrived`](super::names::arrived).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Arrival {
    /// The token that it read.
    pub token: String,
    /// Its number.
    pub part: u32,
    /// Where it is.
    pub host: HostId,
    /// Its process there.
    pub pid: u32,
}

/// All are there: [`START`](super::names::START).
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Start {
    /// When the load begins, nanoseconds since 1970, by the clock that all go by.
    pub start_ns: i64,
}

/// A part gave up: [`failed`](super::names::failed).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Failure {
    /// The token that it read.
    pub token: String,
    /// Its number.
    pub part: u32,
    /// Where it was.
    pub host: HostId,
    /// Why, as it said.
    pub reason: String,
}

/// What a part found: [`result`](super::names::result).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PartRecord {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The token that it read.
    pub token: String,
    /// The SHA-256 of the plan that it followed.
    pub plan_sha256: String,
    /// Its number.
    pub part: u32,
    /// How many parts there are.
    pub parts: u32,
    /// Where it was.
    pub host: HostId,
    /// The SHA-256 of the program that it is; nothing where that cannot be read.
    pub program_sha256: Option<String>,
    /// How far the clock that all go by is ahead of the one there, where that is another.
    pub clock: Option<ClockRecord>,
    /// When its window opened, in seconds since 1970, by the clock there.
    pub opened_s: f64,
    /// How long the window was, in seconds.
    pub window_s: f64,
    /// Whether the load was made and answered: a part that ends with exit code 1 may have figures all the same.
    pub is_good: bool,
    /// The SHA-256 of its log.
    pub log_sha256: String,
    /// All its figures, as `--export-json` writes them.
    pub report: Value,
}
