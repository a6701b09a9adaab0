//! kit's runtime interface on compio: a completion-based io_uring executor that is one thread's alone.
//!
//! compio hands whole operations to the kernel, with the buffers that they are about, and hears when they are done; glommio, on the
//! same rings, asks when a socket is ready, and then reads. How many executors there are is what a row decides. Where io_uring cannot
//! be used, [`check`] says why, and what to do.
//!
//! How alive it is: 0.20.0-beta.1 is the newest version in November 2026, a beta whose interface still changes, from maintainers who
//! answer; Apache Iggy runs on an earlier one. So it is pinned to the version and kept behind this crate. The adaptor to hyper is our own and
//! not the one of its makers (cyper-core 0.10.0-beta.1): that one counts an answer as written when it has copied it, so that
//! nobody could tell a client that does not take its answers, and it brings TLS along.

mod executor;
mod io;
mod needs;
mod turns;

pub use executor::serve;
pub use needs::check;
