//! kit's runtime interface on glommio: an io_uring executor that is one thread's alone.
//!
//! How many executors there are is what a row decides. Where io_uring cannot be used, [`check`] says why, and what to do.

mod executor;
mod io;
mod needs;

pub use executor::serve;
pub use needs::check;
