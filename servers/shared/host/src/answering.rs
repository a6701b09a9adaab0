//! Whether a program that says nothing of itself serves yet: a free port for it, who listens there, and whether an
//! answer comes.
//!
//! This refuses to know what is answered: any status will do.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

use procfs::process::{FDTarget, Process};

use crate::processes;

/// A port of this host's address `ip` that nobody has at this instant. Somebody else may take it in the next.
///
/// # Errors
/// There is none, or the address is not this host's.
pub fn free_port(ip: IpAddr) -> io::Result<u16> {
    Ok(TcpListener::bind((ip, 0))?.local_addr()?.port())
}

/// Asks `address` once for `/`, and waits up to `within` for the first line of an HTTP answer, whatever its status.
pub fn answers(address: SocketAddr, within: Duration) -> bool {
    first_line(address, Instant::now() + within).is_ok_and(|line| line.starts_with(b"HTTP/1."))
}

/// The beginning of the answer, as long as what tells HTTP from anything else.
fn first_line(address: SocketAddr, deadline: Instant) -> io::Result<Vec<u8>> {
    const ENOUGH: usize = "HTTP/1.1 200".len();
    let left = || match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(io::Error::from(io::ErrorKind::TimedOut)),
        left => Ok(left),
    };
    let mut stream = TcpStream::connect_timeout(&address, left()?)?;
    stream.set_write_timeout(Some(left()?))?;
    write!(stream, "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut line = Vec::new();
    while line.len() < ENOUGH {
        stream.set_read_timeout(Some(left()?))?;
        let mut bytes = [0; ENOUGH];
        match stream.read(&mut bytes)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => line.extend_from_slice(&bytes[..length]),
        }
    }
    Ok(line)
}

/// Whose a listening port is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// A process's of the tree that was asked about.
    Own,
    /// Somebody else's.
    Foreign,
    /// Nobody listens there.
    Nobody,
    /// The kernel does not tell: a process of the tree runs as another user.
    Unknown,
}

/// The sockets that listen on TCP port `port`, by their inodes, in the network of process `pid`; those of IPv6 where there are none of
/// IPv4.
///
/// # Errors
/// The kernel does not tell: the process is gone, for one.
pub fn listening(port: u16, pid: u32) -> io::Result<BTreeSet<u64>> {
    let listening = listening_in(&format!("/proc/{pid}/net/tcp"), port)?;
    if !listening.is_empty() {
        return Ok(listening);
    }
    match listening_in(&format!("/proc/{pid}/net/tcp6"), port) {
        // A kernel may be without IPv6.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(listening),
        listening => listening,
    }
}

/// Listening sockets come first in the kernel's tables (`tcp_get_idx` in its net/ipv4/tcp_ipv4.c), and what comes after them is not
/// read: 50,000 connections that wait for their end cost a quarter of a second, and 15 ms to be passed over in the table of IPv6.
fn listening_in(table: &str, port: u16) -> io::Result<BTreeSet<u64>> {
    const LISTEN: &str = "0A";
    let mut inodes = BTreeSet::new();
    for line in BufReader::new(File::open(table)?).lines().skip(1) {
        let line = line?;
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, local, _, state, _, _, _, _, _, inode, ..] = fields[..] else { continue };
        if state != LISTEN {
            break;
        }
        let on = local.rsplit_once(':').and_then(|(_, port)| u16::from_str_radix(port, 16).ok());
        if on == Some(port) {
            inodes.extend(inode.parse::<u64>());
        }
    }
    Ok(inodes)
}

/// Who listens on `port`, where the tree is all descendants of `root`.
pub fn listener(port: u16, root: u32) -> Listener {
    let inodes = listening(port, std::process::id()).unwrap_or_default();
    if inodes.is_empty() {
        return Listener::Nobody;
    }
    let mut all_told = true;
    for pid in processes::descendants(root) {
        // One that ended meanwhile has no port any more.
        let Some(process) = i32::try_from(pid).ok().and_then(|pid| Process::new(pid).ok()) else { continue };
        match process.fd() {
            Ok(mut descriptors) => {
                let is_one =
                    |target: &FDTarget| matches!(target, FDTarget::Socket(inode) if inodes.contains(inode));
                if descriptors.any(|descriptor| descriptor.is_ok_and(|descriptor| is_one(&descriptor.target)))
                {
                    return Listener::Own;
                }
            }
            Err(procfs::ProcError::PermissionDenied(_)) => all_told = false,
            Err(_) => {}
        }
    }
    if all_told { Listener::Foreign } else { Listener::Unknown }
}

#[cfg(test)]
mod tests {
    use std::{io::BufRead, process::Stdio, thread};

    use super::*;
    use crate::tether;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn server(answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = io::BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            assert!(head.any(|line| line.is_empty()));
            stream.write_all(answer.as_bytes()).unwrap();
        });
        address
    }

    #[test]
    fn any_status_is_an_answer_and_what_is_not_http_is_none() {
        assert!(answers(server("HTTP/1.1 503 Later\r\ncontent-length: 0\r\n\r\n"), PATIENCE));
        assert!(!answers(server("SSH-2.0-OpenSSH_9.2p1\r\n"), PATIENCE));
        assert!(!answers(server("HTTP"), PATIENCE));
        let loopback = IpAddr::from([127, 0, 0, 1]);
        let nobody = SocketAddr::new(loopback, free_port(loopback).unwrap());
        assert!(!answers(nobody, PATIENCE));
    }

    #[test]
    fn one_that_says_nothing_is_waited_for_no_longer_than_it_is_given() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(!answers(silent.local_addr().unwrap(), Duration::from_millis(50)));
    }

    #[test]
    fn a_port_is_told_to_be_of_a_tree_or_of_somebody_else() {
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = held.local_addr().unwrap().port();
        // Whatever is below a child is none of this process.
        let mut child = tether::command("sleep").arg("60").stdout(Stdio::null()).spawn().unwrap();
        assert_eq!(listener(port, child.id()), Listener::Foreign);
        child.kill().unwrap();
        child.wait().unwrap();
        let parent = std::os::unix::process::parent_id();
        assert_eq!(listener(port, parent), Listener::Own);
        drop(held);
        assert_eq!(listener(port, parent), Listener::Nobody);
    }
}
