//! The clock that the scripted server and the judge share.

use rustix::time::{ClockId, clock_gettime};

/// CLOCK_MONOTONIC, in nanoseconds. The same for all processes of a machine.
pub(crate) fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    // Never negative.
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
