//! A host of its own for one of several generators.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{host_record::HostRecord, interface::Interface, server_host::RoundTrip};

/// A host on which a generator made a part of every load, and the link from there to the servers.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct GeneratorHostRecord {
    /// As a person named it.
    pub asked: String,
    /// What it is.
    pub host: HostRecord,
    /// Whether it had little to do and measured, while the others loaded; all of them measure where none does that.
    pub measures: bool,
    /// From where it connects to servers.
    pub address: String,
    /// The interface of that address.
    pub interface: Option<Interface>,
    /// How long a byte took from there to the servers' address and back, before anything was measured.
    pub round_trip: RoundTrip,
    /// How far its clock was ahead of the one of the host that led, before anything was measured, nanoseconds...
    pub clock_offset_ns: i64,
    /// ... and how far from that it may have been.
    pub clock_within_ns: i64,
}
