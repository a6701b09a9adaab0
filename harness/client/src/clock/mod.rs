//! `harness clock HOST`: how far another host's clock is from this one's, and how surely. Clocks are measured, never set.
//!
//! Only windows of time need a common clock: a latency begins and ends on one host.

mod answers;
mod asked;
mod error;
mod host;
mod lines;
mod link;
mod record;
mod steady;
mod wanted;
mod words;

use std::path::PathBuf;

use terminal::{outcome::Outcome, outln, output::Output};

pub use answers::answer;
pub use asked::{Answered, ask};
pub use error::ClockError;
pub use host::HostId;
pub use link::Reach;
pub use record::ClockRecord;
pub use stats::clock_offset::Offset;
pub use steady::Steady;
pub use wanted::{Clock, EXCHANGES};
pub use words::{ahead, ms};

/// What a person wants of `clock`.
#[derive(Clone, Debug)]
pub struct ClockOptions {
    /// The host, and the way there.
    pub reach: Reach,
    /// How often it is asked.
    pub exchanges: u32,
    /// Write what it said as JSON.
    pub export_json: Option<PathBuf>,
}

/// Runs `harness clock`.
///
/// # Errors
/// See [`ClockError`]; or the file cannot be written.
pub fn clock(options: &ClockOptions) -> anyhow::Result<Outcome> {
    let json = options.export_json.as_deref().map(Output::begin).transpose()?;
    let answered = ask(&options.reach, options.exchanges)?;
    outln!(
        "{} ({}): its clock is {}; the least of {} round trips took {}",
        options.reach.host,
        answered.host.name,
        ahead(answered.offset),
        answered.exchanges,
        ms(answered.round_trip_ns)
    );
    if let Some(json) = json {
        json.finish_json(&answered)?;
    }
    Ok(Outcome::Done)
}
