//! One connection's service.
//!
//! The library has no way to say "answer this and close". So an answer that must be its connection's last is written to the
//! socket here, which is then shut down for writing: what the library still writes fails, and it closes. That is in
//! order only if none of its own answers is waiting to be written, which is known for the first request of a connection
//! alone. For a later one the answer goes through the library, and the socket is shut down for reading: it finds the end
//! of the stream when it has written. Where it finds another request first, which arrived in the same read, the connection
//! ends at once instead of answering what must not be answered, and loses the answers before it.
//!
//! Thread-locals (the worker's name, counters) are read only in functions that are not inlined and do not suspend.

use std::{
    borrow::Cow,
    io::{self, Read as _},
    os::fd::{BorrowedFd, RawFd},
    panic::resume_unwind,
    pin::pin,
    sync::{Arc, PoisonError, RwLock, atomic::Ordering::SeqCst},
    time::{Duration, Instant},
};

use app::{Operation, Rejection};
use hyper::rt::Timer as _;
use kit::{
    date,
    execute::{self, Done},
    page::{self, Page},
};
use may_minihttp::{BodyReader, HttpService, HttpServiceFactory, Request, Response};
use rustix::{
    io::{Errno, write},
    net::{Shutdown, shutdown},
};

use super::{
    asked::{Asked, Echo, Refusal},
    shared::Shared,
};

/// How often a full socket is tried again.
const RETRY: Duration = Duration::from_millis(1);
/// Answers of this size the library writes at once, whatever the socket's buffer. A longer one it may have to wait with, so
/// that the socket must not be shut down before.
const AT_ONCE_BYTES: usize = 16 * 1024;

/// How many header fields are kept for ever, and how long each may be, in bytes.
const MOST_KEPT: usize = 64;
const LONGEST_KEPT: usize = 100;

const CONTENT_TYPE: &str = "Content-Type";

/// Makes a service for each connection, whose number is its socket's.
pub(super) struct Factory(pub(super) Arc<Shared>);

impl HttpServiceFactory for Factory {
    type Service = Connection;

    fn new_service(&self, id: usize) -> Connection {
        self.0.open.fetch_add(1, SeqCst);
        Connection { shared: Arc::clone(&self.0), socket: id as RawFd, state: State::Fresh, counted: false }
    }
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing was answered: nothing of the library's waits to be written.
    Fresh,
    /// The library gave answers.
    Used,
    /// The last answer is with the library, to be written.
    Told,
    /// The last answer is written.
    Shut,
}

pub(super) struct Connection {
    shared: Arc<Shared>,
    socket: RawFd,
    state: State,
    counted: bool,
}

/// An answer as the library wants it: fields it can only keep where they are text of the program's own.
struct Answer {
    status: u16,
    content_type: Option<Cow<'static, str>>,
    allow: Option<&'static str>,
    body: Vec<u8>,
}

impl From<Page> for Answer {
    fn from(page: Page) -> Self {
        let Page { status, content_type, allow, body, .. } = page;
        Self { status, content_type: content_type.map(Cow::from), allow, body: body.into() }
    }
}

impl HttpService for Connection {
    fn call(&mut self, request: Request<'_, '_, '_>, response: &mut Response<'_>) -> io::Result<()> {
        match self.state {
            State::Fresh | State::Used => {}
            // Its answer finds the socket shut down.
            State::Shut => return Ok(()),
            State::Told => resume_unwind(Box::new("a request after the last one of its connection")),
        }
        let shared = Arc::clone(&self.shared);
        let _busy = Busy::of(&shared);
        let asked = match Asked::of(&request, &shared.site) {
            Ok(asked) => asked,
            Err(refusal) => {
                let answer = self.refused(refusal);
                self.last(answer, request.method() == "HEAD", response);
                return Ok(());
            }
        };
        let mut body = Vec::new();
        if asked.length > 0 && !(asked.waits && asked.routed.is_err()) {
            // Behind others the library's own answers may not be written yet: the client, as it must be able to, sends without leave.
            if asked.waits && self.state == State::Fresh {
                self.write(b"HTTP/1.1 100 Continue\r\n\r\n");
            }
            body = read(request.body(), &asked)?;
        }
        if let Ok(app::Request::Operation(Operation::Delay { milliseconds })) = asked.routed {
            self.pause(Duration::from_millis(milliseconds));
        }
        let close = asked.close || shared.site.stopping.is_raised();
        let (head_only, keep_1_0) = (asked.head_only, asked.keep_1_0);
        let answer = self.answer(asked, body);
        let nameable = answer.content_type.as_ref().is_none_or(|text| for_ever(CONTENT_TYPE, text).is_some());
        if close || !nameable {
            self.last(answer, head_only, response);
        } else {
            self.state = State::Used;
            if keep_1_0 {
                response.header("Connection: keep-alive");
            }
            give(answer, head_only, response);
        }
        Ok(())
    }
}

impl Connection {
    #[inline(never)]
    fn answer(&mut self, asked: Asked, body: Vec<u8>) -> Answer {
        self.on_worker();
        let site = &self.shared.site;
        let answer = answer(&self.shared, asked.routed, asked.echo, body);
        site.metrics.answered(asked.endpoint.filter(|_| answer.status != 204), answer.status);
        answer
    }

    #[inline(never)]
    fn refused(&mut self, Refusal { status, reason }: Refusal) -> Answer {
        self.on_worker();
        self.shared.site.metrics.answered(None, status);
        Page::refusal(status, reason).into()
    }

    /// What must be done on the worker before anything is counted there.
    fn on_worker(&mut self) {
        kit_may::name_this_thread();
        if !std::mem::replace(&mut self.counted, true) {
            self.shared.site.metrics.accepted();
        }
    }

    /// Gives `answer` as the last one of the connection.
    fn last(&mut self, answer: Answer, head_only: bool, response: &mut Response<'_>) {
        if self.state == State::Fresh {
            let Answer { status, content_type, allow, body } = answer;
            let (reason, date) = (reason(status), date::now());
            let mut bytes = format!("HTTP/1.1 {status} {reason}\r\nConnection: close\r\nDate: {date}\r\n");
            if let Some(content_type) = content_type {
                bytes += &format!("Content-Type: {content_type}\r\nContent-Length: {}\r\n", body.len());
            }
            if let Some(allow) = allow {
                bytes += &format!("Allow: {allow}\r\n");
            }
            bytes += "\r\n";
            let mut bytes = bytes.into_bytes();
            if !head_only {
                bytes.extend_from_slice(&body);
            }
            self.write(&bytes);
            self.shut(Shutdown::Write);
            self.state = State::Shut;
        } else {
            if answer.body.len() <= AT_ONCE_BYTES {
                self.shut(Shutdown::Read);
            }
            self.state = State::Told;
            response.header("Connection: close");
            give(answer, head_only, response);
        }
    }

    #[expect(unsafe_code, reason = "may_minihttp gives a connection's socket by its number alone")]
    fn socket(&self) -> BorrowedFd<'_> {
        // SAFETY: the number is the descriptor of the stream that the library's loop over this connection borrows for
        // as long as it owns this service; the stream is closed after both.
        unsafe { BorrowedFd::borrow_raw(self.socket) }
    }

    /// Writes past the library. What fails, it will meet as well.
    fn write(&self, mut bytes: &[u8]) {
        let deadline = Instant::now() + self.shared.site.limits.body_timeout;
        while !bytes.is_empty() {
            match write(self.socket(), bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) if Instant::now() < deadline => self.pause(RETRY),
                Err(_) => return,
            }
        }
    }

    fn shut(&self, how: Shutdown) {
        // Fails where the client is gone, which is as good.
        let _ = shutdown(self.socket(), how);
    }

    /// Not may's own sleep, after which its timer thread would go on with this connection.
    fn pause(&self, duration: Duration) {
        let timer = &self.shared.timer;
        kit_may::block_on(timer, pin!(timer.sleep(duration)));
    }
}

impl Drop for Connection {
    #[inline(never)]
    fn drop(&mut self) {
        self.shared.open.fetch_sub(1, SeqCst);
        self.on_worker();
        self.shared.site.metrics.closed();
    }
}

/// Reads the whole body, whoever wants it: the library would take what is left of it for the next request.
fn read(mut body: BodyReader<'_, '_>, asked: &Asked) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let count = body.read_to_end(&mut bytes)? as u64;
    if count < asked.length {
        // Nobody is left to answer. The library answers an error all the same, into the void.
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

#[inline(never)]
fn answer(shared: &Shared, routed: Result<app::Request, Rejection>, echo: Echo, body: Vec<u8>) -> Answer {
    let site = &shared.site;
    let routed = match routed {
        Ok(routed) => routed,
        Err(rejection) => return Page::from(&rejection).into(),
    };
    if let Some(page) = Page::of(site, &routed) {
        return page.into();
    }
    let (content_type, body) = match (routed, echo) {
        (app::Request::Operation(operation), _) => {
            site.metrics.operation_started();
            let done = execute::run_here(&operation);
            site.metrics.operation_ended();
            match done {
                Ok(Done { answer, worker }) => (page::JSON.into(), answer.body(site.server, worker.as_str())),
                Err(refused) => return Page::from(refused).into(),
            }
        }
        (_, Echo::Fields(text)) => (page::TEXT.into(), text),
        (_, Echo::Body(content_type)) => (content_type, body),
    };
    Answer { status: 200, content_type: Some(content_type), allow: None, body }
}

/// Hands `answer` to the library, which gives every answer the length of its body: 0 for a HEAD, and with a 204 or 304.
fn give(answer: Answer, head_only: bool, response: &mut Response<'_>) {
    if answer.status != 200 {
        response.status_code(usize::from(answer.status), reason(answer.status));
    }
    if let Some(line) = answer.content_type.and_then(|text| for_ever(CONTENT_TYPE, &text)) {
        response.header(line);
    }
    if let Some(line) = answer.allow.and_then(|allow| for_ever("Allow", allow)) {
        response.header(line);
    }
    if !head_only {
        response.body_vec(answer.body);
    }
}

/// A header field as text that lives for ever, which is all that the library takes. `None` when so many different ones were
/// wanted, or one so long, that clients seem to make them up.
#[inline(never)]
fn for_ever(name: &'static str, value: &str) -> Option<&'static str> {
    // What operations answer with passes no lock.
    if (name, value) == (CONTENT_TYPE, page::JSON) {
        return Some("Content-Type: application/json");
    }
    static LINES: RwLock<Vec<&'static str>> = RwLock::new(Vec::new());
    let is_it = |line: &&&'static str| {
        let value_of = |line: &&'static str| line.strip_prefix(name)?.strip_prefix(": ");
        value_of(line) == Some(value)
    };
    let known = LINES.read().unwrap_or_else(PoisonError::into_inner).iter().find(is_it).copied();
    if known.is_some() || value.len() > LONGEST_KEPT {
        return known;
    }
    let mut lines = LINES.write().unwrap_or_else(PoisonError::into_inner);
    let known = lines.iter().find(is_it).copied();
    if known.is_some() || lines.len() >= MOST_KEPT {
        return known;
    }
    let line: &'static str = format!("{name}: {value}").leak();
    lines.push(line);
    Some(line)
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        417 => "Expectation Failed",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}

/// Counts a request while it is answered.
struct Busy<'a>(&'a Shared);

impl<'a> Busy<'a> {
    fn of(shared: &'a Shared) -> Self {
        shared.busy.fetch_add(1, SeqCst);
        shared.asked.fetch_add(1, SeqCst);
        Self(shared)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, SeqCst);
    }
}
