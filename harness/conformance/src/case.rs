//! What a case is: a name, how binding it is, who says so, and the conversation that shows it.

use std::fmt;

use app::{Expectation, Operation};

use crate::context::Context;
use crate::response::Response;
use crate::verdict::{Finding, Level};

/// One requirement with the conversation that shows whether it is met, on a connection of its own.
pub struct Case {
    /// What must hold, as a sentence.
    pub name: &'static str,
    /// How binding that is.
    pub level: Level,
    /// Who requires it: `contract`, or an RFC's number and section.
    pub source: &'static str,
    pub(crate) script: Script,
    pub(crate) repeatable: bool,
}

impl Case {
    /// What the server says in it depends on a race or on time: it is judged, but not compared between servers.
    pub(crate) fn unrepeatable(self) -> Self {
        Self { repeatable: false, ..self }
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name).field("level", &self.level).finish_non_exhaustive()
    }
}

/// The conversation.
pub(crate) enum Script {
    /// Data, wherever data can say it.
    Steps(Vec<Step>),
    /// Code, where a step depends on an earlier answer or on the options, or is taken in many rounds.
    Code(Box<dyn Fn(&Context<'_>) -> Finding + Send + Sync>),
}

/// One step of a conversation. After the last one nothing more may be answered, whichever it is.
pub(crate) enum Step {
    /// Sends bytes as they are, in one write.
    Send(Vec<u8>),
    /// Sends bytes in pieces of so many.
    SendPieces(Vec<u8>, usize),
    /// Ends the client's side of the stream.
    FinishSending,
    /// One answer comes, and is this.
    Answer(Expected),
    /// This answer comes, perhaps after interim ones.
    FinalAnswer(Expected),
    /// One answer comes, with one of these status codes; the connection may stay.
    Rejection(&'static [u16]),
    /// The request is refused with one of these status codes, and the connection closed. The last step.
    Refusal(&'static [u16]),
    /// Either a refusal, which ends the conversation, or this answer: for what an RFC lets a server choose.
    RefusalOr(&'static [u16], Expected),
    /// The server either closes or answers the next request rightly.
    UsableOrClosed,
    /// The server closes and sends nothing more. The last step.
    Closes,
    /// The client leaves in the middle of a request; what is said then is not judged. The last step.
    Abandon,
}

/// What an answer must be: its status, and everything in `checks`.
pub(crate) struct Expected {
    pub(crate) status: u16,
    pub(crate) to_head: bool,
    pub(crate) checks: Vec<Check>,
}

/// Something that must hold of an answer.
pub(crate) enum Check {
    /// The header has this value.
    Header(&'static str, &'static str),
    /// The body is exactly this.
    Body(Vec<u8>),
    /// The body is the right answer to an operation.
    Operation(Expectation),
    /// The body is JSON with an `error`, and mentions all of these.
    Mentions(&'static [&'static str]),
    /// The `Allow` header lists these methods and no others, in any order.
    Allow(&'static str),
    /// The connection is announced to close.
    AnnouncesClose,
    /// Anything else.
    That(fn(&Response) -> Result<(), String>),
}

/// A case that the contract or an RFC binds everybody to.
pub(crate) fn must(name: &'static str, source: &'static str, steps: Vec<Step>) -> Case {
    Case { name, level: Level::Must, source, script: Script::Steps(steps), repeatable: true }
}

/// A case whose requirement has exceptions.
pub(crate) fn should(name: &'static str, source: &'static str, steps: Vec<Step>) -> Case {
    Case { level: Level::Should, ..must(name, source, steps) }
}

/// A case that only shows which of two right ways a server takes.
pub(crate) fn may(name: &'static str, source: &'static str, steps: Vec<Step>) -> Case {
    Case { level: Level::May, ..must(name, source, steps) }
}

/// A case in code.
pub(crate) fn code(
    name: &'static str,
    level: Level,
    source: &'static str,
    script: impl Fn(&Context<'_>) -> Finding + Send + Sync + 'static,
) -> Case {
    Case { name, level, source, script: Script::Code(Box::new(script)), repeatable: true }
}

/// A request to be hidden in the body of another: the answer to it is recognisable, and must never come.
pub(crate) const SMUGGLED: &[u8] = b"GET /complex?iterations=1337 HTTP/1.1\r\nHost: c\r\n\r\n";

/// What only the answer to [`SMUGGLED`] contains: 1337 * 1336 / 2.
const SMUGGLED_PAYLOAD: &[u8] = b"893116";

/// Whether a response answers [`SMUGGLED`].
pub(crate) fn answers_smuggled(response: &Response) -> bool {
    response.body.windows(SMUGGLED_PAYLOAD.len()).any(|window| window == SMUGGLED_PAYLOAD)
}

/// A request without body.
pub(crate) fn request(method: &str, target: &str) -> Vec<u8> {
    format!("{method} {target} HTTP/1.1\r\nHost: conformance\r\n\r\n").into_bytes()
}

/// A GET request.
pub(crate) fn get(target: &str) -> Vec<u8> {
    request("GET", target)
}

/// A step that sends text, or bytes.
pub(crate) fn send(bytes: impl AsRef<[u8]>) -> Step {
    Step::Send(bytes.as_ref().to_vec())
}

/// A step that expects an answer with this status.
pub(crate) fn answer(status: u16) -> Expected {
    Expected { status, to_head: false, checks: Vec::new() }
}

/// The answer to an operation: 200, JSON, the right body.
pub(crate) fn result_of(operation: Operation) -> Expected {
    let expected = answer(200).header("content-type", "application/json");
    expected.with(Check::Operation(Expectation::of(&operation)))
}

/// The answer to `/simple`, which shows that a connection is usable.
pub(crate) fn simple() -> Expected {
    result_of(Operation::Simple)
}

/// Whether a response states HTTP/1.1.
pub(crate) fn is_of_1_1(response: &Response) -> Result<(), String> {
    match response.minor_version {
        1 => Ok(()),
        minor => Err(format!("the answer is of HTTP/1.{minor}, not of HTTP/1.1")),
    }
}

impl Expected {
    pub(crate) fn with(mut self, check: Check) -> Self {
        self.checks.push(check);
        self
    }

    pub(crate) fn header(self, name: &'static str, value: &'static str) -> Self {
        self.with(Check::Header(name, value))
    }

    pub(crate) fn body(self, body: impl Into<Vec<u8>>) -> Self {
        self.with(Check::Body(body.into()))
    }

    pub(crate) fn that(self, check: fn(&Response) -> Result<(), String>) -> Self {
        self.with(Check::That(check))
    }

    /// The answer is to a HEAD request: no body follows, whatever the header says.
    pub(crate) fn without_body(self) -> Self {
        Self { to_head: true, ..self }
    }

    /// As a step.
    pub(crate) fn then(self) -> Step {
        Step::Answer(self)
    }

    /// What is wrong with `response`.
    pub(crate) fn judge(&self, response: &Response) -> Result<(), String> {
        if response.status != self.status {
            return Err(format!("status is {}, not {}", response.status, self.status));
        }
        self.checks.iter().try_for_each(|check| check.judge(response))
    }
}

impl Check {
    fn judge(&self, response: &Response) -> Result<(), String> {
        match self {
            Self::Header(name, value) => match response.header(name) {
                // A type may carry parameters such as its charset.
                Some(found) if *name == "content-type" => {
                    let essence = found.split(';').next().unwrap_or_default().trim();
                    if essence.eq_ignore_ascii_case(value) {
                        Ok(())
                    } else {
                        Err(differs(name, found, value))
                    }
                }
                Some(found) if found == *value => Ok(()),
                Some(found) => Err(differs(name, found, value)),
                None => Err(format!("there is no {name} header, expected {value:?}")),
            },
            Self::Body(expected) if response.body == *expected => Ok(()),
            Self::Body(expected) => Err(differs("body", &start(&response.body), &start(expected))),
            Self::Operation(expectation) => expectation.matches(&response.body),
            Self::Mentions(words) => mentions(&response.body, words),
            Self::Allow(methods) => allow(response, methods),
            Self::AnnouncesClose if response.has_token("connection", "close") => Ok(()),
            Self::AnnouncesClose => Err("the answer lacks Connection: close".to_owned()),
            Self::That(check) => check(response),
        }
    }
}

fn mentions(body: &[u8], words: &[&str]) -> Result<(), String> {
    let parsed: serde_json::Value =
        serde_json::from_slice(body).map_err(|error| format!("the body is not JSON: {error}"))?;
    if !parsed["error"].is_string() {
        return Err(format!("the body has no error text: {parsed}"));
    }
    let text = parsed.to_string();
    match words.iter().find(|word| !text.contains(*word)) {
        Some(word) => Err(format!("the body does not mention {word}: {text}")),
        None => Ok(()),
    }
}

fn allow(response: &Response, methods: &str) -> Result<(), String> {
    let sorted = |list: &str| {
        let mut names: Vec<_> = list.split(',').map(|name| name.trim().to_owned()).collect();
        names.sort();
        names
    };
    match response.header("allow") {
        Some(found) if sorted(found) == sorted(methods) => Ok(()),
        Some(found) => Err(differs("Allow", found, methods)),
        None => Err("there is no Allow header".to_owned()),
    }
}

fn differs(what: &str, found: &str, expected: &str) -> String {
    format!("{what} is {found:?}, not {expected:?}")
}

fn start(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned()
}
