//! One HTTP connection: hyper's, with the timeouts and the drain around it.
//!
//! What holds, with one timer per connection that is armed anew only when it fires or must fire sooner:
//! - a head is complete within `header_timeout` of its first byte (the first head: of the accept), or the answer is
//!   408 and the connection closes; nothing is answered where nothing was received;
//! - a connection on which nothing is read or written for `idle_timeout` between two requests closes; this also ends
//!   one whose client does not take its answers;
//! - while an operation runs the connection waits for it, however long it takes (bodies have their own timeout), unless its
//!   client is gone.
//!
//! A client is gone when it has reset the connection, or when a write to it fails. One that has ended its sending half (RFC
//! 9112 section 9.6) is not: what came whole before that end is answered, all of a pipeline, and then the connection closes. A plain
//! close cannot be told from it until something is written, so work for such a client runs to its end.
//!
//! While an operation runs hyper reads nothing, neither the next requests nor the end of the stream, so that no read tells of a reset
//! either, on whatever runtime. So the kernel is asked now and then ([`Runtime::peer`](crate::runtime::Runtime::peer)): first
//! [`FIRST_LOOK`] after the operation began, then after as long again as it has run, at most every [`LAST_LOOK`]. What is answered
//! sooner costs no call of it: at most a connection's timer is set anew, once in [`FIRST_LOOK`], where its operation runs
//! elsewhere; and what is computed for nobody is little. To be told by each runtime
//! at once would not do: readiness to read, which all of them offer, says nothing more once the half has ended, or while a
//! further request lies unread.
//!
//! hyper's own `header_read_timeout` covers idle keep-alive connections too, so one value would have to serve
//! both purposes; it never answers 408; and it allocates, registers and removes a timer for every
//! request. Here a request costs one reading of the clock.
//!
//! A connection that is closed while its client may still be sending is closed as `closing` says.
//!
//! When the server stops, no request is lost that could be saved. Every answer from then on says that the connection closes, unless more
//! of a pipeline is behind it (`parting`). A connection without a request closes when none has come for the linger, counted
//! from the stop, from its last answer, or from its accept, whichever is latest: one may be on its way. A head that has begun keeps its header
//! timeout, and a body its own. Before a connection is closed as idle the kernel is asked whether bytes lie in its socket, of which
//! the runtime has not heard yet. So a drain in which nothing is under way takes about the linger, and one in which something is, as long
//! as that takes and at most the linger more, in which a client may close first; the drain timeout bounds it all
//! ([`crate::accept`]). What HTTP/1.1 leaves is a race: a request that is sent while the close of an idle connection is on its way is
//! not answered, and its client sees the connection end before the first byte of an answer (RFC 9112 section 9.3.1 says what it may
//! then send again).
//!
//! hyper's `graceful_shutdown` is not used: it closes at once what has read nothing yet, what is idle, and what has read half a head behind
//! an earlier request, and it drops what is behind the request that is being answered.

mod activity;
mod closing;
mod parting;
mod stop;
mod version;

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::{Duration, Instant},
};

use activity::{Activity, Phase, Snapshot, Tracked, Watched};
use bytes::Bytes;
use closing::{Closing, LINGER, Until};
use hyper::{
    StatusCode,
    rt::{Read, Sleep, Timer, Write},
    server::conn::http1,
};

use stop::{Settled, Stop};
use version::{MAX_BUFFER_BYTES, Raised};

pub use crate::framing::MAX_HEAD_BYTES;
use crate::{
    date, drain::Drain, execute::Execute, framing::MAX_END_BYTES, members::Membership, policy::Policy,
    runtime::Peer, service::Service, shutdown::Shutdown, strict::Strict,
};

/// When it is first looked whether a client that waits for an operation is still there, counted from its request.
pub const FIRST_LOOK: Duration = Duration::from_millis(200);

/// The longest time between two looks. Ten thousand connections that wait for a minute cost a hundredth of a CPU by it.
pub const LAST_LOOK: Duration = Duration::from_secs(2);

/// The answer to a head that does not arrive.
fn timed_out() -> Bytes {
    let date = date::now();
    let head = "HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0";
    format!("{head}\r\ndate: {date}\r\n\r\n").into()
}

/// Serves one connection outside an accept loop, to its end: for benchmarks and tests that bring their own stream, and can say
/// what is known of the client at its other end.
pub fn serve<Io, E>(io: Io, service: Service<E>, peer: fn(&Io) -> Peer) -> Connection<Io, E>
where
    Io: Read + Write + Unpin,
    E: Execute,
{
    Connection::new(io, service, peer, None)
}

/// The same until `stopping` is raised and the drain is over, which nothing bounds here.
pub fn serve_until<Io, E>(
    io: Io,
    service: Service<E>,
    peer: fn(&Io) -> Peer,
    stopping: Shutdown,
) -> Connection<Io, E>
where
    Io: Read + Write + Unpin,
    E: Execute,
{
    let place = Place { drain: Drain::of_one(stopping), memberships: [None, None] };
    Connection::new(io, service, peer, Some(place))
}

/// Serves one connection that an accept loop has admitted elsewhere ([`crate::accept::admit_all`]), until it ends or that loop's drain
/// is over. To be called by the worker that it is to count for.
pub fn serve_in<Io, E>(io: Io, service: Service<E>, peer: fn(&Io) -> Peer, place: Place) -> Connection<Io, E>
where
    Io: Read + Write + Unpin,
    E: Execute,
{
    Connection::new(io, service, peer, Some(place))
}

/// What a connection has of its accept loop, for which it is open until this is dropped.
#[derive(Debug)]
pub struct Place {
    /// By which it learns that the loop stops.
    pub(crate) drain: Arc<Drain>,
    /// By which it is counted.
    pub(crate) memberships: [Option<Membership>; 2],
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
    stop: Option<Stop>,
    _memberships: [Option<Membership>; 2],
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
    /// When to look for the client next, while an operation runs.
    look: Instant,
    armed: Option<Armed>,
}

/// What it is time for.
enum Due {
    /// To look whether the client is still there, and whether it has sent something.
    Look,
    /// To end the connection, since it was in this phase for too long.
    End(Phase),
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
    pub(crate) fn new(io: Io, service: Service<E>, peer: fn(&Io) -> Peer, place: Option<Place>) -> Self {
        let (drain, memberships) = match place {
            Some(Place { drain, memberships }) => (Some(drain), memberships),
            None => (None, [None, None]),
        };
        let activity = Arc::new(Activity::new(drain.clone()));
        let io = match service.site().policy {
            Policy::Enforced => Strict::new(io),
            Policy::Off => Strict::unchecked(io),
        };
        let watched = Watched { io, activity: Arc::clone(&activity), version: Raised::default(), peer };
        let tracked = Tracked { service: service.clone(), activity: Arc::clone(&activity) };
        let http = http1::Builder::new()
            // See the module's documentation. Without it hyper needs no timer.
            .header_read_timeout(None)
            .keep_alive(true)
            // A client that shut down its sending half still reads. Otherwise hyper would read on while an answer is computed, and
            // drop that answer where the end of the stream came sooner: by chance.
            .half_close(true)
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
        let now = service.timer().now();
        let clock = Clock { seen: activity.snapshot(), since: now, look: now, armed: None };
        service.site().metrics.accepted();
        let stop = drain.map(Stop::new);
        Self { state: State::Serving(http), service, activity, clock, stop, _memberships: memberships }
    }

    /// Polls hyper, and reports the end.
    fn poll_http(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let State::Serving(http) = &mut self.state else { return Poll::Ready(()) };
        let mut http = Pin::new(http);
        let mut outcome = http.as_mut().poll(context);
        // An answer may be held for what the stream has just seen. There are not more of them than reads in one poll.
        while outcome.is_pending() && self.activity.take_looked() {
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
                self.close(Bytes::new(), Until::Ended, LINGER);
            } else if result.is_ok() && self.activity.parting.is_announced() {
                // The client learns of the close only now, and may have sent more meanwhile.
                self.close(Bytes::new(), Until::Ended, self.service.site().limits.linger.min(LINGER));
            } else if result.is_ok() {
                self.close(Bytes::new(), Until::NothingUnread, LINGER);
            }
        })
    }

    /// Whether it is time for something; if not, sees to it that this is asked again when it is.
    fn poll_due(&mut self, context: &mut Context<'_>) -> Poll<Due> {
        let timer = self.service.timer();
        let limits = &self.service.site().limits;
        let now = timer.now();
        let seen = self.activity.snapshot();
        if seen != self.clock.seen {
            if !seen.is_the_same_head_as(&self.clock.seen) {
                self.clock.since = now;
                self.clock.look = now + FIRST_LOOK;
            }
            self.clock.seen = seen;
        }
        let mut deadline = match seen.phase {
            Phase::Busy => self.clock.look,
            Phase::Idle if seen.requests > 0 => self.clock.since + limits.idle_timeout,
            Phase::Idle | Phase::Head => self.clock.since + limits.header_timeout,
        };
        // A client that does not take its answers is not idle.
        let is_idle = seen.phase == Phase::Idle && !self.activity.is_write_blocked();
        if let Some(stop) = &mut self.stop
            && stop.has_come(now, context)
        {
            if is_idle {
                deadline = stop.end_of_idling(self.clock.since, limits.linger, deadline);
            }
            if let Some(last_call) = stop.last_call(limits.linger).filter(|&last_call| last_call < deadline) {
                ready!(self.clock.poll_until(timer, now, last_call, context));
                stop.called();
                self.activity.parting.call();
                return Poll::Ready(Due::Look);
            }
            if is_idle {
                ready!(self.clock.poll_until(timer, now, deadline, context));
                return Poll::Ready(match stop.settle(now, seen, &self.activity) {
                    Settled::Look => Due::Look,
                    Settled::End => Due::End(Phase::Idle),
                });
            }
        }
        ready!(self.clock.poll_until(timer, now, deadline, context));
        if seen.phase == Phase::Busy {
            self.clock.look = now + (now - self.clock.since).clamp(FIRST_LOOK, LAST_LOOK);
            return Poll::Ready(Due::Look);
        }
        Poll::Ready(Due::End(seen.phase))
    }

    /// What remains to be done on the stream when hyper is done with it, before `last` is its last word. The client is waited for
    /// `patience` at most.
    fn close(&mut self, last: Bytes, until: Until, patience: Duration) {
        if let State::Serving(http) = std::mem::replace(&mut self.state, State::Ended) {
            let parts = http.into_parts();
            let io = parts.io.io;
            // What hyper has read and left lies no longer in the socket, but more may be on its way behind it.
            let until = if parts.read_buf.is_empty() { until } else { Until::Ended };
            if !io.has_ended() || !last.is_empty() {
                let stream = Closing::after(io.into_inner(), last, until);
                self.state = State::Closing { stream, until: self.service.timer().now() + patience };
            }
        }
    }

    fn time_out(&mut self, phase: Phase) {
        if phase == Phase::Head {
            self.service.site().metrics.answered(None, StatusCode::REQUEST_TIMEOUT.as_u16());
            self.close(timed_out(), Until::Ended, LINGER);
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
        while let State::Serving(_) = this.state
            && this.poll_http(context).is_pending()
        {
            match ready!(this.poll_due(context)) {
                Due::Look => this.activity.look(),
                Due::End(phase) => this.time_out(phase),
            }
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
