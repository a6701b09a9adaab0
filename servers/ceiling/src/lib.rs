//! The null server: what no row can exceed on this machine.
//!
//! It parses nothing but where a head ends, and answers constant bytes: exactly one read and one write for a request,
//! and one wait for each batch of ready connections. It calibrates the others and is never ranked. It serves
//! no bodies, knows no path and keeps no timeout; it is no web server.
//!
//! Where connections live: on the pinned thread whose SO_REUSEPORT listener the kernel chose. Where operations run:
//! there are none.

mod connection;
mod event_loop;

use std::{net::TcpListener, sync::mpsc, thread, time::Duration};

use kit::{
    args::Config,
    shutdown::{EndsTogether, Shutdown},
    start::{self, Error},
};

use event_loop::EventLoop;

/// The server's name.
pub const SERVER: &str = "ceiling";

/// A valid answer to `GET /simple`, with the header fields of every row but Date, which would have to change.
const ANSWER: &str = "HTTP/1.1 200 OK\r\n\
    content-type: application/json\r\n\
    content-length: 51\r\n\
    \r\n\
    {\"origin\":\"ceiling\",\"worker\":\"t0\",\"payload\":499500}";

/// Serves each of `listeners` on a thread of its own until `stopping` is raised. Says so when all accept.
///
/// # Errors
/// A thread cannot be started or pinned, or its event loop failed.
pub fn run(config: &Config, listeners: Vec<TcpListener>, stopping: &Shutdown) -> Result<(), Error> {
    let address = match listeners.first() {
        Some(first) => first.local_addr().map_err(Error::system("read the listener's address"))?,
        None => return Err(Error::Failed("there is no listener".to_owned())),
    };
    let limits = config.limits.shared_by(listeners.len());
    let (ready, readiness) = mpsc::channel();
    let mut threads = Vec::new();
    for (index, listener) in listeners.into_iter().enumerate() {
        let cpu = config.cpus.nth_wrapping(index);
        let mut event_loop = EventLoop::new(listener, limits.max_connections, limits.drain_timeout, stopping)
            .map_err(Error::system("set up an event loop"))?;
        let ready = ready.clone();
        let together = EndsTogether::with(stopping);
        let serve = move || {
            let _together = together;
            let own: host::cpus::CpuSet = [cpu].into_iter().collect();
            own.apply_to_current_thread()?;
            // Nobody hears it only if the main thread is gone, and with it the process.
            let _ = ready.send(());
            // The main thread counts until all senders are gone, those of threads that failed among them.
            drop(ready);
            event_loop.run()
        };
        let thread = thread::Builder::new().name(format!("ceiling-{index}")).spawn(serve);
        threads.push(thread.map_err(Error::system("start a thread"))?);
    }
    drop(ready);
    if readiness.iter().count() == threads.len() {
        start::announce(SERVER, config, address);
    } else {
        stopping.raise();
    }
    for thread in threads {
        match thread.join() {
            Ok(served) => served.map_err(Error::system("serve"))?,
            Err(_) => return Err(Error::Failed("a thread panicked".to_owned())),
        }
    }
    Ok(())
}

/// How long a thread rests that can neither accept nor be told when it could again.
const OUT_OF_FILES_PAUSE: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constant_answer_is_the_right_one() {
        let (head, body) = ANSWER.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())));
        assert_eq!(body.as_bytes(), app::Operation::Simple.run().body(SERVER, "t0"));
    }
}
