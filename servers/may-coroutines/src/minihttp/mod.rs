//! may_minihttp as it is published, serving the same endpoints: the row `may-minihttp`.
//!
//! The library owns the listener, the connections and all of HTTP; the service below sees a request's head and gives an answer.
//! What the library cannot do, and the row therefore deviates in: it closes without answer on heads that it cannot
//! parse or that have more than 16 fields, bounds neither the number of connections nor how long a head or a body may
//! take, and cannot be told to stop accepting. Its listener is its own, so that TCP_NODELAY stays off; every batch of
//! answers is one write.

mod asked;
mod connection;
mod shared;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use hyper::rt::Timer as _;
use kit::{
    args::Config,
    listen,
    runtime::Runtime as _,
    service::Site,
    shutdown::Shutdown,
    start::{self, Error},
};
use kit_may::{May, spawn};
use may_minihttp::HttpServiceFactory as _;

use crate::SERVER;
use shared::Shared;

/// While the server drains: how often is looked, and for how long nothing must have been asked. The library writes an answer
/// after the service gave it, without a word to anybody.
const LOOK: Duration = Duration::from_millis(10);
const QUIET: Duration = Duration::from_millis(200);

/// Serves with may_minihttp until `stopping` is raised and its connections are closed or quiet. Says when it accepts.
///
/// # Errors
/// There is no listener, or a coroutine cannot be started.
pub fn run(config: &Config, may: May, stopping: Shutdown) -> Result<(), Error> {
    // The library binds by itself and does not tell where; but it lets others listen there, so that the port
    // is chosen, and an address that cannot be had explained, by kit. Nobody knows of this listener while it lives.
    let reserved = listen::group(config.listen, 1)?;
    let address = match reserved.first().map(std::net::TcpListener::local_addr) {
        Some(address) => address.map_err(Error::system("read the listener's address"))?,
        None => return Err(Error::Failed("there is no listener".to_owned())),
    };
    let timer = may.timer();
    let shared = Arc::new(Shared {
        site: Site::new(SERVER, config, stopping.clone()),
        timer: timer.clone(),
        open: AtomicUsize::new(0),
        busy: AtomicUsize::new(0),
        asked: AtomicUsize::new(0),
    });
    tracing::warn!(
        "may_minihttp has no --max-connections, --header-timeout, --body-timeout, --idle-timeout and --linger: they are not kept"
    );
    let accepting = connection::Factory(Arc::clone(&shared));
    let _accepting = accepting.start(address).map_err(Error::system("listen by may_minihttp"))?;
    drop(reserved);
    start::announce(SERVER, config, address);
    let draining = drain(shared, stopping, address);
    let drained = spawn(timer, draining).map_err(Error::system("start the coroutine that waits"))?;
    match drained.join() {
        Ok(Some(())) => Ok(()),
        _ => Err(Error::Failed("the coroutine that waits panicked".to_owned())),
    }
}

/// Ends when the server was told to stop and its connections are closed, or nothing was asked for a while. Until then each
/// answer is its connection's last. New connections are still accepted: the library knows no end of that.
async fn drain(shared: Arc<Shared>, stopping: Shutdown, address: SocketAddr) {
    stopping.wait().await;
    let deadline = Instant::now() + shared.site.limits.drain_timeout;
    let (mut asked, mut since) = (shared.asked.load(SeqCst), Instant::now());
    loop {
        let open = shared.open.load(SeqCst);
        let now = Instant::now();
        if shared.busy.load(SeqCst) > 0 || shared.asked.load(SeqCst) != asked {
            (asked, since) = (shared.asked.load(SeqCst), now);
        }
        let quiet = now.duration_since(since) >= QUIET;
        if open == 0 || quiet || now >= deadline {
            if open > 0 {
                tracing::warn!("{open} connections at {address} are cut: may_minihttp cannot drain");
            }
            return;
        }
        shared.timer.sleep(LOOK).await;
    }
}
