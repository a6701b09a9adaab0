//! A worker's event loop: one accept loop for its own listener, one for each that it serves meanwhile, and the channel to its primary.

use std::{
    collections::HashMap,
    io,
    net::TcpListener,
    os::fd::OwnedFd,
    rc::Rc,
    sync::Arc,
};

use kit::{
    accept::{self, Stops},
    execute::Inline,
    runtime::Runtime as _,
    service::{Service, Site},
    shutdown::Shutdown,
    start::Error,
};
use kit_tokio::Tokio;
use supervisor::{Channel, Task};
use tokio::{io::unix::AsyncFd, task::LocalSet};

/// Serves `listener`, the one of `place`, on a runtime that is the calling thread's alone, and whatever else the channel says. Returns when
/// the site stops and the drain is over.
pub(crate) fn serve(site: Arc<Site>, listener: OwnedFd, channel: Channel, place: usize) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(Error::system("build the tokio runtime"))?;
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        let mut loops = Loops { site, released: HashMap::new(), running: tokio::task::JoinSet::new() };
        loops.begin(place, listener).map_err(Error::system("register the listener"))?;
        let channel = AsyncFd::new(channel).map_err(Error::system("register the channel to the primary"))?;
        channel.get_ref().ready()?;
        loops.run(&channel).await;
        Ok(())
    })
}

/// The accept loops of this worker.
struct Loops {
    site: Arc<Site>,
    /// By whose listener it is: what ends the loop at once, and leaves its connections be.
    released: HashMap<usize, Shutdown>,
    running: tokio::task::JoinSet<()>,
}
