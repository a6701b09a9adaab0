//! What a primary is offered while it runs, each for any of its workers: where that comes from and who gets it are the server's to say.

use std::{
    fmt, io,
    os::fd::{BorrowedFd, OwnedFd},
    time::Duration,
};

/// Where descriptors come from that a primary gives to its workers, one by one. It is asked on the primary's only thread, beside
/// everything else, and must never wait.
///
/// A worker gets one when it has asked for it ([`Channel::ask`](crate::Channel::ask)), so that one that takes nothing holds up nobody
/// else: it is left out. While no worker asks, nothing is taken from here, and what waits, waits where it comes from.
pub trait Offers: fmt::Debug + Send {
    /// What is readable when there may be something.
    fn watched(&self) -> BorrowedFd<'_>;

    /// The next one.
    fn next(&mut self) -> Offer;

    /// Who gets the next one: an index in `takers`, which are never none, and in the order of their places.
    fn choose(&mut self, takers: &[Taker]) -> usize;
}

/// What there is to be given.
#[derive(Debug)]
pub enum Offer {
    /// This.
    One(OwnedFd),
    /// Nothing at present.
    None,
    /// Nothing before so much time has passed, whatever can be read.
    NotWithin(Duration),
}

/// A worker that asks for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taker {
    /// Its place.
    pub place: usize,
    /// The connections that it has counted as open: 0 where primary and workers share no memory.
    pub connections_open: u64,
}

/// What a worker is handed when it begins: nothing, where all that it serves is given to it later.
pub(crate) type Handed = io::Result<Option<OwnedFd>>;
