//! A small server that does everything right, on blocking sockets with a thread per connection, except for
//! the one fault that it is asked to have.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use app::{Info, Operation, Processors, Rejection, Request};

/// What the server does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Nothing,
    AddsOneToSums,
    IgnoresSeeds,
    TakesAnyParameter,
    OmitsAllow,
    OmitsDate,
    OmitsWorker,
    SendsBodyToHead,
    KnowsAnyMethod,
    ClosesAfterEachAnswer,
    ForgetsPipelinedBytes,
    NeverClosesOnRequest,
    KeepsHttp10Open,
    NeedsHostInHttp10,
    TakesMissingHost,
    TakesRepeatedHost,
    TakesBadLengths,
    TakesConflictingLengths,
    PrefersLengthToChunks,
    IgnoresUnknownCodings,
    TakesBadChunks,
    CountsChunksInDecimal,
    NeverContinues,
    EchoesWithoutType,
    CutsLongBodies,
    HasNoBodyLimit,
    HasNoHeadLimit,
    HasNoHeaderTimeout,
    CountsNothing,
    RefusesWithServerErrors,
    RefusesSilently,
    LeavesBodiesUnread,
    GivesTruncatedAnswers,
    SaysNothing,
}

pub(crate) const MAX_BODY: usize = 100_000;
pub(crate) const HEADER_TIMEOUT: Duration = Duration::from_secs(2);
const MAX_HEAD: usize = 100_000;
/// For reads that only a fault makes endless: the thread must not outlive its test for long.
const GIVE_UP: Duration = Duration::from_secs(20);

/// Starts a server on a free port. It serves until the test's process ends.
pub(crate) fn start(fault: Fault) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("the port that was taken");
    let simple_requests = Arc::new(AtomicU64::new(0));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let simple_requests = Arc::clone(&simple_requests);
            thread::spawn(move || Connection { stream, buffer: Vec::new(), fault, simple_requests }.serve());
        }
    });
    address
}

struct Connection {
    stream: TcpStream,
    /// Received and not used yet.
    buffer: Vec<u8>,
    fault: Fault,
    simple_requests: Arc<AtomicU64>,
}

struct Head {
    method: String,
    target: String,
    minor_version: u8,
    fields: Vec<(String, String)>,
}

impl Head {
    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    fn has_token(&self, name: &str, token: &str) -> bool {
        self.all(name).flat_map(|value| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(token))
    }
}

/// Why a connection ends.
enum Stop {
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

struct Reply {
    status: u16,
    content_type: Option<String>,
    allow: Option<&'static str>,
    body: Vec<u8>,
}

fn reply(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Reply {
    Reply { status, content_type: Some(content_type.to_owned()), allow: None, body: body.into() }
}

impl Connection {
    fn serve(mut self) {
        loop {
            match self.serve_one() {
                Ok(true) => {}
                Ok(false) | Err(Stop::Gone) => return,
                Err(Stop::Refuse(_)) if self.fault == Fault::RefusesSilently => return,
                Err(Stop::Refuse(status)) => {
                    let status = if self.fault == Fault::RefusesWithServerErrors { 500 } else { status };
                    drop(self.write(
                        &reply(status, "application/json", "{\"error\":\"refused\"}"),
                        1,
                        false,
                        false,
                    ));
                    return;
                }
            }
        }
    }

    /// Serves one request; says whether the connection stays.
    fn serve_one(&mut self) -> Result<bool, Stop> {
        let head = self.read_head()?;
        if self.fault == Fault::SaysNothing {
            thread::sleep(GIVE_UP);
            return Err(Stop::Gone);
        }
        let hosts = head.all("host").count();
        let valid = head.all("host").all(|host| !host.contains([' ', '/']));
        let host_is_due = head.minor_version > 0 || self.fault == Fault::NeedsHostInHttp10;
        if (hosts == 0 && host_is_due && self.fault != Fault::TakesMissingHost)
            || (hosts > 1 && self.fault != Fault::TakesRepeatedHost)
            || !valid
        {
            return Err(Stop::Refuse(400));
        }
        let (body, ambiguous) = self.read_body(&head)?;
        let reply = self.reply_to(&head, body);
        let keep = match head.minor_version {
            0 => head.has_token("connection", "keep-alive") || self.fault == Fault::KeepsHttp10Open,
            _ => !head.has_token("connection", "close") || self.fault == Fault::NeverClosesOnRequest,
        };
        let keep = keep && !ambiguous && self.fault != Fault::ClosesAfterEachAnswer;
        self.write(&reply, head.minor_version, head.method == "HEAD", keep)?;
        if self.fault == Fault::ForgetsPipelinedBytes {
            self.buffer.clear();
        }
        Ok(keep)
    }

    fn read_head(&mut self) -> Result<Head, Stop> {
        let deadline = Instant::now() + HEADER_TIMEOUT;
        let patient = self.fault == Fault::HasNoHeaderTimeout;
        loop {
            let mut fields = [httparse::EMPTY_HEADER; 100];
            let mut request = httparse::Request::new(&mut fields);
            match request.parse(&self.buffer) {
                Ok(httparse::Status::Complete(length)) => {
                    let head = owned(&request);
                    self.buffer.drain(..length);
                    return head.ok_or(Stop::Refuse(400));
                }
                Ok(httparse::Status::Partial) => {}
                Err(httparse::Error::TooManyHeaders) if self.fault == Fault::HasNoHeadLimit => {
                    return Ok(Head {
                        method: "GET".to_owned(),
                        target: "/simple".to_owned(),
                        minor_version: 1,
                        fields: vec![("host".to_owned(), "c".to_owned())],
                    });
                }
                Err(httparse::Error::TooManyHeaders) => return Err(Stop::Refuse(431)),
                Err(_) => return Err(Stop::Refuse(400)),
            }
            if self.buffer.len() > MAX_HEAD && self.fault != Fault::HasNoHeadLimit {
                return Err(Stop::Refuse(431));
            }
            let within = deadline.saturating_duration_since(Instant::now());
            let within = if patient || self.buffer.is_empty() { GIVE_UP } else { within };
            if within.is_zero() || self.read_more(within)? == 0 {
                return Err(if self.buffer.is_empty() { Stop::Gone } else { Stop::Refuse(408) });
            }
        }
    }

    /// The body, and whether its end was declared in two ways.
    fn read_body(&mut self, head: &Head) -> Result<(Vec<u8>, bool), Stop> {
        let lengths: Vec<&str> = head.all("content-length").collect();
        let codings: Vec<&str> = head.all("transfer-encoding").collect();
        let chunked = codings.iter().any(|coding| coding.eq_ignore_ascii_case("chunked"));
        if !codings.is_empty() && !chunked && self.fault != Fault::IgnoresUnknownCodings {
            return Err(Stop::Refuse(400));
        }
        let length = match lengths.as_slice() {
            [] => 0,
            [length] => self.length(length)?,
            [length, ..] if self.fault == Fault::TakesConflictingLengths => self.length(length)?,
            _ => return Err(Stop::Refuse(400)),
        };
        if length > MAX_BODY && self.fault != Fault::HasNoBodyLimit {
            return Err(Stop::Refuse(413));
        }
        if self.fault == Fault::LeavesBodiesUnread && head.target != "/echo" {
            return Ok((Vec::new(), false));
        }
        let has_body = chunked || length > 0;
        if has_body && head.has_token("expect", "100-continue") && self.fault != Fault::NeverContinues {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        if chunked && (lengths.is_empty() || self.fault != Fault::PrefersLengthToChunks) {
            return Ok((self.read_chunks()?, !lengths.is_empty()));
        }
        Ok((self.take(length)?, false))
    }

    fn length(&self, text: &str) -> Result<usize, Stop> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(length) if digits => Ok(length),
            _ if self.fault == Fault::TakesBadLengths => Ok(0),
            _ => Err(Stop::Refuse(400)),
        }
    }

    fn read_chunks(&mut self) -> Result<Vec<u8>, Stop> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let digits = line.split(';').next().unwrap_or_default().trim_end();
            let radix = if self.fault == Fault::CountsChunksInDecimal { 10 } else { 16 };
            let size = match usize::from_str_radix(digits, radix) {
                Ok(size) if !digits.starts_with('+') => size,
                _ if self.fault == Fault::TakesBadChunks => 5,
                _ => return Err(Stop::Refuse(400)),
            };
            if size == 0 {
                break;
            }
            if body.len().saturating_add(size) > MAX_BODY && self.fault != Fault::HasNoBodyLimit {
                return Err(Stop::Refuse(413));
            }
            body.extend(self.take(size)?);
            if self.take(2)? != b"\r\n" && self.fault != Fault::TakesBadChunks {
                return Err(Stop::Refuse(400));
            }
        }
        while !self.line()?.is_empty() {}
        Ok(body)
    }

    fn line(&mut self) -> Result<String, Stop> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.take(end + 2)?;
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            self.need_more()?;
        }
    }

    fn take(&mut self, count: usize) -> Result<Vec<u8>, Stop> {
        while self.buffer.len() < count {
            self.need_more()?;
        }
        Ok(self.buffer.drain(..count).collect())
    }

    fn need_more(&mut self) -> Result<(), Stop> {
        if self.read_more(GIVE_UP)? == 0 { Err(Stop::Refuse(400)) } else { Ok(()) }
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

    fn reply_to(&self, head: &Head, body: Vec<u8>) -> Reply {
        let target = match head.target.strip_prefix("http://") {
            Some(rest) => &rest[rest.find('/').unwrap_or(rest.len())..],
            None => &head.target,
        };
        let (path, query) =
            target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let method = match head.method.as_str() {
            "BREW" | "get" if self.fault == Fault::KnowsAnyMethod => "GET",
            method => method,
        };
        let routed = match app::route(method, path, query) {
            Err(Rejection::BadParameter { .. }) if self.fault == Fault::TakesAnyParameter => {
                Ok(Request::Operation(Operation::Simple))
            }
            routed => routed,
        };
        match routed {
            Ok(Request::Operation(operation)) => self.result_of(operation),
            Ok(Request::Index) => reply(200, "application/json", app::index_body()),
            Ok(Request::Echo) if method == "POST" => {
                let given = head.all("content-type").next().unwrap_or("application/octet-stream");
                let body = match self.fault {
                    Fault::CutsLongBodies => body[..body.len().min(4096)].to_vec(),
                    _ => body,
                };
                let content_type = Some(given.to_owned()).filter(|_| self.fault != Fault::EchoesWithoutType);
                Reply { status: 200, content_type, allow: None, body }
            }
            Ok(Request::Echo) => {
                let lines: String =
                    head.fields.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
                reply(200, "text/plain", lines)
            }
            Ok(Request::OpenApi) => reply(200, "application/yaml", app::OPENAPI),
            Ok(Request::Info) => reply(200, "application/json", info().body()),
            Ok(Request::Healthz) => reply(200, "text/plain", "ok"),
            Ok(Request::Metrics) => {
                let count = self.simple_requests.load(Ordering::SeqCst);
                let sample =
                    format!("# TYPE requests_total counter\nrequests_total{{endpoint=\"simple\"}} {count}\n");
                reply(200, "text/plain; version=0.0.4", sample)
            }
            Ok(Request::Options { allow }) => {
                Reply { status: 204, content_type: None, allow: Some(allow), body: Vec::new() }
            }
            Err(rejection) => {
                let allow = rejection.allow().filter(|_| self.fault != Fault::OmitsAllow);
                Reply { allow, ..reply(rejection.status(), "application/json", rejection.body()) }
            }
        }
    }

    fn result_of(&self, operation: Operation) -> Reply {
        if operation == Operation::Simple && self.fault != Fault::CountsNothing {
            self.simple_requests.fetch_add(1, Ordering::SeqCst);
        }
        if let Operation::Delay { milliseconds } = operation {
            thread::sleep(Duration::from_millis(milliseconds));
        }
        let answer = match (self.fault, operation, operation.run()) {
            (Fault::AddsOneToSums, _, app::Answer::Payload(sum)) => app::Answer::Payload(sum + 1),
            (Fault::IgnoresSeeds, Operation::Randoms { count, .. }, _) => {
                Operation::Randoms { count, seed: 0 }.run()
            }
            (_, _, answer) => answer,
        };
        let worker = if self.fault == Fault::OmitsWorker { "" } else { "t0" };
        reply(200, "application/json", answer.body("model", worker))
    }

    fn write(&mut self, reply: &Reply, minor_version: u8, to_head: bool, keep: bool) -> io::Result<()> {
        let Reply { status, content_type, allow, body } = reply;
        let mut head = format!("HTTP/1.1 {status} Status\r\n");
        if self.fault != Fault::OmitsDate {
            head += "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n";
        }
        if let Some(content_type) = content_type {
            head += &format!("Content-Type: {content_type}\r\n");
        }
        if let Some(allow) = allow {
            head += &format!("Allow: {allow}\r\n");
        }
        if *status != 204 {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        match (keep, minor_version) {
            (false, _) => head += "Connection: close\r\n",
            (true, 0) => head += "Connection: keep-alive\r\n",
            (true, _) => {}
        }
        let mut bytes = (head + "\r\n").into_bytes();
        if !to_head || self.fault == Fault::SendsBodyToHead {
            bytes.extend_from_slice(body);
        }
        if self.fault == Fault::GivesTruncatedAnswers {
            bytes.pop();
            self.stream.write_all(&bytes)?;
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.stream.write_all(&bytes)
    }
}

fn owned(request: &httparse::Request<'_, '_>) -> Option<Head> {
    let text = |value: &[u8]| Some(String::from_utf8_lossy(value).trim().to_owned());
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

fn info() -> Info {
    Info {
        origin: "model".to_owned(),
        version: "0".to_owned(),
        pid: std::process::id(),
        worker: "t0".to_owned(),
        workers: 1,
        processors: Processors { present: 1, allowed: 1 },
        rss_bytes: 1,
        uptime_seconds: 0,
        arguments: Vec::new(),
    }
}
