//! The accept loop, once for all rows.
//!
//! Accepts until it is stopped, or released because another process accepts from the same socket; pauses at the limit of connections;
//! survives what `accept` can report; and at the end takes what is queued, closes the listener, tells its connections and waits for them.
//! Knows neither how connections are spawned nor what they serve. Any number of loops may run on one runtime, each a future of its own,
//! with a limit each or one for all ([`Room`]).
//!
//! Where who accepts is not who serves, the loop is the same: what it takes comes from a [`Source`], and goes to whoever is to have it
//! ([`admit_all`]).

use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Poll, ready},
    time::{Duration, Instant},
};

use hyper::rt::{Executor, Timer};

use crate::{
    connection::Connection,
    drain::Drain,
    execute::Execute,
    members::{Members, Membership},
    runtime::Runtime,
    service::Service,
    shutdown::{Shutdown, Wait},
};
pub use crate::{connection::Place, members::Room};

/// How a drain ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were still open at the deadline and are cut when the runtime ends.
    pub cut: usize,
}

/// The first pause after an accept failed for want of something; it doubles up to [`PAUSE_MAX`] while it goes on failing.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How often failures are spoken of while they last.
const SAY_AGAIN: Duration = Duration::from_secs(10);

/// How often an accept may fail, a [`PAUSE_MIN`] apart, before what is queued at a stop is given up.
const DRAIN_RETRIES: u32 = 100;

/// The backlog counts as empty when nothing was accepted for this long. Not at once: a runtime learns of what is queued
/// only when it next looks at its I/O driver.
const QUIET: Duration = Duration::from_millis(2);

/// What ends an accept loop.
///
/// One that is stopped first takes what is queued at its listener: nobody else would. One that is released before does not,
/// since somebody else accepts from the same socket; it closes its listener at once, and its connections live on.
#[derive(Clone, Debug)]
pub struct Stops {
    /// Ends the loop and, in a drain, its connections.
    pub stopping: Shutdown,
    /// Ends the loop alone.
    pub released: Option<Shutdown>,
}

impl From<Shutdown> for Stops {
    fn from(stopping: Shutdown) -> Self {
        Self { stopping, released: None }
    }
}

/// Where an accept loop has its connections from: a listener, or somebody who accepts in its place.
pub trait Source {
    /// One connection.
    type Accepted;

    /// Waits for the next. Dropping the future must lose none.
    fn next(&self) -> impl Future<Output = io::Result<Self::Accepted>>;
}

/// A listener of a runtime.
struct Listening<R: Runtime> {
    runtime: R,
    listener: R::Listener,
}

impl<R: Runtime> Source for Listening<R> {
    type Accepted = R::Stream;

    fn next(&self) -> impl Future<Output = io::Result<R::Stream>> {
        self.runtime.accept(&self.listener)
    }
}

/// Serves `listener` until it is stopped and the drain is over, or until it is released and its last connection has ended. `room`
/// is this loop's share of the connections, or what it shares with others.
///
/// A loop may be released at any time, also when it drains and takes what is queued. What it accepted before is its own. On a runtime that
/// accepts ahead (glommio) that may be one connection which it has not seen yet, and which is then closed.
pub async fn serve<R, E>(
    runtime: R,
    listener: R::Listener,
    service: Service<E>,
    room: impl Into<Room>,
    stops: impl Into<Stops>,
) -> Drained
where
    R: Runtime + Executor<Connection<R::Stream, E>>,
    E: Execute,
{
    let timer = runtime.timer();
    let drain_timeout = service.site().limits.drain_timeout;
    let source = Listening { runtime: runtime.clone(), listener };
    let admit =
        |stream, place| runtime.execute(Connection::new(stream, service.clone(), R::peer, Some(place)));
    admit_all(source, timer, drain_timeout, room, stops, admit).await
}

/// Admits what comes from `source` in the same way, with the same end: what is admitted counts as open, and is waited for at the end,
/// until its [`Place`] is dropped. Whoever serves it hands that on ([`crate::connection::serve_in`]).
///
/// `timer` is of the runtime that this runs on. The connections may live on others, whose clock is the same.
pub async fn admit_all<S: Source>(
    source: S,
    timer: impl Timer,
    drain_timeout: Duration,
    room: impl Into<Room>,
    stops: impl Into<Stops>,
    admit: impl Fn(S::Accepted, Place),
) -> Drained {
    let (room, stops): (Room, Stops) = (room.into(), stops.into());
    let members = Arc::new(Members::default());
    let drain = Drain::of_loop(stops.stopping.clone());
    let admit = |accepted| {
        let memberships = [Some(Membership::of(&members)), Some(room.enter())];
        admit(accepted, Place { drain: Arc::clone(&drain), memberships });
    };
    let mut ends = Ends::of(&stops);
    let mut failures = Failures::default();
    let end = loop {
        let mut accept = pin!(source.next());
        // Room is looked for each time: loops that share it may have taken it since.
        let next = poll_fn(|context| {
            ready!(room.poll_free(context));
            accept.as_mut().poll(context)
        });
        match ends.unless(next).await {
            Err(end) => break end,
            Ok(Ok(stream)) => {
                failures.over();
                admit(stream);
            }
            Ok(Err(error)) => {
                if let Some(pause) = failures.pause_after(&error, timer.now())
                    && let Err(end) = ends.unless(timer.sleep(pause)).await
                {
                    break end;
                }
            }
        }
    };
    match end {
        End::Stopped => {
            let is_released = || stops.released.as_ref().is_some_and(Shutdown::is_raised);
            take_what_is_queued(&source, &timer, is_released, admit).await;
            drop(source);
        }
        End::Released => {
            drop(source);
            let all_ended = poll_fn(|context| members.poll_below(1, context));
            if ends.unless_stopped(all_ended).await.is_ok() {
                return Drained::default();
            }
        }
    }
    drain.tell(timer.now());

    let mut deadline = timer.sleep(drain_timeout);
    poll_fn(|context| match members.poll_below(1, context) {
        Poll::Pending => deadline.as_mut().poll(context),
        Poll::Ready(()) => Poll::Ready(()),
    })
    .await;
    let cut = members.open();
    if cut > 0 {
        tracing::warn!("{cut} connections were still open after --drain-timeout, and are cut");
    }
    Drained { cut }
}

/// Admits clients whose connection the kernel has completed already, and which must not be reset. Not more than the backlog
/// holds, for a flood of new ones must not keep the server from stopping.
async fn take_what_is_queued<S: Source>(
    source: &S,
    timer: &impl Timer,
    is_released: impl Fn() -> bool,
    admit: impl Fn(S::Accepted),
) {
    let mut patience = DRAIN_RETRIES;
    for _ in 0..crate::listen::BACKLOG {
        if is_released() {
            return;
        }
        let mut accept = pin!(source.next());
        let mut quiet = timer.sleep(QUIET);
        let next = poll_fn(|context| match accept.as_mut().poll(context) {
            Poll::Ready(accepted) => Poll::Ready(Some(accepted)),
            Poll::Pending => quiet.as_mut().poll(context).map(|()| None),
        });
        match next.await {
            Some(Ok(stream)) => admit(stream),
            Some(Err(error)) if concerns_one_connection(&error) => {}
            // Out of files, most likely, of which connections that end give some back.
            Some(Err(_)) if patience > 0 => {
                patience -= 1;
                timer.sleep(PAUSE_MIN).await;
            }
            Some(Err(_)) | None => return,
        }
    }
}

/// Why a loop accepts no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Stopped,
    Released,
}

/// Waits for either.
struct Ends {
    stopped: Wait,
    released: Option<Wait>,
}

impl Ends {
    fn of(stops: &Stops) -> Self {
        Self { stopped: stops.stopping.wait(), released: stops.released.as_ref().map(Shutdown::wait) }
    }

    /// Waits for `future`, or tells why not: the end comes first, and a release before a stop.
    async fn unless<F: Future>(&mut self, future: F) -> Result<F::Output, End> {
        let mut future = pin!(future);
        poll_fn(|context| {
            if let Some(released) = &mut self.released
                && Pin::new(released).poll(context).is_ready()
            {
                return Poll::Ready(Err(End::Released));
            }
            match Pin::new(&mut self.stopped).poll(context) {
                Poll::Ready(()) => Poll::Ready(Err(End::Stopped)),
                Poll::Pending => future.as_mut().poll(context).map(Ok),
            }
        })
        .await
    }

    /// The same for a loop that is released already.
    async fn unless_stopped<F: Future>(&mut self, future: F) -> Result<F::Output, End> {
        self.released = None;
        self.unless(future).await
    }
}

/// Accepts that failed in a row, and when the last of them was spoken of: for whoever accepts without this loop.
#[derive(Debug, Default)]
pub struct Failures {
    pause: Option<Duration>,
    said: Option<Instant>,
}

impl Failures {
    /// An accept failed, and not for want of a connection. How long to wait before the next try; `None` for not at all.
    pub fn pause_after(&mut self, error: &io::Error, now: Instant) -> Option<Duration> {
        if concerns_one_connection(error) {
            return None;
        }
        let pause = self.pause.map_or(PAUSE_MIN, |pause| (pause * 2).min(PAUSE_MAX));
        self.pause = Some(pause);
        // Not at every try, and not whenever it begins again: at its limit of files a server goes to and fro between one
        // connection more and one too many as often as clients care to come and leave.
        if self.said.is_none_or(|said| now.duration_since(said) >= SAY_AGAIN) {
            self.said = Some(now);
            tracing::warn!(%error, "cannot accept; trying again (out of files? `ulimit -n`, or lower --max-connections)");
        }
        Some(pause)
    }

    /// An accept succeeded.
    pub fn over(&mut self) {
        self.pause = None;
    }
}

/// Errors of a connection that ended before it was accepted; accept(2) lists the network errors that Linux passes on.
fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionReset, HostUnreachable, Interrupted, NetworkDown, NetworkUnreachable,
    };
    matches!(
        error.kind(),
        ConnectionAborted
            | ConnectionReset
            | HostUnreachable
            | Interrupted
            | NetworkDown
            | NetworkUnreachable
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_second_and_a_lost_connection_causes_none() {
        let (mut failures, now) = (Failures::default(), Instant::now());
        let lost = io::Error::from(io::ErrorKind::ConnectionAborted);
        assert_eq!(failures.pause_after(&lost, now), None);
        let out_of_files = io::Error::from_raw_os_error(24);
        let pauses: Vec<_> = (0..9).filter_map(|_| failures.pause_after(&out_of_files, now)).collect();
        assert_eq!(pauses[..3], [10, 20, 40].map(Duration::from_millis));
        assert_eq!(pauses[8], PAUSE_MAX);
        failures.over();
        assert_eq!(failures.pause_after(&out_of_files, now), Some(PAUSE_MIN));
    }

    #[test]
    fn failures_that_come_and_go_are_spoken_of_now_and_then() {
        let (mut failures, start) = (Failures::default(), Instant::now());
        let mut said = 0;
        for second in 0..25 {
            let before = failures.said;
            failures.pause_after(&io::Error::from_raw_os_error(24), start + Duration::from_secs(second));
            failures.over();
            said += usize::from(failures.said != before);
        }
        assert_eq!(said, 3);
    }
}
