//! Whether connections from this host come through to another, and how long a byte takes there and back.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use crate::records::server_host::RoundTrip;

/// How long each step may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often somebody is looked for who connects.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// So many bytes go there and back: among them are some that meet no queue.
const EXCHANGES: usize = 100;

/// Listens on `ip` and gives back what comes, on the first connection and for as long as that is open. Where.
///
/// # Errors
/// Nothing can listen there.
pub(super) fn listen(ip: IpAddr) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((ip, 0))?;
    let address = listener.local_addr()?;
    listener.set_nonblocking(true)?;
    // Nobody may come: the other side says so.
    thread::Builder::new().name("probe".to_owned()).spawn(move || give_back(&listener))?;
    Ok(address)
}

fn give_back(listener: &TcpListener) -> io::Result<()> {
    let deadline = Instant::now() + 2 * PATIENCE;
    let mut stream = loop {
        match listener.accept() {
            Ok((stream, _)) => break stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < deadline => {
                thread::sleep(LOOK_EVERY);
            }
            Err(error) => return Err(error),
        }
    };
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut byte = [0];
    while stream.read(&mut byte)? == 1 {
        stream.write_all(&byte)?;
    }
    Ok(())
}

/// Sends bytes to whoever [listens](listen) at `address`, one after the other. The address here, and how long they took.
///
/// # Errors
/// Nobody is reached, or what comes back is not what was sent.
pub(super) fn exchange(address: SocketAddr) -> io::Result<(IpAddr, RoundTrip)> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut took = Vec::with_capacity(EXCHANGES);
    for number in 0..EXCHANGES {
        let sent = [number as u8];
        let mut back = [0];
        let began = Instant::now();
        stream.write_all(&sent)?;
        stream.read_exact(&mut back)?;
        took.push(began.elapsed().as_nanos() as u64);
        if back != sent {
            return Err(io::Error::other("somebody else answers there"));
        }
    }
    took.sort_unstable();
    let round_trip = RoundTrip { least_ns: took[0], median_ns: took[EXCHANGES / 2] };
    Ok((stream.local_addr()?.ip(), round_trip))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_come_back_have_taken_some_time() {
        let ip = IpAddr::from([127, 0, 0, 1]);
        let (here, RoundTrip { least_ns, median_ns }) = exchange(listen(ip).unwrap()).unwrap();
        assert!(here == ip && least_ns > 0 && median_ns >= least_ns);
    }

    #[test]
    fn whoever_gives_back_something_else_is_not_the_agent() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let other = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").unwrap();
            stream
        });
        let error = exchange(address).unwrap_err().to_string();
        assert_eq!(error, "somebody else answers there");
        drop(other.join().unwrap());
    }
}
