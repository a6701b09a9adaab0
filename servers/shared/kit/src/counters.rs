//! What one worker counts, and how that lies in memory.
//!
//! Every counter only ever grows. What is there now (open connections, operations in flight) is the difference of two, so
//! that nothing has to be taken back. A block is the same in the memory of one process, where its writer is a thread
//! ([`crate::metrics`]), and in memory that processes share, where it is a process ([`crate::cluster`]): hence `repr(C)`, and
//! atomics throughout.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use app::Endpoint;

/// The status codes that a server can answer with. Anything else is counted as the last.
pub(crate) const STATUSES: [u16; 15] =
    [200, 204, 304, 400, 404, 405, 408, 412, 413, 414, 417, 431, 501, 503, 500];

/// One row for each endpoint, and one for what is no endpoint.
pub(crate) const ENDPOINTS: usize = Endpoint::ALL.len() + 1;

/// One worker's counters.
///
/// Aligned to two cache lines, since the prefetcher of many x86 CPUs fetches lines in pairs.
#[derive(Debug, Default)]
#[repr(C, align(128))]
pub(crate) struct Block {
    requests: [[AtomicU64; STATUSES.len()]; ENDPOINTS],
    pub(crate) connections: Passages,
    pub(crate) operations: Passages,
}

/// What comes and goes.
#[derive(Debug, Default)]
#[repr(C)]
pub(crate) struct Passages {
    begun: AtomicU64,
    ended: AtomicU64,
}

impl Block {
    /// Counts an answer; `None` where the request was for no endpoint.
    pub(crate) fn answered(&self, endpoint: Option<Endpoint>, status: u16) {
        let row = endpoint.map_or(Endpoint::ALL.len(), Endpoint::index);
        let column = STATUSES.iter().position(|&known| known == status).unwrap_or(STATUSES.len() - 1);
        add(&self.requests[row][column]);
    }

    /// Answers that `blocks` have counted together, by endpoint (`None` for what is no endpoint) and by status, in a fixed
    /// order.
    pub(crate) fn answers(blocks: &[Self]) -> impl Iterator<Item = (Option<Endpoint>, u16, u64)> {
        (0..ENDPOINTS).flat_map(move |row| {
            STATUSES.iter().enumerate().map(move |(column, &status)| {
                let count = sum(blocks.iter().map(|block| block.requests[row][column].load(Relaxed)));
                (Endpoint::ALL.get(row).copied(), status, count)
            })
        })
    }

    /// All answers.
    pub(crate) fn requests(&self) -> u64 {
        sum(self.requests.iter().flatten().map(|count| count.load(Relaxed)))
    }
}

impl Passages {
    /// One begins.
    pub(crate) fn begin(&self) {
        add(&self.begun);
    }

    /// One ends.
    pub(crate) fn end(&self) {
        add(&self.ended);
    }

    /// How many began.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Relaxed)
    }

    /// How many of all that these blocks count are there now. One may end on another worker than it began on, so only the
    /// sums can be subtracted.
    pub(crate) fn now<'a>(all: impl Iterator<Item = &'a Self> + Clone) -> u64 {
        // Ends are read first: what ends in between then counts as still there, and the result is never negative.
        let ended = sum(all.clone().map(|passages| passages.ended.load(Relaxed)));
        sum(all.map(Self::begun)).saturating_sub(ended)
    }

    /// Ends what has begun and cannot end any more, since the one writer of this block is no more.
    pub(crate) fn settle(&self) {
        self.ended.fetch_max(self.begun(), Relaxed);
    }
}

/// Sums counts that may come from memory which another process has spoilt: no sum of them is worth a panic.
pub(crate) fn sum(counts: impl Iterator<Item = u64>) -> u64 {
    counts.fold(0, u64::wrapping_add)
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_that_nobody_foresaw_counts_as_an_error_of_the_server() {
        let blocks = [Block::default(), Block::default()];
        blocks[0].answered(None, 418);
        blocks[1].answered(None, 500);
        blocks[1].answered(Some(Endpoint::Simple), 200);
        let counted: Vec<_> = Block::answers(&blocks).filter(|(.., count)| *count > 0).collect();
        assert_eq!(counted, [(Some(Endpoint::Simple), 200, 1), (None, 500, 2)]);
        assert_eq!(blocks.each_ref().map(Block::requests), [1, 2]);
    }

    #[test]
    fn what_is_settled_is_over_and_stays_counted() {
        let passages = Passages::default();
        let now = || Passages::now([&passages].into_iter());
        (0..5).for_each(|_| passages.begin());
        passages.end();
        assert_eq!(now(), 4);
        passages.settle();
        assert_eq!((now(), passages.begun()), (0, 5));
        passages.settle();
        passages.begin();
        assert_eq!((now(), passages.begun()), (1, 6), "the next worker goes on where this one was cut off");
    }
}
