//! What can happen to a connection, and how an input says it.
//!
//! An input's first byte says whether the client takes its answers slowly. Each byte after it is an event: the low three bits
//! say which, the other five how much. Bytes that a client sends are made up by the fuzzer or taken from [`PARTS`], so that sequences
//! reach beyond the parser.

use std::time::Duration;

/// What a client may send, whole requests and parts of some.
pub const PARTS: &[&str] = &[
    "GET /simple HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /delay?ms=50 HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /complex?iterations=10 HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /api/randoms?count=10&seed=1 HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
    "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "HEAD /complex?iterations=10 HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /simple HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "GET /delay?ms=1000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "GET /complex?iterations=10 HTTP/1.0\r\n\r\n",
    "GET /delay?ms=60000 HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /delay?ms=50 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
    "GET /simple HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n",
    // Parts, of which the rest may come later.
    "POST /complex HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
    "GET /delay?ms=50 HTTP/1.1\r\nHost: a\r\n",
    "GET /si",
    "hi",
    "2\r\nhi\r\n",
    "0\r\n\r\n",
    "\r\n",
    "Connection: close\r\n\r\n",
    // No requests.
    "GET /simple HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX A: b\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
];

/// How long nothing happens, milliseconds: around what operations, delays and looks for the client take.
pub const WAITS_MS: &[u64] =
    &[0, 1, 9, 10, 11, 20, 49, 50, 51, 60, 100, 150, 199, 200, 201, 399, 400, 401, 999, 1_000, 2_000];

/// The most events that are read from an input, so that a sequence is shorter than any timeout.
pub const MOST: usize = 200;

/// Something that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The client sends bytes.
    Bytes(Vec<u8>),
    /// Time passes.
    Wait(Duration),
    /// The client takes bytes, where it takes them slowly.
    Take(usize),
    /// The client ends its sending half. It sends no bytes afterwards.
    End,
    /// The client resets the connection. Nothing happens afterwards but that time passes.
    Reset,
}

/// When a server stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Halt {
    /// Before the event with this number, counted from 0; behind the last where there are fewer.
    pub before: usize,
    /// How long a connection without a request stays open.
    pub linger: Duration,
}

impl Halt {
    /// Longer than any sequence.
    pub const LONGEST: Duration = Duration::from_secs(3600);
    /// None, one that is shorter than most sequences, and that.
    const LINGERS: [Duration; 3] = [Duration::ZERO, Duration::from_millis(100), Self::LONGEST];

    /// Reads the first two bytes of an input; what is left of it are events.
    pub fn parse(input: &[u8]) -> (Self, &[u8]) {
        let (head, rest) = input.split_at(input.len().min(2));
        let byte = |at: usize| usize::from(head.get(at).copied().unwrap_or(0));
        (Self { linger: Self::LINGERS[byte(0) % Self::LINGERS.len()], before: byte(1) }, rest)
    }
}

/// A sequence of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Events {
    /// How many bytes a slow client takes before it is asked again. `None`: all.
    pub room: Option<usize>,
    /// The events, without such as cannot happen any more.
    pub events: Vec<Event>,
}

impl Events {
    /// Reads an input.
    pub fn parse(input: &[u8]) -> Self {
        let (flags, mut rest) = input.split_first().map_or((0, input), |(flags, rest)| (*flags, rest));
        let room = Some(usize::from(flags & 7) * 16).filter(|room| *room > 0);
        let (mut events, mut ended) = (Vec::new(), false);
        while let [tag, more @ ..] = rest
            && events.len() < MOST
        {
            let much = usize::from(tag >> 3);
            let event = match tag & 7 {
                0 => {
                    let (bytes, later) = more.split_at((much + 1).min(more.len()));
                    rest = later;
                    Event::Bytes(bytes.to_vec())
                }
                1..=3 => {
                    rest = more;
                    Event::Bytes(PARTS[much % PARTS.len()].into())
                }
                tag => {
                    rest = more;
                    match tag {
                        4 => Event::Take(much + 1),
                        5 if much < 4 => Event::Reset,
                        5 => Event::End,
                        _ => Event::Wait(Duration::from_millis(WAITS_MS[much % WAITS_MS.len()])),
                    }
                }
            };
            match event {
                Event::Bytes(_) | Event::End if ended => continue,
                Event::End => ended = true,
                Event::Reset => {
                    events.push(event);
                    break;
                }
                _ => {}
            }
            events.push(event);
        }
        Self { room, events }
    }

    /// All bytes that are sent.
    pub fn sent(&self) -> Vec<u8> {
        let bytes = self.events.iter().filter_map(|event| match event {
            Event::Bytes(bytes) => Some(bytes.as_slice()),
            _ => None,
        });
        bytes.collect::<Vec<_>>().concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_says_what_happens_and_what_cannot_happen_any_more_is_left_out() {
        let wait = 6 | 7 << 3;
        let (end, reset) = (5 | 4 << 3, 5);
        let events = Events::parse(&[2, 1 << 3, b'h', b'i', 1, wait, end, 1, 4 | 2 << 3, reset, wait]);
        assert_eq!(events.room, Some(32));
        assert_eq!(
            events.events,
            [
                Event::Bytes(b"hi".to_vec()),
                Event::Bytes(PARTS[0].into()),
                Event::Wait(Duration::from_millis(50)),
                Event::End,
                Event::Take(3),
                Event::Reset
            ]
        );
        assert_eq!(events.sent(), [b"hi", PARTS[0].as_bytes()].concat());
        assert_eq!(Events::parse(&[]), Events { room: None, events: Vec::new() });
    }

    proptest::proptest! {
        #[test]
        fn any_input_is_a_sequence_shorter_than_any_timeout(input: Vec<u8>) {
            let events = Events::parse(&input);
            let waited: Duration = events.events.iter().map(|event| match event {
                Event::Wait(time) => *time,
                _ => Duration::ZERO,
            }).sum();
            proptest::prop_assert!(events.events.len() <= MOST && waited < Duration::from_secs(3600));
        }
    }
}
