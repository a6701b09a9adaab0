//! The window in slices of 10 ms: what was due, sent, answered and failed in each, and how long what was due then took.
//!
//! Room for all of them is made beforehand. A window that outlasts them makes them twice as wide, as often as it takes:
//! neighbours are put together.

use serde::Serialize;

/// How long a slice is, in nanoseconds, in the first minute of a window.
pub const SLICE_NS: u64 = 10_000_000;

/// The most slices: a minute's at first.
const MOST_SLICES: usize = 6_000;

/// Exceedances that are less than this apart, in nanoseconds, are one event: what a stall delays comes together.
pub const CLUSTER_GAP_NS: u64 = 20_000_000;

/// One slice. Counts are of what happened in it; the latency is of the requests that were due in it, whenever they were
/// answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Slice {
    /// Requests due in it.
    pub due: u32,
    /// Requests sent in it, whenever they were due.
    pub sent: u32,
    /// Right answers received in it, whenever they were due.
    pub answered: u32,
    /// Requests that failed in it for whatever reason, and attempts to connect.
    pub errors: u32,
    /// The response times of right answers to what was due in it.
    pub latency: SliceLatency,
}

/// Response times in a few figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SliceLatency {
    /// How many.
    pub count: u32,
    /// Their sum, in nanoseconds.
    pub sum_ns: u64,
    /// The longest, in nanoseconds.
    pub max_ns: u64,
}

/// The slices of one stream, from the window's opening.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Slices {
    width_ns: u64,
    slices: Vec<Slice>,
    #[serde(skip)]
    opens_ns: u64,
    #[serde(skip)]
    length_ns: u64,
}

impl Slices {
    /// Those of a window that is `length_ns` long. The only place that allocates.
    pub(crate) fn new(opens_ns: u64, length_ns: u64) -> Self {
        let most = length_ns.div_ceil(SLICE_NS).min(MOST_SLICES as u64) as usize;
        Self { width_ns: SLICE_NS, slices: vec![Slice::default(); most], opens_ns, length_ns }
    }

    /// How long each is, in nanoseconds; the last may be shorter.
    pub fn width_ns(&self) -> u64 {
        self.width_ns
    }

    /// In the order of time.
    pub fn iter(&self) -> impl Iterator<Item = &Slice> {
        self.slices.iter()
    }

    /// How many events lie behind the response times longer than `threshold_ns`: slices with at least one, where those less
    /// than [`CLUSTER_GAP_NS`] apart count once. What a percentile rests on.
    pub fn clusters_above(&self, threshold_ns: u64) -> usize {
        let exceeds = |slice: &Slice| slice.latency.max_ns > threshold_ns;
        let exceeding = (0_u64..).zip(&self.slices).filter(|(_, slice)| exceeds(slice));
        let mut last = None;
        exceeding
            .filter(|(index, _)| {
                last.replace(*index)
                    .is_none_or(|before: u64| (index - before).saturating_mul(self.width_ns) > CLUSTER_GAP_NS)
            })
            .count()
    }

    /// When the last `count` requests of the window were due: for each slice that holds some of them, from and until when, and
    /// how many. Those of one slice are taken to have been due evenly.
    pub(crate) fn last_due(&self, count: u64) -> Vec<(u64, u64, u64)> {
        let mut left = count;
        let mut parts = Vec::new();
        for (index, slice) in self.slices.iter().enumerate().rev() {
            let (due, here) = (u64::from(slice.due), left.min(u64::from(slice.due)));
            if here > 0 {
                let starts_ns = index as u64 * self.width_ns;
                let ends_ns = (starts_ns + self.width_ns).min(self.length_ns);
                let length_ns = u128::from(ends_ns - starts_ns) * u128::from(here) / u128::from(due);
                let from_ns = ends_ns - u64::try_from(length_ns).unwrap_or(0);
                parts.push((self.opens_ns + from_ns, self.opens_ns + ends_ns, here));
            }
            left -= here;
        }
        parts
    }

    /// The slice that holds `at_ns`. `None` outside the window.
    #[inline]
    fn at(&mut self, at_ns: u64) -> Option<&mut Slice> {
        let since_ns = at_ns.checked_sub(self.opens_ns).filter(|since_ns| *since_ns < self.length_ns)?;
        while since_ns / self.width_ns >= self.slices.len() as u64 {
            self.widen();
        }
        self.slices.get_mut((since_ns / self.width_ns) as usize)
    }

    /// Makes slices twice as wide. As many stay, the later half of them empty.
    #[cold]
    fn widen(&mut self) {
        let all = self.slices.len();
        for index in 0..all {
            let mut wide = self.slices.get(2 * index).copied().unwrap_or_default();
            self.slices.get(2 * index + 1).iter().for_each(|second| wide.merge(second));
            self.slices[index] = wide;
        }
        self.width_ns *= 2;
    }

    #[inline]
    pub(crate) fn due(&mut self, at_ns: u64) {
        self.at(at_ns).into_iter().for_each(|slice| slice.due += 1);
    }

    #[inline]
    pub(crate) fn sent(&mut self, at_ns: u64) {
        self.at(at_ns).into_iter().for_each(|slice| slice.sent += 1);
    }

    #[inline]
    pub(crate) fn answered(&mut self, at_ns: u64) {
        self.at(at_ns).into_iter().for_each(|slice| slice.answered += 1);
    }

    #[inline]
    pub(crate) fn failed(&mut self, at_ns: u64) {
        self.at(at_ns).into_iter().for_each(|slice| slice.errors += 1);
    }

    /// What was due at `due_ns` took so long.
    #[inline]
    pub(crate) fn took(&mut self, due_ns: u64, response_ns: u64) {
        if let Some(Slice { latency, .. }) = self.at(due_ns) {
            latency.count += 1;
            latency.sum_ns = latency.sum_ns.saturating_add(response_ns);
            latency.max_ns = latency.max_ns.max(response_ns);
        }
    }

    /// The window was `length_ns` long after all.
    pub(crate) fn end_at(&mut self, length_ns: u64) {
        self.length_ns = length_ns;
        self.slices.truncate(length_ns.div_ceil(self.width_ns.max(1)) as usize);
    }

    /// Adds another thread's slices of the same window.
    pub(crate) fn merge(&mut self, other: &Slices) {
        let mut other = other.clone();
        while self.width_ns < other.width_ns {
            self.widen();
        }
        while other.width_ns < self.width_ns {
            other.widen();
        }
        self.length_ns = self.length_ns.max(other.length_ns);
        let length = self.length_ns.div_ceil(self.width_ns.max(1)) as usize;
        self.slices.resize(length, Slice::default());
        self.slices.iter_mut().zip(&other.slices).for_each(|(own, others)| own.merge(others));
    }
}

impl Slice {
    fn merge(&mut self, other: &Slice) {
        self.due += other.due;
        self.sent += other.sent;
        self.answered += other.answered;
        self.errors += other.errors;
        self.latency.count += other.latency.count;
        self.latency.sum_ns = self.latency.sum_ns.saturating_add(other.latency.sum_ns);
        self.latency.max_ns = self.latency.max_ns.max(other.latency.max_ns);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn what_happens_is_filed_under_its_own_instant_and_latency_under_the_due_time() {
        let mut slices = Slices::new(100 * MS, 25 * MS);
        [99 * MS, 100 * MS, 110 * MS - 1, 125 * MS].into_iter().for_each(|at_ns| slices.due(at_ns));
        slices.sent(110 * MS);
        slices.answered(124 * MS);
        slices.failed(130 * MS);
        slices.took(105 * MS, 7);
        slices.took(106 * MS, 30);
        let counts: Vec<_> = slices.iter().map(|one| (one.due, one.sent, one.answered, one.errors)).collect();
        assert_eq!(counts, [(2, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0)]);
        let latencies: Vec<_> = slices.iter().map(|one| one.latency).collect();
        assert_eq!(latencies[0], SliceLatency { count: 2, sum_ns: 37, max_ns: 30 });
        assert_eq!(latencies[1..], [SliceLatency::default(); 2]);
    }

    #[test]
    fn exceedances_that_come_together_are_one_event() {
        let mut slices = Slices::new(0, 200 * MS);
        // In slices 0, 2 and 4, no two of them more than 20 ms apart, and in 8.
        [5, 25, 45, 85].into_iter().for_each(|ms| slices.took(ms * MS, 9 * MS));
        slices.took(150 * MS, MS);
        assert_eq!([0, MS, 9 * MS].map(|threshold| slices.clusters_above(threshold)), [3, 2, 0]);
    }

    #[test]
    fn a_window_that_is_cut_has_no_slices_after_its_end() {
        let mut slices = Slices::new(0, 100 * MS);
        slices.due(5 * MS);
        slices.end_at(11 * MS);
        assert_eq!(slices.iter().map(|slice| slice.due).collect::<Vec<_>>(), [1, 0]);
        slices.end_at(0);
        assert_eq!(slices.iter().count(), 0);
    }

    #[test]
    fn threads_whose_slices_differ_in_width_are_put_together() {
        let hour_ns = 3_600_000 * MS;
        let (mut early, mut late) = (Slices::new(0, hour_ns), Slices::new(0, hour_ns));
        early.due(15 * MS);
        late.due(25 * MS);
        late.due(90_000 * MS);
        early.end_at(100_000 * MS);
        late.end_at(100_000 * MS);
        let mut other_way = late.clone();
        other_way.merge(&early);
        early.merge(&late);
        assert_eq!(early, other_way);
        assert_eq!((early.width_ns(), early.iter().count()), (2 * SLICE_NS, 5_000));
        let due: Vec<_> = early.iter().map(|slice| slice.due).collect();
        assert_eq!((due[0], due[1], due[4_500], due.iter().sum::<u32>()), (1, 1, 1, 3));
    }

    proptest! {
        #[test]
        fn no_length_of_a_window_loses_what_lies_in_it(
            length_ms in 1_u64..100_000_000, shares in prop::collection::vec(0.0_f64..1.0, 1..50),
        ) {
            let mut slices = Slices::new(7, length_ms * MS);
            let room = slices.slices.capacity();
            for share in &shares {
                let since_ns = ((length_ms * MS) as f64 * share) as u64;
                slices.due(7 + since_ns.min(length_ms * MS - 1));
            }
            prop_assert_eq!(slices.iter().map(|slice| slice.due as usize).sum::<usize>(), shares.len());
            prop_assert_eq!(slices.slices.capacity(), room);
            prop_assert!(slices.iter().count() <= MOST_SLICES);
        }
    }
}
