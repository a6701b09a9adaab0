//! A load divided between generators that measure and those that only load: the times of a generator which has little to do are its
//! server's, whatever the others have come to.

use crate::plan::resolve::{Resolved, ResolvedStream};

/// The part of a load's connections that each generator has which measures.
const LIGHT: f64 = 0.05;

/// A load in two.
#[derive(Debug)]
pub(crate) struct Divided {
    /// That of all generators which measure.
    pub(crate) light: Resolved,
    /// That of all others.
    pub(crate) rest: Resolved,
}

/// How many generators may make a part of `load`: each has a connection of every stream. A stream whose connections have schedules of
/// their own is made by one.
pub(crate) fn most_generators(load: &Resolved) -> u32 {
    let of_stream =
        |stream: &ResolvedStream| if stream.shape.weights.is_empty() { whole(stream.connections) } else { 1 };
    load.streams.iter().map(of_stream).min().unwrap_or(1).max(1)
}

/// Divides `load` between so many generators that measure, and so many that only load; `None` where a stream has too few connections.
pub(crate) fn divide(load: &Resolved, measuring: u32, loading: u32) -> Option<Divided> {
    let mut divided = Divided { light: load.clone(), rest: load.clone() };
    let streams = load.streams.iter().zip(&mut divided.light.streams).zip(&mut divided.rest.streams);
    for ((stream, light), rest) in streams {
        let all = whole(stream.connections);
        let own = ((f64::from(all) * LIGHT).round() as u32).max(1).saturating_mul(measuring);
        let left = all.checked_sub(own).filter(|left| *left >= loading && stream.shape.weights.is_empty())?;
        for (part, connections) in [(light, own), (rest, left)] {
            part.connections = connections as usize;
            part.pacing = stream.pacing.times(f64::from(connections) / f64::from(all));
        }
    }
    Some(divided)
}

fn whole(connections: usize) -> u32 {
    u32::try_from(connections).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use app::Operation;
    use load::Pacing;

    use super::*;
    use crate::plan::stream::Shape;

    fn load(connections: usize, pacing: Pacing, shape: Shape) -> Resolved {
        let stream =
            ResolvedStream { name: "s".to_owned(), operation: Operation::Simple, connections, pacing, shape };
        let second = Duration::from_secs(1);
        Resolved { streams: vec![stream], warm_up: second, window: second, timeout: second }
    }

    #[test]
    fn those_who_measure_have_a_twentieth_each_and_the_rate_of_all_is_what_it_was() {
        let random = Pacing::Poisson { per_second: 6_400.0.into() };
        let Divided { light, rest } = divide(&load(64, random, Shape::default()), 2, 3).unwrap();
        let of = |load: &Resolved| {
            let stream = &load.streams[0];
            (stream.connections, stream.pacing.rate().unwrap().mean_per_second())
        };
        assert_eq!((of(&light).0, of(&rest).0), (6, 58));
        assert!((of(&light).1 - 600.0).abs() < 1e-9 && (of(&rest).1 - 5_800.0).abs() < 1e-9);
    }

    #[test]
    fn a_load_of_too_few_connections_or_of_schedules_for_each_is_not_divided() {
        let plain = |connections| load(connections, Pacing::Closed, Shape::default());
        let weighted = load(64, Pacing::Closed, Shape { weights: vec![10, 1], ..Shape::default() });
        assert!(divide(&plain(3), 1, 2).is_some());
        for refused in [plain(2), plain(1), weighted.clone()] {
            assert!(divide(&refused, 1, 2).is_none(), "{refused:?}");
        }
        assert_eq!([plain(1), plain(64), weighted].map(|load| most_generators(&load)), [1, 64, 1]);
    }
}
