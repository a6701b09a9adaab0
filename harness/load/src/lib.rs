//! The load generator: one instrument for closed and open loops.
//!
//! It is truthful first. When a request is due is decided beforehand and by nobody else ([`Pacing`]), and an answer was
//! received when the kernel says that its last byte came ([`ReceivedBy`]), not when the generator came to read it. Response time
//! counts from the due time and leaves out the generator's own lateness, service time from the actual send. What is
//! due in the window belongs to the window, whenever it is answered, and what is never answered stays in the
//! distribution as censored. Lateness, cost and arithmetic of the generator are part of every [`Outcome`], and so are
//! times as observed, so that a reader can tell the instrument from what it measured.
//!
//! ```no_run
//! use std::sync::Arc;
//! use load::{AnySuccess, Pacing, Plan, Request, StopHandle, Stream};
//!
//! let request = Request::get("/simple", "127.0.0.1:8080")?;
//! let pacing = Pacing::Poisson { per_second: 1_000.0.into() };
//! let stream = Stream::new("simple", request, Arc::new(AnySuccess), pacing, 64);
//! let plan = Plan::new(([127, 0, 0, 1], 8080).into(), vec![stream]);
//! let outcome = load::run(&plan, &(), &StopHandle::new())?;
//! println!("p99 {:?}", outcome.streams[0].response_times().quantile(0.99));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The parts, from the rules to the wires: [`pacing`] says when; a lane (one stream on one thread, on a virtual clock)
//! says what is sent where and records it; the engine moves bytes for lanes through connections and the
//! `response` parser, which keeps no content, and has it judged as it comes; `control` starts and stops engines together. Another engine needs only what a lane offers.
//!
//! It knows no application (a [`Check`] judges answers), no scheduling class (a hook may set one) and no record
//! format, and it prints nothing.

// A print macro panics where nothing can be written: `terminal::streams` is the one way.
#![warn(clippy::print_stderr, clippy::print_stdout)]

mod bounds;
mod check;
mod exponential;
pub mod pacing;
mod plan;
mod plan_check;
mod plan_error;
mod policy;
mod rate;
mod request;
mod schedule;
mod share;
mod witness;

mod accounting;
mod clocked;
mod counts;
mod departures;
mod drawn;
mod errors;
mod free;
mod judging;
mod lane;
mod os_error;
mod outcome;
mod paced;
mod pool;
mod population;
mod residence;
mod slices;
mod statuses;
mod ticket;
mod timeline;
mod unexpected;
mod unsent;
mod window;

mod chunked;
mod clock;
mod connection;
mod control;
mod engine;
mod head;
pub mod response;
mod response_error;
mod run_error;
mod stamps;
mod stop;

pub use accounting::{Accounting, LITTLES_LAW_TOLERANCE};
pub use check::{AnySuccess, Check, Content, Exactly, Mismatch};
pub use clock::wall_clock;
pub use clocked::{Clocked, ReadBecause, ReceivedBy};
pub use control::{Observer, Phase, Progress, run};
pub use counts::{ConnectionCounts, Counts, LATE_AFTER_NS};
pub use departures::{DepartureSummary, Departures, Gaps};
pub use errors::{ErrorKind, Errors};
pub use os_error::{Cause, Causes, OsError, OsErrors};
pub use outcome::{
    CLOCK_STEP_ALLOWED_NS, Outcome, SLICES, StreamOutcome, ThreadOutcome, UnreadableAnswer, WrongAnswer,
};
pub use pacing::Pacing;
pub use plan::{LINGER_NS, LONGEST, LONGEST_PAUSE, MOST_IN_FLIGHT, Plan, Stream, ThreadHook, Wait};
pub use plan_error::PlanError;
pub use policy::{Afterwards, ConnectionPolicy, Opening, Verify};
pub use population::LittlesLaw;
pub use rate::Rate;
pub use request::{Request, RequestError};
pub use residence::{ClosedLoop, Residence};
pub use response::Limits;
pub use run_error::RunError;
pub use share::Share;
pub use slices::{CLUSTER_GAP_NS, SLICE_NS, Slice, SliceLatency, Slices};
pub use statuses::{Statuses, is_redirect};
pub use stop::StopHandle;
pub use timeline::{Timeline, TimelineSlice};
pub use unexpected::{Unexpected, UnexpectedKind};
pub use witness::{End, Event, WholeAnswer, Witness};
