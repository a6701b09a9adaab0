//! How the end of a client's sending half comes behind its last byte.

use std::{
    fmt, io,
    time::{Duration, Instant},
};

use crate::wire::Client;

/// By this much the end comes later with each round in which it comes a moment later, and so many different ones there are.
const LATER: Duration = Duration::from_micros(40);
const MOMENTS: u64 = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// All in one write, and the end by the next system call.
    AtOnce,
    /// The end in the segment of the last byte: a server that reads the request finds the end behind it.
    InTheLastSegment,
    /// In two writes, cut at this many thousandths of the bytes, the end right behind the second.
    Cut(u64),
    /// In one write, and the end so much later: while the answer is computed, or written.
    Later(Duration),
}

impl fmt::Display for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtOnce => f.write_str("the end right behind"),
            Self::InTheLastSegment => f.write_str("the end in the last segment"),
            Self::Cut(place) => write!(f, "cut at {place} thousandths, the end right behind"),
            Self::Later(moment) => write!(f, "the end {moment:?} later"),
        }
    }
}

impl Arrival {
    /// Each in turn, and each otherwise the next time.
    pub(super) fn of(round: u64) -> Self {
        let time = round / 4;
        match round % 4 {
            0 => Self::AtOnce,
            1 => Self::InTheLastSegment,
            2 => Self::Cut(time * 137 % 1000),
            _ => Self::Later(LATER * u32::try_from(time % MOMENTS).unwrap_or(0)),
        }
    }

    /// Sends `bytes`, then the end.
    ///
    /// # Errors
    /// The server has closed: what it said before decides.
    pub(super) fn send(self, client: &mut Client, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::AtOnce => client.send(bytes)?,
            Self::InTheLastSegment => return client.send_with_the_end(bytes),
            Self::Cut(thousandths) => {
                let (first, second) = bytes.split_at(bytes.len() * thousandths as usize / 1000);
                client.send(first)?;
                client.send(second)?;
            }
            Self::Later(moment) => {
                client.send(bytes)?;
                // A sleep takes longer than most of these.
                let end = Instant::now() + moment;
                while Instant::now() < end {
                    std::hint::spin_loop();
                }
            }
        }
        client.finish_sending()
    }
}
