//! What time it is, as two hosts tell each other.

use std::time::{SystemTime, UNIX_EPOCH};

/// Nanoseconds since 1970, by the clock here; 0 before.
pub fn now_ns() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
