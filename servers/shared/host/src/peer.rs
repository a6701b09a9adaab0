//! What the kernel knows of the other end of a connection: whether it is still there, and whether it has sent something.

use std::os::fd::AsFd;

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::ioctl_fionread,
};

/// The other end of a connection, as the kernel sees it at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// It has reset the connection: see [`is_gone`].
    pub is_gone: bool,
    /// Bytes that have arrived from it and were not read.
    pub unread_bytes: u64,
}

impl Peer {
    /// Looks at the peer of `socket`. Takes nothing from the socket and does not wait: what a runtime has not been told of yet is
    /// seen as well.
    pub fn of(socket: impl AsFd) -> Self {
        // The end of the stream does not count as a byte (tcp(7), SIOCINQ). What cannot be told is nothing.
        Self { is_gone: is_gone(&socket), unread_bytes: ioctl_fionread(&socket).unwrap_or(0) }
    }
}

/// Whether the peer of `socket` has reset the connection, so that nothing that is written will be read. Takes nothing from the
/// socket and does not wait.
///
/// A peer that has only ended its sending half is not gone: it may still read (RFC 9293 section 3.6). A plain close looks the
/// same from here, until something is written to it. To be asked before this side ends its own half: with both ended the
/// kernel reports what it reports of a reset.
pub fn is_gone(socket: impl AsFd) -> bool {
    // Errors and hang-ups are reported whatever is asked for.
    let mut polled = [PollFd::new(&socket, PollFlags::empty())];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    match poll(&mut polled, Some(&at_once)) {
        Ok(_) => polled[0].revents().intersects(PollFlags::ERR | PollFlags::HUP),
        // What cannot be told is no reason to give up somebody's work.
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::{Shutdown, TcpListener, TcpStream},
        thread,
        time::{Duration, Instant},
    };

    use rustix::net::sockopt::set_socket_linger;

    use super::*;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    fn reset(client: TcpStream) {
        set_socket_linger(&client, Some(Duration::ZERO)).unwrap();
    }

    /// Whether the server's end learns of it before anybody loses patience.
    fn is_noticed(server: &TcpStream) -> bool {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !is_gone(server) {
            if Instant::now() >= deadline {
                return false;
            }
            thread::yield_now();
        }
        true
    }

    #[test]
    fn who_is_silent_or_has_only_ended_its_half_is_there() {
        let (client, mut server) = pair();
        assert!(!is_gone(&server));
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(server.read(&mut [0]).unwrap(), 0, "the end has arrived");
        assert!(!is_gone(&server));
        server.write_all(b"answer").unwrap();
        assert!(!is_gone(&server));
    }

    #[test]
    fn who_resets_is_gone_whatever_came_before() {
        let (client, server) = pair();
        reset(client);
        assert!(is_noticed(&server), "a reset");

        let (mut client, server) = pair();
        client.write_all(b"what nobody has read").unwrap();
        reset(client);
        assert!(is_noticed(&server), "a reset behind bytes");

        let (client, server) = pair();
        client.shutdown(Shutdown::Write).unwrap();
        reset(client);
        assert!(is_noticed(&server), "a reset behind the end of the half");
    }

    #[test]
    fn what_was_sent_and_not_read_is_counted_without_the_end_of_the_stream() {
        let (mut client, mut server) = pair();
        assert_eq!(Peer::of(&server), Peer::default());
        client.write_all(b"five!").unwrap();
        // What is peeked at has arrived, and stays.
        server.peek(&mut [0]).unwrap();
        assert_eq!(Peer::of(&server), Peer { is_gone: false, unread_bytes: 5 });
        client.shutdown(Shutdown::Write).unwrap();
        let mut all = Vec::new();
        server.read_to_end(&mut all).unwrap();
        assert_eq!((all.len(), Peer::of(&server)), (5, Peer::default()), "only the end is left");
    }

    #[test]
    fn who_has_closed_is_gone_when_it_is_written_to() {
        let (client, mut server) = pair();
        drop(client);
        assert_eq!(server.read(&mut [0]).unwrap(), 0, "the end has arrived");
        assert!(!is_gone(&server), "it may have ended its half alone");
        server.write_all(b"answer").unwrap();
        assert!(is_noticed(&server));
    }
}
