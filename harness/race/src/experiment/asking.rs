//! Requests of the harness itself beside the load: who answers, and the one that makes a server fail. Each is on a connection of its own,
//! and none is counted among the load's.

use std::{
    fmt,
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

/// From the beginning of one probe to that of the next at least.
const PROBE_EVERY: Duration = Duration::from_millis(2);
/// A probe that waits in the queue of a process that is gone is answered by its successor, or not at all.
const ONE_PROBE: Duration = Duration::from_millis(250);
/// No answer to what is asked here is longer.
const LONGEST_ANSWER: usize = 256 * 1024;

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// Why there is none, by the words in which the generator counts the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// No connection could be made.
    Connect,
    /// The connection broke.
    Reset,
    /// It was closed before the answer was whole.
    ClosedEarly,
    /// Nothing came in time.
    Timeout,
    /// What came is no answer of HTTP/1.1.
    Malformed,
}

/// A connection that is kept.
#[derive(Debug)]
pub(super) struct Asker {
    stream: TcpStream,
    host: String,
    within: Duration,
}

impl Asker {
    /// Connects to `address`. That, and each answer, may take as long as `within`.
    pub(super) fn connect(address: SocketAddr, within: Duration) -> Result<Self, NoAnswer> {
        let stream = TcpStream::connect_timeout(&address, within).map_err(|_| NoAnswer::Connect)?;
        let ready = stream.set_nodelay(true).and_then(|()| stream.set_write_timeout(Some(within)));
        ready.map_err(|error| NoAnswer::from(&error))?;
        Ok(Self { stream, host: address.to_string(), within })
    }

    /// Asks, and reads the answer.
    pub(super) fn ask(&mut self, method: &str, target: &str) -> Result<Answer, NoAnswer> {
        let length = if method == "GET" { "" } else { "Content-Length: 0\r\n" };
        let request = format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n{length}\r\n", self.host);
        self.stream.write_all(request.as_bytes()).map_err(|error| NoAnswer::from(&error))?;
        let deadline = Instant::now() + self.within;
        let mut received = Vec::new();
        let mut bytes = [0; 8192];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || received.len() > LONGEST_ANSWER {
                return Err(NoAnswer::Timeout);
            }
            let read = self.stream.set_read_timeout(Some(left)).and_then(|()| self.stream.read(&mut bytes));
            match read {
                Ok(0) => return Err(NoAnswer::ClosedEarly),
                Ok(length) => received.extend_from_slice(&bytes[..length]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(NoAnswer::from(&error)),
            }
            if let Some(answer) = whole(&received)? {
                return Ok(answer);
            }
        }
    }

    /// Which process answers on this connection, as it says at `path`.
    pub(super) fn pid(&mut self, path: &str) -> Option<u32> {
        pid_in(&self.ask("GET", path).ok()?)
    }
}

/// The answer at the start of `received`, if it is whole: one whose length is stated.
fn whole(received: &[u8]) -> Result<Option<Answer>, NoAnswer> {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut fields);
    let begins = match head.parse(received) {
        Ok(httparse::Status::Complete(begins)) => begins,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(NoAnswer::Malformed),
    };
    let stated = head.headers.iter().find(|field| field.name.eq_ignore_ascii_case("content-length"));
    let length = match stated {
        Some(field) => {
            std::str::from_utf8(field.value).ok().and_then(|value| value.trim().parse::<usize>().ok())
        }
        None => Some(0),
    };
    let length = length.filter(|length| *length <= LONGEST_ANSWER).ok_or(NoAnswer::Malformed)?;
    let status = head.code.ok_or(NoAnswer::Malformed)?;
    Ok(received.get(begins..begins + length).map(|body| Answer { status, body: body.to_vec() }))
}

/// The field `pid` of the object that an answer is.
fn pid_in(answer: &Answer) -> Option<u32> {
    let said: serde_json::Value = serde_json::from_slice(&answer.body).ok()?;
    u32::try_from(said.get("pid")?.as_u64()?).ok()
}

/// Asks `path` on new connections, one after the other, until a process answers that is none of `known`, or until `deadline`, or until
/// nobody wants to know any more. Who it was, and when.
pub(super) fn somebody_new(
    address: SocketAddr,
    path: &str,
    known: &[u32],
    deadline: Instant,
    enough: &AtomicBool,
) -> Option<(u32, Instant)> {
    while Instant::now() < deadline && !enough.load(Ordering::Relaxed) {
        let began = Instant::now();
        let pid = Asker::connect(address, ONE_PROBE).ok().and_then(|mut asker| asker.pid(path));
        if let Some(pid) = pid.filter(|pid| !known.contains(pid)) {
            return Some((pid, Instant::now()));
        }
        thread::sleep(PROBE_EVERY.saturating_sub(began.elapsed()));
    }
    None
}

impl From<&io::Error> for NoAnswer {
    fn from(error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Self::Timeout,
            ErrorKind::UnexpectedEof => Self::ClosedEarly,
            _ => Self::Reset,
        }
    }
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connect",
            Self::Reset => "reset",
            Self::ClosedEarly => "closed_early",
            Self::Timeout => "timeout",
            Self::Malformed => "malformed",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    /// Answers each connection with the next of these, byte for byte, and closes it.
    fn answering(answers: &'static [&'static str]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut head = Vec::new();
                let mut bytes = [0; 1024];
                while !head.ends_with(b"\r\n\r\n") {
                    let read = stream.read(&mut bytes).unwrap();
                    head.extend_from_slice(&bytes[..read]);
                }
                // The client may have gone.
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        address
    }

    #[test]
    fn an_answer_is_read_to_its_stated_end_and_what_is_none_has_a_name() {
        let asked = |answers| Asker::connect(answering(answers), LONG).unwrap().ask("GET", "/info");
        let right = asked(&["HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{\"pid\":42}"]).unwrap();
        assert_eq!((right.status, pid_in(&right)), (200, Some(42)));
        assert_eq!(asked(&["HTTP/1.1 500 x\r\ncontent-length: 0\r\n\r\n"]).unwrap().status, 500);
        assert_eq!(asked(&["HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{"]), Err(NoAnswer::ClosedEarly));
        assert_eq!(asked(&[""]), Err(NoAnswer::ClosedEarly));
        assert_eq!(asked(&["SSH-2.0\r\n"]), Err(NoAnswer::Malformed));
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(Asker::connect(free, LONG).unwrap_err(), NoAnswer::Connect);
    }

    #[test]
    fn whoever_answers_is_asked_until_it_is_somebody_new() {
        let enough = AtomicBool::new(false);
        let address = answering(&[
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{\"pid\":1}",
            "",
            "HTTP/1.1 503 x\r\ncontent-length: 2\r\n\r\n{}",
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{\"pid\":2}",
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{\"pid\":3}",
        ]);
        let found = somebody_new(address, "/info", &[1, 2], Instant::now() + LONG, &enough);
        assert_eq!(found.map(|(pid, _)| pid), Some(3));
        enough.store(true, Ordering::Relaxed);
        assert_eq!(somebody_new(address, "/info", &[], Instant::now() + LONG, &enough), None);
    }
}
