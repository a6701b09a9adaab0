//! The epoll engine: one thread, its connections and its lanes.
//!
//! A keep-alive request costs one write and one read, and a batch of ready connections one wait: a socket is not read
//! again to see that it is empty (edge-triggered events make that safe, see [`poller`]). Between any two events what an
//! open loop has due is sent, so that a large batch does not delay it; a closed loop reads all answers of a batch and
//! then writes all requests. In the steady state nothing is allocated, and no lock is taken.

mod agenda;
mod exchange;
mod live;
mod meter;
mod poller;
mod reconnect;
mod usage;
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
    clock::{Clock, nanoseconds},
    connection::{Connection, IoCalls, State},
    errors::ErrorKind,
    lane::Lane,
    outcome::{StreamOutcome, ThreadOutcome},
    pacing::{Purpose, Share, random_sequence},
    plan::{LINGER_NS, Plan, Wait},
    policy::ConnectionPolicy,
    pool::Pool,
    run_error::RunError,
    stop::{StopHandle, wait_for},
    window::Window,
    witness::{Event, Witness},
};
use agenda::Agenda;
use meter::{Meter, Reading};
use poller::Poller;
use usage::Usage;
use wire::Wire;

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
    calls: IoCalls,
    timeout_ns: u64,
    next_sweep_ns: u64,
    idle_ns: u64,
    meter: Meter,
    oversleep: Histogram,
    connecting: usize,
    retired: usize,
    /// The run may be over before its window is.
    may_end_early: bool,
    started: bool,
}

impl<'a> Engine<'a> {
    fn new(plan: &'a Plan, index: u32, stop: &'a StopHandle, board: &'a Board) -> Result<Self, RunError> {
        let opens_ns = nanoseconds(plan.warm_up);
        let window = Window { opens_ns, closes_ns: opens_ns.saturating_add(nanoseconds(plan.window)) };
        let mut lanes = Vec::new();
        let (mut streams, mut shares, mut wires) = (Vec::new(), Vec::new(), Vec::new());
        let mut connections = Vec::new();
        let mut first_number = 0_u32;
        for (number, stream) in plan.streams.iter().enumerate() {
            let all = plan.shared_connections.unwrap_or(stream.connections);
            let share = Share { index, of: plan.threads().min(all) };
            let own = if index < share.of { share.part_of(u64::from(all)) as usize } else { 0 };
            let numbers = (first_number.saturating_add(index)..).step_by(share.of as usize);
            first_number = first_number.saturating_add(stream.connections);
            if own == 0 {
                continue;
            }
            let mut record = StreamOutcome::new(stream.name.clone(), stream.pacing);
            record.first_byte = plan.first_byte.then(Histogram::new);
            record.lifetime = stream.policy.requests_each.map(|_| Histogram::new());
            if plan.shared_connections.is_none() || number == 0 {
                record.connections.planned = own as u64;
                record.connections.unreachable = true;
                let new = |number| Connection::new(number, lanes.len(), plan.limits, &stream.policy);
                connections.extend(numbers.take(own).map(new));
            }
            let slots = own * stream.policy.pipeline as usize;
            lanes.push(Lane::new(record, plan.seed, number, share, slots, window, stream.requests));
            streams.push(number);
            shares.push(share);
            wires.push(Wire::of(stream));
        }
        let weights = || plan.streams.iter().map(|stream| stream.weight).collect();
        let draws = || random_sequence(plan.seed, plan.streams.len(), index, Purpose::Connections);
        let may_end_early =
            plan.streams.iter().any(|stream| stream.requests.is_some() || stream.policy.then.retires());
        let most_collected = if wires.iter().any(|wire| wire.pipelined) {
            plan.streams.iter().map(|stream| connections.len() * stream.policy.pipeline as usize).sum()
        } else {
            0
        };
        Ok(Self {
            plan,
            witness: plan.witness.as_deref(),
            index,
            stop,
            board,
            clock: Clock::starting_at(Instant::now()),
            poller: Poller::new().map_err(RunError::system("create an epoll instance"))?,
            window,
            lanes,
            streams,
            shares,
            wires,
            pool: plan.shared_connections.map(|_| Pool::new(weights(), draws())),
            deadlines: vec![NEVER; connections.len()],
            agenda: Agenda::with_capacity(3 * connections.len()),
            collected: Vec::with_capacity(most_collected),
            connections,
            buffer: vec![0; READ_BUFFER_BYTES].into_boxed_slice(),
            calls: IoCalls::default(),
            timeout_ns: nanoseconds(plan.timeout),
            next_sweep_ns: 0,
            idle_ns: 0,
            meter: Meter::default(),
            oversleep: Histogram::new(),
            connecting: 0,
            retired: 0,
            may_end_early,
            started: false,
        })
    }

    fn policy(&self, index: usize) -> &'a ConnectionPolicy {
        // A shared pool follows the first stream's.
        let lane = if self.pool.is_some() { 0 } else { self.connections[index].lane };
        &self.plan.streams[self.streams[lane]].policy
    }

    /// How many connections the stream of a lane has, over all threads.
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
            let timeout_ns = match self.plan.wait {
                Wait::Spin => 0,
                Wait::Linger if now_ns - last_event_ns < LINGER_NS => 0,
                Wait::Linger | Wait::Sleep => self.next_wake_ns().saturating_sub(now_ns),
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
            if ready == 0 && timeout_ns > 0 && sent {
                self.oversleep.record_ns((now_ns - before_ns).saturating_sub(timeout_ns));
            }
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
        edge_ns.min(due_ns).min(self.next_sweep_ns).min(self.agenda.next_ns().unwrap_or(NEVER))
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
                let connection = &self.connections[index];
                match connection.state {
                    State::Connecting => self.connect_failed(index, now_ns, Errno::TIMEDOUT),
                    State::Open if !connection.is_idle() => {
                        self.failed(index, now_ns, ErrorKind::Timeout, None);
                    }
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

    fn is_over(&self, now_ns: u64) -> bool {
        now_ns >= self.window.closes_ns
            && self.meter.closed.is_some()
            && (now_ns >= self.window.closes_ns.saturating_add(self.timeout_ns)
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
            self.meter.closed = Some(self.reading(now_ns));
        }
        self.lanes.iter_mut().for_each(|lane| lane.cut(now_ns));
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
        for (number, lane) in self.lanes.iter_mut().enumerate() {
            let is_own = |one: &&Connection| if is_shared { number == 0 } else { one.lane == number };
            let answers = || self.connections.iter().filter(is_own).map(|one| one.ok_in_window);
            let counts = &mut lane.record_mut().connections;
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
        }
    }
}
