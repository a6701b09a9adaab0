//! Counters, one block per worker, and their Prometheus text.
//!
//! A request costs an addition to a cache line that only its own worker writes: no lock, no allocation, and
//! no line that two cores pull to and fro. Blocks are found by [`Worker::current`]. Counts of different
//! blocks are read one after the other, so a sum may be a few events out of step; each counter never goes back.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering},
};

use app::Endpoint;

use crate::worker::Worker;

/// The status codes that a server can answer with. Anything else is counted as the last.
const STATUSES: [u16; 15] = [200, 204, 304, 400, 404, 405, 408, 412, 413, 414, 417, 431, 501, 503, 500];

/// One row for each endpoint, and one for what is no endpoint.
const ENDPOINTS: usize = Endpoint::ALL.len() + 1;

/// Counters of all workers in this process.
#[derive(Debug)]
pub struct Metrics {
    blocks: Box<[Block]>,
}

/// Aligned to two cache lines, since the prefetcher of many x86 CPUs fetches lines in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Block {
    worker: std::sync::OnceLock<Worker>,
    requests: [[AtomicU64; STATUSES.len()]; ENDPOINTS],
    accepted: AtomicU64,
    closed: AtomicU64,
    operations_started: AtomicU64,
    operations_ended: AtomicU64,
}

impl Metrics {
    /// Counters for `workers` workers.
    pub fn new(workers: usize) -> Self {
        Self { blocks: (0..workers.max(1)).map(|_| Block::default()).collect() }
    }

    fn own(&self) -> &Block {
        let worker = Worker::current();
        let block = &self.blocks[worker.index() % self.blocks.len()];
        block.worker.get_or_init(|| worker);
        block
    }

    /// Counts an answer; `None` where the request was for no endpoint.
    pub fn answered(&self, endpoint: Option<Endpoint>, status: u16) {
        let row = endpoint.map_or(Endpoint::ALL.len(), Endpoint::index);
        let column = STATUSES.iter().position(|&known| known == status).unwrap_or(STATUSES.len() - 1);
        add(&self.own().requests[row][column]);
    }

    /// A connection was accepted.
    pub fn accepted(&self) {
        add(&self.own().accepted);
    }

    /// A connection ended.
    pub fn closed(&self) {
        add(&self.own().closed);
    }

    /// An operation began.
    pub fn operation_started(&self) {
        add(&self.own().operations_started);
    }

    /// An operation ended, or nobody waits for it any more.
    pub fn operation_ended(&self) {
        add(&self.own().operations_ended);
    }

    /// The text of `/metrics`.
    pub fn text(&self, server: &str) -> String {
        let mut text = String::with_capacity(4096);
        let blocks = || self.blocks.iter().filter_map(|block| Some((block.worker.get()?, block)));

        header(&mut text, "server_requests_total", "counter", "Answers by endpoint and status.");
        for (worker, block) in blocks() {
            for (row, statuses) in block.requests.iter().enumerate() {
                let endpoint = Endpoint::ALL.get(row).map_or("none", |endpoint| endpoint.name());
                for (status, count) in STATUSES.iter().zip(statuses) {
                    let count = read(count);
                    if count > 0 {
                        line(
                            &mut text,
                            format_args!(
                                "server_requests_total{{server=\"{server}\",worker=\"{worker}\",endpoint=\"{endpoint}\",status=\"{status}\"}} {count}"
                            ),
                        );
                    }
                }
            }
        }
        header(&mut text, "server_connections_accepted_total", "counter", "Connections accepted.");
        for (worker, block) in blocks() {
            let count = read(&block.accepted);
            line(
                &mut text,
                format_args!(
                    "server_connections_accepted_total{{server=\"{server}\",worker=\"{worker}\"}} {count}"
                ),
            );
        }
        // A connection or an operation may end on another worker than it began on, so only the sums can be subtracted.
        let open = self.difference(|block| &block.accepted, |block| &block.closed);
        header(&mut text, "server_connections_open", "gauge", "Connections open now.");
        line(&mut text, format_args!("server_connections_open{{server=\"{server}\"}} {open}"));
        let in_flight = self.difference(|block| &block.operations_started, |block| &block.operations_ended);
        header(&mut text, "server_operations_in_flight", "gauge", "Operations begun and not ended.");
        line(&mut text, format_args!("server_operations_in_flight{{server=\"{server}\"}} {in_flight}"));
        text
    }

    fn difference(&self, begun: fn(&Block) -> &AtomicU64, ended: fn(&Block) -> &AtomicU64) -> u64 {
        // Ends are read first: what ends in between then counts as still there, and the result is never negative.
        let ended: u64 = self.blocks.iter().map(|block| read(ended(block))).sum();
        let begun: u64 = self.blocks.iter().map(|block| read(begun(block))).sum();
        begun.saturating_sub(ended)
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn header(text: &mut String, name: &str, kind: &str, help: &str) {
    line(text, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::Kind;

    #[test]
    fn answers_are_counted_by_worker_endpoint_and_status() {
        let metrics = Metrics::new(2);
        std::thread::scope(|scope| {
            for index in 0..2 {
                let metrics = &metrics;
                scope.spawn(move || {
                    Worker::new(Kind::Thread, index).make_current();
                    for _ in 0..=index {
                        metrics.answered(Some(Endpoint::Simple), 200);
                    }
                    metrics.answered(None, 404);
                });
            }
        });
        let text = metrics.text("s");
        for (worker, count) in [("t0", 1), ("t1", 2)] {
            let simple = format!(
                "server_requests_total{{server=\"s\",worker=\"{worker}\",endpoint=\"simple\",status=\"200\"}} {count}\n"
            );
            assert!(text.contains(&simple), "{text}");
        }
        assert!(text.contains("endpoint=\"none\",status=\"404\"} 1\n"), "{text}");
    }

    #[test]
    fn a_connection_that_ends_on_another_worker_is_no_longer_open() {
        let metrics = Metrics::new(2);
        for (index, count) in
            [(0, Metrics::accepted as fn(&Metrics)), (0, Metrics::accepted), (1, Metrics::closed)]
        {
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    Worker::new(Kind::Thread, index).make_current();
                    count(&metrics);
                });
            });
        }
        assert!(metrics.text("s").contains("server_connections_open{server=\"s\"} 1\n"));
    }
}
