//! The epoll engine: one thread, its connections and its lanes.
//!
//! A keep-alive request costs one write and one read, and a batch of ready connections one wait: a socket is not read
//! again to see that it is empty (edge-triggered events make that safe, see [`poller`]). Between any two events what an
//! open loop has due is sent, so that a large batch does not delay it; a closed loop reads all answers of a batch and
//! then writes all requests. An open loop that sleeps need not even be woken by answers, see [`waiting`]. In the steady
//! state nothing is allocated, and no lock is taken.

mod agenda;
mod answering;
mod assembly;
mod axis;
mod exchange;
mod live;
mod meter;
mod poller;
mod reconnect;
mod sending;
mod usage;
mod waiting;
mod wire;

use std::{
    num::NonZeroU64,
    sync::mpsc::{Receiver, Sender},
    time::Instant,
};

use rustix::{io::Errno, thread::CpuSet};
use stats::Histogram;

pub(crate) use live::{Board, LiveCounts, Shown};

use crate::{
    clock::Clock,
    clocked::ReceivedBy,
    connection::{Connection, IoCalls, State},
    errors::ErrorKind,
    lane::Lane,
    outcome::{StreamOutcome, ThreadOutcome},
    plan::Plan,
    policy::ConnectionPolicy,
    pool::Pool,
    run_error::RunError,
    share::Share,
    stamps::Control,
    stop::{StopHandle, wait_for},
    window::Window,
    witness::{Event, Witness},
};
use agenda::Agenda;
use axis::Axis;
use meter::{Meter, Reading};
use poller::Poller;
use usage::Usage;
use wire::Wire;

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
    /// By how much the wall clock was set within the window, where stamps were used.
    pub(crate) clock_step_ns: Option<i64>,
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
    witness: Option<&'a dyn Witness>,
    index: u32,
    stop: &'a StopHandle,
    board: &'a Board,
    clock: Clock,
    poller: Poller,
    window: Window,
    lanes: Vec<Lane>,
    /// The stream of each lane, by its number in the plan; its part of it; and what its connections write.
    streams: Vec<usize>,
    shares: Vec<Share>,
    wires: Vec<Wire>,
    /// By what each lane's answers are timed.
    received_by: Vec<ReceivedBy>,
    /// Where stamps lie on the run's axis. `None` where there are none.
    axis: Option<Axis>,
    /// Draws lanes for connections that all share.
    pool: Option<Pool>,
    connections: Vec<Connection>,
    /// When each connection's request, or its handshake, has taken too long. Apart from the connections, so that
    /// looking at all of them reads little memory.
    deadlines: Vec<u64>,
    agenda: Agenda,
    /// Connections with requests that are to be written together.
    collected: Vec<u32>,
    buffer: Box<[u8]>,
    control: Control,
    calls: IoCalls,
    timeout_ns: u64,
    drain_ns: u64,
    /// When the last wait ended.
    woken_ns: u64,
    has_open_loop: bool,
    next_sweep_ns: u64,
    idle_ns: u64,
    meter: Meter,
    oversleep: Histogram,
    connecting: usize,
    retired: usize,
    /// What comes may lie unread for a while.
    dozes: bool,
    dozed: u64,
    /// The run may be over before its window is.
    may_end_early: bool,
    started: bool,
}

impl<'a> Engine<'a> {
    fn policy(&self, index: usize) -> &'a ConnectionPolicy {
        // A shared pool follows the first stream's.
        let lane = if self.pool.is_some() { 0 } else { self.connections[index].lane };
        &self.plan.streams[self.streams[lane]].policy
    }

    /// How many connections the stream of a lane has, over all threads of all generators.
    fn connections_of_stream(&self, lane: usize) -> u32 {
        self.plan.shared_connections.unwrap_or(self.plan.streams[self.streams[lane]].connections)
    }

    /// Runs from `start` to the end of the drain.
    fn run_from(mut self, start: Instant) -> Result<ThreadReport, RunError> {
        self.begin(start);
        let wait_failed = RunError::system("wait for sockets");
        let mut interrupted = false;
        let mut now_ns = self.clock.now_ns();
        let mut last_event_ns = now_ns;
        loop {
            let before_ns = now_ns;
            let (ready, woken_ns) = self.wait(now_ns, last_event_ns).map_err(&wait_failed)?;
            (now_ns, self.woken_ns) = (woken_ns, woken_ns);
            self.note_edges(now_ns);
            (0..ready).for_each(|event| self.handle(self.poller.ready(event)));
            let sent = self.send_due(now_ns);
            if ready == 0 && !sent {
                self.idle_ns += now_ns - before_ns;
            } else {
                now_ns = self.clock.now_ns();
                last_event_ns = now_ns;
            }
            self.keep_appointments(now_ns);
            if now_ns >= self.next_sweep_ns {
                self.sweep(now_ns);
            }
            if self.stop.is_stopped() {
                interrupted = now_ns < self.window.closes_ns;
                self.cut();
                break;
            }
            if self.stop.is_closing() && now_ns < self.window.closes_ns {
                self.cut();
            }
            if self.may_end_early && now_ns < self.window.closes_ns && self.is_spent() {
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
        wait_for(start, self.stop);
        self.clock = Clock::starting_at(start);
        if self.received_by.contains(&ReceivedBy::Stamp) {
            self.axis = Some(Axis::starting_at(start));
        }
        self.started = true;
        for connection in 0..self.connections.len() {
            if self.connections[connection].state == State::Connecting {
                // Its deadline was on another time axis.
                self.connect_failed(connection, 0, Errno::TIMEDOUT);
            }
        }
        self.agenda.restart();
        self.plan_gradual_opening();
        self.lanes.iter_mut().for_each(Lane::start);
        for index in 0..self.connections.len() {
            let open = self.connections[index].state == State::Open;
            self.counts(index).open_at_start += u64::from(open);
        }
        let now_ns = self.clock.now_ns();
        self.send_due(now_ns);
    }

    /// Tells the witness, where there is one. Before the run's start the clock counts from elsewhere.
    #[inline]
    fn tell(&self, index: usize, at_ns: u64, event: Event) {
        if let Some(witness) = self.witness {
            let at_ns = if self.started { at_ns } else { 0 };
            witness.happened(self.connections[index].number, at_ns, event);
        }
    }

    /// Takes the readings that belong to the window's edges once they have passed.
    fn note_edges(&mut self, now_ns: u64) {
        if self.meter.opened.is_none() && now_ns >= self.window.opens_ns {
            self.axis.iter_mut().for_each(Axis::window_opens);
            self.meter.opened = Some(self.reading(now_ns));
        }
        if self.meter.closed.is_none() && now_ns >= self.window.closes_ns {
            self.close_books(now_ns);
        }
    }

    fn close_books(&mut self, now_ns: u64) {
        self.meter.closed = Some(self.reading(now_ns));
        self.axis.iter_mut().for_each(Axis::window_closes);
    }

    fn reading(&self, at_ns: u64) -> Reading {
        Reading {
            at_ns,
            usage: Usage::of_this_thread(),
            calls: self.calls,
            waits: self.poller.waits,
            empty_waits: self.poller.empty_waits,
            dozes: self.dozed,
            idle_ns: self.idle_ns,
        }
    }

    /// Looks at deadlines and writes the board.
    fn sweep(&mut self, now_ns: u64) {
        self.next_sweep_ns = now_ns + SWEEP_NS;
        for index in 0..self.deadlines.len() {
            if self.deadlines[index] <= now_ns && !self.stop.is_stopped() {
                let connection = &self.connections[index];
                match connection.state {
                    State::Connecting => self.connect_failed(index, now_ns, Errno::TIMEDOUT),
                    State::Open if !connection.is_idle() => self.time_out(index, now_ns),
                    State::Closed | State::Open | State::Retired => self.deadlines[index] = NEVER,
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

    /// A request has taken too long, unless its answer was received in time and only not read yet.
    fn time_out(&mut self, index: usize, now_ns: u64) {
        if self.received_by[self.connections[index].lane] == ReceivedBy::Stamp {
            self.receive(index, None);
        }
        let connection = &self.connections[index];
        if self.deadlines[index] <= now_ns && connection.state == State::Open && !connection.is_idle() {
            self.failed(index, now_ns, ErrorKind::Timeout, None);
        }
    }

    fn is_over(&self, now_ns: u64) -> bool {
        now_ns >= self.window.closes_ns
            && self.meter.closed.is_some()
            && (now_ns >= self.window.closes_ns.saturating_add(self.drain_ns)
                || self.lanes.iter().all(|lane| lane.is_drained(now_ns)))
    }

    /// Whether nothing will ever be sent or answered any more.
    fn is_spent(&self) -> bool {
        self.retired == self.connections.len() || self.lanes.iter().all(Lane::is_spent)
    }

    /// Ends the window now.
    fn cut(&mut self) {
        let now_ns = self.clock.now_ns();
        if self.meter.opened.is_some() && self.meter.closed.is_none() {
            self.close_books(now_ns);
        }
        self.lanes.iter_mut().for_each(|lane| lane.cut(now_ns));
        // As theirs: what is due at this very instant has been counted.
        self.window.cut(now_ns.saturating_add(1));
    }

    fn conclude(mut self, interrupted: bool) -> ThreadReport {
        let now_ns = self.clock.now_ns();
        for connection in &mut self.connections {
            for ticket in connection.in_flight.drain(..) {
                self.lanes[connection.lane].abandon(ticket, now_ns);
            }
            connection.close();
        }
        let is_shared = self.pool.is_some();
        let all_spent = self.lanes.iter().all(Lane::is_spent);
        for (number, lane) in self.lanes.iter_mut().enumerate() {
            let is_own = |one: &&Connection| if is_shared { number == 0 } else { one.lane == number };
            let answers = || self.connections.iter().filter(is_own).map(|one| one.ok_in_window);
            let mut own = self.connections.iter().filter(is_own).peekable();
            let has_more = if is_shared { !all_spent } else { !lane.is_spent() };
            let lost = own.peek().is_some() && has_more && own.all(|one| one.failed_to_open);
            let counts = &mut lane.record_mut().connections;
            counts.lost = lost;
            counts.least_answers = answers().min().unwrap_or(0);
            counts.most_answers = answers().max().unwrap_or(0);
        }
        let cpu = self.plan.cpus.get(self.index as usize).copied();
        let streams = self.streams.into_iter().zip(self.lanes.into_iter().map(|lane| lane.conclude(now_ns)));
        ThreadReport {
            thread: ThreadOutcome {
                oversleep_ns_p50: self.oversleep.quantile_ns(0.5).unwrap_or(0),
                oversleep_ns_p99: self.oversleep.quantile_ns(0.99).unwrap_or(0),
                ..self.meter.outcome(self.index, cpu, self.plan.wait)
            },
            streams: streams.collect(),
            interrupted,
            clock_step_ns: self.axis.and_then(|axis| axis.step_ns()),
        }
    }
}
