//! How often each status was answered.

use serde::{Serialize, Serializer, ser::SerializeMap};

const LOWEST: u16 = 100;
const HIGHEST: u16 = 599;

/// Counts by status, without an allocation when one is counted. Serialises as a map of those that occurred.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statuses {
    counts: Vec<u64>,
    other: u64,
}

impl Default for Statuses {
    fn default() -> Self {
        Self { counts: vec![0; usize::from(HIGHEST - LOWEST) + 1], other: 0 }
    }
}

impl Statuses {
    #[inline]
    pub(crate) fn add(&mut self, status: u16) {
        match self.counts.get_mut(usize::from(status.wrapping_sub(LOWEST))) {
            Some(count) => *count += 1,
            None => self.other += 1,
        }
    }

    /// The statuses that occurred, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (u16, u64)> + '_ {
        (LOWEST..).zip(self.counts.iter().copied()).filter(|(_, count)| *count > 0)
    }

    /// How many answers say where else to ask ([`is_redirect`]).
    pub fn redirects(&self) -> u64 {
        self.iter().filter(|(status, _)| is_redirect(*status)).map(|(_, count)| count).sum()
    }

    /// How many answers had a status that is not between 100 and 599.
    pub fn other(&self) -> u64 {
        self.other
    }

    pub(crate) fn merge(&mut self, other: &Statuses) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(own, others)| *own += others);
        self.other += other.other;
    }
}

/// Whether an answer of this status says where else to ask, so that a client may follow. Of class 3xx these are not all: 304 says
/// that what the client has is still right, and 300 leaves the choice to a person (RFC 9110, sections 15.4 and 15.4.5).
pub fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

impl Serialize for Statuses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (status, count) in self.iter() {
            map.serialize_entry(&status.to_string(), &count)?;
        }
        if self.other > 0 {
            map.serialize_entry("other", &self.other)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_every_answer_of_class_3xx_is_a_redirect() {
        let mut statuses = Statuses::default();
        [200, 300, 301, 302, 303, 304, 304, 305, 307, 308, 404]
            .into_iter()
            .for_each(|status| statuses.add(status));
        assert_eq!(statuses.redirects(), 5);
    }

    #[test]
    fn every_status_is_counted_and_the_odd_ones_together() {
        let mut statuses = Statuses::default();
        [100, 200, 200, 599, 600, 99, 0].into_iter().for_each(|status| statuses.add(status));
        let mut both = statuses.clone();
        both.merge(&statuses);
        assert_eq!(both.iter().collect::<Vec<_>>(), [(100, 2), (200, 4), (599, 2)]);
        assert_eq!(
            serde_json::to_string(&statuses).expect("a map"),
            r#"{"100":1,"200":2,"599":1,"other":3}"#
        );
    }
}
