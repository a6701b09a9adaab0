//! Streams whose connections each have a schedule of their own: to the generator each such connection is a stream, and their outcomes are put
//! together again.

use std::{collections::BTreeMap, sync::Arc};

use load::{Outcome, Pacing, StreamOutcome};

use crate::{
    measure::workers::Tally,
    plan::resolve::{Resolved, ResolvedStream},
};

/// Who answered, by stream, and by the parts that a stream is driven in.
#[derive(Debug)]
pub(crate) struct Tallies(pub(crate) Vec<Vec<Arc<Tally>>>);

impl Tallies {
    /// None has answered yet.
    pub(crate) fn of(load: &Resolved) -> Self {
        let of_stream = |stream: &ResolvedStream| (0..parts(stream)).map(|_| Arc::default()).collect();
        Self(load.streams.iter().map(of_stream).collect())
    }
}

/// In how many parts a stream is driven.
fn parts(stream: &ResolvedStream) -> usize {
    stream.shape.shares(stream.connections).len().max(1)
}

/// When the requests of a part are due, and how many connections it has.
pub(crate) fn part_of(stream: &ResolvedStream, part: usize) -> (Pacing, u32) {
    match stream.shape.shares(stream.connections).get(part) {
        Some(&share) => (stream.pacing.times(share), 1),
        None => (stream.pacing, u32::try_from(stream.connections).unwrap_or(u32::MAX)),
    }
}

/// The outcome with one stream for each of `load`, in its order.
pub(crate) fn whole(outcome: Outcome, load: &Resolved) -> Outcome {
    let mut parts_left = outcome.streams.into_iter();
    let of_stream = |stream: &ResolvedStream| {
        let mut own = parts_left.by_ref().take(parts(stream));
        let mut sum: StreamOutcome = own.next()?;
        own.for_each(|part| sum.merge(&part));
        Some(sum)
    };
    let streams = load.streams.iter().filter_map(of_stream).collect();
    Outcome { streams, ..outcome }
}

/// A connection of at most so many requests is over long before a window is.
const FEW_REQUESTS: u32 = 10;

/// How many connections each worker had, as far as answers say it: a connection is the worker's that gave most of its answers. Known where
/// each connection is counted by itself, or carries at most [`FEW_REQUESTS`], so that it is over long before the window is and answers tell how
/// many there were; else empty.
pub(crate) fn connections_by_worker(
    stream: &ResolvedStream,
    tallies: &[Arc<Tally>],
) -> BTreeMap<String, u64> {
    let mut connections: BTreeMap<String, u64> = BTreeMap::new();
    if let Some(each) = stream.shape.requests_per_connection {
        if each > FEW_REQUESTS {
            return connections;
        }
        for (worker, answers) in tallies.iter().flat_map(|tally| tally.answers()) {
            *connections.entry(worker).or_default() += answers.div_ceil(u64::from(each.max(1)));
        }
    } else if tallies.len() > 1 {
        let most = |tally: &Arc<Tally>| tally.answers().into_iter().max_by_key(|&(_, answers)| answers);
        for (worker, _) in tallies.iter().filter_map(most) {
            *connections.entry(worker).or_default() += 1;
        }
    }
    connections
}

/// Right answers by worker, of all parts.
pub(crate) fn answers_by_worker(tallies: &[Arc<Tally>]) -> BTreeMap<String, u64> {
    let mut answers: BTreeMap<String, u64> = BTreeMap::new();
    for (worker, count) in tallies.iter().flat_map(|tally| tally.answers()) {
        *answers.entry(worker).or_default() += count;
    }
    answers
}

#[cfg(test)]
mod tests {
    use app::Operation;

    use super::*;
    use crate::plan::stream::Shape;

    fn stream(shape: Shape) -> ResolvedStream {
        ResolvedStream {
            name: "s".to_owned(),
            operation: Operation::Simple,
            connections: 8,
            pacing: Pacing::Poisson { per_second: 260.0.into() },
            shape,
        }
    }

    fn tallied(answers: &[(&str, usize)]) -> Arc<Tally> {
        let tally = Arc::new(Tally::default());
        for &(worker, count) in answers {
            (0..count).for_each(|_| tally.count(worker.as_bytes()));
        }
        tally
    }

    #[test]
    fn a_stream_of_weights_is_driven_by_a_schedule_for_each_connection_that_sum_to_its_rate() {
        let plain = stream(Shape::default());
        assert_eq!((parts(&plain), part_of(&plain, 0)), (1, (plain.pacing, 8)));
        let weighted = stream(Shape { weights: vec![10, 1, 1, 1], ..Shape::default() });
        let rates: Vec<f64> = (0..parts(&weighted))
            .map(|part| part_of(&weighted, part).0.rate().unwrap().mean_per_second())
            .collect();
        assert_eq!(rates.len(), 8);
        assert!((rates[0] - 100.0).abs() < 1e-9 && (rates[1] - 10.0).abs() < 1e-9, "{rates:?}");
    }

    #[test]
    fn a_connection_is_its_busiest_workers_and_a_short_one_counts_by_what_it_carries() {
        let weighted = stream(Shape { weights: vec![10, 1], ..Shape::default() });
        let tallies = [tallied(&[("t0", 9), ("t1", 1)]), tallied(&[("t0", 2)]), tallied(&[("t1", 3)])];
        assert_eq!(
            connections_by_worker(&weighted, &tallies),
            [("t0".to_owned(), 2), ("t1".to_owned(), 1)].into()
        );
        assert_eq!(answers_by_worker(&tallies), [("t0".to_owned(), 11), ("t1".to_owned(), 4)].into());
        let short = stream(Shape { requests_per_connection: Some(10), ..Shape::default() });
        let answers = [tallied(&[("t0", 20), ("t1", 5)])];
        assert_eq!(
            connections_by_worker(&short, &answers),
            [("t0".to_owned(), 2), ("t1".to_owned(), 1)].into()
        );
        assert!(connections_by_worker(&stream(Shape::default()), &answers).is_empty());
    }
}
