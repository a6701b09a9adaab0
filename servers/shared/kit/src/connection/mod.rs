//! One HTTP connection: hyper's, with the timeouts and the drain around it.
//!
//! What holds, with one timer per connection that is armed anew only when it fires or must fire sooner:
//! - a head is complete within `header_timeout` of its first byte (the first head: of the accept), or the answer is
//!   408 and the connection closes; nothing is answered where nothing was received;
//! - a connection on which nothing is read or written for `idle_timeout` between two requests closes; this also ends
//!   one whose client does not take its answers;
//! - while an operation runs the connection waits for it, however long it takes (bodies have their own timeout).
//!
//! hyper's own `header_read_timeout` covers idle keep-alive connections too, so one value would have to serve
//! both purposes; it never answers 408; and it allocates, registers and removes a timer for every
//! request. Here a request costs one reading of the clock.
//!
//! A connection that is closed while its client may still be sending is closed as `closing` says.

mod activity;
mod closing;
mod version;

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Instant,
};

use activity::{Activity, Phase, Snapshot, Tracked, Watched};
use bytes::Bytes;
use closing::{Closing, LINGER};
use hyper::{
    StatusCode,
    rt::{Read, Sleep, Timer, Write},
    server::conn::http1,
};

use version::{MAX_BUFFER_BYTES, Raised};

pub use crate::framing::MAX_HEAD_BYTES;
use crate::{
    date, execute::Execute, framing::MAX_END_BYTES, members::Membership, policy::Policy, service::Service,
    shutdown::Wait, strict::Strict,
};

/// The answer to a head that does not arrive.
fn timed_out() -> Bytes {
    let date = date::now();
    let head = "HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0";
    format!("{head}\r\ndate: {date}\r\n\r\n").into()
}

/// Serves one connection outside an accept loop, to its end: for benchmarks and tests that bring their own stream.
pub fn serve<Io, E>(io: Io, service: Service<E>) -> Connection<Io, E>
where
    Io: Read + Write + Unpin,
    E: Execute,
{
    Connection::new(io, service, None)
}

/// A connection's future; spawn it. It ends when the connection does.
#[must_use = "futures do nothing unless polled"]
pub struct Connection<Io, E: Execute>
where
    Io: Read + Write + Unpin,
{
    state: State<Io, E>,
    service: Service<E>,
    activity: Arc<Activity>,
    clock: Clock,
    draining: Option<Wait>,
    _membership: Option<Membership>,
}

#[expect(
    clippy::large_enum_variant,
    reason = "nearly every connection is Serving all its life; boxing it would cost each one an allocation"
)]
enum State<Io, E: Execute>
where
    Io: Read + Write + Unpin,
{
    Serving(http1::Connection<Watched<Io>, Tracked<E>>),
    Closing { stream: Closing<Io>, until: Instant },
    Ended,
}

/// When the present phase began, and the timer that ends it.
struct Clock {
    seen: Snapshot,
    since: Instant,
    armed: Option<Armed>,
}

struct Armed {
    sleep: Pin<Box<dyn Sleep>>,
    /// When it fires.
    at: Instant,
    /// Whom it wakes.
    waker: Waker,
}

impl<Io, E> Connection<Io, E>
where
    Io: Read + Write + Unpin,
    E: Execute,
{
    pub(crate) fn new(io: Io, service: Service<E>, membership: Option<(Membership, Wait)>) -> Self {
        let activity = Arc::new(Activity::default());
        let io = match service.site().policy {
            Policy::Enforced => Strict::new(io),
            Policy::Off => Strict::unchecked(io),
        };
        let watched = Watched { io, activity: Arc::clone(&activity), version: Raised::default() };
        let tracked = Tracked { service: service.clone(), activity: Arc::clone(&activity) };
        let http = http1::Builder::new()
            // See the module's documentation. Without it hyper needs no timer.
            .header_read_timeout(None)
            .keep_alive(true)
            // A client that shut down its sending half is gone: an operation for it would be wasted.
            .half_close(false)
            // What is longer is refused before (`crate::framing`), in a way that the service answers.
            .max_header_size(MAX_HEAD_BYTES + MAX_END_BYTES)
            // The number of fields keeps hyper's default of 100, which is parsed on the stack; any value set here,
            // also 100, would be parsed on the heap.
            .max_buf_size(MAX_BUFFER_BYTES)
            // Head and body leave in one piece: a copy of a short body costs less than a gathering write.
            .writev(false)
            // Would hold back an answer while the next request of a pipeline is in the works or only half there.
            .pipeline_flush(false)
            .serve_connection(watched, tracked);
        let clock = Clock { seen: activity.snapshot(), since: service.timer().now(), armed: None };
        service.site().metrics.accepted();
        let (membership, draining) = membership.unzip();
        Self { state: State::Serving(http), service, activity, clock, draining, _membership: membership }
    }

    /// Polls hyper, tells it to drain when it is time to, and reports the end.
    fn poll_http(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let State::Serving(http) = &mut self.state else { return Poll::Ready(()) };
        let mut http = Pin::new(http);
        let mut outcome = http.as_mut().poll(context);
        // What has arrived already is answered before the connection learns of the drain.
        let raised =
            self.draining.as_mut().is_some_and(|draining| Pin::new(draining).poll(context).is_ready());
        if outcome.is_pending() && raised {
            self.draining = None;
            http.as_mut().graceful_shutdown();
            outcome = http.as_mut().poll(context);
        }
        // Where another protocol was asked for, hyper ends without waiting until its last answer is written: it would hand the
        // connection over. Polled again, it has nobody to hand it to, and ends in the usual way.
        if let Poll::Ready(result) = &outcome
            && self.activity.take_asked_to_upgrade()
        {
            note_end(result, &self.service, &self.activity);
            outcome = http.poll(context);
        }
        outcome.map(|result| {
            note_end(&result, &self.service, &self.activity);
            if self.activity.leaves_bytes_unread() {
                // What there was to answer, hyper has answered.
                self.close(Bytes::new());
            }
        })
    }

    /// Whether the present phase has lasted too long; if not, sees to it that this is asked again when it has.
    fn poll_timeout(&mut self, context: &mut Context<'_>) -> Poll<Phase> {
        let timer = self.service.timer();
        let limits = &self.service.site().limits;
        let now = timer.now();
        let seen = self.activity.snapshot();
        if seen != self.clock.seen {
            if !seen.is_the_same_head_as(&self.clock.seen) {
                self.clock.since = now;
            }
            self.clock.seen = seen;
        }
        let allowed = match seen.phase {
            Phase::Busy => return Poll::Pending,
            Phase::Idle if seen.requests > 0 => limits.idle_timeout,
            Phase::Idle | Phase::Head => limits.header_timeout,
        };
        let deadline = self.clock.since + allowed;
        self.clock.poll_until(timer, now, deadline, context).map(|()| seen.phase)
    }

    /// What remains to be done on the stream when hyper is done with it, before `last` is its last word.
    fn close(&mut self, last: Bytes) {
        if let State::Serving(http) = std::mem::replace(&mut self.state, State::Ended) {
            let stream = Closing::after(http.into_parts().io.io.into_inner(), last);
            self.state = State::Closing { stream, until: self.service.timer().now() + LINGER };
        }
    }

    fn time_out(&mut self, phase: Phase) {
        if phase == Phase::Head {
            self.service.site().metrics.answered(None, StatusCode::REQUEST_TIMEOUT.as_u16());
            self.close(timed_out());
        } else {
            self.state = State::Ended;
        }
    }
}

impl Clock {
    /// Ready at `deadline`; until then the one timer sees to it that the task is polled again.
    fn poll_until(
        &mut self,
        timer: &dyn Timer,
        now: Instant,
        deadline: Instant,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        if now >= deadline {
            return Poll::Ready(());
        }
        let armed = match self.armed.take() {
            Some(armed)
                if now < armed.at && armed.at <= deadline && armed.waker.will_wake(context.waker()) =>
            {
                self.armed = Some(armed);
                return Poll::Pending;
            }
            Some(mut armed) => {
                timer.reset(&mut armed.sleep, deadline);
                Armed { at: deadline, waker: context.waker().clone(), ..armed }
            }
            None => {
                Armed { sleep: timer.sleep_until(deadline), at: deadline, waker: context.waker().clone() }
            }
        };
        // A timer of coarse grain may fire a little early: that counts as fired.
        self.armed.insert(armed).sleep.as_mut().poll(context)
    }
}

/// Counts what hyper refused by itself.
fn note_end<E: Execute>(result: &hyper::Result<()>, service: &Service<E>, activity: &Activity) {
    let Err(error) = result else { return };
    tracing::debug!(%error, "a connection ended early");
    if error.is_parse() {
        let status = match error.is_parse_too_large() {
            true => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            false => StatusCode::BAD_REQUEST,
        };
        service.site().metrics.answered(None, status.as_u16());
        activity.refuse();
    }
}

impl<Io, E> Future for Connection<Io, E>
where
    Io: Read + Write + Unpin,
    E: Execute,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.activity.begin_poll();
        if let State::Serving(_) = this.state
            && this.poll_http(context).is_pending()
        {
            let Poll::Ready(phase) = this.poll_timeout(context) else { return Poll::Pending };
            this.time_out(phase);
        }
        let State::Closing { stream, until } = &mut this.state else { return Poll::Ready(()) };
        if stream.poll(context).is_ready() {
            return Poll::Ready(());
        }
        let timer = this.service.timer();
        this.clock.poll_until(timer, timer.now(), *until, context)
    }
}

impl<Io, E> Drop for Connection<Io, E>
where
    Io: Read + Write + Unpin,
    E: Execute,
{
    fn drop(&mut self) {
        self.service.site().metrics.closed();
    }
}
