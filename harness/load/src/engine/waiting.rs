//! How an engine thread waits for what comes next, and when it need not hurry to read.
//!
//! Where the kernel stamps what it receives, nothing is lost by reading it later. So an open loop that sleeps is not
//! woken by answers: it dozes until the next request is due, sends it, and then reads, before it would say that no
//! connection is free. That saves a wake-up a request, on a CPU that the server may need.
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

    /// Waits for events, at most until something is to be done; then the clock has been read again, and what was due before
    /// the events are looked at has been sent. Returns how many events there are, and whether anything was sent.
    pub(super) fn wait(&mut self, now_ns: &mut u64, last_event_ns: u64) -> Result<(usize, bool), Errno> {
        let before_ns = *now_ns;
        if self.may_doze(before_ns) {
            let sent = self.doze(now_ns);
            let ready = self.poller.wait(0)?;
            *now_ns = self.clock.now_ns();
            return Ok((ready, sent));
        }
        let timeout_ns = match self.plan.wait {
            Wait::Spin => 0,
            Wait::Linger if before_ns - last_event_ns < LINGER_NS => 0,
            Wait::Linger | Wait::Sleep => self.next_wake_ns(Lane::next_due_ns).saturating_sub(before_ns),
        };
        let ready = self.poller.wait(timeout_ns)?;
        *now_ns = self.clock.now_ns();
        self.note_edges(*now_ns);
        if ready > 0 || timeout_ns == 0 {
            return Ok((ready, false));
        }
        let sent = self.send_due(*now_ns);
        if sent {
            self.oversleep.record_ns((*now_ns - before_ns).saturating_sub(timeout_ns));
        }
        Ok((ready, sent))
    }

    /// Sleeps until something is to be done, whatever comes meanwhile, and sends what is due then.
    fn doze(&mut self, now_ns: &mut u64) -> bool {
        let wake_ns = self.next_wake_ns(Lane::upcoming_ns);
        let is_early = wake_ns > *now_ns;
        if is_early {
            self.dozed += 1;
            let left_ns = wake_ns - *now_ns;
            // An interruption by a signal shortens it, which does no harm.
            let _ = nanosleep(&Timespec {
                tv_sec: i64::try_from(left_ns / 1_000_000_000).unwrap_or(i64::MAX),
                tv_nsec: (left_ns % 1_000_000_000) as _,
            });
            *now_ns = self.clock.now_ns();
        }
        self.note_edges(*now_ns);
        let sent = self.send_due(*now_ns);
        if sent && is_early {
            self.oversleep.record_ns(now_ns.saturating_sub(wake_ns));
        }
        sent
    }

    /// When this thread must look at the clock again, if no socket becomes ready; `due_ns` says when a lane wants it.
    fn next_wake_ns(&self, due_ns: impl Fn(&Lane) -> Option<u64>) -> u64 {
        let edge_ns = if self.meter.opened.is_none() {
            self.window.opens_ns
        } else if self.meter.closed.is_none() {
            self.window.closes_ns
        } else {
            NEVER
        };
        let due_ns = self.lanes.iter().filter_map(due_ns).min().unwrap_or(NEVER);
        edge_ns.min(due_ns).min(self.next_sweep_ns).min(self.agenda.next_ns().unwrap_or(NEVER))
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
