//! `harness planted`: the null server with a planted difference, on the other side of `selftest --comparison`.
//!
//! It answers `/simple` rightly, whatever is asked, and knows nothing of who compares it. Where nothing is planted it does what the
//! null server does (`servers/ceiling`), which the harness must not link.

mod connection;
mod difference;
mod event_loop;
#[cfg(test)]
mod tests;

use std::{
    net::{SocketAddr, TcpListener},
    num::NonZeroU64,
    os::unix::net::UnixStream,
};

use anyhow::Context as _;
use host::{
    cpus::CpuSet,
    ready::{Profile, Ready},
};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    low_level::pipe,
};
use terminal::outcome::Outcome;

pub use difference::{Difference, Hold, Stall};
use event_loop::EventLoop;

/// The server's name, and the origin of its answers.
pub const SERVER: &str = "planted";

/// What the server is told.
#[derive(Clone, Debug)]
pub struct PlantedOptions {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The CPUs that it keeps to.
    pub cpus: CpuSet,
    /// What is planted.
    pub difference: Difference,
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// It cannot listen, keep to its CPUs, or say that it is ready.
pub fn planted(options: &PlantedOptions) -> anyhow::Result<Outcome> {
    let (stop, told) = UnixStream::pair().context("cannot make a pair of sockets")?;
    for signal in [SIGTERM, SIGINT] {
        pipe::register(signal, told.try_clone()?).context("cannot handle signals")?;
    }
    options.cpus.apply_to_current_thread().context("cannot keep to the CPUs")?;
    // Held answers leave when they are due, not up to 50 us later. A slack of zero would mean that default.
    rustix::thread::set_current_timer_slack(NonZeroU64::new(1)).context("cannot set the timer slack")?;
    let listener =
        TcpListener::bind(options.listen).with_context(|| format!("cannot listen on {}", options.listen))?;
    let ready = Ready {
        server: SERVER.to_owned(),
        address: listener.local_addr()?,
        pid: std::process::id(),
        workers: 1,
        cpus: options.cpus.clone(),
        profile: Profile::of_this_build(),
    };
    let mut event_loop = EventLoop::new(listener, &stop, answer(), options.difference)?;
    ready.announce().context("cannot print the ready line")?;
    event_loop.run()?;
    Ok(Outcome::Done)
}

/// The right answer of `/simple`, by the one worker that there is.
fn answer() -> Vec<u8> {
    let body = app::Operation::Simple.run().body(SERVER, "t0");
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), &body].concat()
}
