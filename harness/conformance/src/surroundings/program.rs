//! A server's program, and what it can be asked.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use crate::{response::Response, wire::Client};

/// For anything that must happen, on a machine that does much else.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// How often a condition is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A program, and what it answers.
#[derive(Clone, Debug)]
pub struct Program {
    pub(super) binary: PathBuf,
    pub(super) arguments: Vec<String>,
    /// What it answers with 200.
    pub(super) paths: &'static [&'static str],
    /// It keeps clients waiting where they ask for that, and counts them.
    pub(super) delays: bool,
    /// What it starts threads for only when it is asked, it may refuse with 503.
    pub(super) may_refuse: bool,
}

impl Program {
    /// One of this project's servers, with two workers unless `arguments` say how many.
    pub fn of(binary: impl Into<PathBuf>, arguments: &[&str]) -> Self {
        let paths = &["/simple", "/complex?iterations=1000", "/info"];
        Self { paths, delays: true, ..Self::constant(binary, arguments) }
    }

    /// The same, of which nothing is known but that it answers `/simple`.
    pub fn constant(binary: impl Into<PathBuf>, arguments: &[&str]) -> Self {
        let workers = if arguments.contains(&"--workers") { &[][..] } else { &["--workers", "2"] };
        let arguments = [arguments, workers].concat().into_iter().map(str::to_owned).collect();
        Self { binary: binary.into(), arguments, paths: &["/simple"], delays: false, may_refuse: false }
    }

    /// Says that it does not count the requests that wait.
    #[must_use]
    pub fn uncounted(self) -> Self {
        Self { delays: false, ..self }
    }

    /// Says that it starts threads only when it is asked for what they are to do, and may then refuse that with 503.
    #[must_use]
    pub fn may_refuse(self) -> Self {
        Self { may_refuse: true, ..self }
    }

    /// Each of its paths is answered.
    pub(super) fn answers(&self, address: SocketAddr) -> Result<(), String> {
        for path in self.paths {
            match get(address, path) {
                Ok(Response { status: 200, .. }) => {}
                Ok(Response { status: 503, .. }) if self.may_refuse => {}
                Ok(Response { status, .. }) => return Err(format!("{path} is answered with {status}")),
                Err(error) => return Err(format!("{path} is not answered: {error}")),
            }
        }
        Ok(())
    }
}

/// The answer to `GET path` on a connection of its own.
pub(super) fn get(address: SocketAddr, path: &str) -> io::Result<Response> {
    let mut client = Client::connect(address, PATIENCE)?;
    client
        .send(format!("GET {path} HTTP/1.1\r\nHost: surroundings\r\nConnection: close\r\n\r\n").as_bytes())?;
    client.receive(false).map_err(|broken| io::Error::other(broken.to_string()))
}

/// An address with a port that nobody had a moment ago, for a program that may not be able to say which it took.
pub(super) fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// Waits until there is a `T`.
pub(super) fn until<T>(what: &str, mut wanted: impl FnMut() -> Option<T>) -> Result<T, String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(got) = wanted() {
            return Ok(got);
        }
        if Instant::now() >= deadline {
            return Err(format!("not within {PATIENCE:?}: {what}"));
        }
        thread::sleep(LOOK_AGAIN);
    }
}
