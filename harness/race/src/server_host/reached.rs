//! Another host, once it is known what it is and that its servers can be reached from here.

use super::{
    error::LinkError,
    lines::Described,
    other_host::OtherHost,
    probe,
    ssh::{Reach, connect},
};
use crate::{
    programs::start_environment::StartRecord,
    records::{interface::Interface, server_host::ServerHostRecord},
};

/// Another host that can run servers.
#[derive(Debug)]
pub struct Reached {
    /// The host.
    pub host: OtherHost,
    /// What is recorded of it.
    pub record: ServerHostRecord,
    /// What every server starts with there.
    pub start: StartRecord,
}

/// Connects to another host, asks what it is, and sees whether connections come through to it.
///
/// # Errors
/// See [`LinkError`].
pub fn reach(reach: &Reach) -> Result<Reached, LinkError> {
    let (link, _) = connect(reach)?;
    introduced(OtherHost::new(link), &reach.host)
}

/// Asks a host what it is that a person calls `asked`.
///
/// # Errors
/// It does not say, or connections do not come through.
pub(super) fn introduced(host: OtherHost, asked: &str) -> Result<Reached, LinkError> {
    let unable = |said| LinkError::Unable { host: asked.to_owned(), said };
    let Described { host: there, interface, start, .. } = host.described().map_err(unable)?;
    let address = host.listens().map_err(unable)?;
    let (here, round_trip) = probe::exchange(address).map_err(|error| LinkError::Closed {
        host: asked.to_owned(),
        address,
        error: error.to_string(),
    })?;
    let record = ServerHostRecord {
        asked: asked.to_owned(),
        host: there,
        address: address.ip().to_string(),
        interface,
        generator_interface: Interface::of(here),
        round_trip,
        one_machine: host.is_of_one_machine(),
    };
    Ok(Reached { host, record, start })
}
