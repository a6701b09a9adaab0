//! The accept loop, once for all rows.
//!
//! Accepts until the server stops; pauses at the limit of connections; survives what `accept` can report; and at the
//! end takes what is queued, closes the listener, tells its connections and waits for them. Knows neither how
//! connections are spawned nor what they serve.

use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use hyper::rt::{Executor, Timer};

use crate::{
    connection::Connection,
    execute::Execute,
    members::{Members, Membership},
    runtime::Runtime,
    service::Service,
    shutdown::{Shutdown, Wait},
};

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

/// Serves `listener` until `stopping` is raised and the drain is over. `max_connections` is this loop's share.
pub async fn serve<R, E>(
    runtime: R,
    listener: R::Listener,
    service: Service<E>,
    max_connections: usize,
    stopping: Shutdown,
) -> Drained
where
    R: Runtime + Executor<Connection<R::Stream, E>>,
    E: Execute,
{
    let members = Arc::new(Members::default());
    let drain = Shutdown::new();
    let timer = runtime.timer();
    let admit = |stream| {
        let membership = Membership::of(&members);
        let membership = Some((membership, drain.wait()));
        runtime.execute(Connection::new(stream, service.clone(), R::is_gone, membership));
    };
    let mut stopped = stopping.wait();
    let mut failures = Failures::default();
    loop {
        if members.open() >= max_connections {
            let room = poll_fn(|context| members.poll_below(max_connections, context));
            if unless(&mut stopped, room).await.is_none() {
                break;
            }
        }
        match unless(&mut stopped, runtime.accept(&listener)).await {
            None => break,
            Some(Ok(stream)) => {
                failures.over();
                admit(stream);
            }
            Some(Err(error)) => {
                if let Some(pause) = failures.pause_after(&error, timer.now())
                    && unless(&mut stopped, timer.sleep(pause)).await.is_none()
                {
                    break;
                }
            }
        }
    }

    // Clients whose connection the kernel has completed already must not be reset. Not more than the backlog holds,
    // for a flood of new ones must not keep the server from stopping.
    let mut patience = DRAIN_RETRIES;
    for _ in 0..crate::listen::BACKLOG {
        let mut accept = pin!(runtime.accept(&listener));
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
            Some(Err(_)) | None => break,
        }
    }
    drop(listener);
    drain.raise();

    let mut deadline = timer.sleep(service.site().limits.drain_timeout);
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

/// Waits for `future`, or gives `None` when the server stops; the stop comes first.
async fn unless<F: Future>(stopped: &mut Wait, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|context| match Pin::new(&mut *stopped).poll(context) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => future.as_mut().poll(context).map(Some),
    })
    .await
}

/// Accepts that failed in a row, and when the last of them was spoken of.
#[derive(Default)]
struct Failures {
    pause: Option<Duration>,
    said: Option<Instant>,
}

impl Failures {
    /// How long to wait before the next try; `None` for not at all.
    fn pause_after(&mut self, error: &io::Error, now: Instant) -> Option<Duration> {
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

    fn over(&mut self) {
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
