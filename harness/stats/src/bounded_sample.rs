//! The first values of a stream, exactly, in memory that is known beforehand.
//!
//! A test of a distribution needs the values themselves, and a run may have any number of them. The first ones are
//! enough to find a schedule that was drawn wrongly, since every value is drawn the same way; what comes later is
//! counted and not tested, and a report can say so.

/// How many values are kept: 512 kB. Anderson and Darling's test finds a mean that is off by 2% among so many almost
/// surely.
pub const KEPT: usize = 65_536;

/// The first [`KEPT`] values of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct BoundedSample {
    values: Vec<f64>,
    seen: u64,
}

impl Default for BoundedSample {
    fn default() -> Self {
        Self::new()
    }
}

impl BoundedSample {
    /// An empty sample. This is the only place that allocates, except for [`BoundedSample::merge`].
    pub fn new() -> Self {
        Self { values: Vec::with_capacity(KEPT), seen: 0 }
    }

    /// Keeps the value, or only counts it where enough are kept. Never allocates.
    #[inline]
    pub fn record(&mut self, value: f64) {
        self.seen += 1;
        if self.values.len() < KEPT {
            self.values.push(value);
        }
    }

    /// The values that were kept, in their order; after merging, one recorder's after the other's.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// How many values there were, kept or not.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Adds what another recorder kept, for when recording is over. All of it stays, so that no recorder goes untested:
    /// the result holds up to [`KEPT`] values for each.
    pub fn merge(&mut self, other: &BoundedSample) {
        self.values.extend_from_slice(&other.values);
        self.seen += other.seen;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_values_are_kept_and_all_are_counted() {
        let mut sample = BoundedSample::new();
        let room = sample.values.capacity();
        (0..KEPT + 10).for_each(|i| sample.record(i as f64));
        assert_eq!((sample.values().len(), sample.seen()), (KEPT, KEPT as u64 + 10));
        assert_eq!(sample.values().last(), Some(&(KEPT as f64 - 1.0)));
        assert_eq!(sample.values.capacity(), room, "it allocated again");
    }

    #[test]
    fn merging_keeps_what_each_recorder_kept() {
        let (mut one, mut other) = (BoundedSample::new(), BoundedSample::new());
        (0..KEPT + 1).for_each(|_| one.record(1.0));
        other.record(2.0);
        one.merge(&other);
        assert_eq!((one.values().len(), one.seen()), (KEPT + 1, KEPT as u64 + 2));
        assert_eq!(one.values().last(), Some(&2.0));
    }
}
