//! How a running server is commanded: a Unix socket of the primary's, and the client of it in the same program.
//!
//! One connection is one command: a line of JSON there, the answer back, the end ([`protocol`]). The primary's side
//! ([`server`]) never waits for a client and keeps no more of one than a bound; the client's ([`client`]) waits for nothing
//! without a deadline but for the lines of a log that it follows, and for whoever reads what it prints.

pub(crate) mod client;
mod exchange;
mod figures;
mod live;
pub(crate) mod protocol;
mod screen;
pub(crate) mod server;
mod socket;
mod table;
