//! What can go wrong with a request, and how often it did.

use serde::{Serialize, Serializer, ser::SerializeMap};

/// Kinds of error. All but [`ErrorKind::Connect`] end one request each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// An attempt to connect failed or timed out. It belongs to no request: what is due meanwhile waits.
    Connect,
    /// The connection broke while a request was in flight; what the system said of it is among the causes.
    Reset,
    /// The connection was closed before the answer was complete.
    ClosedEarly,
    /// No complete answer within the request timeout, counted from the actual send.
    Timeout,
    /// The answer is not HTTP/1.1, or bytes followed it.
    Malformed,
    /// An unexpected status of class 2xx.
    #[serde(rename = "status_2xx")]
    Status2xx,
    /// An unexpected status of class 3xx.
    #[serde(rename = "status_3xx")]
    Status3xx,
    /// An unexpected status of class 4xx.
    #[serde(rename = "status_4xx")]
    Status4xx,
    /// An unexpected status of class 5xx.
    #[serde(rename = "status_5xx")]
    Status5xx,
    /// An unexpected status of no known class.
    StatusOther,
    /// The expected status with the wrong content.
    WrongAnswer,
    /// The head or the content exceeds the limits of the plan.
    TooLarge,
}

impl ErrorKind {
    /// Every kind, in the order of declaration.
    pub const ALL: [ErrorKind; 12] = [
        ErrorKind::Connect,
        ErrorKind::Reset,
        ErrorKind::ClosedEarly,
        ErrorKind::Timeout,
        ErrorKind::Malformed,
        ErrorKind::Status2xx,
        ErrorKind::Status3xx,
        ErrorKind::Status4xx,
        ErrorKind::Status5xx,
        ErrorKind::StatusOther,
        ErrorKind::WrongAnswer,
        ErrorKind::TooLarge,
    ];

    /// The name used in records and reports.
    pub fn name(self) -> &'static str {
        match self {
            ErrorKind::Connect => "connect",
            ErrorKind::Reset => "reset",
            ErrorKind::ClosedEarly => "closed_early",
            ErrorKind::Timeout => "timeout",
            ErrorKind::Malformed => "malformed",
            ErrorKind::Status2xx => "status_2xx",
            ErrorKind::Status3xx => "status_3xx",
            ErrorKind::Status4xx => "status_4xx",
            ErrorKind::Status5xx => "status_5xx",
            ErrorKind::StatusOther => "status_other",
            ErrorKind::WrongAnswer => "wrong_answer",
            ErrorKind::TooLarge => "too_large",
        }
    }

    /// Whether a whole answer arrived, though not the expected one.
    pub fn was_answered(self) -> bool {
        matches!(
            self,
            ErrorKind::Status2xx
                | ErrorKind::Status3xx
                | ErrorKind::Status4xx
                | ErrorKind::Status5xx
                | ErrorKind::StatusOther
                | ErrorKind::WrongAnswer
        )
    }

    /// The kind that counts an unexpected status.
    pub(crate) fn of_status(status: u16) -> Self {
        match status / 100 {
            2 => ErrorKind::Status2xx,
            3 => ErrorKind::Status3xx,
            4 => ErrorKind::Status4xx,
            5 => ErrorKind::Status5xx,
            _ => ErrorKind::StatusOther,
        }
    }
}

/// How many errors of each kind. Serialises as a map of the kinds that occurred.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Errors([u64; ErrorKind::ALL.len()]);

impl Errors {
    /// Counts one more of `kind`.
    pub fn add(&mut self, kind: ErrorKind) {
        self.0[kind as usize] += 1;
    }

    /// How many of `kind`.
    pub fn of(&self, kind: ErrorKind) -> u64 {
        self.0[kind as usize]
    }

    /// The kinds that occurred, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (ErrorKind, u64)> + '_ {
        ErrorKind::ALL.into_iter().map(|kind| (kind, self.of(kind))).filter(|(_, count)| *count > 0)
    }

    /// All errors, failed attempts to connect included.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// How many requests ended in an error: all but the failed attempts to connect.
    pub fn requests(&self) -> u64 {
        self.total() - self.of(ErrorKind::Connect)
    }

    /// How many requests got a whole answer that was not the expected one.
    pub fn answered(&self) -> u64 {
        self.iter().filter(|(kind, _)| kind.was_answered()).map(|(_, count)| count).sum()
    }

    /// Adds the counts of `other`.
    pub fn merge(&mut self, other: &Errors) {
        self.0.iter_mut().zip(other.0).for_each(|(own, others)| *own += others);
    }
}

impl Serialize for Errors {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (kind, count) in self.iter() {
            map.serialize_entry(kind.name(), &count)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_counted_apart_under_the_name_it_serialises_to() {
        for (index, kind) in ErrorKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
            assert_eq!(serde_json::to_value(kind).expect("a name"), kind.name());
            let mut errors = Errors::default();
            errors.add(kind);
            assert_eq!(errors.iter().collect::<Vec<_>>(), [(kind, 1)]);
        }
    }

    #[test]
    fn a_failed_attempt_to_connect_ends_no_request() {
        let mut errors = Errors::default();
        [ErrorKind::Connect, ErrorKind::Reset, ErrorKind::Status5xx]
            .into_iter()
            .for_each(|kind| errors.add(kind));
        assert_eq!((errors.total(), errors.requests(), errors.answered()), (3, 2, 1));
        assert_eq!(
            serde_json::to_string(&errors).expect("a map"),
            r#"{"connect":1,"reset":1,"status_5xx":1}"#
        );
    }
}
