//! What the system says when a connection fails: its name, whose doing it is, and how often it was said.

use std::{borrow::Cow, collections::BTreeMap};

use rustix::io::Errno;
use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::errors::ErrorKind;

/// An error of the system by its number, as in [`std::io::Error::raw_os_error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OsError(pub i32);

/// What a connection failed of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// This machine has no port, or no address, left that a connection could come from.
    NoLocalPort,
    /// This process may open no more files.
    NoDescriptor,
    /// Nobody on this machine may open more files.
    NoFile,
    /// This machine has no memory left for sockets, or for watching them.
    NoMemory,
    /// This machine forbids the connection.
    Forbidden,
    /// Nobody listens there.
    Refused,
    /// The other side, or something between, broke the connection off.
    Reset,
    /// Nothing came back in time.
    TimedOut,
    /// No way leads there.
    Unreachable,
    /// Whatever else.
    Other,
}

impl Cause {
    /// Whether it is the doing of the machine that makes the load, and says nothing of the server.
    pub fn is_local(self) -> bool {
        match self {
            Cause::NoLocalPort | Cause::NoDescriptor | Cause::NoFile | Cause::NoMemory | Cause::Forbidden => {
                true
            }
            Cause::Refused | Cause::Reset | Cause::TimedOut | Cause::Unreachable | Cause::Other => false,
        }
    }
}

impl OsError {
    /// What it comes from.
    pub fn cause(self) -> Cause {
        match Errno::from_raw_os_error(self.0) {
            // connect(2) says EADDRINUSE where an address is taken that was to be bound, which amounts to the same.
            Errno::ADDRNOTAVAIL | Errno::ADDRINUSE => Cause::NoLocalPort,
            Errno::MFILE => Cause::NoDescriptor,
            Errno::NFILE => Cause::NoFile,
            Errno::NOMEM | Errno::NOBUFS | Errno::NOSPC => Cause::NoMemory,
            Errno::ACCESS | Errno::PERM => Cause::Forbidden,
            Errno::CONNREFUSED => Cause::Refused,
            Errno::CONNRESET | Errno::CONNABORTED | Errno::PIPE => Cause::Reset,
            Errno::TIMEDOUT => Cause::TimedOut,
            Errno::HOSTUNREACH | Errno::NETUNREACH | Errno::HOSTDOWN | Errno::NETDOWN => Cause::Unreachable,
            _ => Cause::Other,
        }
    }

    /// The name that errno(3) has for it, and `ERRNO_` with its number where that is rare.
    pub fn name(self) -> Cow<'static, str> {
        Cow::Borrowed(match Errno::from_raw_os_error(self.0) {
            Errno::ACCESS => "EACCES",
            Errno::ADDRINUSE => "EADDRINUSE",
            Errno::ADDRNOTAVAIL => "EADDRNOTAVAIL",
            Errno::AFNOSUPPORT => "EAFNOSUPPORT",
            Errno::AGAIN => "EAGAIN",
            Errno::CONNABORTED => "ECONNABORTED",
            Errno::CONNREFUSED => "ECONNREFUSED",
            Errno::CONNRESET => "ECONNRESET",
            Errno::HOSTDOWN => "EHOSTDOWN",
            Errno::HOSTUNREACH => "EHOSTUNREACH",
            Errno::INVAL => "EINVAL",
            Errno::IO => "EIO",
            Errno::MFILE => "EMFILE",
            Errno::NETDOWN => "ENETDOWN",
            Errno::NETRESET => "ENETRESET",
            Errno::NETUNREACH => "ENETUNREACH",
            Errno::NFILE => "ENFILE",
            Errno::NOBUFS => "ENOBUFS",
            Errno::NOMEM => "ENOMEM",
            Errno::NOPROTOOPT => "ENOPROTOOPT",
            Errno::NOSPC => "ENOSPC",
            Errno::NOTCONN => "ENOTCONN",
            Errno::PERM => "EPERM",
            Errno::PIPE => "EPIPE",
            Errno::PROTO => "EPROTO",
            Errno::TIMEDOUT => "ETIMEDOUT",
            _ => return Cow::Owned(format!("ERRNO_{}", self.0)),
        })
    }
}

impl From<Errno> for OsError {
    fn from(errno: Errno) -> Self {
        Self(errno.raw_os_error())
    }
}

/// How often each error was met. Serialises as a map of names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OsErrors(BTreeMap<OsError, u64>);

impl OsErrors {
    /// Counts one more.
    pub fn add(&mut self, error: OsError) {
        *self.0.entry(error).or_default() += 1;
    }

    /// Those that were met, with their counts, the most frequent first.
    pub fn iter(&self) -> impl Iterator<Item = (OsError, u64)> {
        let mut counted: Vec<_> = self.0.iter().map(|(error, count)| (*error, *count)).collect();
        counted.sort_by_key(|(error, count)| (u64::MAX - count, *error));
        counted.into_iter()
    }

    /// How many there were in all.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// Adds the counts of `other`.
    pub fn merge(&mut self, other: &OsErrors) {
        other.0.iter().for_each(|(error, count)| *self.0.entry(*error).or_default() += count);
    }
}

impl Serialize for OsErrors {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (error, count) in self.iter() {
            map.serialize_entry(&error.name(), &count)?;
        }
        map.end()
    }
}

/// What the system said of each kind of error, where it said anything. Serialises as a map of maps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Causes(BTreeMap<ErrorKind, OsErrors>);

impl Causes {
    /// Counts one more of `kind`.
    pub fn add(&mut self, kind: ErrorKind, error: OsError) {
        self.0.entry(kind).or_default().add(error);
    }

    /// What the system said of errors of `kind`; `None` where it said nothing.
    pub fn of(&self, kind: ErrorKind) -> Option<&OsErrors> {
        self.0.get(&kind)
    }

    /// The kinds of which it said anything.
    pub fn iter(&self) -> impl Iterator<Item = (ErrorKind, &OsErrors)> {
        self.0.iter().map(|(kind, errors)| (*kind, errors))
    }

    /// Adds the counts of `other`.
    pub fn merge(&mut self, other: &Causes) {
        other.0.iter().for_each(|(kind, errors)| self.0.entry(*kind).or_default().merge(errors));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_its_name_and_whoever_is_to_blame_for_it() {
        for (errno, name, cause, is_local) in [
            (Errno::ADDRNOTAVAIL, "EADDRNOTAVAIL", Cause::NoLocalPort, true),
            (Errno::MFILE, "EMFILE", Cause::NoDescriptor, true),
            (Errno::NFILE, "ENFILE", Cause::NoFile, true),
            (Errno::NOBUFS, "ENOBUFS", Cause::NoMemory, true),
            (Errno::PERM, "EPERM", Cause::Forbidden, true),
            (Errno::CONNREFUSED, "ECONNREFUSED", Cause::Refused, false),
            (Errno::CONNRESET, "ECONNRESET", Cause::Reset, false),
            (Errno::TIMEDOUT, "ETIMEDOUT", Cause::TimedOut, false),
            (Errno::HOSTUNREACH, "EHOSTUNREACH", Cause::Unreachable, false),
            (Errno::NETUNREACH, "ENETUNREACH", Cause::Unreachable, false),
            (Errno::MSGSIZE, "ERRNO_90", Cause::Other, false),
        ] {
            let error = OsError::from(errno);
            assert_eq!(
                (error.name().as_ref(), error.cause(), error.cause().is_local()),
                (name, cause, is_local)
            );
        }
    }

    #[test]
    fn causes_are_counted_by_kind_and_name_and_merged() {
        let mut causes = Causes::default();
        causes.add(ErrorKind::Connect, Errno::CONNREFUSED.into());
        let mut others = Causes::default();
        others.add(ErrorKind::Connect, Errno::MFILE.into());
        others.add(ErrorKind::Connect, Errno::MFILE.into());
        others.add(ErrorKind::Reset, Errno::PIPE.into());
        causes.merge(&others);
        let connect = causes.of(ErrorKind::Connect).expect("three of them");
        assert_eq!(connect.total(), 3);
        assert_eq!(
            connect.iter().map(|(error, _)| error.name()).collect::<Vec<_>>(),
            ["EMFILE", "ECONNREFUSED"]
        );
        assert_eq!(causes.of(ErrorKind::Timeout), None);
        assert_eq!(
            serde_json::to_string(&causes).expect("a map"),
            r#"{"connect":{"EMFILE":2,"ECONNREFUSED":1},"reset":{"EPIPE":1}}"#
        );
    }
}
