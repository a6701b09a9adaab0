//! The epoll engine: one thread, its connections and its lanes.
//!
//! A keep-alive request costs one write and one read, and a batch of ready connections one wait: a freed connection
//! is given its next request as soon as its answer has been read, and a socket is not read again to see that it is
//! empty (edge-triggered events make that safe, see [`poller`]). Between any two events what has become due is sent, so
//! that a large batch does not delay it. In the steady state nothing is allocated, and no lock is taken.

mod exchange;
mod live;
mod meter;
mod poller;
mod reconnect;
mod usage;

use std::{
    num::NonZeroU64,
    sync::mpsc::{Receiver, Sender},
    time::Instant,
};

use rustix::{io::Errno, thread::CpuSet};

pub(crate) use live::{Board, Shown};

use crate::{
    clock::{Clock, nanoseconds},
    connection::{Connection, IoCalls, State},
    control::{RunError, StopHandle},
    errors::ErrorKind,
    lane::Lane,
    outcome::{StreamOutcome, ThreadOutcome},
    pacing::Share,
    plan::{Plan, Stream, Wait},
    window::Window,
};
use meter::{Meter, Reading};
use poller::Poller;
use reconnect::Reconnects;
use usage::Usage;

/// What one read takes at most. A response that fits is parsed where it lies.
const READ_BUFFER_BYTES: usize = 64 * 1024;

/// How often deadlines are looked at, the board is written, and the stop handle is seen by a thread that sleeps.
const SWEEP_NS: u64 = 20_000_000;

/// What a deadline is while there is none.
const NEVER: u64 = u64::MAX;

/// What one engine thread hands back.
#[derive(Debug)]
pub(crate) struct ThreadReport {
    pub(crate) thread: ThreadOutcome,
    /// What it saw of each stream that it serves, with the stream's number.
    pub(crate) streams: Vec<(usize, StreamOutcome)>,
    pub(crate) interrupted: bool,
}

/// What an engine thread is given.
pub(crate) struct Assignment<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) index: u32,
    pub(crate) stop: &'a StopHandle,
    pub(crate) board: &'a Board,
    /// Told when all connections are open, or as many as can be.
    pub(crate) ready: Sender<Result<(), RunError>>,
    /// Tells when the run starts; closed when it does not.
    pub(crate) start: Receiver<Instant>,
}

/// The body of an engine thread.
pub(crate) fn run(assignment: Assignment<'_>) -> Result<ThreadReport, RunError> {
    let Assignment { plan, index, stop, board, ready, start } = assignment;
    let prepared = settle(plan, index).and_then(|()| {
        let mut engine = Engine::new(plan, index, stop, board)?;
        engine.open_all()?;
        Ok(engine)
    });
    match prepared {
        Ok(engine) => {
            // Whoever gave the assignment also waits for this, unless it has given up.
            let _ = ready.send(Ok(()));
            drop(ready);
            match start.recv() {
                Ok(start) => engine.run_from(start),
                Err(_) => Err(RunError::Abandoned),
            }
        }
        Err(error) => {
            let _ = ready.send(Err(error));
            Err(RunError::Abandoned)
        }
    }
}

/// Pins the calling thread, makes its timers exact and lets the caller adjust it.
fn settle(plan: &Plan, index: u32) -> Result<(), RunError> {
    if let Some(&cpu) = plan.cpus.get(index as usize) {
        let mut own = CpuSet::new();
        if cpu >= CpuSet::MAX_CPU {
            return Err(RunError::Pin { cpu, error: Errno::INVAL.into() });
        }
        own.set(cpu);
        rustix::thread::sched_setaffinity(None, &own)
            .map_err(|error| RunError::Pin { cpu, error: error.into() })?;
    }
    // A slack of zero would mean the default of 50 us.
    rustix::thread::set_current_timer_slack(NonZeroU64::new(1))
        .map_err(RunError::system("set the timer slack"))?;
    if let Some(hook) = &plan.on_thread_start {
        hook(index as usize);
    }
    Ok(())
}

struct Engine<'a> {
    plan: &'a Plan,
    index: u32,
    stop: &'a StopHandle,
    board: &'a Board,
    clock: Clock,
    poller: Poller,
    window: Window,
    lanes: Vec<Lane>,
    /// The stream of each lane, by its number in the plan.
    streams: Vec<usize>,
    connections: Vec<Connection>,
    /// When each connection's request, or its handshake, has taken too long. Apart from the connections, so that
    /// looking at all of them reads little memory.
    deadlines: Vec<u64>,
    reconnects: Reconnects,
    buffer: Box<[u8]>,
    calls: IoCalls,
    timeout_ns: u64,
    next_sweep_ns: u64,
    idle_ns: u64,
    meter: Meter,
    connecting: usize,
    started: bool,
}

impl<'a> Engine<'a> {
    fn new(plan: &'a Plan, index: u32, stop: &'a StopHandle, board: &'a Board) -> Result<Self, RunError> {
        let opens_ns = nanoseconds(plan.warm_up);
        let window = Window { opens_ns, closes_ns: opens_ns.saturating_add(nanoseconds(plan.window)) };
        let (mut lanes, mut streams, mut connections) = (Vec::new(), Vec::new(), Vec::new());
        for (number, stream) in plan.streams.iter().enumerate() {
            let share = Share { index, of: plan.threads().min(stream.connections) };
            let own = connections_of(stream, share);
            if own == 0 {
                continue;
            }
            let mut record = StreamOutcome::new(stream.name.clone(), stream.pacing);
            record.connections.planned = own as u64;
            record.connections.unreachable = true;
            let bodies = stream.request.answer_has_body();
            connections.extend((0..own).map(|_| Connection::new(lanes.len(), plan.limits, bodies)));
            lanes.push(Lane::new(record, plan.seed, number, share, own, window));
            streams.push(number);
        }
        Ok(Self {
            plan,
            index,
            stop,
            board,
            clock: Clock::starting_at(Instant::now()),
            poller: Poller::new().map_err(RunError::system("create an epoll instance"))?,
            window,
            lanes,
            streams,
            deadlines: vec![NEVER; connections.len()],
            reconnects: Reconnects::with_capacity(connections.len()),
            connections,
            buffer: vec![0; READ_BUFFER_BYTES].into_boxed_slice(),
            calls: IoCalls::default(),
            timeout_ns: nanoseconds(plan.timeout),
            next_sweep_ns: 0,
            idle_ns: 0,
            meter: Meter::default(),
            connecting: 0,
            started: false,
        })
    }

    /// Runs from `start` to the end of the drain.
    fn run_from(mut self, start: Instant) -> Result<ThreadReport, RunError> {
        self.begin(start);
        let wait_failed = RunError::system("wait for sockets");
        let mut interrupted = false;
        let mut now_ns = self.clock.now_ns();
        loop {
            let timeout_ns = match self.plan.wait {
                Wait::Spin => 0,
                Wait::Sleep => self.next_wake_ns().saturating_sub(now_ns),
            };
            let before_ns = now_ns;
            let ready = match self.poller.wait(timeout_ns) {
                Ok(ready) => ready,
                Err(error) => return Err(wait_failed(error)),
            };
            now_ns = self.clock.now_ns();
            self.note_edges(now_ns);
            (0..ready).for_each(|event| self.handle(self.poller.ready(event)));
            let sent = self.send_due(now_ns);
            if ready == 0 && !sent {
                self.idle_ns += now_ns - before_ns;
            } else {
                now_ns = self.clock.now_ns();
            }
            self.open_due(now_ns);
            if now_ns >= self.next_sweep_ns {
                self.sweep(now_ns);
            }
            if self.stop.is_stopped() {
                interrupted = now_ns < self.window.closes_ns;
                self.cut();
                break;
            }
            if self.is_over(now_ns) {
                break;
            }
        }
        Ok(self.conclude(interrupted))
    }

    fn begin(&mut self, start: Instant) {
        if let Some(early) = start.checked_duration_since(Instant::now()) {
            std::thread::sleep(early);
        }
        self.clock = Clock::starting_at(start);
        self.started = true;
        for connection in 0..self.connections.len() {
            if self.connections[connection].state == State::Connecting {
                // Its deadline was on another time axis.
                self.connect_failed(connection, 0);
            }
        }
        self.reconnects.restart();
        self.lanes.iter_mut().for_each(Lane::start);
        for connection in &self.connections {
            let open = connection.state == State::Idle;
            self.lanes[connection.lane].record_mut().connections.open_at_start += u64::from(open);
        }
        let now_ns = self.clock.now_ns();
        self.send_due(now_ns);
    }

    /// When this thread must look at the clock again, if no socket becomes ready.
    fn next_wake_ns(&self) -> u64 {
        let edge_ns = if self.meter.opened.is_none() {
            self.window.opens_ns
        } else if self.meter.closed.is_none() {
            self.window.closes_ns
        } else {
            NEVER
        };
        let due_ns = self.lanes.iter().filter_map(Lane::next_due_ns).min().unwrap_or(NEVER);
        edge_ns.min(due_ns).min(self.next_sweep_ns).min(self.reconnects.next_ns().unwrap_or(NEVER))
    }

    /// Takes the readings that belong to the window's edges once they have passed.
    fn note_edges(&mut self, now_ns: u64) {
        if self.meter.opened.is_none() && now_ns >= self.window.opens_ns {
            self.meter.opened = Some(self.reading(now_ns));
        }
        if self.meter.closed.is_none() && now_ns >= self.window.closes_ns {
            self.meter.closed = Some(self.reading(now_ns));
        }
    }

    fn reading(&self, at_ns: u64) -> Reading {
        Reading {
            at_ns,
            usage: Usage::of_this_thread(),
            calls: self.calls,
            waits: self.poller.waits,
            empty_waits: self.poller.empty_waits,
            idle_ns: self.idle_ns,
        }
    }

    /// Looks at deadlines and writes the board.
    fn sweep(&mut self, now_ns: u64) {
        self.next_sweep_ns = now_ns + SWEEP_NS;
        for index in 0..self.deadlines.len() {
            if self.deadlines[index] <= now_ns {
                match self.connections[index].state {
                    State::Connecting => self.connect_failed(index, now_ns),
                    State::Busy => self.failed(index, now_ns, ErrorKind::Timeout),
                    State::Closed | State::Idle => self.deadlines[index] = NEVER,
                }
            }
        }
        self.board.show(self.lanes.iter().fold(Shown::default(), |sum, lane| Shown {
            ok: sum.ok + lane.ok_so_far(),
            errors: sum.errors + lane.errors_so_far(),
            in_flight: sum.in_flight + lane.in_flight(),
            queued: sum.queued + lane.queued(),
        }));
    }

    fn is_over(&self, now_ns: u64) -> bool {
        now_ns >= self.window.closes_ns
            && self.meter.closed.is_some()
            && (now_ns >= self.window.closes_ns.saturating_add(self.timeout_ns)
                || self.lanes.iter().all(|lane| lane.is_drained(now_ns)))
    }

    /// Stops in the middle of the run.
    fn cut(&mut self) {
        let now_ns = self.clock.now_ns();
        if self.meter.opened.is_some() && self.meter.closed.is_none() {
            self.meter.closed = Some(self.reading(now_ns));
        }
        self.lanes.iter_mut().for_each(|lane| lane.cut(now_ns));
    }

    fn conclude(mut self, interrupted: bool) -> ThreadReport {
        let now_ns = self.clock.now_ns();
        for connection in &mut self.connections {
            let lane = &mut self.lanes[connection.lane];
            if connection.state == State::Busy {
                lane.abandon(connection.ticket, now_ns);
            }
            connection.close();
        }
        for (number, lane) in self.lanes.iter_mut().enumerate() {
            let answers =
                || self.connections.iter().filter(|one| one.lane == number).map(|one| one.ok_in_window);
            let counts = &mut lane.record_mut().connections;
            counts.least_answers = answers().min().unwrap_or(0);
            counts.most_answers = answers().max().unwrap_or(0);
        }
        let cpu = self.plan.cpus.get(self.index as usize).copied();
        let streams = self.streams.into_iter().zip(self.lanes.into_iter().map(|lane| lane.conclude(now_ns)));
        ThreadReport {
            thread: self.meter.outcome(self.index, cpu, self.plan.wait),
            streams: streams.collect(),
            interrupted,
        }
    }
}

/// How many of a stream's connections belong to one thread: as even as can be.
fn connections_of(stream: &Stream, share: Share) -> usize {
    let (all, index, of) = (stream.connections as usize, share.index as usize, share.of as usize);
    if index < of { all / of + usize::from(index < all % of) } else { 0 }
}
