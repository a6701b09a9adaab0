//! The four instants of a request, where they lie apart: a generator that sends late, and one that reads late.

use proptest::prelude::*;

use super::{
    tests::{MS, Simulation, constant, is_about},
    *,
};
use crate::{outcome::Outcome, slices::Slice};

/// Due every 10 ms on so many connections, and nothing else happens.
fn lane_of(connections: u32, closes_ms: u64) -> Lane {
    let mut lane = Simulation::new(constant(100.0), connections, (0, closes_ms), || 0).lane;
    lane.start();
    lane
}

#[test]
fn the_response_time_leaves_the_generators_lateness_out_and_keeps_the_wait_for_a_connection() {
    let mut lane = lane_of(1, 20);
    // Due at 0, sent at 3 ms: late. Received at 18 ms; the next, due at 10 ms, waited 8 ms for the connection and is then
    // sent 1 ms late.
    lane.advance(3 * MS);
    let (connection, first) = lane.assign(3 * MS).expect("due at 0");
    lane.finish(first, 18 * MS, Ok(()));
    lane.connection_free(connection, 18 * MS);
    let (_, second) = lane.assign(19 * MS).expect("due at 10 ms");
    assert_eq!(second, Ticket { due_ns: 10 * MS, able_ns: 18 * MS, sent_ns: 19 * MS });
    lane.finish(second, 24 * MS, Ok(()));
    let outcome = lane.conclude(30 * MS);
    assert!(is_about(outcome.response.min_ns(), 13 * MS) && is_about(outcome.response.max_ns(), 15 * MS));
    assert!(is_about(outcome.observed.min_ns(), 14 * MS) && is_about(outcome.observed.max_ns(), 18 * MS));
    assert!(is_about(outcome.service.min_ns(), 5 * MS) && is_about(outcome.service.max_ns(), 15 * MS));
    assert!(is_about(outcome.lag.min_ns(), MS) && is_about(outcome.lag.max_ns(), 3 * MS));
    assert!(is_about(outcome.queue_wait.max_ns(), 8 * MS));
    assert!((outcome.mean_lateness_s() - 0.002).abs() < 1e-12);
    assert!(outcome.accounting().is_consistent());
}

#[test]
fn an_answer_that_is_read_late_counts_from_its_receipt() {
    let mut lane = lane_of(1, 40);
    // Received at 4 ms and read at 35 ms: what was due at 10, 20 and 30 ms could have been sent at once.
    let (connection, first) = lane
        .assign(0)
        .or_else(|| {
            lane.advance(0);
            lane.assign(0)
        })
        .expect("due at 0");
    lane.advance(35 * MS);
    lane.finish(first, 4 * MS, Ok(()));
    lane.connection_free(connection, 4 * MS);
    let (connection, second) = lane.assign(35 * MS).expect("due at 10 ms");
    assert_eq!((second.able_ns, second.lateness_ns()), (10 * MS, 25 * MS));
    // The third really waits for the second, and the second alone for the generator.
    lane.finish(second, 37 * MS, Ok(()));
    lane.connection_free(connection, 37 * MS);
    let (connection, third) = lane.assign(38 * MS).expect("due at 20 ms");
    assert_eq!((third.waiting_ns(), third.lateness_ns()), (17 * MS, MS));
    lane.finish(third, 39 * MS, Ok(()));
    lane.connection_free(connection, 39 * MS);
    let outcome = lane.conclude(50 * MS);
    // The second was sent after the third was due, by the generator's fault; the third was not.
    assert_eq!((outcome.counts.overtaken, outcome.overtaken_share()), (1, 1.0 / 3.0));
    assert!(is_about(outcome.response.min_ns(), 2 * MS));
    assert_eq!(outcome.counts.ok_in_window, 3);
    let accounting = outcome.accounting();
    assert!(accounting.is_consistent() && accounting.littles_law_difference < 1e-9, "{accounting:?}");
}

#[test]
fn two_requests_that_wait_are_able_when_the_first_and_the_second_connection_is_free() {
    let mut lane = lane_of(2, 40);
    lane.advance(20 * MS);
    let (a, first) = lane.assign(20 * MS).expect("due at 0");
    let (b, second) = lane.assign(20 * MS).expect("due at 10 ms");
    lane.advance(30 * MS);
    // Read crosswise, both before anything is sent.
    lane.finish(second, 28 * MS, Ok(()));
    lane.connection_free(b, 28 * MS);
    lane.finish(first, 25 * MS, Ok(()));
    lane.connection_free(a, 25 * MS);
    let able = [(); 2].map(|()| lane.assign(32 * MS).expect("due at 20 and 30 ms").1.able_ns);
    assert_eq!(able, [25 * MS, 30 * MS]);
}

#[test]
fn an_answer_that_is_read_after_the_window_belongs_to_it_if_it_was_received_within() {
    let mut lane = lane_of(2, 20);
    lane.advance(10 * MS);
    let (_, early) = lane.assign(10 * MS).expect("due at 0");
    let (_, late) = lane.assign(10 * MS).expect("due at 10 ms");
    lane.advance(25 * MS);
    assert!(lane.finish(early, 20 * MS - 1, Ok(())));
    assert!(!lane.finish(late, 20 * MS, Ok(())));
    let outcome = lane.conclude(25 * MS);
    assert_eq!((outcome.counts.ok, outcome.counts.ok_in_window), (2, 1));
    let slices: Vec<_> = outcome.slices.iter().map(|one| (one.due, one.sent, one.answered)).collect();
    assert_eq!(slices, [(1, 0, 0), (1, 2, 1)]);
}

/// A closed loop whose every answer takes `service_us`, and whose every request is sent `lateness_us` after the last answer;
/// connection 0 is never told to be free again if it `loses_one`.
fn closed_loop(service_us: u64, lateness_us: u64, loses_one: bool) -> StreamOutcome {
    let mut lane = Simulation::new(Pacing::Closed, 4, (0, 1_000), || 0).lane;
    lane.start();
    let mut record = std::iter::from_fn(|| lane.assign(lateness_us * 1_000)).collect::<Vec<_>>();
    let mut now_ns = lateness_us * 1_000;
    while now_ns < 999 * MS {
        let received_ns = now_ns + service_us * 1_000;
        now_ns = received_ns + lateness_us * 1_000;
        for (connection, ticket) in std::mem::take(&mut record) {
            lane.advance(now_ns);
            lane.finish(ticket, received_ns, Ok(()));
            if connection > 0 || !loses_one {
                lane.connection_free(connection, received_ns);
            }
        }
        record.extend(std::iter::from_fn(|| lane.assign(now_ns)));
    }
    record.into_iter().for_each(|(_, ticket)| lane.abandon(ticket, now_ns));
    let mut outcome = lane.conclude(now_ns);
    outcome.residence.slots = 4;
    outcome
}

#[test]
fn a_closed_loops_connections_are_accounted_for_and_one_that_is_lost_is_missed() {
    let both_sides = |outcome: StreamOutcome| {
        let (in_server, in_generator) = (outcome.mean_in_server(), outcome.mean_in_generator());
        let window_s = outcome.window_s;
        let streams = vec![outcome];
        let whole = Outcome {
            streams,
            threads: Vec::new(),
            interrupted: false,
            window_s,
            seed: 1,
            clock_step_ns: None,
        };
        (in_server, in_generator, whole.closed_loop().expect("a closed loop"))
    };
    let (in_server, in_generator, law) = both_sides(closed_loop(900, 100, false));
    assert!(
        (in_server - 3.6).abs() < 0.02 && (in_generator - 0.4).abs() < 0.02,
        "{in_server} {in_generator}"
    );
    assert!((law.in_server - in_server).abs() < 0.02 && (law.in_generator - in_generator).abs() < 0.02);
    assert!(law.relative_difference().abs() < 0.005, "{law:?}");
    let (_, _, lost) = both_sides(closed_loop(900, 100, true));
    assert!((lost.relative_difference() + 0.25).abs() < 0.005, "{lost:?}");
}

proptest! {
    #[test]
    fn numbers_add_up_whenever_answers_are_read(
        rate in 50.0_f64..5_000.0, connections in 1_u32..9, closed in any::<bool>(),
        steps in prop::collection::vec((1_u64..5 * MS, 0_u64..3 * MS), 1..200),
    ) {
        // The generator looks at the clock after each step, reads all that was received until then, and sends what is due.
        let pacing = if closed { Pacing::Closed } else { Pacing::Poisson { per_second: rate.into() } };
        let mut lane = Simulation::new(pacing, connections, (50, 250), || 0).lane;
        lane.start();
        let (mut now_ns, mut flying) = (0, Vec::new());
        for (step_ns, service_ns) in steps {
            now_ns += step_ns;
            lane.advance(now_ns);
            flying.retain(|&(connection, ticket, at_ns): &(u32, Ticket, u64)| {
                if at_ns <= now_ns {
                    lane.finish(ticket, at_ns, Ok(()));
                    lane.connection_free(connection, at_ns);
                }
                at_ns > now_ns
            });
            while let Some((connection, ticket)) = lane.assign(now_ns) {
                prop_assert!(ticket.due_ns <= ticket.able_ns && ticket.able_ns <= ticket.sent_ns);
                flying.push((connection, ticket, now_ns + service_ns));
            }
        }
        flying.into_iter().for_each(|(_, ticket, _)| lane.abandon(ticket, now_ns));
        let outcome = lane.conclude(now_ns);
        let accounting = outcome.accounting();
        prop_assert!(accounting.balances() && accounting.littles_law_difference < 1e-9, "{:?}", accounting);
        let parts = outcome.residence.in_server_s + outcome.residence.in_generator_s;
        prop_assert!(outcome.residence.in_server_s >= 0.0 && outcome.residence.in_generator_s >= -1e-9);
        prop_assert!((parts - outcome.littles_law.integral_s).abs() < 1e-9);
        let counts = outcome.counts;
        let slices = |of: fn(&Slice) -> u32| outcome.slices.iter().map(|one| u64::from(of(one))).sum::<u64>();
        prop_assert_eq!((slices(|one| one.due), slices(|one| one.answered)), (counts.due, counts.ok_in_window));
        prop_assert_eq!(slices(|one| one.latency.count), counts.ok);
    }
}
