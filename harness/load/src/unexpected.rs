//! How long the answers took that were not the expected ones.

use stats::Histogram;

use crate::errors::ErrorKind;

/// Response and service times of unexpected answers, apart for each class of status, and for wrong content. Room for a
/// kind is made when its first answer comes.
#[derive(Clone, Debug, Default)]
pub struct Unexpected(Vec<UnexpectedKind>);

/// One kind of unexpected answer.
#[derive(Clone, Debug)]
pub struct UnexpectedKind {
    /// Which.
    pub kind: ErrorKind,
    /// From due time to last byte.
    pub response: Histogram,
    /// From actual send to last byte.
    pub service: Histogram,
}

impl Unexpected {
    /// The kinds that occurred.
    pub fn iter(&self) -> impl Iterator<Item = &UnexpectedKind> {
        self.0.iter()
    }

    pub(crate) fn record(&mut self, kind: ErrorKind, response_ns: u64, service_ns: u64) {
        let times = self.of(kind);
        times.response.record_ns(response_ns);
        times.service.record_ns(service_ns);
    }

    pub(crate) fn merge(&mut self, other: &Unexpected) {
        for others in &other.0 {
            let times = self.of(others.kind);
            times.response.merge(&others.response);
            times.service.merge(&others.service);
        }
    }

    fn of(&mut self, kind: ErrorKind) -> &mut UnexpectedKind {
        let index = self.0.iter().position(|times| times.kind == kind).unwrap_or_else(|| {
            self.0.push(UnexpectedKind { kind, response: Histogram::new(), service: Histogram::new() });
            self.0.len() - 1
        });
        &mut self.0[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_kept_apart_and_merged_by_kind() {
        let mut some = Unexpected::default();
        some.record(ErrorKind::Status5xx, 3_000, 2_000);
        some.record(ErrorKind::Status4xx, 30_000, 20_000);
        let mut all = Unexpected::default();
        all.record(ErrorKind::Status4xx, 30_000, 20_000);
        all.merge(&some);
        let counts: Vec<_> =
            all.iter().map(|times| (times.kind, times.response.len(), times.service.len())).collect();
        assert_eq!(counts, [(ErrorKind::Status4xx, 2, 2), (ErrorKind::Status5xx, 1, 1)]);
    }
}
