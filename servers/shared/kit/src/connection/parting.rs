//! Which answer is the last one of a connection, once the server stops.
//!
//! From the stop signal on an answer says `Connection: close`, and the connection closes behind it, unless the client has sent more
//! already: a server processes nothing behind a close that it has announced (RFC 9112 section 9.6), so the requests of a pipeline that are
//! behind would be lost. The close then goes on the answer to the last of them. A client that sends one request after the other, each
//! when it has the answer to the one before, is told with its first answer.
//!
//! What a client has sent is known from two sides: the requests that begin in what was read, and the bytes that lie in the
//! socket. An answer behind which nothing was read is held until the kernel was asked for these: a runtime may not
//! know of them yet, above all where the answer was computed on its own thread.
//!
//! A client whose pipeline never ends would never be told. So the end of the linger is the last call: what had arrived by then is
//! answered, and the first answer that has none of it behind it is the last one.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
};

use crate::drain::Drain;

/// What of a connection's requests has come, and which is the last to be answered. Requests are counted from 1, modulo 2^32; only one
/// task writes any of it.
#[derive(Debug, Default)]
pub(super) struct Parting {
    /// `None` where nothing ever stops the connection.
    drain: Option<Arc<Drain>>,
    /// How many requests begin in what was read.
    begun: AtomicU32,
    read_bytes: AtomicU64,
    /// Bytes in the socket when it was last asked for them.
    unread_bytes: AtomicU64,
    /// The last call is out, and what has arrived is to be noted.
    is_calling: AtomicBool,
    /// How many bytes had arrived at the last call.
    owed_bytes: OnceLock<u64>,
    /// The last request that begins in those.
    last: OnceLock<u32>,
    /// An answer has said that the connection closes, because the server stops.
    announced: AtomicBool,
}

impl Parting {
    pub(super) fn new(drain: Option<Arc<Drain>>) -> Self {
        Self { drain, ..Self::default() }
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.drain.as_ref().is_some_and(|drain| drain.is_stopping())
    }

    /// Of what was read so far, which are `bytes`, so many requests begin.
    pub(super) fn has_read(&self, bytes: u64, begun: u32) {
        self.read_bytes.store(bytes, Relaxed);
        self.begun.store(begun, Relaxed);
        if self.owed_bytes.get().is_some_and(|&owed| bytes >= owed) {
            self.last.get_or_init(|| begun);
        }
    }

    /// Beyond what was read so many bytes have arrived.
    pub(super) fn has_seen(&self, unread_bytes: u64) {
        self.unread_bytes.store(unread_bytes, Relaxed);
        if self.is_calling.swap(false, Relaxed) {
            let read = self.read_bytes.load(Relaxed);
            self.owed_bytes.get_or_init(|| read + unread_bytes);
            self.has_read(read, self.begun.load(Relaxed));
        }
    }

    /// Bytes in the socket when it was last asked for them.
    pub(super) fn unread_bytes(&self) -> u64 {
        self.unread_bytes.load(Relaxed)
    }

    /// What has arrived when the socket is asked next is the last that is answered.
    pub(super) fn call(&self) {
        self.is_calling.store(true, Relaxed);
    }

    /// Whether the answer to `request` is the last one, where the server stops; `None` if the socket must be asked first.
    pub(super) fn is_last(&self, request: u32, has_asked: bool) -> Option<bool> {
        if self.last.get().is_some_and(|&last| !is_before(request, last)) {
            return Some(true);
        }
        if is_before(request, self.begun.load(Relaxed)) {
            return Some(false);
        }
        has_asked.then(|| self.unread_bytes() == 0)
    }

    /// An answer says that the connection closes.
    pub(super) fn announce(&self) {
        self.announced.store(true, Relaxed);
    }

    /// Whether one has.
    pub(super) fn is_announced(&self) -> bool {
        self.announced.load(Relaxed)
    }
}

/// Of two requests of one connection, of which there are never half of 2^32 between the one that is answered and the last that was read.
fn is_before(one: u32, other: u32) -> bool {
    one != other && other.wrapping_sub(one) < 1 << 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_request_is_the_one_behind_which_nothing_has_come() {
        let parting = Parting::default();
        parting.has_read(30, 3);
        assert_eq!((parting.is_last(1, false), parting.is_last(2, true)), (Some(false), Some(false)));
        assert_eq!(parting.is_last(3, false), None, "the socket is to be asked");
        parting.has_seen(5);
        assert_eq!(parting.is_last(3, true), Some(false));
        parting.has_seen(0);
        assert_eq!(parting.is_last(3, true), Some(true));
    }

    #[test]
    fn a_pipeline_without_end_ends_with_what_had_arrived_at_the_last_call() {
        let parting = Parting::default();
        parting.has_read(20, 2);
        parting.call();
        parting.has_seen(15);
        assert_eq!(parting.is_last(2, true), Some(false), "more of it lies in the socket");
        parting.has_read(30, 3);
        parting.has_read(60, 6);
        parting.has_read(90, 9);
        assert_eq!([3, 5].map(|request| parting.is_last(request, false)), [Some(false); 2]);
        assert_eq!([6, 7, 9].map(|request| parting.is_last(request, false)), [Some(true); 3]);

        let parting = Parting::default();
        parting.has_read(20, 2);
        parting.call();
        parting.has_seen(0);
        parting.has_read(90, 9);
        assert_eq!([1, 2].map(|request| parting.is_last(request, false)), [Some(false), Some(true)]);
    }

    #[test]
    fn requests_are_counted_beyond_what_a_counter_holds() {
        let parting = Parting::default();
        parting.has_read(1, 1);
        assert_eq!(parting.is_last(u32::MAX, false), Some(false));
        assert_eq!(parting.is_last(1, false), None);
    }
}
