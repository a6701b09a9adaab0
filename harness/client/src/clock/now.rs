//! The wall clock as a number.

use std::time::{SystemTime, UNIX_EPOCH};

/// Nanoseconds since 1970; 0 before.
pub(super) fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
