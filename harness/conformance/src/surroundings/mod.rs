//! What its surroundings may do to a server: take nothing of what it says ([`Lost`]), and grant it less than it needs ([`Limit`]).
//!
//! Lost output costs the lines and nothing else: the server answers as it would, and ends when it is told to. A limit that keeps it
//! from starting is told in one line that says what to do, with exit code 1, at once; nothing is left behind. Judged from
//! outside, as in [`attacks`](crate::attacks): every wait has a deadline, far longer than what is waited for takes.

mod limits;
mod lost;
mod output;
mod program;

pub use limits::{Limit, assert_tells_its_limits};
pub use lost::Lost;
pub use output::{assert_outlives_lost_output, assert_outlives_output_that_is_lost_as};
pub use program::Program;
