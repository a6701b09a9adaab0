//! The host that servers ran on, where that was not the generator's, and the link between the two.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{host_record::HostRecord, interface::Interface};

/// The host that servers ran on, and the link to it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ServerHostRecord {
    /// As a person named it.
    pub asked: String,
    /// What it is.
    pub host: HostRecord,
    /// Where its servers listened.
    pub address: String,
    /// The interface of that address.
    pub interface: Option<Interface>,
    /// The generator's interface.
    pub generator_interface: Option<Interface>,
    /// How long a byte took from the generator's host to that address and back, before anything was measured.
    pub round_trip: RoundTrip,
    /// Whether it is the generator's machine as well, in another namespace or container: both sides had its CPUs, and the network between
    /// them was within its kernel.
    pub one_machine: bool,
}

/// How long a byte took there and back, of many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoundTrip {
    /// The least.
    pub least_ns: u64,
    /// The middle one.
    pub median_ns: u64,
}
