//! Playing a sequence of events to kit's connection.
//!
//! It polls as a runtime would: only after a wake-up. One that is lost therefore shows as a request without an answer, or as a
//! connection that outlives its client.

use std::{
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Waker},
    time::Duration,
};

use kit::{
    connection::Connection,
    runtime::Peer,
    service::{Service, Site},
    shutdown::Shutdown,
};

use super::{
    client::{Client, Stream},
    event::{Event, Events, Halt},
    played::Played,
    row::Row,
    thread::{Places, Thread},
    time::Time,
};
use crate::{
    Violation,
    connection::{LONGEST_DELAY, SERVER, TIMEOUT, config},
    violation,
    woken::Woken,
};

/// Whether a connection sees that its client is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight {
    /// It does.
    Good,
    /// It never does: to show that this is found.
    None,
}

/// Plays `events` to a connection of its own, of a server of its own, which serves as `row` does.
///
/// # Errors
/// The connection does not come to rest.
pub fn play(row: &Row, events: &Events, sight: Sight) -> Result<Played, Violation> {
    play_on(row, events, None, sight)
}

/// The same to a server that stops meanwhile.
///
/// # Errors
/// The connection does not come to rest.
pub fn play_stopped(row: &Row, events: &Events, halt: Halt, sight: Sight) -> Result<Played, Violation> {
    play_on(row, events, Some(halt), sight)
}

fn play_on(row: &Row, events: &Events, halt: Option<Halt>, sight: Sight) -> Result<Played, Violation> {
    let mut config = config().clone();
    config.limits.linger = halt.map_or(config.limits.linger, |halt| halt.linger);
    let stopping = Shutdown::new();
    let site = Site::new(SERVER, &config, stopping.clone());
    let (time, thread) = (Time::new(), Thread::default());
    let service = Service::new(Arc::clone(&site), Places::of(row.place, &thread), time.clone());
    let client = Client::new(row.reads, events.room);
    let peer = match sight {
        Sight::Good => Stream::peer,
        Sight::None => |_: &Stream| Peer::default(),
    };
    let connection = kit::connection::serve_until(client.stream(), service, peer, stopping.clone());
    let woken = Arc::new(Woken(true.into()));
    let polls_left = 1_000 + 20 * (events.sent().len() + events.events.len());
    let mut server = Server {
        connection: Some(Box::pin(connection)),
        waker: Waker::from(Arc::clone(&woken)),
        woken,
        time,
        thread,
        over: None,
        polls_left,
    };

    server.settle()?;
    let stop = |server: &mut Server, before: usize| {
        if halt.is_some_and(|halt| halt.before == before) {
            stopping.raise();
        }
        server.settle()
    };
    for (number, event) in events.events.iter().enumerate() {
        stop(&mut server, number)?;
        match event {
            Event::Bytes(bytes) => client.send(bytes),
            Event::End => client.end(),
            Event::Reset => client.reset(),
            Event::Take(bytes) => client.take(Some(*bytes)),
            Event::Wait(time) => server.pass(*time)?,
        }
        server.settle()?;
    }
    stop(&mut server, events.events.len())?;
    client.take(None);
    server.settle()?;
    server.pass_what_is_soon()?;
    let (written, over) = (client.written(), server.over);
    // The timeouts of head, content and idling, one after the other.
    server.pass(4 * TIMEOUT)?;
    let begun = over.map_or(0, |over| over.begun);
    Ok(Played {
        written,
        over_at: over.map(|over| over.at),
        is_over_at_last: server.over.is_some(),
        begun_for_nobody: if over.is_some() { server.thread.begun() - begun } else { 0 },
        left_in_flight: in_flight(&site),
    })
}

/// The operations that are counted as begun and not ended.
fn in_flight(site: &Site) -> u64 {
    let metrics = site.metrics.text(SERVER);
    let line = metrics.lines().find(|line| line.starts_with("server_operations_in_flight{"));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(u64::MAX)
}

/// When a connection ended, and how many operations had begun by then.
#[derive(Clone, Copy)]
struct Over {
    at: Duration,
    begun: usize,
}

struct Server {
    connection: Option<Pin<Box<Connection<Stream, Places>>>>,
    waker: Waker,
    woken: Arc<Woken>,
    time: Time,
    thread: Thread,
    over: Option<Over>,
    polls_left: usize,
}

impl Server {
    /// Polls for as long as there is a reason to.
    fn settle(&mut self) -> Result<(), Violation> {
        let mut context = Context::from_waker(&self.waker);
        while self.woken.0.swap(false, Relaxed)
            && let Some(connection) = &mut self.connection
        {
            if self.polls_left == 0 {
                return violation!("the connection is still at work after all these polls");
            }
            self.polls_left -= 1;
            if connection.as_mut().poll(&mut context).is_ready() {
                // As a runtime does with a task that has ended.
                self.connection = None;
                self.over = Some(Over { at: self.time.passed(), begun: self.thread.begun() });
            }
        }
        Ok(())
    }

    /// Lets `duration` pass, and everything happen that happens meanwhile.
    fn pass(&mut self, duration: Duration) -> Result<(), Violation> {
        let end = self.time.passed() + duration;
        while self.happens_by(end)? {}
        self.time.pass_until(end);
        Ok(())
    }

    /// Lets everything happen that is due sooner than any timeout: operations, looks for the client, the wait of a connection that
    /// closes.
    fn pass_what_is_soon(&mut self) -> Result<(), Violation> {
        while self.happens_by(self.time.passed() + LONGEST_DELAY)? {}
        Ok(())
    }

    /// Goes to what happens next, if that is by `end`; whether there was something.
    fn happens_by(&mut self, end: Duration) -> Result<bool, Violation> {
        let done_at = self.thread.done_at(self.time.passed());
        let next = [done_at, self.time.next()].into_iter().flatten().min();
        let Some(next) = next.filter(|next| *next <= end) else { return Ok(false) };
        self.time.pass_until(next);
        if done_at == Some(next) {
            self.thread.does_it();
        }
        self.settle()?;
        Ok(true)
    }
}
