//! A harness on another host, reached through ssh, that says what time it is there.

use std::{
    ffi::OsString,
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStdin, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use race::generators::clock::now_ns;
use stats::clock_offset::Exchange;
use terminal::shell::quoted;

use super::{
    error::ClockError,
    host::HostId,
    lines::{self, Greeting},
};

/// The most that is read of what ssh says beside it, in bytes.
const MOST_SAID: u64 = 64 << 10;
/// How long ssh may take to end once nobody asks any more.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// What a shell returns where it finds no such program (POSIX, "Exit Status for Commands").
const NOT_FOUND: i32 = 127;

/// How another host is reached.
#[derive(Clone, Debug)]
pub struct Reach {
    /// As ssh names it.
    pub host: String,
    /// The ssh client: it is given its options, `--`, the host, and the command.
    pub ssh: OsString,
    /// The harness there, as a shell finds it.
    pub there: String,
    /// How long each answer may take, the first with the connection that it needs.
    pub within: Duration,
}

/// The other side, ready to be asked. Ends with this value.
pub(super) struct Link {
    host: String,
    within: Duration,
    child: Child,
    /// Closed first: the other side ends when nobody can ask any more.
    ask: Option<ChildStdin>,
    /// Each line with the instant at which it came.
    heard: Receiver<(String, i64)>,
    /// What ssh said beside it, at its end.
    said: Receiver<String>,
}

impl Link {
    /// Connects, and returns which host it is on as well.
    pub(super) fn open(reach: &Reach) -> Result<(Self, HostId), ClockError> {
        let host = reach.host.clone();
        // Whatever its name is, it never is an option.
        if host.is_empty() || host.starts_with('-') || host.contains(char::is_whitespace) {
            return Err(ClockError::NoHost(host));
        }
        let mut command = host::tether::command(&reach.ssh);
        command.args(["-T", "-o", "BatchMode=yes", "--", host.as_str()]);
        command.arg(quoted(&reach.there)).arg("clock-answers");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let no_ssh = |error| ClockError::NoSsh { ssh: reach.ssh.clone(), host: reach.host.clone(), error };
        let mut child = command.spawn().map_err(no_ssh)?;
        let (ask, answers, said) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (sender, heard) = channel();
        thread::spawn(move || {
            for line in answers.into_iter().flat_map(|answers| BufReader::new(answers).lines()) {
                let heard_ns = now_ns();
                let Ok(line) = line else { return };
                if sender.send((line, heard_ns)).is_err() {
                    return;
                }
            }
        });
        let (tell, last_words) = channel();
        thread::spawn(move || {
            let mut text = Vec::new();
            // What was said until an error counts, and nobody may be listening any more.
            let _cut = said.map(|said| said.take(MOST_SAID).read_to_end(&mut text));
            let _ = tell.send(String::from_utf8_lossy(&text).into_owned());
        });
        let mut link = Self { host, within: reach.within, child, ask, heard, said: last_words };
        let there = link.greeted()?;
        Ok((link, there))
    }

    /// Asks once.
    pub(super) fn exchange(&mut self, number: u32) -> Result<Exchange, ClockError> {
        let line = format!("{number}\n");
        let asked_ns = now_ns();
        let sent = self.ask.as_mut().is_some_and(|ask| ask.write_all(line.as_bytes()).is_ok());
        if !sent {
            return Err(self.ended());
        }
        let (line, heard_ns) = self.next(Instant::now() + self.within)?;
        let revision = || ClockError::Revision { host: self.host.clone() };
        let (received_ns, answered_ns) = lines::read_answer(&line, number).ok_or_else(revision)?;
        Ok(Exchange { asked_ns, received_ns, answered_ns, heard_ns })
    }

    fn greeted(&mut self) -> Result<HostId, ClockError> {
        let until = Instant::now() + self.within;
        loop {
            let (line, _) = self.next(until)?;
            match lines::read_greeting(&line) {
                Greeting::Of(host) => return Ok(host),
                Greeting::OtherRevision => return Err(ClockError::Revision { host: self.host.clone() }),
                Greeting::None => {}
            }
        }
    }

    fn next(&mut self, until: Instant) -> Result<(String, i64), ClockError> {
        match self.heard.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(heard) => Ok(heard),
            Err(RecvTimeoutError::Timeout) => {
                Err(ClockError::Silent { host: self.host.clone(), within: self.within })
            }
            Err(RecvTimeoutError::Disconnected) => Err(self.ended()),
        }
    }

    /// Why the other side ended.
    fn ended(&mut self) -> ClockError {
        let status = self.end();
        // A connection that ssh keeps for others keeps its streams open as well.
        let said = self.said.recv_timeout(LAST_WORDS).unwrap_or_default();
        let host = self.host.clone();
        let last = said.lines().map(str::trim).rfind(|line| !line.is_empty());
        let code = status.and_then(|status| status.code());
        let advice = match code {
            Some(NOT_FOUND) => format!("install the harness on {host}, or say with --there where it is"),
            // What clap returns for a command that it does not know.
            Some(2) => "build both harnesses from the same revision, or say with --there where that one is"
                .to_owned(),
            _ => format!("see that `ssh {host} harness --version` answers without a question"),
        };
        let said = last.map_or_else(|| "the connection ended".to_owned(), |last| format!("`{last}`"));
        ClockError::Ended { host, said, advice }
    }

    /// Lets the other side end, and what leads there.
    fn end(&mut self) -> Option<ExitStatus> {
        self.ask = None;
        let until = Instant::now() + LAST_WORDS;
        while Instant::now() < until {
            match self.child.try_wait() {
                Ok(None) => thread::sleep(Duration::from_millis(5)),
                Ok(status) => return status,
                Err(_) => return None,
            }
        }
        // It holds on to a connection that nobody needs.
        let _gone = self.child.kill();
        self.child.wait().ok()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.end();
    }
}
