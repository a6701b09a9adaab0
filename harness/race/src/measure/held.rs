//! Connections on which nothing happens: opened before a window, held through it, and weighed.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use rustix::net::sockopt::set_socket_linger;

use crate::{programs::instance::InstanceError, records::window::IdleRecord, server_host::running::Running};

/// So many are opened before the first of them is answered: fewer than the smallest usual accept queue (128 before Linux 5.4), so that none
/// waits for a retransmission.
const BATCH: usize = 64;
/// How long each step of one connection may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Open connections, on each of which one request was answered: the server has accepted it, and its buffers exist.
#[derive(Debug)]
pub(crate) struct Held {
    connections: Vec<TcpStream>,
    before_kib: u64,
    after_kib: u64,
}

impl Held {
    /// Opens `count` connections to `server`; none where none is asked for.
    ///
    /// # Errors
    /// The server does not take or answer one of them.
    pub(crate) fn open(server: &mut dyn Running, count: usize) -> Result<Option<Self>, InstanceError> {
        if count == 0 {
            return Ok(None);
        }
        let mut held = || -> io::Result<Self> {
            // A window that is repeated is no other: its server has the memory of the first time.
            let before_kib = server.first_memory_kib()?;
            let mut connections = Vec::with_capacity(count);
            while connections.len() < count {
                let batch = BATCH.min(count - connections.len());
                connections.extend(answered(server.address(), batch)?);
            }
            let after_kib = server.memory_kib()?;
            let held = Self { connections, before_kib, after_kib };
            match held.closed()? {
                0 => Ok(held),
                closed => {
                    Err(io::Error::other(format!("{closed} of them were closed before the last was open")))
                }
            }
        };
        held().map(Some).map_err(|error| {
            InstanceError::WrongAnswer(format!("it does not hold {count} idle connections: {error}"))
        })
    }

    /// How many of them are open no more, by what has come on them: nothing should have.
    fn closed(&self) -> io::Result<usize> {
        let mut closed = 0;
        for connection in &self.connections {
            connection.set_nonblocking(true)?;
            let is_open =
                matches!(connection.peek(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock);
            closed += usize::from(!is_open);
        }
        Ok(closed)
    }

    /// Closes them, and says what they took.
    pub(crate) fn close(self) -> IdleRecord {
        let Self { ref connections, before_kib, after_kib } = self;
        IdleRecord { connections: connections.len(), before_kib, after_kib }
    }
}

/// By a reset, since ten thousand ports that wait for a minute would be missed.
impl Drop for Held {
    fn drop(&mut self) {
        // Where it is refused, the ports wait.
        for connection in &self.connections {
            let _ = set_socket_linger(connection, Some(Duration::ZERO));
        }
    }
}

/// So many connections, on each of which a request was answered.
fn answered(address: SocketAddr, count: usize) -> io::Result<Vec<TcpStream>> {
    let request = format!("GET /simple HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let open = || {
        let mut connection = TcpStream::connect_timeout(&address, PATIENCE)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        connection.set_nodelay(true)?;
        connection.write_all(request.as_bytes())?;
        Ok(connection)
    };
    let mut connections = (0..count).map(|_| open()).collect::<io::Result<Vec<_>>>()?;
    connections.iter_mut().try_for_each(read_answer)?;
    Ok(connections)
}

/// Reads one answer of status 200 to its end.
fn read_answer(connection: &mut TcpStream) -> io::Result<()> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut answer = Vec::new();
    let mut part = [0; 1024];
    while answer.len() < MOST_BYTES {
        let read = connection.read(&mut part)?;
        if read == 0 {
            return Err(wrong("a connection was closed before it was answered"));
        }
        answer.extend_from_slice(&part[..read]);
        if let Some(length) = length_of(&answer).map_err(wrong)?
            && answer.len() >= length
        {
            return Ok(());
        }
    }
    Err(wrong("an answer is too long"))
}

/// More than any answer of /simple.
const MOST_BYTES: usize = 64 * 1024;

/// How long the answer that begins so is, once its head is whole.
fn length_of(answer: &[u8]) -> Result<Option<usize>, &'static str> {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut fields);
    let Ok(parsed) = head.parse(answer) else { return Err("an answer is none of HTTP/1.1") };
    let httparse::Status::Complete(head_bytes) = parsed else { return Ok(None) };
    if head.code != Some(200) {
        return Err("an answer has another status than 200");
    }
    let length = head.headers.iter().find(|field| field.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|field| std::str::from_utf8(field.value).ok()?.trim().parse::<usize>().ok());
    length.map(|length| Some(head_bytes + length)).ok_or("an answer has no Content-Length")
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;

    /// A server that answers `count` connections with `answer`, in two parts, and holds them until it is joined.
    fn serve(count: usize, answer: &'static str) -> (SocketAddr, thread::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let serving = thread::spawn(move || {
            let mut kept = Vec::new();
            for _ in 0..count {
                let (mut connection, _) = listener.accept().unwrap();
                let mut request = [0; 256];
                assert!(connection.read(&mut request).unwrap() > 0);
                let (first, second) = answer.split_at(answer.len() / 2);
                connection.write_all(first.as_bytes()).unwrap();
                connection.write_all(second.as_bytes()).unwrap();
                kept.push(connection);
            }
        });
        (address, serving)
    }

    #[test]
    fn a_connection_is_held_once_its_request_was_answered_whole() {
        let (address, serving) = serve(3, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nright");
        assert_eq!(answered(address, 3).unwrap().len(), 3);
        serving.join().unwrap();
    }

    #[test]
    fn a_connection_that_its_server_has_closed_is_not_held() {
        let (address, serving) = serve(2, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nright");
        let (other, holding) = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            (TcpStream::connect(listener.local_addr().unwrap()).unwrap(), listener)
        };
        let mut connections = answered(address, 2).unwrap();
        // Its end closes both, and waits for nothing: what it has sent is there when it is gone.
        serving.join().unwrap();
        connections.push(other);
        let held = Held { connections, before_kib: 0, after_kib: 0 };
        assert_eq!(held.closed().unwrap(), 2);
        drop(holding);
    }

    #[test]
    fn an_answer_that_is_not_right_or_not_whole_is_refused() {
        for (answer, expected) in [
            ("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n", "another status"),
            ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort", "closed before it was answered"),
            ("HTTP/1.1 200 OK\r\n\r\n", "no Content-Length"),
            ("SSH-2.0-OpenSSH_9.2\r\n\r\n", "none of HTTP"),
        ] {
            let (address, serving) = serve(1, answer);
            let error = answered(address, 1).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            serving.join().unwrap();
        }
    }
}
