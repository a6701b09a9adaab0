//! What must hold of any input, whoever makes it up.
//!
//! Five properties, each a function from bytes to `Ok` or a [`Violation`]: [`route`] of the application's router,
//! [`request_path`] of a server's whole connection in memory, [`events`] of what happens to one, [`framing`] of the filter that reads along with hyper,
//! [`response`] of the load generator's parser. The fuzz
//! targets below `fuzz/fuzz_targets` hand them what libFuzzer makes up, and the tests of this crate hand them the
//! committed corpus and what proptest makes up, so that a stable `cargo test` checks all that was ever found.
//!
//! A property compares with something written independently: the contract's table of routes, a strict reader of
//! requests ([`requests`]), a decoder of whole responses. None of these shares a line with what it
//! judges, and each is as simple as it can be, since it may be slow and need not be incremental.
//!
//! What it refuses to know: libFuzzer, sockets and runtimes.

pub mod delivery;

pub mod requests;

pub mod answers;
pub mod connection;
pub mod expected;
pub mod request_path;

pub mod events;

pub mod framing;

pub mod response;
pub mod route;

mod woken;

/// A property that does not hold, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Violation(pub String);

/// `Err` with what was violated, formatted as by `format!`.
macro_rules! violation {
    ($($text:tt)*) => {
        Err($crate::Violation(format!($($text)*)))
    };
}
pub(crate) use violation;
