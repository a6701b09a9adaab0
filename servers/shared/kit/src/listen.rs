//! Listening sockets, made in one way for every row.
//!
//! Backlog and socket options decide figures (a short backlog turns a burst of connections into retransmissions a
//! second later; without TCP_NODELAY a short answer can wait 40 ms for an acknowledgement), so they are set here and nowhere
//! else. Knows nothing of who accepts.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use socket2::{Domain, Protocol, Socket, Type};

/// How many connections may wait to be accepted: what glommio's own listener asks for, and within the kernel's default bound
/// `net.core.somaxconn` of 4096, which would cut a larger wish silently.
pub const BACKLOG: i32 = 1024;

/// Why there is no listener.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process listens there.
    #[error("port {port} of {ip} is taken: stop what listens there (`ss -ltnp 'sport = :{port}'` names it), or choose another with --listen {ip}:PORT (port 0 takes any free one)", port = .0.port(), ip = .0.ip())]
    Taken(SocketAddr),
    /// The port needs a privilege.
    #[error("port {port} may not be opened by this user: choose one above 1023 with --listen {ip}:PORT", port = .0.port(), ip = .0.ip())]
    Forbidden(SocketAddr),
    /// The address belongs to no interface of this machine.
    #[error("{ip} is no address of this machine: choose one with --listen, for example 127.0.0.1:8080 or 0.0.0.0:8080", ip = .0.ip())]
    NotHere(SocketAddr),
    /// Anything else.
    #[error("cannot listen on {address}: {source}")]
    Other {
        /// Where the listener was wanted.
        address: SocketAddr,
        /// What the kernel said.
        source: io::Error,
    },
}

/// One listener for a server whose workers share it.
///
/// # Errors
/// See [`Error`].
pub fn one(address: SocketAddr) -> Result<TcpListener, Error> {
    open(address, Sharing::Exclusive).map_err(|error| Error::of(address, error))
}

/// A listener of its own for each of `count` workers, all on the same port: the kernel spreads connections over them
/// by a hash of their addresses (SO_REUSEPORT). With port 0 the first takes a free port and the others join it.
///
/// The port is first opened exclusively: SO_REUSEPORT would let a second server of the same user join
/// the group in silence and take its share of the connections.
///
/// # Errors
/// See [`Error`].
pub fn group(address: SocketAddr, count: usize) -> Result<Vec<TcpListener>, Error> {
    let fail = |error| Error::of(address, error);
    if address.port() != 0 {
        drop(bind(address, Sharing::Exclusive).map_err(fail)?);
    }
    let first = open(address, Sharing::ReusePort).map_err(fail)?;
    let chosen = first.local_addr().map_err(fail)?;
    let mut listeners = vec![first];
    while listeners.len() < count {
        listeners.push(open(chosen, Sharing::ReusePort).map_err(fail)?);
    }
    Ok(listeners)
}

/// One more listener for a [`group`] that this process has open.
///
/// # Errors
/// See [`Error`].
pub fn join(group: SocketAddr) -> Result<TcpListener, Error> {
    open(group, Sharing::ReusePort).map_err(|error| Error::of(group, error))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sharing {
    Exclusive,
    ReusePort,
}

fn bind(address: SocketAddr, sharing: Sharing) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    // A restarted server may take its port again while old connections linger in TIME-WAIT.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(sharing == Sharing::ReusePort)?;
    // Linux hands this option of the listener down to every socket that is accepted from it, which saves each
    // connection a system call: `accepted_sockets_send_at_once` holds it to that.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

fn open(address: SocketAddr, sharing: Sharing) -> io::Result<TcpListener> {
    let socket = bind(address, sharing)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

impl Error {
    fn of(address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::Taken(address),
            io::ErrorKind::PermissionDenied => Self::Forbidden(address),
            io::ErrorKind::AddrNotAvailable => Self::NotHere(address),
            _ => Self::Other { address, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    fn any_port() -> SocketAddr {
        ([127, 0, 0, 1], 0).into()
    }

    #[test]
    fn a_group_that_asks_for_any_port_shares_the_one_it_got() {
        let listeners = group(any_port(), 3).unwrap();
        let ports: Vec<_> = listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
        assert_ne!(ports[0], 0);
        assert_eq!(ports, [ports[0]; 3]);
    }

    #[test]
    fn a_taken_port_is_named_even_where_the_kernel_would_share_it() {
        let listeners = group(any_port(), 2).unwrap();
        let taken = listeners[0].local_addr().unwrap();
        let port = taken.port().to_string();
        for error in [one(taken).unwrap_err(), group(taken, 2).unwrap_err()] {
            assert!(matches!(error, Error::Taken(_)), "{error}");
            assert!(error.to_string().contains(&port), "{error}");
            assert!(error.to_string().contains("--listen"), "{error}");
        }
    }

    #[test]
    fn accepted_sockets_send_at_once() {
        let listener = one(any_port()).unwrap();
        listener.set_nonblocking(false).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        assert!(accepted.nodelay().unwrap());
        drop(client);
    }
}
