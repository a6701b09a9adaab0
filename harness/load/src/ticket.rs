//! The four instants of a request, three of which it carries: due, able, sent; the fourth is its answer's.

use crate::{clocked::Receipt, errors::ErrorKind};

/// The instants of a request in flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket {
    pub(crate) due_ns: u64,
    /// When it could have been sent: it was due, and a connection was free.
    pub(crate) able_ns: u64,
    pub(crate) sent_ns: u64,
}

impl Ticket {
    /// How long no connection was free for it: the server's doing.
    #[inline]
    pub(crate) fn waiting_ns(&self) -> u64 {
        self.able_ns.saturating_sub(self.due_ns)
    }

    /// How long the generator took to send it: its own doing.
    #[inline]
    pub(crate) fn lateness_ns(&self) -> u64 {
        self.sent_ns.saturating_sub(self.able_ns)
    }

    /// What passed between the due time and `at_ns`, whoever's doing.
    #[inline]
    pub(crate) fn observed_ns(&self, at_ns: u64) -> u64 {
        at_ns.saturating_sub(self.due_ns)
    }

    /// The same without the generator's lateness.
    #[inline]
    pub(crate) fn response_ns(&self, at_ns: u64) -> u64 {
        self.observed_ns(at_ns).saturating_sub(self.lateness_ns())
    }

    #[inline]
    pub(crate) fn service_ns(&self, at_ns: u64) -> u64 {
        at_ns.saturating_sub(self.sent_ns)
    }
}

/// A whole answer, judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) receipt: Receipt,
    /// When its first byte had arrived, where that is asked for.
    pub(crate) first_byte_ns: Option<u64>,
    pub(crate) status: u16,
    pub(crate) result: Result<(), ErrorKind>,
    /// Its content was compared with the expected one.
    pub(crate) compared: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_request_add_up() {
        let ticket = Ticket { due_ns: 10, able_ns: 25, sent_ns: 32 };
        assert_eq!((ticket.waiting_ns(), ticket.lateness_ns(), ticket.service_ns(100)), (15, 7, 68));
        assert_eq!(ticket.observed_ns(100), 15 + 7 + 68);
        assert_eq!(ticket.response_ns(100), 15 + 68);
    }
}
