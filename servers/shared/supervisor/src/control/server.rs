//! The primary's side of the control socket: commands in, replies out, nobody waited for.
//!
//! The primary's one thread polls what [`Control::sources`] names, hands each that is ready to [`Control::ready`], answers what
//! it gets from there whenever it can, and calls [`Control::pass`] after that. What one client may take is bounded: its command
//! in length and time, what waits for it to be read in bytes, and its patience is nobody's concern: a client that goes away is
//! nobody's error and takes nothing back that it asked for.

use std::{
    collections::BTreeMap,
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{RecvFlags, SendFlags, SocketFlags, accept_with, recv, send, sockopt::socket_peercred},
    process::{Uid, geteuid},
};

pub(crate) use super::socket::ControlError;
use super::{
    protocol::{Command, LONGEST_COMMAND, Reply},
    socket::{self, Identity},
};

/// How many clients there may be at a time; further ones are told so.
const MOST_CLIENTS: usize = 16;

/// How much of a log may wait for a client to read it, bytes. A status is sent whole, however long.
pub(crate) const MOST_WAITING: usize = 256 * 1024;

/// How long a client may take to say its command, and how long it may take nothing of what there is for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long nothing is accepted after the system refused that, for want of descriptors above all.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// How many connections are accepted or turned away before others have their turn.
const ACCEPTED_AT_ONCE: usize = 32;

/// The control socket and its clients.
#[derive(Debug)]
pub(crate) struct Control {
    listener: OwnedFd,
    path: PathBuf,
    identity: Identity,
    clients: BTreeMap<ClientId, Client>,
    /// Never given out twice, so that what is said of a client that has gone reaches no other.
    next: ClientId,
    /// Until when nothing is accepted.
    paused: Option<Instant>,
}

/// One client, for as long as the primary lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ClientId(u64);

/// One descriptor to poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source(Option<ClientId>);

/// What a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Whom to answer.
    pub(crate) client: ClientId,
    /// What it wants.
    pub(crate) command: Command,
}

#[derive(Debug)]
struct Client {
    stream: OwnedFd,
    /// What it has said so far of its command.
    said: Vec<u8>,
    /// What it has not taken yet, from `taken` on.
    waiting: Vec<u8>,
    taken: usize,
    /// Since when it takes nothing of that.
    stalled: Option<Instant>,
    /// Lines that there was no room for.
    lost: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It is to say its command until then.
    Asking(Instant),
    /// It has, and is to be answered.
    Asked,
    /// The same, and it gets the log meanwhile.
    Following,
    /// It has its answer, all but what waits.
    Leaving,
}

impl Control {
    /// Listens at `path`.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub(crate) fn bind(path: &Path) -> Result<Self, ControlError> {
        let (listener, identity) = socket::open_at(path)?;
        let (path, clients) = (path.to_owned(), BTreeMap::new());
        Ok(Self { listener, path, identity, clients, next: ClientId(0), paused: None })
    }

    /// See [`socket::default_path`].
    pub(crate) fn default_path(server: &str, port: u16) -> Option<PathBuf> {
        socket::default_path(server, port)
    }

    /// Where it listens.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What to poll, and for what. A client that is only waited for is among them, since poll(2) tells of its end unasked.
    pub(crate) fn sources(&self) -> Vec<(Source, BorrowedFd<'_>, PollFlags)> {
        let listener = (Source(None), self.listener.as_fd(), PollFlags::IN);
        let clients = self.clients.iter().map(|(&id, client)| {
            let asks =
                if matches!(client.state, State::Asking(_)) { PollFlags::IN } else { PollFlags::empty() };
            let takes = if client.is_waited_for() { PollFlags::OUT } else { PollFlags::empty() };
            (Source(Some(id)), client.stream.as_fd(), asks | takes)
        });
        self.paused.is_none().then_some(listener).into_iter().chain(clients).collect()
    }

    /// To be called for each source of [`Self::sources`] on which poll(2) reported anything: what a client wants, if that is known now.
    /// It is a follower from now on if it wants to be: what was logged before is to be answered first.
    pub(crate) fn ready(&mut self, source: Source, now: Instant) -> Option<Asked> {
        let Source(Some(id)) = source else {
            self.accept(now);
            return None;
        };
        // Gone since the poll.
        let client = self.clients.get_mut(&id)?;
        if !matches!(client.state, State::Asking(_)) {
            let goes_on = if client.is_waited_for() { client.send() } else { !client.has_hung_up() };
            if !goes_on {
                self.clients.remove(&id);
            }
            return None;
        }
        match client.hear()? {
            Heard::Command(command) => {
                let follows = matches!(command, Command::Logs { follow: true });
                client.state = if follows { State::Following } else { State::Asked };
                Some(Asked { client: id, command })
            }
            Heard::Nonsense(message) => {
                self.answer(id, &Reply::Refused { message });
                None
            }
            Heard::End => {
                self.clients.remove(&id);
                None
            }
        }
    }

    /// Sends `reply`, of which a [`Reply::Line`] may be lost and every other one is the last. That a client has gone is nobody's error.
    pub(crate) fn answer(&mut self, client: ClientId, reply: &Reply) {
        let Some(found) = self.clients.get_mut(&client) else { return };
        let line = reply.to_line();
        if reply.is_last() {
            found.tell_lost(usize::MAX);
            found.waiting.extend(line);
            found.state = State::Leaving;
        } else {
            found.put(&line);
        }
        if !found.send() {
            self.clients.remove(&client);
        }
    }

    /// Sends a line of the log to all who follow it.
    pub(crate) fn say(&mut self, line: &str) {
        let followers = self.clients.values().any(|client| client.state == State::Following);
        if !followers {
            return;
        }
        let line = Reply::Line { line: line.to_owned() }.to_line();
        self.clients.retain(|_, client| {
            if client.state != State::Following {
                return true;
            }
            client.put(&line);
            client.send()
        });
    }

    /// When [`Self::pass`] is to be called at the latest.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.clients.values().filter_map(Client::deadline).chain(self.paused).min()
    }

    /// Does what time asks for. After [`Self::ready`] for all that is: what came in time and is read late, since this process was
    /// stopped meanwhile, has come in time.
    pub(crate) fn pass(&mut self, now: Instant) {
        self.paused = self.paused.filter(|until| *until > now);
        let is_due = |client: &Client| client.deadline().is_some_and(|deadline| deadline <= now);
        let due: Vec<_> =
            self.clients.iter().filter(|(_, client)| is_due(client)).map(|(id, _)| *id).collect();
        for id in due {
            match self.clients.get(&id).map(|client| client.state) {
                Some(State::Asking(_)) => {
                    let message = format!("no command came within {} s", PATIENCE.as_secs());
                    self.answer(id, &Reply::Refused { message });
                }
                // It takes nothing.
                _ => drop(self.clients.remove(&id)),
            }
        }
    }

    fn accept(&mut self, now: Instant) {
        for _ in 0..ACCEPTED_AT_ONCE {
            match accept_with(&self.listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok(stream) => self.admit(stream, now),
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(errno) => {
                    // Whoever waits makes the listener readable, so that without a pause this would be tried without end.
                    tracing::warn!(
                        "the control socket cannot accept ({}): tried again in {} s",
                        io::Error::from(errno),
                        ACCEPT_PAUSE.as_secs()
                    );
                    self.paused = Some(now + ACCEPT_PAUSE);
                    return;
                }
            }
        }
    }

    fn admit(&mut self, stream: OwnedFd, now: Instant) {
        let own = geteuid();
        let turned_away = match socket_peercred(&stream) {
            Ok(peer) if !may_command(peer.uid, own) => Some(Reply::Refused {
                message: format!(
                    "user {} may not command this server: only user {} and root may",
                    peer.uid.as_raw(),
                    own.as_raw()
                ),
            }),
            Err(_) => Some(Reply::Refused { message: "it is not known whose this client is".to_owned() }),
            Ok(_) if self.clients.len() >= MOST_CLIENTS => Some(Reply::Failed {
                message: format!(
                    "there are {MOST_CLIENTS} clients already, and no more at a time: try again later"
                ),
            }),
            Ok(_) => None,
        };
        if let Some(reply) = turned_away {
            // One line has room in a new socket.
            let _ = send(&stream, &reply.to_line(), SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
            return;
        }
        let client = Client {
            stream,
            said: Vec::new(),
            waiting: Vec::new(),
            taken: 0,
            stalled: None,
            lost: 0,
            state: State::Asking(now + PATIENCE),
        };
        self.clients.insert(self.next, client);
        self.next.0 += 1;
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        socket::remove(&self.path, self.identity);
    }
}

fn may_command(user: Uid, own: Uid) -> bool {
    user == own || user.is_root()
}

/// What a client has said.
enum Heard {
    Command(Command),
    Nonsense(String),
    End,
}

impl Client {
    /// Reads what is there; `None` as long as that is no whole line.
    fn hear(&mut self) -> Option<Heard> {
        let mut buffer = [0; LONGEST_COMMAND];
        let room = LONGEST_COMMAND - self.said.len();
        let ended = match recv(&self.stream, &mut buffer[..room], RecvFlags::DONTWAIT) {
            Ok((_, count)) => {
                self.said.extend_from_slice(&buffer[..count]);
                count == 0
            }
            Err(Errno::AGAIN | Errno::INTR) => return None,
            Err(_) => return Some(Heard::End),
        };
        let line = match self.said.iter().position(|byte| *byte == b'\n') {
            Some(end) => &self.said[..end],
            // An end is the end of a line as well, for those who write by hand.
            None if ended && !self.said.is_empty() => &self.said,
            None if ended => return Some(Heard::End),
            None if self.said.len() < LONGEST_COMMAND => return None,
            None => {
                return Some(Heard::Nonsense(format!(
                    "a command is one line of at most {LONGEST_COMMAND} bytes, and this one has more"
                )));
            }
        };
        Some(Command::from_line(line).map_or_else(Heard::Nonsense, Heard::Command))
    }

    fn is_waited_for(&self) -> bool {
        self.taken < self.waiting.len()
    }

    /// Has `line` wait, or loses it where too much waits already.
    fn put(&mut self, line: &[u8]) {
        let room = MOST_WAITING.saturating_sub(self.waiting.len() - self.taken);
        let fits =
            if self.lost == 0 { line.len() <= room } else { self.tell_lost(room.saturating_sub(line.len())) };
        if fits {
            self.waiting.extend_from_slice(line);
        } else {
            self.lost += 1;
        }
    }

    /// Says how many lines were lost, if any were; whether that fitted into `room`.
    fn tell_lost(&mut self, room: usize) -> bool {
        if self.lost == 0 {
            return true;
        }
        let lines = if self.lost == 1 { "line was" } else { "lines were" };
        let line =
            format!("{} {lines} lost here: this client reads more slowly than the log grows", self.lost);
        let notice = Reply::Line { line }.to_line();
        let fits = notice.len() <= room;
        if fits {
            self.waiting.extend(notice);
            self.lost = 0;
        }
        fits
    }

    /// Sends what it takes; whether it is to be kept.
    fn send(&mut self) -> bool {
        let before = self.taken;
        while self.is_waited_for() {
            match send(&self.stream, &self.waiting[self.taken..], SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
                Ok(count @ 1..) => self.taken += count,
                Err(Errno::INTR) => {}
                Ok(_) | Err(Errno::AGAIN) => break,
                Err(_) => return false,
            }
        }
        if !self.is_waited_for() {
            self.waiting = Vec::new();
            self.taken = 0;
            self.stalled = None;
            return self.state != State::Leaving;
        }
        if self.taken > before || self.stalled.is_none() {
            self.stalled = Some(Instant::now());
        }
        // What was taken makes room, now and then and not for each byte.
        if self.taken > MOST_WAITING / 4 {
            self.waiting.drain(..self.taken);
            self.taken = 0;
        }
        true
    }

    /// Whether both directions are closed, which a client that ended only its own half has not done.
    fn has_hung_up(&self) -> bool {
        const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
        let mut polled = [PollFd::new(&self.stream, PollFlags::empty())];
        poll(&mut polled, Some(&AT_ONCE)).is_ok_and(|count| count > 0)
    }

    fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Asking(until) => Some(until),
            State::Asked | State::Following | State::Leaving => self.stalled.map(|since| since + PATIENCE),
        }
    }
}

#[cfg(test)]
mod tests;
