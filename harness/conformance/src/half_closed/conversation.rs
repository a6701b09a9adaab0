//! One conversation: what is sent, what is owed for it, and what may follow.

use std::fmt;

use super::arrival::Arrival;
use crate::{
    case::Expected,
    verdict::DESYNC,
    wire::{After, Broken, Client},
};

/// A request and its answer.
pub(super) struct Exchange {
    pub(super) request: Vec<u8>,
    pub(super) answer: Expected,
    /// Nothing behind it is a request any more.
    pub(super) closes: bool,
}

/// What comes behind the last whole request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// Nothing.
    Nothing,
    /// A request that is cut short: it may be refused, and never succeeds.
    Incomplete(&'static str),
}

/// All that is sent on one connection, and what is owed for it.
pub(super) struct Conversation {
    pub(super) bytes: Vec<u8>,
    pub(super) answers: Vec<Expected>,
    may_be_refused: bool,
}

/// What went wrong.
#[derive(Debug)]
pub(super) enum Fault {
    /// So many were answered, and then this came of the next.
    Lost { answered: usize, of: usize, why: String },
    /// Behind the last answer.
    Wrong(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { answered, of: 1, why } if *answered == 0 => f.write_str(why),
            Self::Lost { answered, of, why } => write!(f, "answer {} of {of}: {why}", answered + 1),
            Self::Wrong(what) => f.write_str(what),
        }
    }
}

impl Fault {
    /// With the round in which it was seen. A desync still begins as one.
    pub(super) fn told(&self, round: u64, arrival: Arrival) -> String {
        format!("{self} (round {round}, {arrival})")
    }
}

impl Conversation {
    /// All of these in a pipeline, then `rest`. Answered is what comes up to the first that closes.
    pub(super) fn of(exchanges: impl IntoIterator<Item = Exchange>, rest: Rest) -> Self {
        let mut conversation = Self { bytes: Vec::new(), answers: Vec::new(), may_be_refused: false };
        let mut closed = false;
        for Exchange { request, answer, closes } in exchanges {
            conversation.bytes.extend(request);
            if !closed {
                conversation.answers.push(answer);
            }
            closed |= closes;
        }
        if let Rest::Incomplete(part) = rest {
            conversation.bytes.extend(part.as_bytes());
            conversation.may_be_refused = !closed;
        }
        conversation
    }

    /// Sends all of it and the end, and takes the answers up to the close.
    pub(super) fn hold(&self, client: &mut Client, arrival: Arrival) -> Result<(), Fault> {
        // A server may close while bytes are still on their way that are no request any more.
        drop(arrival.send(client, &self.bytes));
        for (answered, expected) in self.answers.iter().enumerate() {
            final_answer(client, expected).map_err(|why| Fault::Lost {
                answered,
                of: self.answers.len(),
                why,
            })?;
        }
        if self.may_be_refused {
            match client.receive(false) {
                Err(Broken::Closed) => return Ok(()),
                Ok(refusal) if refusal.status >= 400 => {}
                Ok(answer) => {
                    return Err(Fault::Wrong(format!("what was cut short is answered {}", answer.status)));
                }
                Err(broken) => return Err(Fault::Wrong(format!("behind the last answer: {broken}"))),
            }
        }
        match client.after(client.patience()) {
            After::Closed => Ok(()),
            After::Open(patience) => {
                Err(Fault::Wrong(format!("still open {patience:?} after the last answer")))
            }
            After::More(start) => {
                Err(Fault::Wrong(format!("{DESYNC}: behind the last answer came {start:?}")))
            }
            After::Broken(error) => Err(Fault::Wrong(error)),
        }
    }
}

/// The next answer that is no interim one, judged.
fn final_answer(client: &mut Client, expected: &Expected) -> Result<(), String> {
    loop {
        let response = client.receive(expected.to_head).map_err(|broken| broken.to_string())?;
        if response.status >= 200 {
            return expected.judge(&response);
        }
    }
}
