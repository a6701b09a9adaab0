//! By which clock a load's window is to be written down.

use stats::clock_offset::Offset;

use super::{asked::ask, error::ClockError, link::Reach, record::ClockRecord};

/// How often a clock is asked where nothing else is said: a round trip that meets no queue is among so many.
pub const EXCHANGES: u32 = 50;

/// By which clock a load's window is to be written down.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The one here, whatever others say.
    #[default]
    Own,
    /// That of another host, which is asked before and after the load.
    Against(Reach),
    /// One that is so far ahead of the one here.
    Given(Offset),
}

impl Clock {
    /// What it is now, where it is another than the one here.
    ///
    /// # Errors
    /// The host cannot be asked.
    pub fn record(&self) -> Result<Option<ClockRecord>, ClockError> {
        match self {
            Self::Own => Ok(None),
            Self::Against(reach) => {
                let answered = ask(reach, EXCHANGES)?;
                Ok(Some(ClockRecord { against: Some(answered.host), offset: answered.offset }))
            }
            Self::Given(offset) => Ok(Some(ClockRecord { against: None, offset: *offset })),
        }
    }

    /// What it was `before` a load and is now, as one: clocks run apart.
    ///
    /// # Errors
    /// The host cannot be asked any more, or another one answers.
    pub fn and_now(&self, before: ClockRecord) -> anyhow::Result<ClockRecord> {
        match self.record()? {
            Some(now) => before.and_later(&now).map_err(anyhow::Error::msg),
            None => Ok(before),
        }
    }
}
