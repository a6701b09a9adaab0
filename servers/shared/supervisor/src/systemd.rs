//! What a service manager is told, and what it hands over: sd_notify(3) and sd_listen_fds(3).
//!
//! Words and variables are those of the crate `sd-notify`. The datagrams are sent from here, since that crate's own sending waits
//! where the manager does not read, and knows no abstract sockets, which managers in containers use; the primary's one
//! thread waits for nobody.

use std::{
    env,
    ffi::OsString,
    fmt, io,
    net::TcpListener,
    os::{
        fd::{AsFd, FromRawFd, OwnedFd, RawFd},
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
    process::Command,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::{Duration, Instant},
};

use rustix::net::{AddressFamily, SocketType, sockopt};
use sd_notify::NotifyState;

/// What is meant for the primary alone, and what a worker that inherited it would take for its own.
const VARIABLES: [&str; 6] =
    ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"];

/// Keeps what the service manager told this process from a process that `command` starts.
pub(crate) fn hide_from(command: &mut Command) {
    for variable in VARIABLES {
        command.env_remove(variable);
    }
}

/// The service manager, if there is one that wants to hear. What it does not hear ends nothing.
#[derive(Debug, Default)]
pub(crate) struct Notify {
    socket: Option<UnixDatagram>,
    watchdog: Option<Watchdog>,
    has_failed: AtomicBool,
}

#[derive(Clone, Copy, Debug)]
struct Watchdog {
    every: Duration,
    next: Instant,
}

impl Notify {
    /// As the environment says. A notification socket that cannot be used is warned of.
    pub(crate) fn from_environment(now: Instant) -> Self {
        let watchdog = sd_notify::watchdog_enabled();
        match env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) {
            None => Self::default(),
            Some(name) => Self::to(&name, watchdog, now).unwrap_or_else(|error| {
                tracing::warn!(
                    "cannot notify the service manager at NOTIFY_SOCKET={}: {error}",
                    name.display()
                );
                Self::default()
            }),
        }
    }

    fn to(name: &OsString, watchdog: Option<Duration>, now: Instant) -> io::Result<Self> {
        let address = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(name)?,
            // Such as vsock:, to the host of a virtual machine.
            _ => return Err(io::Error::new(io::ErrorKind::Unsupported, "only Unix sockets are supported")),
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        socket.connect_addr(&address)?;
        // Half of what is allowed, as sd_watchdog_enabled(3) recommends.
        let watchdog =
            watchdog.filter(|most| !most.is_zero()).map(|most| Watchdog { every: most / 2, next: now });
        Ok(Self { socket: Some(socket), watchdog, has_failed: AtomicBool::new(false) })
    }

    /// It serves; also after a reload, whatever became of that.
    pub(crate) fn ready(&self, status: &str) {
        self.send(&[NotifyState::Ready, NotifyState::Status(&one_line(status))]);
    }

    /// It reloads, and says so with the time, from which the manager tells this reload from one before.
    pub(crate) fn reloading(&self, status: &str) {
        let status = one_line(status);
        let mut states = vec![NotifyState::Reloading, NotifyState::Status(&status)];
        states.extend(NotifyState::monotonic_usec_now().ok());
        self.send(&states);
    }

    /// It drains.
    pub(crate) fn stopping(&self, status: &str) {
        self.send(&[NotifyState::Stopping, NotifyState::Status(&one_line(status))]);
    }

    /// What a person reads in the manager's own status.
    pub(crate) fn status(&self, status: &str) {
        self.send(&[NotifyState::Status(&one_line(status))]);
    }

    /// When [`Self::pass`] is to be called at the latest.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.watchdog.map(|watchdog| watchdog.next)
    }

    /// Tells that the primary lives, when that is due. To be called by the loop that does the primary's work: were it called by anything
    /// else, a loop that hangs would not be found.
    pub(crate) fn pass(&mut self, now: Instant) {
        let Some(watchdog) = self.watchdog.as_mut().filter(|watchdog| watchdog.next <= now) else { return };
        watchdog.next = now + watchdog.every;
        self.send(&[NotifyState::Watchdog]);
    }

    fn send(&self, states: &[NotifyState<'_>]) {
        let Some(socket) = &self.socket else { return };
        let message: String = states.iter().map(|state| format!("{state}\n")).collect();
        let sent = socket.send(message.as_bytes());
        match sent {
            Ok(_) => self.has_failed.store(false, Relaxed),
            Err(error) if !self.has_failed.swap(true, Relaxed) => {
                tracing::warn!("the service manager is not told of this server's state: {error}");
            }
            // That was said.
            Err(_) => {}
        }
    }
}

/// A status of several lines would be several variables.
fn one_line(status: &str) -> String {
    status.replace(char::is_control, " ")
}

/// Why what the service manager handed over is not served from.
#[derive(Debug, thiserror::Error)]
pub enum HandedError {
    /// The variables are no numbers, or name descriptors that are not open.
    #[error("LISTEN_FDS: {0}: have the service manager's socket unit hand over listening TCP sockets")]
    Variables(io::Error),
    /// One is no listener.
    #[error(
        "LISTEN_FDS: descriptor {descriptor} is {what}, and no listening TCP socket: see ListenStream= and Accept=no of the socket unit"
    )]
    Kind {
        /// Which.
        descriptor: RawFd,
        /// What it is.
        what: Kind,
    },
    /// The system refused.
    #[error("LISTEN_FDS: descriptor {descriptor} cannot be made ready: {source}")]
    System {
        /// Which.
        descriptor: RawFd,
        /// What the system said.
        source: io::Error,
    },
}

/// What a descriptor is that is no listening TCP socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file, for one.
    NotASocket,
    /// Of another family than IPv4 and IPv6.
    OtherFamily,
    /// UDP, for one.
    Datagrams,
    /// Connected, for one.
    NotListening,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotASocket => "no socket",
            Self::OtherFamily => "a socket of another family",
            Self::Datagrams => "a socket for datagrams",
            Self::NotListening => "a socket that does not listen",
        })
    }
}

/// The listeners that the service manager hands over to this process; none where it hands over nothing. They do not block, and no
/// other program that this process starts inherits them.
///
/// To be called once, and before anything opens a descriptor: a second call is given nothing.
///
/// # Errors
/// See [`HandedError`]. What was handed over is closed then.
pub fn listeners() -> Result<Vec<TcpListener>, HandedError> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Relaxed) {
        return Ok(Vec::new());
    }
    // Only where LISTEN_PID is this process: a worker's environment says nothing of this kind, but a shell's may.
    let handed = sd_notify::listen_fds().map_err(HandedError::Variables)?;
    #[expect(unsafe_code, reason = "descriptors that were inherited are known by their numbers alone")]
    let owned = |descriptor| {
        // SAFETY: it is open, since its flags were just set, and by the protocol of LISTEN_FDS and LISTEN_PID this process's own and in
        // nobody's hands yet; it is taken once, by the flag above.
        (descriptor, unsafe { OwnedFd::from_raw_fd(descriptor) })
    };
    let handed: Vec<_> = handed.map(owned).collect();
    handed.into_iter().map(|(descriptor, handed)| listener(descriptor, handed)).collect()
}

fn listener(descriptor: RawFd, handed: OwnedFd) -> Result<TcpListener, HandedError> {
    if let Some(what) = not_a_listener(&handed) {
        return Err(HandedError::Kind { descriptor, what });
    }
    let listener = TcpListener::from(handed);
    match listener.set_nonblocking(true) {
        Ok(()) => Ok(listener),
        Err(source) => Err(HandedError::System { descriptor, source }),
    }
}

fn not_a_listener(handed: &impl AsFd) -> Option<Kind> {
    match (sockopt::socket_domain(handed), sockopt::socket_type(handed), sockopt::socket_acceptconn(handed)) {
        (Err(_), ..) => Some(Kind::NotASocket),
        (Ok(domain), ..) if ![AddressFamily::INET, AddressFamily::INET6].contains(&domain) => {
            Some(Kind::OtherFamily)
        }
        (_, kind, _) if kind != Ok(SocketType::STREAM) => Some(Kind::Datagrams),
        (.., listens) => (listens != Ok(true)).then_some(Kind::NotListening),
    }
}

#[cfg(test)]
mod tests;
