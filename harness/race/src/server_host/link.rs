//! This side of the link to another host: one question at a time, and a sign of life in between.

use std::{
    fmt,
    io::{BufRead, BufReader, Read, Write},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    error::LinkError,
    lines::{Answer, Asked, Greeting, Question, REVISION, Reply, say},
};

/// How long an answer may take beside what was asked for: a link that is slow, and a tree that is slow to stand still or to end.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// What leads to the other side, and its two ends here.
pub struct Way {
    /// What is written there is read by the agent. Closed, it ends that.
    pub ask: Box<dyn Write + Send>,
    /// What the agent writes.
    pub answers: Box<dyn Read + Send>,
    /// What carries both.
    pub carrier: Box<dyn Carrier>,
}

/// What carries the lines, such as an ssh. Dropping it ends it; it is given time to end by itself then, since what is written was closed
/// before.
pub trait Carrier: Send {
    /// Why the agent said nothing more: `has_greeted` where it was there once.
    fn why_it_ended(&mut self, has_greeted: bool) -> LinkError;
}

/// The other side, ready to be asked.
pub struct Link {
    host: String,
    ask: Ask,
    one_machine: bool,
    state: Mutex<State>,
    /// Its end ends the signs of life.
    _lives: Sender<()>,
}

/// Where questions are written; nothing once there are no more.
type Ask = Arc<Mutex<Option<Box<dyn Write + Send>>>>;

struct State {
    /// Of the last question.
    number: u64,
    heard: Receiver<String>,
    carrier: Box<dyn Carrier>,
    lost: Option<LinkError>,
}

impl Link {
    /// Waits until the agent on `host` is there, which must be as `own` says that this side is. Whatever comes before its greeting is passed
    /// over. Signs of life are given four times in `silence`, after which the agent gives this side up.
    ///
    /// # Errors
    /// It does not come `within`, or is another.
    pub fn open(
        host: &str,
        way: Way,
        own: &Greeting,
        within: Duration,
        silence: Duration,
    ) -> Result<(Self, Greeting), LinkError> {
        let Way { ask, answers, carrier } = way;
        let (sender, heard) = channel();
        let ask: Ask = Arc::new(Mutex::new(Some(ask)));
        let (lives, ended) = channel();
        let state = State { number: 0, heard, carrier, lost: None };
        let mut link =
            Self { host: host.to_owned(), ask, one_machine: false, state: Mutex::new(state), _lives: lives };
        let threads = [
            link.spawn("answers", move || {
                for line in BufReader::new(answers).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        return;
                    }
                }
            }),
            link.spawn("signs of life", {
                let ask = Arc::clone(&link.ask);
                move || give_signs(&ask, &ended, silence / 4)
            }),
        ];
        threads.into_iter().collect::<Result<(), _>>()?;
        let there = link.greeted(Instant::now() + within, within)?;
        link.one_machine = own.is_beside(&there);
        match other_than(own, &there, host) {
            Some(refused) => Err(refused),
            None => Ok((link, there)),
        }
    }

    /// Where it leads, as a person named it.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether it leads to this very machine.
    pub(super) fn is_of_one_machine(&self) -> bool {
        self.one_machine
    }

    /// Why nothing can be asked any more, if it cannot.
    pub fn lost(&self) -> Option<LinkError> {
        self.state().lost.clone()
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// What was asked for could not be done there; or nothing can be asked any more, from now on.
    pub(crate) fn ask(&self, asked: Asked, within: Duration) -> Result<Answer, String> {
        let mut state = self.state();
        let answered = match state.lost.clone() {
            Some(lost) => Err(lost),
            None => self.exchange(&mut state, asked, within),
        };
        answered.unwrap_or_else(|lost| {
            self.close();
            let said = lost.to_string();
            state.lost = Some(lost);
            Err(said)
        })
    }

    fn exchange(
        &self,
        state: &mut State,
        asked: Asked,
        within: Duration,
    ) -> Result<Result<Answer, String>, LinkError> {
        state.number += 1;
        let number = state.number;
        let sent = match self.asking().as_mut() {
            Some(ask) => say(&mut **ask, &Question { number, asked }).is_ok(),
            None => false,
        };
        if !sent {
            return Err(self.ended(state));
        }
        match state.heard.recv_timeout(within) {
            Ok(line) => match serde_json::from_str::<Reply>(&line) {
                Ok(reply) if reply.number == number => Ok(reply.answered),
                _ => Err(LinkError::OtherBuild { host: self.host.clone() }),
            },
            Err(RecvTimeoutError::Timeout) => Err(LinkError::Silent { host: self.host.clone(), within }),
            Err(RecvTimeoutError::Disconnected) => Err(self.ended(state)),
        }
    }

    /// Why it ended. What runs there may not know of it yet: it is told.
    fn ended(&self, state: &mut State) -> LinkError {
        self.close();
        state.carrier.why_it_ended(true)
    }

    /// Asks no more, which ends what runs there.
    fn close(&self) {
        drop(self.asking().take());
    }

    fn greeted(&self, until: Instant, within: Duration) -> Result<Greeting, LinkError> {
        let mut state = self.state();
        loop {
            match state.heard.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(line) => match serde_json::from_str(&line) {
                    Ok(greeting) => return Ok(greeting),
                    Err(_) if is_of_another_revision(&line) => {
                        return Err(LinkError::OtherBuild { host: self.host.clone() });
                    }
                    Err(_) => {}
                },
                Err(RecvTimeoutError::Timeout) => {
                    return Err(LinkError::Silent { host: self.host.clone(), within });
                }
                Err(RecvTimeoutError::Disconnected) => return Err(state.carrier.why_it_ended(false)),
            }
        }
    }

    fn spawn(&self, name: &str, what: impl FnOnce() + Send + 'static) -> Result<(), LinkError> {
        let spawned = thread::Builder::new().name(name.to_owned()).spawn(what);
        let unable = |error: std::io::Error| LinkError::Unable {
            host: self.host.clone(),
            said: format!("no thread can be started here: {error}"),
        };
        spawned.map(drop).map_err(unable)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn asking(&self) -> MutexGuard<'_, Option<Box<dyn Write + Send>>> {
        self.ask.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whatever runs there ends, before what carries the lines does.
impl Drop for Link {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("host", &self.host).finish_non_exhaustive()
    }
}

/// An empty line as often, until there is nobody who asks.
fn give_signs(ask: &Ask, ended: &Receiver<()>, every: Duration) {
    while ended.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
        let mut ask = ask.lock().unwrap_or_else(PoisonError::into_inner);
        let given = ask.as_mut().is_some_and(|ask| ask.write_all(b"\n").and_then(|()| ask.flush()).is_ok());
        if !given {
            return;
        }
    }
}

/// Whether a line that is no greeting of this revision is one of another.
fn is_of_another_revision(line: &str) -> bool {
    serde_json::from_str::<Value>(line).is_ok_and(|value| value.get("server_host").is_some())
}

/// Why the other side is not the other half of this one, if it is not.
fn other_than(own: &Greeting, there: &Greeting, host: &str) -> Option<LinkError> {
    let host = host.to_owned();
    if there.server_host != REVISION {
        return Some(LinkError::OtherBuild { host });
    }
    if there.architecture != own.architecture {
        let (there, here) = (there.architecture.clone(), own.architecture.clone());
        return Some(LinkError::Architecture { host, there, here });
    }
    (there.harness_sha256 != own.harness_sha256).then_some(LinkError::OtherBuild { host })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_half_of_the_instrument_is_refused_by_what_it_is() {
        let own = Greeting::own().unwrap();
        assert_eq!(other_than(&own, &own, "node1"), None);
        let build = Some(LinkError::OtherBuild { host: "node1".to_owned() });
        assert_eq!(other_than(&own, &Greeting { server_host: REVISION + 1, ..own.clone() }, "node1"), build);
        let other = Greeting { harness_sha256: "0".to_owned(), ..own.clone() };
        assert_eq!(other_than(&own, &other, "node1"), build);
        assert!(is_of_another_revision(r#"{"server_host":2,"and":"what follows"}"#));
        assert!(!is_of_another_revision("Last login: yesterday") && !is_of_another_revision("7"));
        // Which is another build as well, and the first thing to be known.
        let other = Greeting { architecture: "aarch64-other".to_owned(), ..other };
        let refused = other_than(&own, &other, "node1").unwrap().to_string();
        assert!(refused.starts_with("node1 is aarch64-other and this host is "), "{refused}");
    }
}
