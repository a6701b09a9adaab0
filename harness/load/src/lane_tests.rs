use std::{cmp::Reverse, collections::BinaryHeap};

use proptest::prelude::*;

use super::*;
use crate::{
    clocked::{ReadBecause, ReceivedBy},
    counts::Counts,
};

pub(super) const MS: u64 = 1_000_000;

/// A lane whose server is a list of service times, run on a clock that jumps from event to event.
pub(super) struct Simulation<S> {
    pub(super) lane: Lane,
    service_ns: S,
    answers: BinaryHeap<Reverse<(u64, u32, Ticket)>>,
    now_ns: u64,
}

impl<S: FnMut() -> u64> Simulation<S> {
    pub(super) fn new(pacing: Pacing, connections: u32, window_ms: (u64, u64), service_ns: S) -> Self {
        let window = Window { opens_ns: window_ms.0 * MS, closes_ns: window_ms.1 * MS };
        let mut lane = Lane::new(record(pacing), 1, 0, Share::WHOLE, connections as usize, window, None);
        (0..connections).for_each(|connection| lane.connection_free(connection, 0));
        Self { lane, service_ns, answers: BinaryHeap::new(), now_ns: 0 }
    }

    /// Runs until nothing is left to do or the clock would pass `until_ms`.
    fn run(&mut self, until_ms: u64) {
        loop {
            self.lane.advance(self.now_ns);
            while let Some((connection, ticket)) = self.lane.assign(self.now_ns) {
                let at = self.now_ns + (self.service_ns)();
                self.answers.push(Reverse((at, connection, ticket)));
            }
            let answer = self.answers.peek().map(|Reverse((at, ..))| *at);
            let Some(next) = answer.into_iter().chain(self.lane.next_due_ns()).min() else { return };
            if next > until_ms * MS {
                self.now_ns = until_ms * MS;
                return;
            }
            self.now_ns = next;
            while let Some(&Reverse((at, connection, ticket))) = self.answers.peek() {
                if at > self.now_ns {
                    break;
                }
                self.answers.pop();
                self.lane.finish(ticket, at, Ok(()));
                self.lane.connection_free(connection, at);
            }
        }
    }

    fn conclude(mut self) -> StreamOutcome {
        for Reverse((_, _, ticket)) in self.answers.drain() {
            self.lane.abandon(ticket, self.now_ns);
        }
        let outcome = self.lane.conclude(self.now_ns);
        let accounting = outcome.accounting();
        assert!(accounting.is_consistent() && accounting.littles_law_difference < 1e-9, "{accounting:?}");
        outcome
    }
}

fn simulate(
    pacing: Pacing,
    connections: u32,
    window_ms: (u64, u64),
    until_ms: u64,
    service_ns: impl FnMut() -> u64,
) -> StreamOutcome {
    let mut simulation = Simulation::new(pacing, connections, window_ms, service_ns);
    simulation.run(until_ms);
    simulation.conclude()
}

fn record(pacing: Pacing) -> StreamOutcome {
    StreamOutcome::new("s".to_owned(), pacing, ReceivedBy::Read(ReadBecause::NotAsked))
}

pub(super) fn constant(per_second: f64) -> Pacing {
    Pacing::Constant { per_second: per_second.into() }
}

pub(super) fn is_about(measured_ns: Option<u64>, exact_ns: u64) -> bool {
    measured_ns.is_some_and(|measured| measured.abs_diff(exact_ns) as f64 <= exact_ns as f64 * 0.001)
}

#[test]
fn a_server_that_keeps_up_is_reported_exactly() {
    let outcome = simulate(constant(1_000.0), 1, (100, 1_100), 2_000, || MS / 2);
    assert_eq!(
        outcome.counts,
        Counts {
            due: 1_000,
            sent: 1_000,
            completed: 1_000,
            ok: 1_000,
            ok_in_window: 1_000,
            // Those of the warm-up, too.
            ok_in_all: 1_100,
            ..Counts::default()
        }
    );
    assert!(is_about(outcome.response.min_ns(), MS / 2) && is_about(outcome.response.max_ns(), MS / 2));
    assert_eq!(outcome.queue_wait.clamped_below(), 1_000);
    assert_eq!((outcome.offered_per_second(), outcome.achieved_per_second()), (1_000.0, 1_000.0));
}

#[test]
fn waiting_for_a_connection_counts_in_the_response_and_is_reported_apart() {
    // One request every ms, 2 ms each, one connection: request k waits k ms. None waits for the generator.
    let outcome = simulate(constant(1_000.0), 1, (0, 100), 1_000, || 2 * MS);
    assert_eq!((outcome.counts.due, outcome.counts.ok, outcome.counts.ok_in_window), (100, 100, 49));
    assert!(is_about(outcome.queue_wait.max_ns(), 99 * MS));
    assert!(is_about(outcome.response.max_ns(), 101 * MS));
    assert!(is_about(outcome.service.max_ns(), 2 * MS) && is_about(outcome.service.min_ns(), 2 * MS));
    assert_eq!((outcome.lag.clamped_below(), outcome.counts.late), (100, 0));
}

#[test]
fn a_late_generator_did_not_wait_for_a_connection_while_one_was_free() {
    // Due at 1 ms with connection 0 free; the generator looks at 5 ms, just after connection 1 was answered. Whichever it
    // takes, those 4 ms are its own.
    for seed in 0..20 {
        let window = Window { opens_ns: MS, closes_ns: 2 * MS };
        let mut lane = Lane::new(record(constant(1_000.0)), seed, 0, Share::WHOLE, 2, window, None);
        lane.connection_free(0, 0);
        lane.connection_free(1, 0);
        lane.start();
        lane.advance(0);
        let (taken, ticket) = lane.assign(0).expect("the request that is due at 0");
        lane.advance(5 * MS);
        lane.finish(ticket, 5 * MS, Ok(()));
        lane.connection_free(taken, 5 * MS);
        let (_, late) = lane.assign(5 * MS).expect("the request that is due at 1 ms");
        assert_eq!((late.due_ns, late.lateness_ns()), (MS, 4 * MS), "seed {seed}");
        lane.finish(late, 6 * MS, Ok(()));
        let outcome = lane.conclude(6 * MS);
        assert_eq!(outcome.queue_wait.clamped_below(), 1, "seed {seed}");
    }
}

#[test]
fn what_is_unanswered_when_the_drain_ends_is_censored_with_its_age() {
    // 20 ms each: requests 0 to 4 are answered by 100 ms, the sixth is in flight at 119 ms, the others were never sent.
    let outcome = simulate(constant(1_000.0), 1, (0, 100), 119, || 20 * MS);
    assert_eq!(
        (outcome.counts.ok, outcome.counts.in_flight_at_end, outcome.counts.unsent_at_end),
        (5, 1, 94)
    );
    assert_eq!((outcome.censored(), outcome.unanswered.len()), (95, 95));
    assert!(is_about(outcome.unanswered.max_ns(), 114 * MS));
    assert!(is_about(outcome.unanswered.min_ns(), 20 * MS));
}

#[test]
fn a_stall_shows_from_due_times_and_hides_in_a_closed_loop() {
    let stalling = || {
        let mut answered = 0;
        move || {
            answered += 1;
            if answered == 500 { 1_000 * MS } else { MS / 2 }
        }
    };
    let beyond_10_ms = |outcome: &StreamOutcome| {
        outcome.response.recorded().filter(|(ns, _)| *ns > 10 * MS).map(|(_, count)| count).sum::<u64>()
    };
    let open = simulate(constant(1_000.0), 1, (0, 5_000), 9_000, stalling());
    let closed = simulate(Pacing::Closed, 1, (0, 5_000), 9_000, stalling());
    assert_eq!(beyond_10_ms(&closed), 1);
    // The backlog of 1,000 shrinks by one for each that is due: some 2,000 requests saw the stall.
    assert!((1_950..=2_000).contains(&beyond_10_ms(&open)), "{}", beyond_10_ms(&open));
}

#[test]
fn requests_belong_to_the_window_in_which_they_were_due() {
    // Due every 10 ms, answered 15 ms later, many connections: due at 100..190, of which the last two are answered
    // after the window; two that were due before it are answered within it.
    let outcome = simulate(constant(100.0), 8, (100, 200), 1_000, || 15 * MS);
    assert_eq!((outcome.counts.due, outcome.counts.ok, outcome.counts.ok_in_window), (10, 10, 10));
    assert_eq!(outcome.littles_law.integral_s, 0.150);
}

#[test]
fn a_closed_loop_sends_at_once_on_each_free_connection() {
    let outcome = simulate(Pacing::Closed, 4, (10, 110), 1_000, || 10 * MS);
    assert_eq!((outcome.counts.due, outcome.counts.ok), (40, 40));
    assert_eq!(outcome.response, outcome.service);
    assert_eq!(outcome.observed, outcome.service);
    assert_eq!((outcome.lag.len(), outcome.lag.clamped_below()), (40, 40));
    assert!(outcome.queue_wait.is_empty() && outcome.counts.overtaken == 0);
    assert!((outcome.littles_law.integral_s - 0.4).abs() < 1e-9);
}

#[test]
fn an_m_m_1_queue_has_its_closed_form() {
    // One connection makes the server's queue the generator's. Load 0.7 at 1,000/s: the response time is exponential with
    // mean 1 / (mu - lambda) = 1 / (1,428.6 - 1,000) s.
    let mut random = random_sequence(99, 0, 0, Purpose::Arrivals);
    let mean_ns = 700_000.0;
    let service = || (mean_ns * crate::exponential::from_bits(rand::Rng::next_u64(&mut random))) as u64;
    let outcome =
        simulate(Pacing::Poisson { per_second: 1_000.0.into() }, 1, (1_000, 1_001_000), 2_000_000, service);
    let mean = mean_ns / 0.3;
    let measured = outcome.response.mean_ns().expect("a million requests");
    assert!((measured / mean - 1.0).abs() < 0.03, "mean {measured}, expected {mean}");
    for p in [0.5, 0.9, 0.99] {
        let exact = -(1.0_f64 - p).ln() * mean;
        let measured = outcome.response.quantile_ns(p).expect("a million requests") as f64;
        assert!((measured / exact - 1.0).abs() < 0.05, "p{p}: {measured}, expected {exact}");
    }
}

#[test]
fn free_connections_are_chosen_at_random_and_all_of_them() {
    let mut chosen = [0_u32; 8];
    let mut lane = Simulation::new(constant(1_000.0), 8, (0, 100_000), || 0).lane;
    for ms in 0..8_000 {
        lane.advance(ms * MS);
        let (connection, ticket) = lane.assign(ms * MS).expect("one is due");
        chosen[connection as usize] += 1;
        lane.finish(ticket, ms * MS, Ok(()));
        lane.connection_free(connection, ms * MS);
    }
    // Five standard deviations of a binomial with n = 8,000 and p = 1/8.
    assert!(chosen.iter().all(|count| count.abs_diff(1_000) < 150), "{chosen:?}");
}

#[test]
fn a_send_long_after_both_due_time_and_free_connection_is_late() {
    let mut lane = Simulation::new(constant(1_000.0), 1, (0, 10), || 0).lane;
    lane.advance(5 * MS);
    let (connection, ticket) = lane.assign(5 * MS).expect("the first");
    assert_eq!(ticket, Ticket { due_ns: 0, able_ns: 0, sent_ns: 5 * MS });
    lane.finish(ticket, 7 * MS, Ok(()));
    lane.connection_free(connection, 7 * MS);
    let (_, ticket) = lane.assign(7 * MS + 50_000).expect("the second");
    assert_eq!(ticket.due_ns, MS);
    let record = lane.record_mut();
    assert_eq!(record.counts.late, 1);
    assert!(is_about(record.lag.max_ns(), 5 * MS) && is_about(record.lag.min_ns(), 50_000));
    assert!(is_about(record.queue_wait.max_ns(), 6 * MS));
}

#[test]
fn errors_are_kept_apart_from_right_answers_and_timeouts_are_censored() {
    let mut lane = Simulation::new(constant(1_000.0), 4, (0, 4), || 0).lane;
    lane.advance(4 * MS);
    let results = [Ok(()), Err(ErrorKind::Timeout), Err(ErrorKind::Reset), Err(ErrorKind::Status5xx)];
    for result in results {
        let (_, ticket) = lane.assign(4 * MS).expect("four are due");
        lane.finish(ticket, 9 * MS, result);
    }
    let outcome = lane.conclude(9 * MS);
    assert_eq!((outcome.counts.ok, outcome.counts.completed, outcome.errors.requests()), (1, 2, 3));
    assert_eq!((outcome.response.len(), outcome.failed.len(), outcome.unanswered.len()), (1, 2, 1));
    assert!(outcome.accounting().is_consistent());
}

#[test]
fn a_run_cut_short_keeps_what_was_due_until_then() {
    let mut simulation = Simulation::new(constant(1_000.0), 1, (100, 1_100), || 2 * MS);
    simulation.run(300);
    simulation.lane.cut(300 * MS);
    let outcome = simulation.conclude();
    assert_eq!((outcome.window_s, outcome.counts.due), (0.200_000_001, 201));
    assert_eq!(outcome.counts.sent + outcome.counts.unsent_at_end, 201);
}

#[test]
fn a_run_cut_before_its_window_has_an_empty_one() {
    let mut simulation = Simulation::new(constant(1_000.0), 1, (100, 1_100), || MS);
    simulation.run(50);
    simulation.lane.cut(50 * MS);
    let outcome = simulation.conclude();
    assert_eq!(
        (outcome.window_s, outcome.counts, outcome.offered_per_second()),
        (0.0, Counts { ok_in_all: 50, ..Counts::default() }, 0.0)
    );
}

#[test]
fn a_lost_connection_is_not_assigned() {
    let mut lane = Simulation::new(Pacing::Closed, 3, (0, 10), || 0).lane;
    lane.connection_lost(1);
    let mut assigned: Vec<u32> =
        std::iter::from_fn(|| lane.assign(0)).map(|(connection, ..)| connection).collect();
    assigned.sort_unstable();
    assert_eq!(assigned, [0, 2]);
}

proptest! {
    #[test]
    fn numbers_add_up_for_any_load_and_any_server(
        rate in 50.0_f64..5_000.0, connections in 1_u32..20, service in prop::collection::vec(0_u64..20 * MS, 1..50),
        until_ms in 0_u64..900, closed in any::<bool>(),
    ) {
        let mut next = service.iter().cycle();
        let pacing = if closed { Pacing::Closed } else { Pacing::Poisson { per_second: rate.into() } };
        // A service time of nothing would make a closed loop send without end at one instant.
        let outcome = simulate(pacing, connections, (200, 500), until_ms, || next.next().map_or(1, |ns| ns + 1_000));
        let counts = outcome.counts;
        prop_assert_eq!(counts.due, counts.ok + counts.in_flight_at_end + counts.unsent_at_end);
    }
}

#[test]
fn the_logarithm_is_exact_at_powers_of_two_and_linear_between() {
    assert_eq!([1, 2, 1 << 40].map(log2), [0.0, 1.0, 40.0]);
    assert_eq!((log2(0), log2(3), log2(5)), (0.0, 1.5, 2.25));
}

#[test]
fn the_drawn_schedule_is_that_of_the_process_whatever_the_shape_of_its_rate() {
    for rate in [
        crate::Rate::Steady(2_000.0),
        crate::Rate::Ramp { from: 100.0, to: 4_000.0, over_s: 8.0 },
        crate::Rate::Bursts { per_second: 5_000.0, on_s: 0.3, off_s: 0.7 },
    ] {
        let outcome = simulate(Pacing::Poisson { per_second: rate }, 4, (0, 10_000), 20_000, || MS / 10);
        let drawn = outcome.drawn_schedule().expect("thousands of gaps");
        assert!(drawn.n > 10_000 && drawn.p_value > 0.001, "{rate:?}: {drawn:?}");
    }
}

#[test]
fn a_schedule_of_another_process_is_found_out() {
    let mut lane = Simulation::new(Pacing::Poisson { per_second: 2_000.0.into() }, 1, (0, 10_000), || 0).lane;
    // What is really drawn is faster by 5%.
    lane.drawn.as_mut().expect("a Poisson process").rate = crate::Rate::Steady(1_900.0);
    lane.advance(10_000 * MS);
    let drawn = lane.conclude(10_000 * MS).drawn_schedule().expect("thousands of gaps");
    assert!(drawn.p_value < 0.001, "{drawn:?}");
}

#[test]
fn a_server_that_slows_down_is_not_stationary_and_a_steady_one_is() {
    let trend = |service_ns: Box<dyn FnMut() -> u64>| {
        simulate(constant(1_000.0), 64, (0, 6_400), 9_000, service_ns).stationarity().is_trend()
    };
    let (mut steady, mut slowing) = (0_u64, 0_u64);
    assert!(!trend(Box::new(move || {
        steady += 1;
        MS + steady * 7_919 % MS
    })));
    assert!(trend(Box::new(move || {
        slowing += 1;
        MS + slowing * 100
    })));
}
