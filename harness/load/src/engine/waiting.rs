//! How an engine thread waits for what comes next, and when it need not hurry to read.
//!
//! Where the kernel stamps what it receives, nothing is lost by reading it later. So an open loop that sleeps is not
//! woken by answers: it dozes until the next request is due, reads an answer, sends the request and reads on. That saves a
//! wake-up a request, on a CPU that the server may need.
//!
//! One answer is read before the send because reading takes the same time on either side of it, and the server, on the
//! same CPU, would wait behind the send: 2 us of the instrument that counted as the server's (p50 of 14.4 us against 10.0).
//! Before it, they are the generator's lateness, which is measured and left out. What else came waits until the
//! request is sent.
//!
//! It reads promptly after all where something waits for what is unread: a request for a connection, a handshake, the
//! end of the run; where the time of reading counts (a connection's end has no stamp); and where an answer might fill
//! the socket's buffer, so that the server would wait for the generator.

use rustix::{event::Timespec, io::Errno, thread::nanosleep};

use super::{Engine, NEVER};
use crate::{
    clocked::ReceivedBy,
    lane::Lane,
    plan::{LINGER_NS, Plan, Stream, Wait},
    policy::Opening,
};

/// The longest answer that may lie unread, in bytes: a quarter of the least window that Linux opens for a socket.
pub(super) const MOST_UNREAD_BYTES: usize = 16 * 1024;

/// Whether the thread that serves these streams may doze at all.
pub(super) fn may_ever_doze<'a>(
    plan: &Plan,
    served: impl IntoIterator<Item = (&'a Stream, ReceivedBy)>,
) -> bool {
    let is_patient = |(stream, received_by): (&Stream, ReceivedBy)| {
        let policy = &stream.policy;
        received_by == ReceivedBy::Stamp
            && stream.pacing.is_open()
            && stream.requests.is_none()
            && policy.requests_each.is_none()
            && policy.send_bytes_per_second.is_none()
            && !policy.then.retires()
            && policy.opening == Opening::Ahead
    };
    plan.wait == Wait::Sleep && !plan.reads_promptly && served.into_iter().all(is_patient)
}

impl Engine<'_> {
    /// Whether what comes meanwhile may lie unread until something is to be done.
    fn may_doze(&self, now_ns: u64) -> bool {
        self.dozes
            && self.connecting == 0
            && now_ns < self.window.closes_ns
            && !self.poller.has_left_some()
            && self.lanes.iter().all(|lane| lane.queued() == 0)
    }

    /// Waits for events, at most until something is to be done. Returns how many there are and what time it is then.
    pub(super) fn wait(&mut self, now_ns: u64, last_event_ns: u64) -> Result<(usize, u64), Errno> {
        if self.may_doze(now_ns) {
            self.doze(now_ns);
            let ready = self.poller.wait(0)?;
            return Ok((ready, self.clock.now_ns()));
        }
        let is_awake = match self.plan.wait {
            Wait::Spin => true,
            Wait::Linger => now_ns - last_event_ns < LINGER_NS,
            Wait::Sleep => false,
        };
        if is_awake {
            let ready = self.poller.wait(0)?;
            return Ok((ready, self.clock.now_ns()));
        }
        let wake = self.next_wake(Lane::next_due_ns);
        let ready = self.poller.wait(wake.at_ns.saturating_sub(now_ns))?;
        let woken_ns = self.clock.now_ns();
        if ready == 0 && wake.is_early(now_ns) {
            self.note_oversleep(wake, woken_ns);
        }
        Ok((ready, woken_ns))
    }

    /// Sleeps until something is to be done, whatever comes meanwhile.
    fn doze(&mut self, now_ns: u64) {
        let wake = self.next_wake(Lane::upcoming_ns);
        if wake.is_early(now_ns) {
            self.dozed += 1;
            let left_ns = wake.at_ns - now_ns;
            // An interruption by a signal shortens it, which does no harm.
            let _ = nanosleep(&Timespec {
                tv_sec: i64::try_from(left_ns / 1_000_000_000).unwrap_or(i64::MAX),
                tv_nsec: (left_ns % 1_000_000_000) as _,
            });
            self.note_oversleep(wake, self.clock.now_ns());
        }
    }

    fn note_oversleep(&mut self, wake: Wake, woken_ns: u64) {
        if wake.is_for_a_request && woken_ns >= wake.at_ns {
            self.oversleep.record_ns(woken_ns - wake.at_ns);
        }
    }

    /// When this thread must look at the clock again, if no socket becomes ready; `due_ns` says when a lane wants it.
    fn next_wake(&self, due_ns: impl Fn(&Lane) -> Option<u64>) -> Wake {
        let edge_ns = if self.meter.opened.is_none() {
            self.window.opens_ns
        } else if self.meter.closed.is_none() {
            self.window.closes_ns
        } else {
            NEVER
        };
        let due_ns = self.lanes.iter().filter_map(due_ns).min().unwrap_or(NEVER);
        let other_ns = edge_ns.min(self.next_sweep_ns).min(self.agenda.next_ns().unwrap_or(NEVER));
        Wake { at_ns: due_ns.min(other_ns), is_for_a_request: due_ns < other_ns }
    }
}

/// When a thread is to be awake again.
#[derive(Clone, Copy, Debug)]
struct Wake {
    at_ns: u64,
    is_for_a_request: bool,
}

impl Wake {
    fn is_early(self, now_ns: u64) -> bool {
        self.at_ns > now_ns
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;
    use crate::{
        check::AnySuccess, clocked::ReadBecause, pacing::Pacing, policy::Afterwards, request::Request,
    };

    fn dozes(change: fn(&mut Plan), received_by: ReceivedBy) -> bool {
        let request = Request::get("/", "h").expect("a valid request");
        let pacing = Pacing::Constant { per_second: 10.0.into() };
        let stream = Stream::new("s", request, Arc::new(AnySuccess), pacing, 1);
        let mut plan = Plan::new(([127, 0, 0, 1], 1).into(), vec![stream]);
        change(&mut plan);
        may_ever_doze(&plan, plan.streams.iter().map(|stream| (stream, received_by)))
    }

    #[test]
    fn only_what_does_not_hurry_dozes() {
        assert!(dozes(|_| {}, ReceivedBy::Stamp));
        assert!(!dozes(|_| {}, ReceivedBy::Read(ReadBecause::Pipelining)));
        let hurries: [fn(&mut Plan); 8] = [
            |plan| plan.reads_promptly = true,
            |plan| plan.wait = Wait::Spin,
            |plan| plan.streams[0].pacing = Pacing::Closed,
            |plan| plan.streams[0].requests = Some(3),
            |plan| plan.streams[0].policy.requests_each = Some(3),
            |plan| plan.streams[0].policy.send_bytes_per_second = Some(3),
            |plan| plan.streams[0].policy.then = Afterwards::Retire,
            |plan| plan.streams[0].policy.opening = Opening::Over(Duration::from_secs(1)),
        ];
        assert!(hurries.into_iter().all(|change| !dozes(change, ReceivedBy::Stamp)));
    }
}
