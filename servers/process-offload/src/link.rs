//! One end of what connects the front with a child: a SOCK_SEQPACKET pair, on which a packet arrives whole or not at all.
//!
//! Nothing here waits: whoever has a runtime waits there until an end is readable, and a process that has none in poll(2).

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::{
    buffer::spare_capacity,
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType, recv, shutdown, socketpair,
    },
};

use crate::protocol::LONGEST;

/// Two ends that are connected with each other: the front's and the child's.
///
/// # Errors
/// There is no descriptor left.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?)
}

/// Sends a packet, or fails at once.
///
/// # Errors
/// The other end is gone, or has left too much unread.
pub fn send(to: impl AsFd, packet: &[u8]) -> io::Result<()> {
    loop {
        match rustix::net::send(&to, packet, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(_whole) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// The next packet. Of one that is too long there is one byte too many, which makes it garbage.
///
/// # Errors
/// `WouldBlock`: there is none at present. `ConnectionReset`: the other end is gone, and had not read what was sent to it.
/// `UnexpectedEof`: it is gone, and had.
pub fn receive(from: impl AsFd) -> io::Result<Vec<u8>> {
    let mut packet = Vec::with_capacity(LONGEST + 1);
    loop {
        match recv(&from, spare_capacity(&mut packet), RecvFlags::DONTWAIT) {
            Ok(_) if packet.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => return Ok(packet),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Ends the connection for whoever else has this end too.
pub fn cut(end: BorrowedFd<'_>) {
    // Fails only where the other end has done so.
    let _ = shutdown(end, Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_arrive_whole_and_in_their_order() {
        let (front, child) = pair().unwrap();
        let longest = vec![7; LONGEST];
        for packet in [b"one", &longest[..], b"two"] {
            send(&front, packet).unwrap();
        }
        for packet in [b"one", &longest[..], b"two"] {
            assert_eq!(receive(&child).unwrap(), packet);
        }
        assert_eq!(receive(&child).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        send(&front, &vec![7; 10 * LONGEST]).unwrap();
        assert_eq!(receive(&child).unwrap().len(), LONGEST + 1, "too long, and the rest is gone");
        assert_eq!(receive(&child).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn an_end_that_is_gone_tells_whether_it_had_read_everything() {
        for (reads, told) in [(true, io::ErrorKind::UnexpectedEof), (false, io::ErrorKind::ConnectionReset)] {
            let (front, child) = pair().unwrap();
            send(&front, b"work").unwrap();
            if reads {
                receive(&child).unwrap();
            }
            drop(child);
            assert_eq!(receive(&front).unwrap_err().kind(), told);
            assert!(send(&front, b"more").is_err());
        }
    }

    #[test]
    fn what_is_cut_is_cut_for_all_who_have_that_end() {
        let (front, child) = pair().unwrap();
        let other = front.try_clone().unwrap();
        cut(other.as_fd());
        assert_eq!(receive(&child).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert!(send(&front, b"work").is_err());
    }
}
