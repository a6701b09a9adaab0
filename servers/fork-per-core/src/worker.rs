//! A worker's event loop: an accept loop for its own listener, one for each that it serves meanwhile, and the channel to its primary.

use std::{collections::HashMap, io, net::TcpListener, os::fd::OwnedFd, sync::Arc};

use kit::{
    accept::{self, Drained, Room, Stops},
    execute::Inline,
    runtime::Runtime as _,
    service::{Service, Site},
    shutdown::Shutdown,
    start::Error,
};
use kit_tokio::{Tokio, front};
use supervisor::{Channel, Task};
use tokio::{io::Interest, net::UnixStream, task::JoinSet};

/// Serves `listener`, the one of `place`, on a runtime that is the calling thread's alone, and what else the primary says. Returns when
/// the site stops and the drain is over. Of the connections that the server may have, this worker takes `max_connections`.
pub(crate) fn serve(
    site: Arc<Site>,
    place: usize,
    listener: OwnedFd,
    max_connections: usize,
    channel: Channel,
) -> Result<(), Error> {
    front::current_thread_runtime()?.block_on(async {
        let mut loops = Loops::new(site, max_connections);
        loops.begin(place, listener).map_err(Error::system("register the listener"))?;
        let watched = channel.watched().and_then(UnixStream::from_std);
        let watched = watched.map_err(Error::system("register the channel to the primary"))?;
        channel.ready()?;
        loops.run(&channel, &watched).await;
        Ok(())
    })
}

/// The accept loops of this worker.
struct Loops {
    site: Arc<Site>,
    service: Service<Inline>,
    /// One limit of connections for all of them.
    room: Room,
    /// What ends a loop at once and leaves its connections be, by whose listener it is.
    released: HashMap<usize, Shutdown>,
    running: JoinSet<Drained>,
}

impl Loops {
    fn new(site: Arc<Site>, max_connections: usize) -> Self {
        let service = Service::new(Arc::clone(&site), Inline, Tokio.timer());
        let room = Room::from(max_connections);
        Self { site, service, room, released: HashMap::new(), running: JoinSet::new() }
    }

    fn begin(&mut self, place: usize, listener: OwnedFd) -> io::Result<()> {
        let listener = Tokio.listener(TcpListener::from(listener))?;
        let released = Shutdown::new();
        let stops = Stops { stopping: self.site.stopping.clone(), released: Some(released.clone()) };
        let serving = accept::serve(Tokio, listener, self.service.clone(), self.room.clone(), stops);
        self.running.spawn(serving);
        // A loop for the same place that was not released yet ends now.
        if let Some(before) = self.released.insert(place, released) {
            before.raise();
        }
        Ok(())
    }

    /// Until all loops have ended, which they do when the site stops.
    async fn run(&mut self, channel: &Channel, watched: &UnixStream) {
        let mut primary_is_there = true;
        loop {
            tokio::select! {
                biased;
                ready = watched.readable(), if primary_is_there => {
                    primary_is_there = ready.is_ok() && self.obey(channel, watched);
                }
                ended = self.running.join_next() => {
                    // One that was released has ended, and others go on; or all have.
                    if ended.is_none() || self.running.is_empty() {
                        return;
                    }
                }
            }
        }
    }

    /// Does all that the primary has said; whether it is still there.
    fn obey(&mut self, channel: &Channel, watched: &UnixStream) -> bool {
        loop {
            // That there is nothing more is for tokio to know, which else would not wait for the next.
            let next = || channel.next()?.ok_or_else(|| io::ErrorKind::WouldBlock.into());
            match watched.try_io(Interest::READABLE, next) {
                Ok(Task::Serve { place, handed }) => {
                    if let Err(error) = self.begin(place, handed) {
                        tracing::warn!("cannot serve p{place} meanwhile: {error}");
                    }
                }
                Ok(Task::Release { place }) => self.release(place),
                // Nobody asks for them here.
                Ok(Task::Take { handed }) => drop(handed),
                Ok(Task::Drain { handed_over }) => {
                    if handed_over {
                        self.released.values().for_each(Shutdown::raise);
                    }
                    self.site.stopping.raise();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                // Its end is this process's own, by the kernel.
                Err(_) => return false,
            }
        }
    }

    fn release(&mut self, place: usize) {
        if let Some(released) = self.released.remove(&place) {
            released.raise();
        }
    }
}
