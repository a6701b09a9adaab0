//! The clock of another host, as it answered.

use serde::Serialize;
use stats::clock_offset::{self, Exchange, Offset};

use super::{
    error::ClockError,
    host::HostId,
    link::{Link, Reach},
};

/// What another host said of its clock.
#[derive(Clone, Debug, Serialize)]
pub struct Answered {
    /// The host that answered.
    pub host: HostId,
    /// How far its clock is ahead of the one here.
    #[serde(flatten)]
    pub offset: Offset,
    /// The least round trip, in nanoseconds.
    pub round_trip_ns: i64,
    /// How often it was asked.
    pub exchanges: u32,
}

/// Asks so often, one after the other on one connection.
///
/// # Errors
/// The host cannot be reached, does not answer as a harness does, or a clock was set meanwhile.
pub fn ask(reach: &Reach, exchanges: u32) -> Result<Answered, ClockError> {
    let (mut link, host) = Link::open(reach)?;
    let all = (0..exchanges).map(|number| link.exchange(number)).collect::<Result<Vec<Exchange>, _>>()?;
    let failed = |error| ClockError::Offset { host: reach.host.clone(), error };
    let offset = clock_offset::of_exchanges(&all).map_err(failed)?;
    let round_trip_ns = all.iter().map(Exchange::round_trip_ns).min().unwrap_or(0);
    Ok(Answered { host, offset, round_trip_ns, exchanges })
}
