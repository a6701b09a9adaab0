//! Handing over, from the worker's side: it serves what its primary has accepted.
//!
//! The worker asks for each connection when it has taken the last, has room for another under its limit, and holds a descriptor for it:
//! one in reserve, which is closed just before something is received. So it is never given what it could not take, and one that
//! computes, or is at its limit, gets no more than the one that it had asked for; the others get the rest.
//!
//! Its primary says when nothing more comes. A stop signal of its own is only passed on to the primary, whose answer comes behind all that
//! it had given before: what was on its way is served.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io,
    net::TcpStream,
    os::fd::{AsFd, OwnedFd},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Poll, Waker},
};

use kit::{
    accept::{self, Source},
    connection::serve_in,
    execute::Inline,
    runtime::Runtime as _,
    service::{Service, Site},
    shutdown::Shutdown,
    start::Error,
};
use kit_tokio::{Tokio, front::current_thread_runtime, handed::take_in};
use supervisor::{Channel, Task};
use tokio::{io::Interest, net::UnixStream};

/// Serves what the primary hands over on a runtime that is the calling thread's alone, until the primary says that this worker is to end
/// and the drain is over. `stop` is raised by a stop signal to this process.
pub(crate) fn serve(
    site: &Arc<Site>,
    max_connections: usize,
    channel: Channel,
    stop: &Shutdown,
) -> Result<(), Error> {
    let runtime = current_thread_runtime()?;
    let inbox = &Inbox::new(channel);
    runtime.block_on(async {
        let watched = inbox.channel.watched().and_then(UnixStream::from_std);
        let watched = watched.map_err(Error::system("register the channel to the primary"))?;
        let service = Service::new(Arc::clone(site), Inline, Tokio.timer());
        let admit = |stream, place| match take_in(stream) {
            // Not yet polled: what it counts, it counts before the next one is asked for.
            Ok(stream) => drop(tokio::spawn(serve_in(stream, service.clone(), Tokio::peer, place))),
            Err(error) => tracing::warn!("a connection is closed, since it cannot be watched: {error}"),
        };
        let (drain_timeout, stopping) = (site.limits.drain_timeout, site.stopping.clone());
        let serving =
            accept::admit_all(inbox, Tokio.timer(), drain_timeout, max_connections, stopping, admit);
        let (mut serving, mut stopped) = (pin!(serving), pin!(stop.wait()));
        inbox.channel.ready()?;
        let (mut primary_is_there, mut has_told_of_the_stop) = (true, false);
        loop {
            tokio::select! {
                biased;
                () = &mut stopped, if !has_told_of_the_stop => {
                    has_told_of_the_stop = true;
                    // Where it cannot be told, it is gone, and with it this process.
                    let _ = inbox.channel.leave();
                }
                ready = watched.readable(), if primary_is_there => {
                    primary_is_there = ready.is_ok() && obey(inbox, &watched, &site.stopping);
                }
                _ = &mut serving => return Ok(()),
            }
        }
    })
}

/// Does all that the primary has said; whether it is still there.
fn obey(inbox: &Inbox, watched: &UnixStream, stopping: &Shutdown) -> bool {
    loop {
        inbox.make_way();
        // That there is nothing more is for tokio to know, which else would not wait for the next.
        let next = || inbox.channel.next()?.ok_or_else(|| io::ErrorKind::WouldBlock.into());
        let task = watched.try_io(Interest::READABLE, next);
        match task {
            Ok(Task::Take { handed }) => inbox.put(handed),
            Ok(Task::Drain { .. }) => {
                inbox.close();
                stopping.raise();
            }
            // Of listeners, of which this worker has none.
            Ok(Task::Serve { .. } | Task::Release { .. }) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                inbox.reserve();
                return true;
            }
            // Its end is this process's own, by the kernel.
            Err(_) => return false,
        }
    }
}

/// Connections that have come and were not taken yet.
#[derive(Debug)]
struct Inbox {
    channel: Channel,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    queued: VecDeque<OwnedFd>,
    /// One was asked for that has not come yet.
    has_asked: bool,
    /// Nothing more comes.
    is_closed: bool,
    /// What makes room for the descriptor of the one that was asked for.
    reserve: Option<OwnedFd>,
    waker: Option<Waker>,
}

impl Inbox {
    fn new(channel: Channel) -> Self {
        Self { channel, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something may be received now, which takes a descriptor.
    fn make_way(&self) {
        self.state().reserve = None;
    }

    /// Nothing was. Nobody else in this process has opened anything meanwhile.
    fn reserve(&self) {
        let mut state = self.state();
        if state.has_asked && state.reserve.is_none() {
            state.reserve = self.descriptor().ok();
        }
    }

    fn descriptor(&self) -> io::Result<OwnedFd> {
        self.channel.as_fd().try_clone_to_owned()
    }

    fn put(&self, handed: Vec<OwnedFd>) {
        let mut state = self.state();
        state.has_asked = false;
        state.queued.extend(handed);
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    fn close(&self) {
        self.state().is_closed = true;
    }
}

impl Source for &Inbox {
    type Accepted = TcpStream;

    /// The next one, after asking for it. Whoever waits for it has room.
    ///
    /// # Errors
    /// There is no descriptor in reserve for it.
    async fn next(&self) -> io::Result<TcpStream> {
        poll_fn(|context| {
            let mut state = self.state();
            if let Some(one) = state.queued.pop_front() {
                return Poll::Ready(Ok(one.into()));
            }
            if !state.has_asked && !state.is_closed {
                let asked = self.descriptor().and_then(|reserve| self.channel.ask().map(|()| reserve));
                match asked {
                    Ok(reserve) => (state.reserve, state.has_asked) = (Some(reserve), true),
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
            state.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}
