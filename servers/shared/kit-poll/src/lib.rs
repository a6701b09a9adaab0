//! kit's runtime interface on poll(2): a thread runs one future, and waits for its socket, its deadlines and its waker.
//!
//! How many threads there are, and which future each runs, is what a row decides; of HTTP nothing is known here.

mod io;
mod park;
mod source;
mod timer;

#[cfg(test)]
mod tests;

pub use io::Stream;
pub use park::Parker;
pub use source::Source;
pub use timer::Timer;
