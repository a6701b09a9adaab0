//! Requests whose client ends its sending half right behind the last byte, as `nc -N` and many scripts do.
//!
//! What came whole before the end of the stream is owed an answer, each of a pipeline, and then the connection closes. A server
//! that reads on while it computes finds the answer or the end first by chance. So each [`Shape`] is played in many rounds, and the
//! end comes otherwise in each of them (`Arrival`). The suite plays a few ([`ROUNDS`]); the example `half_closed` plays
//! as many as it is told, and counts what is lost.

mod arrival;
mod conversation;
mod rounds;
mod shapes;

pub use rounds::{ROUNDS, Shape, Tally};
pub use shapes::{MORE_SHAPES, SHAPES};
