//! What workers count, and its Prometheus text.
//!
//! A request costs an addition to a cache line that only its own worker writes: no lock, no allocation, and no line that two
//! cores pull to and fro. Where all workers are threads of this process, a thread's block is found by [`Worker::current`];
//! where this process is one worker, it is its own in the memory of its cluster, and the text tells of all. Counts of
//! different blocks are read one after the other, so a sum may be a few events out of step; each counter never goes back.

use std::{
    fmt::Write as _,
    slice,
    sync::{Arc, OnceLock},
};

use app::Endpoint;

use crate::{
    cluster::{Cluster, Member, PlaceState},
    counters::{Block, Passages, sum},
    worker::{Kind, Worker},
};

/// Counters of all workers of a server.
#[derive(Debug)]
pub struct Metrics {
    workers: Workers,
}

#[derive(Debug)]
enum Workers {
    /// Threads of this process.
    Threads(Box<[Thread]>),
    /// Processes, of which this one is `member`.
    Processes { cluster: Arc<Cluster>, member: Member },
}

#[derive(Debug, Default)]
struct Thread {
    worker: OnceLock<Worker>,
    block: Block,
}

/// A worker under its name, and all that was counted under it.
struct Counted<'a> {
    worker: Worker,
    blocks: &'a [Block],
}

impl Metrics {
    /// Counters for `workers` workers, which are threads of this process.
    pub fn new(workers: usize) -> Self {
        Self { workers: Workers::Threads((0..workers.max(1)).map(|_| Thread::default()).collect()) }
    }

    /// Counters for a process that is one worker of `cluster`, and the text for all of them.
    pub fn in_cluster(cluster: Arc<Cluster>, member: Member) -> Self {
        Self { workers: Workers::Processes { cluster, member } }
    }

    fn own(&self) -> &Block {
        match &self.workers {
            Workers::Threads(threads) => {
                let worker = Worker::current();
                let thread = &threads[worker.index() % threads.len()];
                thread.worker.get_or_init(|| worker);
                &thread.block
            }
            Workers::Processes { cluster, member } => cluster.block(*member),
        }
    }

    /// Counts an answer; `None` where the request was for no endpoint.
    pub fn answered(&self, endpoint: Option<Endpoint>, status: u16) {
        self.own().answered(endpoint, status);
    }

    /// A connection was accepted.
    pub fn accepted(&self) {
        self.own().connections.begin();
    }

    /// A connection ended.
    pub fn closed(&self) {
        self.own().connections.end();
    }

    /// An operation began.
    pub fn operation_started(&self) {
        self.own().operations.begin();
    }

    /// An operation ended, or nobody waits for it any more.
    pub fn operation_ended(&self) {
        self.own().operations.end();
    }

    /// Operations that this worker, a thread which runs its own, has begun and not ended. Where workers are processes, of this one.
    pub fn operations_in_flight_on(&self, worker: usize) -> u64 {
        let block = match &self.workers {
            Workers::Threads(threads) => &threads[worker % threads.len()].block,
            Workers::Processes { cluster, member } => cluster.block(*member),
        };
        Passages::now([&block.operations].into_iter())
    }

    /// The text of `/metrics`.
    pub fn text(&self, server: &str) -> String {
        let mut text = String::with_capacity(4096);
        let workers = self.counted();

        header(&mut text, "server_requests_total", "counter", "Answers by endpoint and status.");
        for Counted { worker, blocks } in &workers {
            for (endpoint, status, count) in Block::answers(blocks).filter(|(.., count)| *count > 0) {
                let endpoint = endpoint.map_or("none", Endpoint::name);
                line(
                    &mut text,
                    format_args!(
                        "server_requests_total{{server=\"{server}\",worker=\"{worker}\",endpoint=\"{endpoint}\",status=\"{status}\"}} {count}"
                    ),
                );
            }
        }
        header(&mut text, "server_connections_accepted_total", "counter", "Connections accepted.");
        for Counted { worker, blocks } in &workers {
            let count = sum(blocks.iter().map(|block| block.connections.begun()));
            line(
                &mut text,
                format_args!(
                    "server_connections_accepted_total{{server=\"{server}\",worker=\"{worker}\"}} {count}"
                ),
            );
        }
        let open = self.now(|block| &block.connections);
        header(&mut text, "server_connections_open", "gauge", "Connections open now.");
        line(&mut text, format_args!("server_connections_open{{server=\"{server}\"}} {open}"));
        let in_flight = self.now(|block| &block.operations);
        header(&mut text, "server_operations_in_flight", "gauge", "Operations begun and not ended.");
        line(&mut text, format_args!("server_operations_in_flight{{server=\"{server}\"}} {in_flight}"));
        if let Workers::Processes { cluster, .. } = &self.workers {
            places(&mut text, server, cluster);
        }
        text
    }

    /// How many are there now of what all blocks count, also those of threads that have no name yet.
    fn now(&self, of: impl Fn(&Block) -> &Passages + Copy) -> u64 {
        match &self.workers {
            Workers::Threads(threads) => Passages::now(threads.iter().map(|thread| of(&thread.block))),
            Workers::Processes { cluster, .. } => {
                Passages::now((0..cluster.places_ever()).flat_map(|place| cluster.blocks(place)).map(of))
            }
        }
    }

    /// All that have counted: threads once they have, and every place that ever was.
    fn counted<'a>(&'a self) -> Vec<Counted<'a>> {
        match &self.workers {
            Workers::Threads(threads) => {
                let counted = |thread: &'a Thread| {
                    Some(Counted { worker: *thread.worker.get()?, blocks: slice::from_ref(&thread.block) })
                };
                threads.iter().filter_map(counted).collect()
            }
            Workers::Processes { cluster, .. } => (0..cluster.places_ever())
                .map(|place| Counted { worker: name(place), blocks: cluster.blocks(place) })
                .collect(),
        }
    }
}

/// What is counted of a place.
type OfPlace = fn(&Cluster, usize) -> u64;

/// What the primary of a cluster says of its places.
fn places(text: &mut String, server: &str, cluster: &Cluster) {
    header(text, "server_workers", "gauge", "Workers by what their primary makes of them.");
    for state in PlaceState::ALL.into_iter().filter(|state| *state != PlaceState::Empty) {
        let (name, count) = (state.name(), cluster.count(state));
        line(text, format_args!("server_workers{{server=\"{server}\",state=\"{name}\"}} {count}"));
    }
    let counters: [(&str, &str, OfPlace); 2] = [
        (
            "server_worker_restarts_total",
            "Processes started in the place of one that had ended by itself.",
            Cluster::restarts,
        ),
        (
            "server_connections_lost_total",
            "Connections given to a process that ended before it had taken them.",
            Cluster::lost,
        ),
    ];
    for (counter, help, of) in counters {
        header(text, counter, "counter", help);
        for place in 0..cluster.places_ever() {
            let (worker, count) = (name(place), of(cluster, place));
            line(text, format_args!("{counter}{{server=\"{server}\",worker=\"{worker}\"}} {count}"));
        }
    }
}

fn name(place: usize) -> Worker {
    Worker::new(Kind::Process, place)
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
    fn each_worker_has_its_own_operations_in_flight() {
        let metrics = Metrics::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                Worker::new(Kind::Thread, 1).make_current();
                (0..3).for_each(|_| metrics.operation_started());
                metrics.operation_ended();
            });
        });
        assert_eq!([0, 1].map(|worker| metrics.operations_in_flight_on(worker)), [0, 2]);
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
