//! Whether something answers over HTTP.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use crate::failure::Failure;

/// How long one program may take until it accepts: Node on a busy machine takes seconds.
pub(crate) const START_WITHIN: Duration = Duration::from_secs(30);

/// Between two questions to something that does not answer yet.
const AGAIN_AFTER: Duration = Duration::from_millis(20);
/// The longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks for `target` on a connection of its own; the body of an answer with status 200.
pub(crate) fn ask(address: SocketAddr, target: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200 ") => Ok(body.to_owned()),
        _ => {
            let first = answer.lines().next().unwrap_or("nothing");
            Err(io::Error::other(format!("`{first}` where status 200 was expected")))
        }
    }
}

/// Repeats `attempt` until it has something, fails for good, or `within` has passed.
pub(crate) fn retry<T>(
    within: Duration,
    what: &str,
    mut attempt: impl FnMut() -> Result<Option<T>, Failure>,
) -> Result<T, Failure> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = attempt()? {
            return Ok(found);
        }
        if Instant::now() >= deadline {
            return Err(Failure::of(format!("{what} within {within:?}")));
        }
        thread::sleep(AGAIN_AFTER);
    }
}
