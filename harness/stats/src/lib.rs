//! The arithmetic between what was measured and what may be claimed.
//!
//! The path of a figure: a latency is recorded in a [`Histogram`] (with [`Censored`] beside it for requests
//! that were never answered), a window is reduced to one value, and one row's values to a [`Summary`]. Windows are chosen by
//! [`gate`], two rows' windows become one log ratio a start ([`rounds`], [`tail`]), these a [`contrast`], all contrasts of a
//! family what is decided ([`decide`]), and decisions [`places`]. [`simulate`] and [`sign_flips`] hold that path to known
//! answers.
//!
//! This crate is pure. It knows no clock, file or socket, no random number but by a seed that it is given, and
//! not what a row, an architecture or a request is: values come in as plain numbers, and every answer is a plain
//! value that serialises. An answer that the data do not support is a variant that says so, never a NaN.

// A print macro panics where nothing can be written: `terminal::streams` is the one way.
#![warn(clippy::print_stderr, clippy::print_stdout)]

// What one window recorded, and the instrument's own books.
pub mod cells;
pub mod censored;
pub mod digest;
pub mod distance;
pub mod hdr_log;
pub mod histogram;
pub mod littles_law;
pub mod recorded;

// Whether the instrument drew what it should, and how much one run says.
pub mod anderson_darling;
pub mod bounded_sample;
pub mod clock_offset;
pub mod percentile_interval;
pub mod serial;
pub mod sparse;
pub mod stationarity;

// One row over its starts.
pub mod summary;

// What counts, and what carries its load.
pub mod capacity;
pub mod exceedances;
pub mod fisher;
pub mod gate;
pub mod overload;
pub mod proportion;

// Rows against each other.
pub mod components;
pub mod contrast;
pub mod decide;
pub mod holm;
pub mod itself;
pub mod places;
pub mod power;
pub mod rank;
pub mod ratio;
pub mod rounds;
pub mod sign_flips;
pub mod student;
pub mod tail;
pub mod widths;

// A row with more and more workers.
pub mod usl;

// Known answers, simulated.
mod lcg;
pub mod simulate;

pub use anderson_darling::AndersonDarling;
pub use bounded_sample::BoundedSample;
pub use censored::{Censored, Quantile, RankInterval};
pub use digest::Digest;
pub use histogram::Histogram;
pub use percentile_interval::PercentileInterval;
pub use rank::Direction;
pub use recorded::Recorded;
pub use serial::{Serial, SerialFigures};
pub use sparse::Sparse;
pub use stationarity::Stationarity;
pub use summary::Summary;
