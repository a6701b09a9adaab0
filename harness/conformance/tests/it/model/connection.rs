//! One connection: requests in, answers out, until one of the two ends it.

use std::io::{self, Read};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::{Duration, Instant};

use super::reply::reply;
use super::{Fault, GIVE_UP, HEADER_TIMEOUT, MAX_HEAD, strict};

pub(super) struct Connection {
    pub(super) stream: TcpStream,
    /// Received and not used yet.
    pub(super) buffer: Vec<u8>,
    pub(super) fault: Fault,
    pub(super) simple_requests: Arc<AtomicU64>,
    /// Whether the present request is one of HEAD.
    to_head: bool,
}

pub(super) struct Head {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) minor_version: u8,
    pub(super) fields: Vec<(String, String)>,
}

impl Head {
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn has_token(&self, name: &str, token: &str) -> bool {
        self.all(name).flat_map(|value| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(token))
    }

    /// The request that a server with a fault sees in bytes that are none.
    fn of_rubbish() -> Self {
        Self {
            method: "GET".to_owned(),
            target: "/simple".to_owned(),
            minor_version: 1,
            fields: vec![("host".to_owned(), "c".to_owned())],
        }
    }
}

/// Why a connection ends.
pub(super) enum Stop {
    /// With this status.
    Refuse(u16),
    /// Without a word.
    Gone,
}

impl From<io::Error> for Stop {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

impl Connection {
    pub(super) fn new(stream: TcpStream, fault: Fault, simple_requests: Arc<AtomicU64>) -> Self {
        Self { stream, buffer: Vec::new(), fault, simple_requests, to_head: false }
    }

    pub(super) fn serve(mut self) {
        loop {
            match self.serve_one() {
                Ok(true) => {}
                Ok(false) | Err(Stop::Gone) => return,
                Err(Stop::Refuse(_)) if self.fault == Fault::RefusesSilently => return,
                Err(Stop::Refuse(status)) => {
                    let status = if self.fault == Fault::RefusesWithServerErrors { 500 } else { status };
                    let stays = self.fault == Fault::StaysAfterRefusals;
                    let refusal = reply(status, "application/json", "{\"error\":\"refused\"}");
                    if self.write(&refusal, 1, self.to_head, stays).is_err() || !stays {
                        return;
                    }
                }
            }
        }
    }

    /// Serves one request; says whether the connection stays.
    fn serve_one(&mut self) -> Result<bool, Stop> {
        self.to_head = false;
        let mut head = self.read_head()?;
        self.to_head = head.method == "HEAD"
            || self.fault == Fault::TakesNextForHead && self.buffer.starts_with(b"HEAD ");
        if self.fault == Fault::SaysNothing {
            thread::sleep(GIVE_UP);
            return Err(Stop::Gone);
        }
        self.check_host(&head)?;
        head.target = match strict::origin_form(&head.method, &head.target) {
            Some(target) => target,
            None if self.fault == Fault::TakesBadTargets => "/simple".to_owned(),
            None => return Err(Stop::Refuse(400)),
        };
        let met = |expected: &str| expected.eq_ignore_ascii_case("100-continue");
        if !head.all("expect").all(met) && self.fault != Fault::TakesAnyExpectation {
            return Err(Stop::Refuse(417));
        }
        let (body, ambiguous) = self.read_body(&head)?;
        if self.fault == Fault::TakesTheEndForALeave && self.has_ended() {
            return Err(Stop::Gone);
        }
        let reply = self.reply_to(&head, body);
        let closes = match self.fault {
            Fault::NeverClosesOnRequest => false,
            Fault::ComparesWholeConnectionFields => head.all("connection").any(|value| value == "close"),
            _ => head.has_token("connection", "close"),
        };
        let keep = match head.minor_version {
            0 => {
                (head.has_token("connection", "keep-alive") && !closes)
                    || self.fault == Fault::KeepsHttp10Open
            }
            _ => !closes,
        };
        let keep = keep && !ambiguous && self.fault != Fault::ClosesAfterEachAnswer;
        self.write(&reply, head.minor_version, self.to_head, keep)?;
        if self.fault == Fault::ForgetsPipelinedBytes {
            self.buffer.clear();
        }
        Ok(keep)
    }

    fn check_host(&self, head: &Head) -> Result<(), Stop> {
        let hosts = head.all("host").count();
        let valid = self.fault == Fault::TakesBadHosts || head.all("host").all(strict::is_host);
        let is_due = head.minor_version > 0 || self.fault == Fault::NeedsHostInHttp10;
        if (hosts == 0 && is_due && self.fault != Fault::TakesMissingHost)
            || (hosts > 1 && self.fault != Fault::TakesRepeatedHost)
            || !valid
        {
            return Err(Stop::Refuse(400));
        }
        Ok(())
    }

    fn read_head(&mut self) -> Result<Head, Stop> {
        let deadline = Instant::now() + HEADER_TIMEOUT;
        let patient = self.fault == Fault::HasNoHeaderTimeout;
        loop {
            treat_as_1_1(&mut self.buffer);
            let mut fields = [httparse::EMPTY_HEADER; 100];
            let mut request = httparse::Request::new(&mut fields);
            match request.parse(&self.buffer) {
                Ok(httparse::Status::Complete(length)) => {
                    let head = owned(&request);
                    self.buffer.drain(..length);
                    return head.ok_or(Stop::Refuse(400));
                }
                Ok(httparse::Status::Partial) if self.fault == Fault::ForgetsCutHeads => self.buffer.clear(),
                Ok(httparse::Status::Partial) => {}
                Err(httparse::Error::TooManyHeaders) if self.fault == Fault::HasNoHeadLimit => {
                    return Ok(Head::of_rubbish());
                }
                Err(httparse::Error::TooManyHeaders) => return Err(Stop::Refuse(431)),
                Err(_) if self.fault == Fault::TakesRubbish => {
                    self.buffer.clear();
                    return Ok(Head::of_rubbish());
                }
                Err(_) => {
                    // Where the next request might begin, for the fault of serving it.
                    let end = self.buffer.windows(4).position(|four| four == b"\r\n\r\n");
                    self.buffer.drain(..end.map_or(self.buffer.len(), |end| end + 4));
                    return Err(Stop::Refuse(400));
                }
            }
            if self.buffer.len() > MAX_HEAD && self.fault != Fault::HasNoHeadLimit {
                return Err(Stop::Refuse(431));
            }
            let within = deadline.saturating_duration_since(Instant::now());
            let within = if patient || self.buffer.is_empty() { GIVE_UP } else { within };
            if within.is_zero() || self.read_more(within)? == 0 {
                if self.fault == Fault::OutlivesItsClient {
                    thread::sleep(GIVE_UP);
                }
                if self.fault == Fault::AnswersWhatIsCut && !self.buffer.is_empty() {
                    self.buffer.clear();
                    return Ok(Head::of_rubbish());
                }
                // Empty lines are not the beginning of a request.
                let nothing = self.buffer.iter().all(|byte| b"\r\n".contains(byte));
                return Err(if nothing { Stop::Gone } else { Stop::Refuse(408) });
            }
        }
    }

    pub(super) fn take(&mut self, count: usize) -> Result<Vec<u8>, Stop> {
        while self.buffer.len() < count {
            self.need_more()?;
        }
        Ok(self.buffer.drain(..count).collect())
    }

    pub(super) fn need_more(&mut self) -> Result<(), Stop> {
        if self.read_more(GIVE_UP)? == 0 { Err(Stop::Refuse(400)) } else { Ok(()) }
    }

    /// Whether the end of the stream is what comes next, a little later.
    fn has_ended(&self) -> bool {
        thread::sleep(Duration::from_millis(2));
        let peeked = self.stream.set_nonblocking(true).and_then(|()| self.stream.peek(&mut [0]));
        self.buffer.is_empty() && self.stream.set_nonblocking(false).is_ok() && matches!(peeked, Ok(0))
    }

    /// Zero at the end of the stream, and when nothing came in time.
    fn read_more(&mut self, within: Duration) -> Result<usize, Stop> {
        self.stream.set_read_timeout(Some(within))?;
        let mut bytes = [0; 64 * 1024];
        match self.stream.read(&mut bytes) {
            Ok(count) => {
                self.buffer.extend_from_slice(&bytes[..count]);
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(_) => Err(Stop::Gone),
        }
    }
}

/// A higher minor version is served like the highest that is known (RFC 9110 section 2.5).
fn treat_as_1_1(buffer: &mut [u8]) {
    let Some(end) = buffer.windows(2).position(|pair| pair == b"\r\n") else { return };
    if let [.., b' ', b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor @ b'2'..=b'9'] = &mut buffer[..end] {
        *minor = b'1';
    }
}

fn owned(request: &httparse::Request<'_, '_>) -> Option<Head> {
    let text = |value: &[u8]| Some(String::from_utf8_lossy(value).trim_matches([' ', '\t']).to_owned());
    Some(Head {
        method: request.method?.to_owned(),
        target: request.path?.to_owned(),
        minor_version: request.version?,
        fields: request
            .headers
            .iter()
            .map(|field| Some((field.name.to_ascii_lowercase(), text(field.value)?)))
            .collect::<Option<_>>()?,
    })
}
