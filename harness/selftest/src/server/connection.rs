//! One connection of the scripted server: finding the ends of heads, and doing what is done to a request.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::TcpStream,
    time::Duration,
};

use rustix::net::sockopt::set_socket_linger;

use crate::script::Act;

/// The content of a right answer.
pub(crate) const BODY: &[u8] = b"as scripted\n";
const RIGHT: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 12\r\n\r\nas scripted\n";
const WRONG: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 12\r\n\r\nas scrippet\n";
const HALF_A_BODY: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 12\r\n\r\nas scr";
const HALF_A_HEADER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/pl";

const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// The generator's requests have a hundred bytes and no content.
const BUFFER_BYTES: usize = 2048;

pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Box<[u8; BUFFER_BYTES]>,
    filled: usize,
    /// A request is being treated; the next one waits for its end.
    busy: bool,
}

/// What reading brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// A request is complete.
    Request,
    /// Nothing new.
    Nothing,
    /// The client has closed, the connection is broken, or what came is no request.
    End,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, buffer: Box::new([0; BUFFER_BYTES]), filled: 0, busy: false }
    }

    /// Reads what has arrived.
    pub(crate) fn receive(&mut self) -> Received {
        match self.stream.read(&mut self.buffer[self.filled..]) {
            // Also when there is no room, which no client of this server needs.
            Ok(0) => Received::End,
            Ok(read) => {
                self.filled += read;
                if !self.busy && self.next_head() { Received::Request } else { Received::Nothing }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                Received::Nothing
            }
            Err(_) => Received::End,
        }
    }

    /// The last request has been treated. Whether another one has come meanwhile.
    pub(crate) fn next_request(&mut self) -> bool {
        self.busy = false;
        self.next_head()
    }

    /// Takes a head from the buffer if one is complete.
    fn next_head(&mut self) -> bool {
        let received = &self.buffer[..self.filled];
        let end = received.windows(END_OF_HEAD.len()).position(|window| window == END_OF_HEAD);
        let Some(end) = end.map(|start| start + END_OF_HEAD.len()) else { return false };
        self.buffer.copy_within(end..self.filled, 0);
        self.filled -= end;
        self.busy = true;
        true
    }

    /// Does it. Returns whether the connection can go on; it is closed by dropping it.
    ///
    /// # Errors
    /// The client is gone, or takes no more bytes.
    pub(crate) fn act(&mut self, act: Act) -> io::Result<bool> {
        let (bytes, stays_open) = match act {
            Act::Answer | Act::Late => (RIGHT, true),
            Act::WrongBytes => (WRONG, true),
            Act::Truncate => (HALF_A_BODY, false),
            Act::HalfHead => (HALF_A_HEADER, false),
            Act::Reset => {
                set_socket_linger(&self.stream, Some(Duration::ZERO))?;
                (&[][..], false)
            }
            Act::Never => (&[][..], true),
        };
        // A hundred bytes always fit, unless the client does not read at all.
        self.stream.write_all(bytes)?;
        Ok(stays_open)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn pair() -> (TcpStream, Connection) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let (server, _) = listener.accept().unwrap();
        server.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        (client, Connection::new(server))
    }

    #[test]
    fn the_content_has_the_length_that_every_answer_states() {
        for answer in [RIGHT, WRONG] {
            let end = answer.windows(4).position(|window| window == END_OF_HEAD).unwrap() + 4;
            assert_eq!(answer.len() - end, BODY.len());
        }
        assert!(RIGHT.ends_with(BODY) && !WRONG.ends_with(BODY));
        assert!(RIGHT.starts_with(HALF_A_BODY) && RIGHT.starts_with(HALF_A_HEADER));
        assert!(String::from_utf8_lossy(RIGHT).contains(&format!("content-length: {}\r\n", BODY.len())));
    }

    #[test]
    fn a_head_in_pieces_is_one_request_and_two_at_once_are_two() {
        let (mut client, mut connection) = pair();
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r").unwrap();
        assert_eq!(connection.receive(), Received::Nothing);
        client.write_all(b"\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
        assert_eq!(connection.receive(), Received::Request);
        assert!(connection.next_request());
        assert!(!connection.next_request());
        drop(client);
        assert_eq!(connection.receive(), Received::End);
    }

    #[test]
    fn what_a_client_sees_is_what_the_act_is_called() {
        for (act, bytes) in [
            (Act::Answer, RIGHT),
            (Act::WrongBytes, WRONG),
            (Act::Truncate, HALF_A_BODY),
            (Act::HalfHead, HALF_A_HEADER),
        ] {
            let (mut client, mut connection) = pair();
            connection.act(act).unwrap();
            drop(connection);
            let mut seen = Vec::new();
            client.read_to_end(&mut seen).unwrap();
            assert_eq!(seen, bytes, "{act:?}");
        }
        let (mut client, mut connection) = pair();
        assert!(!connection.act(Act::Reset).unwrap());
        drop(connection);
        let error = client.read(&mut [0; 1]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
}
