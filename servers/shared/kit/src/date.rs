//! The date of answers that no HTTP library writes.

use std::time::SystemTime;

/// The value of a `Date` field, which a server with a clock gives every answer of the classes 2xx, 3xx and 4xx (RFC 9110 section
/// 6.6.1): the present second, as an IMF-fixdate (section 5.6.7).
pub fn now() -> String {
    httpdate::fmt_http_date(SystemTime::now())
}
