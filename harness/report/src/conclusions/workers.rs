//! Who answered: how unevenly a row's workers shared the requests.

use std::collections::BTreeMap;

use race::records::window::StreamRecord;
use stats::summary::median_interval;

use crate::counts::kept::{Line, Which};

/// The busiest worker of a window is spoken of from so many times its fair share on. With two workers there is nothing beyond 2, and of
/// 64 connections that are hashed to two, one has three quarters in fewer than one window of 10,000 (binomial).
const UNEVEN: f64 = 1.5;

/// Where the busiest worker got much more than its share in the median window.
pub(crate) fn note(line: &Line<'_>, streams: &[&str]) -> Option<String> {
    let shares = streams.iter().filter_map(|&stream| Some((stream, busiest(line, stream)?)));
    let (stream, share) =
        shares.max_by(|(_, a), (_, b)| a.total_cmp(b)).filter(|(_, share)| *share >= UNEVEN)?;
    let of = if streams.len() > 1 { format!(" of {stream}") } else { String::new() };
    Some(format!("busiest worker has {share:.1} times its share{of} in the median window"))
}

/// What the busiest worker answered beside a fair share, in the median window; `None` where answers do not say who gave them.
fn busiest(line: &Line<'_>, stream: &str) -> Option<f64> {
    let windows = line.starts.iter().flat_map(|start| {
        let workers = start.server.and_then(|server| server.workers).unwrap_or(0);
        let windows = start.windows(Which::Gated).iter().flatten();
        windows.filter_map(move |window| times_fair_share(window.measured.stream(stream)?, workers))
    });
    median_interval(&windows.collect::<Vec<_>>()).map(|interval| interval.median)
}

/// Fair is the same for each of `workers`, those that answered nothing among them; for each connection's where there are fewer
/// connections than workers.
pub(crate) fn times_fair_share(stream: &StreamRecord, workers: usize) -> Option<f64> {
    fair(&stream.answers_by_worker, workers, stream.connections)
}

/// The same of connections; `None` where nobody knows whose they were.
pub(crate) fn times_fair_connections(stream: &StreamRecord, workers: usize) -> Option<f64> {
    fair(&stream.connections_by_worker, workers, stream.connections)
}

fn fair(counts: &BTreeMap<String, u64>, workers: usize, connections: usize) -> Option<f64> {
    let most = *counts.values().max()?;
    let all: u64 = counts.values().sum();
    let sharing = counts.len().max(workers).min(connections);
    (all > 0).then(|| most as f64 * sharing as f64 / all as f64)
}

#[cfg(test)]
mod tests {
    use race::fixtures::sound;

    use super::*;

    fn share(answers: &[(&str, u64)], workers: usize, connections: usize) -> Option<f64> {
        let mut stream = sound().streams.remove(0);
        stream.connections = connections;
        stream.answers_by_worker = answers.iter().map(|&(name, count)| (name.to_owned(), count)).collect();
        times_fair_share(&stream, workers)
    }

    #[test]
    fn who_answered_nothing_had_a_share_all_the_same() {
        assert_eq!(share(&[("t0", 300), ("t1", 100)], 2, 64), Some(1.5));
        assert_eq!(share(&[("t0", 400)], 4, 64), Some(4.0));
        assert_eq!(share(&[], 4, 64), None);
    }

    #[test]
    fn a_worker_cannot_have_less_than_a_connection() {
        assert_eq!(share(&[("t0", 100), ("t1", 100)], 256, 2), Some(1.0));
    }
}
