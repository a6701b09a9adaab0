//! A host for a generator, once it is known what it is and that it reaches the servers.

use std::net::SocketAddr;

use stats::clock_offset::Offset;

use super::hosts::GeneratorHost;
use crate::{
    records::generator_host::GeneratorHostRecord,
    server_host::{
        error::LinkError,
        lines::{Answer, Asked},
        link::{ANSWER_WITHIN, Link},
        ssh::{Reach, connect},
    },
};

/// A host that can make a load.
#[derive(Debug)]
pub struct Reached {
    /// The host.
    pub host: GeneratorHost,
    /// What is recorded of it.
    pub record: GeneratorHostRecord,
}

/// Connects to another host, asks what it is, and sees whether connections from there come through to whoever listens at `probe`.
///
/// # Errors
/// See [`LinkError`].
pub fn reach(reach: &Reach, probe: SocketAddr, measures: bool) -> Result<Reached, LinkError> {
    let (link, _) = connect(reach)?;
    introduced(link, probe, measures)
}

/// The same of one that is connected.
///
/// # Errors
/// See [`LinkError`].
pub fn introduced(link: Link, probe: SocketAddr, measures: bool) -> Result<Reached, LinkError> {
    let asked = link.host().to_owned();
    let unable = |said: String| LinkError::Unable { host: asked.clone(), said };
    let unexpected = |answer: Answer| unable(format!("it answers what it was not asked: {answer:?}"));
    let described = match link.ask(Asked::Describe { beside: None }, ANSWER_WITHIN).map_err(unable)? {
        Answer::Described(described) => described,
        other => return Err(unexpected(other)),
    };
    let closed = |error| LinkError::Closed { host: asked.clone(), address: probe, error };
    let exchanged = match link.ask(Asked::Exchange(probe), ANSWER_WITHIN).map_err(closed)? {
        Answer::Exchanged(exchanged) => exchanged,
        other => return Err(unexpected(other)),
    };
    let host = GeneratorHost::new(link, described.host.cpu.allowed.clone());
    let Offset { offset_ns, bound_ns } = host.clock().map_err(unable)?;
    let record = GeneratorHostRecord {
        asked: asked.clone(),
        host: described.host,
        measures,
        address: exchanged.here.to_string(),
        interface: exchanged.interface,
        round_trip: exchanged.round_trip,
        clock_offset_ns: offset_ns,
        clock_within_ns: bound_ns,
    };
    Ok(Reached { host, record })
}
