//! Handing over, from the primary's side: it accepts, and chooses who gets the connection.

use std::{
    io::{self, ErrorKind},
    net::TcpListener,
    os::fd::{AsFd, BorrowedFd},
    time::Instant,
};

use kit::accept::Failures;
use rustix::net::{SocketFlags, accept_with};
use supervisor::{Offer, Offers, Taker};

/// Who gets a connection, of the workers that have taken the last one they were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Each in turn, as in Node's cluster.
    RoundRobin,
    /// The one with the fewest open connections, by the counters that they share; in turn where they are equal.
    LeastConnections,
}

/// The listener in the primary's hands.
#[derive(Debug)]
pub(crate) struct Acceptor {
    listener: TcpListener,
    choice: Choice,
    /// The place that got the last one.
    last: usize,
    failures: Failures,
}

impl Acceptor {
    pub(crate) fn new(listener: TcpListener, choice: Choice) -> Self {
        Self { listener, choice, last: usize::MAX, failures: Failures::default() }
    }
}

impl Offers for Acceptor {
    fn watched(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }

    fn next(&mut self) -> Offer {
        loop {
            match accept_with(&self.listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)
                .map_err(io::Error::from)
            {
                Ok(stream) => {
                    self.failures.over();
                    return Offer::One(stream);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Offer::None,
                // One that ended before it was accepted is followed by the next.
                Err(error) => {
                    if let Some(pause) = self.failures.pause_after(&error, Instant::now()) {
                        return Offer::NotWithin(pause);
                    }
                }
            }
        }
    }

    fn choose(&mut self, takers: &[Taker]) -> usize {
        // The first behind the last that got one.
        let turn =
            takers.iter().position(|taker| self.last != usize::MAX && taker.place > self.last).unwrap_or(0);
        let in_turn = (turn..takers.len()).chain(0..turn);
        let chosen = match self.choice {
            Choice::RoundRobin => turn,
            // The first of several.
            Choice::LeastConnections => {
                in_turn.min_by_key(|&taker| takers[taker].connections_open).unwrap_or(turn)
            }
        };
        self.last = takers.get(chosen).map_or(usize::MAX, |taker| taker.place);
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acceptor(choice: Choice) -> Acceptor {
        Acceptor::new(TcpListener::bind("127.0.0.1:0").unwrap(), choice)
    }

    /// Those with these places and open connections.
    fn takers<const N: usize>(takers: [(usize, u64); N]) -> [Taker; N] {
        takers.map(|(place, connections_open)| Taker { place, connections_open })
    }

    #[test]
    fn each_place_has_its_turn_and_one_that_does_not_ask_is_skipped() {
        let mut acceptor = acceptor(Choice::RoundRobin);
        let all = takers([(0, 9), (1, 0), (2, 0)]);
        assert_eq!([(); 4].map(|()| acceptor.choose(&all)), [0, 1, 2, 0]);
        let without_p1 = takers([(0, 9), (2, 0)]);
        assert_eq!([(); 3].map(|()| acceptor.choose(&without_p1)), [1, 0, 1]);
        assert_eq!(acceptor.choose(&takers([(7, 0)])), 0);
    }

    #[test]
    fn the_fewest_connections_decide_and_turns_where_they_are_equal() {
        let mut acceptor = acceptor(Choice::LeastConnections);
        let uneven = takers([(0, 3), (1, 1), (2, 2)]);
        assert_eq!([(); 3].map(|()| acceptor.choose(&uneven)), [1; 3]);
        let equal = takers([(0, 4), (1, 4), (2, 4)]);
        assert_eq!([(); 4].map(|()| acceptor.choose(&equal)), [2, 0, 1, 2]);
    }
}
