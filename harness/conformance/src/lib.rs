//! The black-box suite that every row must pass before it is raced.
//!
//! A server is known only by its address: bytes go in over plain sockets, bytes come out, and each named
//! [`Case`] judges them against the contract or an RFC. The same suite runs in each server's own tests
//! ([`assert_conforms`]) and in the harness ([`run`]); [`check_answers`] is the short form that precedes
//! every start.
//!
//! What it refuses to know: how a server is built, and any HTTP client library, which would mend or hide
//! exactly what is to be judged. Every wait has a deadline.

mod options;
mod response;
mod transcript;
mod verdict;
mod wire;

mod case;
mod cases;
mod context;
mod play;

mod differences;
mod report;
mod suite;

pub mod half_closed;

mod answers;
mod room;

mod launched;

pub mod attacks;
pub mod faults;
pub mod surroundings;

pub use answers::{WrongAnswer, check_answers, check_endpoint};
pub use case::Case;
pub use differences::{Difference, differences};
pub use launched::{HEADER_TIMEOUT, MAX_BODY, PARALLEL, assert_conforms, limits, play_launched};
pub use options::Options;
pub use report::{Outcome, Report};
pub use suite::{run, run_cases, suite};
pub use verdict::{DESYNC, Level, Verdict};
