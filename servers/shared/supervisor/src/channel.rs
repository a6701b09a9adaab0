//! What a primary and its worker tell each other, on one SOCK_SEQPACKET pair that is the worker's standard input and output.
//!
//! A packet is a few words, and descriptors beside them. Neither side ever waits for the other: what does not fit is an error of
//! who sends. What is not understood is dropped, since a library may print into a worker's standard output whatever it likes.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    io::Errno,
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
    },
    pipe::PIPE_BUF,
};

/// The longest packet, bytes: a worker's reason for not starting, which is written as a line.
const LONGEST: usize = PIPE_BUF;

/// How many descriptors go with one packet. The kernel's own bound is 253 (SCM_MAX_FD).
pub(crate) const MOST_DESCRIPTORS: usize = 64;

/// What a primary tells a worker.
#[derive(Debug)]
pub(crate) enum Order {
    /// Which side of its place the worker is on, how many places there are, its descriptor and the cluster's memory, if there are any.
    Begin { side: usize, places: usize, handed: Option<OwnedFd>, memory: Option<OwnedFd> },
    /// To accept from the listener of another place as well.
    Serve { place: usize, handed: OwnedFd },
    /// To accept from it no more.
    Release { place: usize },
    /// To take these, at most [`MOST_DESCRIPTORS`]: one that it has asked for, or, before it drains, as many as are left. Fewer arrive
    /// where the worker has no descriptors for them.
    Take { handed: Vec<OwnedFd> },
    /// To say whether its event loop turns.
    Ping,
    /// To answer what is under way, and to end.
    Drain { handed_over: bool },
}

/// What a worker tells its primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// It serves.
    Ready,
    /// Its event loop turns.
    Pong,
    /// It would take one more.
    Asks,
    /// It was told to end, and not by its primary, which is to give it nothing more and to say so.
    Leaves,
    /// Why it cannot start.
    Error(String),
    /// Something that a library has printed.
    Noise,
}

/// Two ends that are connected with each other: the primary's and the worker's.
pub(crate) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?)
}

impl Order {
    /// Sends the order, or fails at once.
    pub(crate) fn send(&self, to: BorrowedFd<'_>) -> io::Result<()> {
        match self {
            Self::Begin { side, places, handed, memory } => {
                let beside = [handed, memory].into_iter().flatten().map(AsFd::as_fd);
                let nothing = if handed.is_none() { " nothing" } else { "" };
                send(to, &format!("begin {side} {places}{nothing}"), &beside.collect::<Vec<_>>())
            }
            Self::Take { handed } => send(to, "take", &handed.iter().map(AsFd::as_fd).collect::<Vec<_>>()),
            Self::Serve { place, handed } => send(to, &format!("serve {place}"), &[handed.as_fd()]),
            Self::Release { place } => send(to, &format!("release {place}"), &[]),
            Self::Ping => send(to, "ping", &[]),
            Self::Drain { handed_over: true } => send(to, "drain handed-over", &[]),
            Self::Drain { handed_over: false } => send(to, "drain", &[]),
        }
    }

    /// The next order; `None` if there is none at present.
    ///
    /// # Errors
    /// The other end is gone.
    pub(crate) fn receive(from: BorrowedFd<'_>) -> io::Result<Option<Self>> {
        loop {
            let Some((said, descriptors)) = receive(from)? else { return Ok(None) };
            if let Some(order) = Self::parse(&said, descriptors) {
                return Ok(Some(order));
            }
        }
    }

    fn parse(said: &[u8], descriptors: Vec<OwnedFd>) -> Option<Self> {
        let said = std::str::from_utf8(said).ok()?;
        let mut words = said.split(' ');
        let mut descriptors = descriptors.into_iter();
        let order = words.next()?;
        let mut number = || words.next()?.parse().ok();
        match order {
            "begin" => {
                let (side, places) = (number()?, number()?);
                let handed = match words.next() {
                    Some("nothing") => None,
                    _ => Some(descriptors.next()?),
                };
                Some(Self::Begin { side, places, handed, memory: descriptors.next() })
            }
            "take" => Some(Self::Take { handed: descriptors.collect() }),
            "serve" => Some(Self::Serve { place: number()?, handed: descriptors.next()? }),
            "release" => Some(Self::Release { place: number()? }),
            "ping" => Some(Self::Ping),
            "drain" => Some(Self::Drain { handed_over: words.next() == Some("handed-over") }),
            _ => None,
        }
    }
}

impl Word {
    /// Sends the word, or fails at once.
    pub(crate) fn send(&self, to: BorrowedFd<'_>) -> io::Result<()> {
        match self {
            Self::Ready => send(to, "ready", &[]),
            Self::Pong => send(to, "pong", &[]),
            Self::Asks => send(to, "asks", &[]),
            Self::Leaves => send(to, "leaves", &[]),
            Self::Error(why) => send(to, &format!("error: {why}"), &[]),
            Self::Noise => Ok(()),
        }
    }

    /// The next word; `None` if there is none at present.
    ///
    /// # Errors
    /// The other end is gone.
    pub(crate) fn receive(from: BorrowedFd<'_>) -> io::Result<Option<Self>> {
        let Some((said, _)) = receive(from)? else { return Ok(None) };
        let said = String::from_utf8_lossy(&said);
        Ok(Some(match said.trim() {
            "ready" => Self::Ready,
            "pong" => Self::Pong,
            "asks" => Self::Asks,
            "leaves" => Self::Leaves,
            other => match other.strip_prefix("error: ") {
                Some(why) => Self::Error(why.to_owned()),
                None => Self::Noise,
            },
        }))
    }
}

fn send(to: BorrowedFd<'_>, said: &str, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() {
        beside.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    let said = &said.as_bytes()[..said.len().min(LONGEST)];
    loop {
        match sendmsg(to, &[IoSlice::new(said)], &mut beside, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn receive(from: BorrowedFd<'_>) -> io::Result<Option<(Vec<u8>, Vec<OwnedFd>)>> {
    let mut bytes = vec![0; LONGEST];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let count = loop {
        match recvmsg(from, &mut [IoSliceMut::new(&mut bytes)], &mut beside, flags) {
            Ok(received) => break received.bytes,
            // Told once, of an end that was closed before it had read everything; what that has said itself is there still.
            Err(Errno::INTR | Errno::CONNRESET) => {}
            Err(Errno::AGAIN) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        }
    };
    if count == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    bytes.truncate(count);
    let rights = beside.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    Ok(Some((bytes, rights.flatten().collect())))
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::Write as _};

    use super::*;

    #[test]
    fn an_order_arrives_with_its_descriptors() {
        let (primary, worker) = pair().unwrap();
        let (reader, writer) = io::pipe().unwrap();
        let begin = Order::Begin {
            side: 1,
            places: 3,
            handed: Some(writer.into()),
            memory: Some(File::open("/dev/null").unwrap().into()),
        };
        begin.send(primary.as_fd()).unwrap();
        drop(begin);
        let Some(Order::Begin { side: 1, places: 3, handed: Some(handed), memory: Some(_) }) =
            Order::receive(worker.as_fd()).unwrap()
        else {
            panic!("another order arrived");
        };
        File::from(handed).write_all(b"through").unwrap();
        assert_eq!(io::read_to_string(reader).unwrap(), "through");
        assert!(Order::receive(worker.as_fd()).unwrap().is_none());
    }

    #[test]
    fn who_is_handed_nothing_has_the_memory_all_the_same() {
        let (primary, worker) = pair().unwrap();
        for has_memory in [true, false] {
            let memory = has_memory.then(|| File::open("/dev/null").unwrap().into());
            Order::Begin { side: 0, places: 2, handed: None, memory }.send(primary.as_fd()).unwrap();
            let Some(Order::Begin { side: 0, places: 2, handed: None, memory }) =
                Order::receive(worker.as_fd()).unwrap()
            else {
                panic!("another order arrived");
            };
            assert_eq!(memory.is_some(), has_memory);
        }
    }

    #[test]
    fn as_many_descriptors_as_are_allowed_go_with_one_order() {
        let (primary, worker) = pair().unwrap();
        let handed = (0..MOST_DESCRIPTORS).map(|_| File::open("/dev/null").unwrap().into()).collect();
        Order::Take { handed }.send(primary.as_fd()).unwrap();
        let Some(Order::Take { handed }) = Order::receive(worker.as_fd()).unwrap() else {
            panic!("another order arrived")
        };
        assert_eq!(handed.len(), MOST_DESCRIPTORS);
    }

    #[test]
    fn what_is_not_understood_is_dropped() {
        let (primary, worker) = pair().unwrap();
        for said in ["", "a library says hello\n", "begin", "serve x", "ready or not", "\u{fffd}"] {
            // Nothing at all cannot be sent by a worker either.
            if !said.is_empty() {
                send(worker.as_fd(), said, &[]).unwrap();
                send(primary.as_fd(), said, &[]).unwrap();
            }
        }
        Word::Pong.send(worker.as_fd()).unwrap();
        Order::Ping.send(primary.as_fd()).unwrap();
        let heard = std::iter::from_fn(|| Word::receive(primary.as_fd()).unwrap());
        assert_eq!(heard.filter(|word| *word != Word::Noise).collect::<Vec<_>>(), [Word::Pong]);
        assert!(matches!(Order::receive(worker.as_fd()).unwrap(), Some(Order::Ping)));
    }

    #[test]
    fn what_a_worker_said_before_it_ended_is_heard_though_it_never_listened() {
        let (primary, worker) = pair().unwrap();
        Order::Ping.send(primary.as_fd()).unwrap();
        Word::Error("no memory".to_owned()).send(worker.as_fd()).unwrap();
        drop(worker);
        let heard = Word::receive(primary.as_fd()).unwrap();
        assert_eq!(heard, Some(Word::Error("no memory".to_owned())));
        assert!(Word::receive(primary.as_fd()).is_err());
    }

    #[test]
    fn an_end_that_is_gone_is_an_error_and_a_full_channel_does_not_block() {
        let (primary, worker) = pair().unwrap();
        let full = (0..100_000).find_map(|_| Order::Ping.send(primary.as_fd()).err());
        assert_eq!(full.map(|error| error.kind()), Some(io::ErrorKind::WouldBlock));
        drop(primary);
        while let Ok(order) = Order::receive(worker.as_fd()) {
            assert!(order.is_some());
        }
        assert!(Word::Pong.send(worker.as_fd()).is_err());
    }
}
