//! What one engine thread begins with: its part of the plan.

use std::time::Instant;

use stats::Histogram;

use super::{
    Board, Engine, NEVER, agenda::Agenda, meter::Meter, poller::Poller, waiting::may_ever_doze, wire::Wire,
};
use crate::{
    clock::{Clock, nanoseconds},
    clocked::{ReadBecause, ReceivedBy},
    connection::{Connection, IoCalls},
    lane::Lane,
    outcome::StreamOutcome,
    pacing::{Purpose, random_sequence},
    plan::{Plan, Stream},
    pool::Pool,
    run_error::RunError,
    stamps::{self, Control},
    stop::StopHandle,
    timeline::Timeline,
    window::Window,
};

/// What one read takes at most. A response that fits is parsed where it lies.
const READ_BUFFER_BYTES: usize = 64 * 1024;

impl<'a> Engine<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        index: u32,
        stop: &'a StopHandle,
        board: &'a Board,
    ) -> Result<Self, RunError> {
        let opens_ns = nanoseconds(plan.warm_up);
        let window = Window { opens_ns, closes_ns: opens_ns.saturating_add(nanoseconds(plan.window)) };
        let mut lanes = Vec::new();
        let (mut streams, mut shares, mut wires, mut clocks) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut connections = Vec::new();
        let mut first_number = 0_u32;
        for (number, stream) in plan.streams.iter().enumerate() {
            let all = plan.shared_connections.unwrap_or(stream.connections);
            let threads = plan.threads().min(plan.connections_of(stream)).max(1);
            let share = plan.part.nested(index, threads);
            let own = if index < threads { share.connections_of(all) as usize } else { 0 };
            let numbers = (first_number.saturating_add(index)..).step_by(threads as usize);
            first_number = first_number.saturating_add(plan.part.connections_of(stream.connections));
            if own == 0 {
                continue;
            }
            let received_by = received_by(plan, stream);
            let mut record = StreamOutcome::new(stream.name.clone(), stream.pacing, received_by);
            record.first_byte = plan.first_byte.then(Histogram::new);
            record.timeline = plan.timeline.then(|| Timeline::new(window.opens_ns, window.length_ns()));
            record.lifetime = stream.policy.requests_each.map(|_| Histogram::new());
            let slots = own * stream.policy.pipeline as usize;
            if plan.shared_connections.is_none() || number == 0 {
                record.residence.slots = slots as u64;
                record.connections.planned = own as u64;
                record.connections.unreachable = true;
                let new = |number| Connection::new(number, lanes.len(), plan.limits, &stream.policy);
                connections.extend(numbers.take(own).map(new));
            }
            lanes.push(Lane::new(record, plan.seed, number, share, slots, window, stream.requests));
            streams.push(number);
            shares.push(share);
            wires.push(Wire::of(stream));
            clocks.push(received_by);
        }
        let weights = || plan.streams.iter().map(|stream| stream.weight).collect();
        let own = plan.part.nested(index, plan.threads()).index;
        let draws = || random_sequence(plan.seed, plan.streams.len(), own, Purpose::Connections);
        let may_end_early =
            plan.streams.iter().any(|stream| stream.requests.is_some() || stream.policy.then.retires());
        let served = streams.iter().zip(&clocks);
        let dozes = may_ever_doze(plan, served.map(|(stream, clock)| (&plan.streams[*stream], *clock)));
        let has_open_loop = lanes.iter().any(Lane::is_open_loop);
        // What is written together is what one lane has due at once.
        let pipelined = wires.iter().zip(&lanes).filter(|(wire, _)| wire.pipelined);
        let most_collected = pipelined.map(|(_, lane)| lane.slots()).max().unwrap_or(0);
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
            received_by: clocks,
            axis: None,
            pool: plan.shared_connections.map(|_| Pool::new(weights(), draws())),
            deadlines: vec![NEVER; connections.len()],
            agenda: Agenda::with_capacity(3 * connections.len()),
            collected: Vec::with_capacity(most_collected),
            connections,
            buffer: vec![0; READ_BUFFER_BYTES].into_boxed_slice(),
            control: Control::new(),
            calls: IoCalls::default(),
            timeout_ns: nanoseconds(plan.timeout),
            drain_ns: nanoseconds(plan.drain()),
            woken_ns: 0,
            has_open_loop,
            next_sweep_ns: 0,
            idle_ns: 0,
            meter: Meter::default(),
            oversleep: Histogram::new(),
            connecting: 0,
            retired: 0,
            dozes,
            dozed: 0,
            may_end_early,
            started: false,
        })
    }
}

/// By what the answers of a stream are timed.
fn received_by(plan: &Plan, stream: &Stream) -> ReceivedBy {
    // A shared pool follows the first stream's policy.
    let pool = plan.shared_connections.and(plan.streams.first());
    let policy = &pool.unwrap_or(stream).policy;
    let because = if !plan.stamps {
        ReadBecause::NotAsked
    } else if policy.pipeline > 1 {
        ReadBecause::Pipelining
    } else if plan.first_byte {
        ReadBecause::FirstByte
    } else if policy.read_bytes_per_second.is_some() {
        ReadBecause::SlowReader
    } else if !stamps::are_available() {
        ReadBecause::Unavailable
    } else {
        return ReceivedBy::Stamp;
    };
    ReceivedBy::Read(because)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{check::AnySuccess, pacing::Pacing, request::Request};

    fn timed(change: fn(&mut Plan)) -> ReceivedBy {
        let request = Request::get("/", "h").expect("a valid request");
        let stream = Stream::new("s", request, Arc::new(AnySuccess), Pacing::Closed, 1);
        let mut plan = Plan::new(([127, 0, 0, 1], 1).into(), vec![stream]);
        change(&mut plan);
        received_by(&plan, &plan.streams[0])
    }

    #[test]
    fn stamps_are_used_wherever_they_say_when_an_answer_came() {
        assert_eq!(timed(|_| {}), ReceivedBy::Stamp);
        let read = |change| match timed(change) {
            ReceivedBy::Read(because) => because,
            ReceivedBy::Stamp => panic!("no stamp says that"),
        };
        assert_eq!(read(|plan| plan.stamps = false), ReadBecause::NotAsked);
        assert_eq!(read(|plan| plan.streams[0].policy.pipeline = 2), ReadBecause::Pipelining);
        assert_eq!(read(|plan| plan.first_byte = true), ReadBecause::FirstByte);
        let slowly = |plan: &mut Plan| plan.streams[0].policy.read_bytes_per_second = Some(9);
        assert_eq!(read(slowly), ReadBecause::SlowReader);
    }
}
