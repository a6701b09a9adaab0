//! The kernel's receive stamps: when a segment reached its socket, whoever comes to read it when.
//!
//! `SO_TIMESTAMPING` with software stamps, Documentation/networking/timestamping.rst. A read of a TCP socket hands over the
//! stamp of the last segment that it took bytes from; segments that were queued together may share the last one's. So
//! the stamp of the read that completes an answer is the instant of the answer's last byte, provided that nothing was sent behind it.
//! (Where a lost segment before the last is sent again, the answer was complete later than its last byte came.)
//!
//! A stamp is on the wall clock; what it is on a run's axis is for the engine.

use std::{
    io::{self, IoSliceMut, Write},
    net::{TcpListener, TcpStream},
    os::fd::{AsFd, AsRawFd},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, TimestampingFlag, recvmsg, setsockopt, sockopt::Timestamping,
};
use rustix::io::Errno;

/// Room for one stamp message, aligned as the kernel lays it out: a header of 16 bytes and three times of 16.
#[derive(Debug)]
#[repr(align(16))]
pub(crate) struct Control([u8; 64]);

impl Control {
    pub(crate) fn new() -> Self {
        Self([0; 64])
    }
}

/// Asks for stamps of all that `socket` receives from now on.
pub(crate) fn enable(socket: impl AsFd) -> bool {
    let software =
        TimestampingFlag::SOF_TIMESTAMPING_RX_SOFTWARE | TimestampingFlag::SOF_TIMESTAMPING_SOFTWARE;
    setsockopt(&socket, Timestamping, &software).is_ok()
}

/// Reads once. Returns how many bytes came, and their stamp on the wall clock in nanoseconds since 1970.
#[inline]
pub(crate) fn receive(
    socket: &impl AsRawFd,
    buffer: &mut [u8],
    control: &mut Control,
) -> Result<(usize, Option<u64>), Errno> {
    let mut buffers = [IoSliceMut::new(buffer)];
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut buffers, Some(&mut control.0), MsgFlags::empty())
        .map_err(|error| Errno::from_raw_os_error(error as i32))?;
    let stamp = message.cmsgs().ok().and_then(|mut messages| {
        messages.find_map(|message| match message {
            ControlMessageOwned::ScmTimestampsns(stamps) => {
                let (seconds, ns) = (stamps.system.tv_sec(), stamps.system.tv_nsec());
                // Zero stands for none.
                let seconds = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0)?;
                Some(seconds * 1_000_000_000 + u64::try_from(ns).ok()?)
            }
            _ => None,
        })
    });
    Ok((message.bytes, stamp))
}

/// Whether the kernel stamps what sockets of this process receive.
///
/// The kernel begins to stamp some milliseconds after the first socket asks for it, and stops after the last has gone. So
/// one socket asks for the whole life of the process, and the first call waits until stamps appear on it.
pub(crate) fn are_available() -> bool {
    static KEEPER: OnceLock<Option<Keeper>> = OnceLock::new();
    KEEPER.get_or_init(|| Keeper::new().ok().flatten()).is_some()
}

/// How long stamps may take to appear: a thousand times what was seen.
const PATIENCE: Duration = Duration::from_secs(3);

/// The pause between two packets without a stamp.
const PAUSE: Duration = Duration::from_micros(200);

/// A connection over loopback whose one end asks for stamps, and which has had one.
struct Keeper {
    _stamped: TcpStream,
    _peer: TcpStream,
}

impl Keeper {
    /// `None` where the kernel knows no stamps, or none appear.
    fn new() -> io::Result<Option<Self>> {
        let listener = TcpListener::bind("127.0.0.1:0").or_else(|_| TcpListener::bind("[::1]:0"))?;
        let stamped = TcpStream::connect(listener.local_addr()?)?;
        // Another process may have come first; then its packets are waited for in vain, which is bounded.
        let (mut peer, _) = listener.accept()?;
        peer.set_nodelay(true)?;
        stamped.set_read_timeout(Some(PATIENCE))?;
        if !enable(&stamped) {
            return Ok(None);
        }
        let began = Instant::now();
        let mut control = Control::new();
        while began.elapsed() < PATIENCE {
            peer.write_all(b"x")?;
            let (bytes, stamp) = receive(&stamped, &mut [0; 16], &mut control)?;
            if bytes == 0 {
                return Ok(None);
            }
            if stamp.is_some() {
                return Ok(Some(Self { _stamped: stamped, _peer: peer }));
            }
            thread::sleep(PAUSE);
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    #[test]
    fn every_packet_is_stamped_between_its_senders_clocks_once_stamps_are_kept() {
        assert!(are_available());
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let stamped = TcpStream::connect(listener.local_addr().expect("an address")).expect("it listens");
        let (mut peer, _) = listener.accept().expect("a connection");
        peer.set_nodelay(true).expect("no delay");
        stamped.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        assert!(enable(&stamped));
        let now_ns = || {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
            u64::try_from(now.as_nanos()).expect("before 2554")
        };
        let mut control = Control::new();
        // The very first packet of a socket too, which the kernel would leave unstamped where no other socket asked before.
        let between = (0..1_000)
            .filter(|_| {
                let before_ns = now_ns();
                peer.write_all(b"y").expect("an open socket");
                let after_ns = now_ns();
                let (bytes, stamp) = receive(&stamped, &mut [0; 16], &mut control).expect("it was sent");
                bytes == 1 && stamp.is_some_and(|stamp| (before_ns..=after_ns).contains(&stamp))
            })
            .count();
        assert!(between >= 999, "{between} of 1,000");
    }

    #[test]
    fn an_end_has_no_stamp_and_an_empty_socket_no_bytes() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let stamped = TcpStream::connect(listener.local_addr().expect("an address")).expect("it listens");
        let (peer, _) = listener.accept().expect("a connection");
        stamped.set_nonblocking(true).expect("an open socket");
        assert!(enable(&stamped));
        let mut control = Control::new();
        assert_eq!(receive(&stamped, &mut [0; 16], &mut control), Err(Errno::AGAIN));
        drop(peer);
        stamped.set_nonblocking(false).expect("an open socket");
        stamped.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        assert_eq!(receive(&stamped, &mut [0; 16], &mut control), Ok((0, None)));
    }
}
