//! What a failure is called: the names that Node and the manual pages have for it.

use std::borrow::Cow;

use load::{ErrorKind, OsError};
use rustix::io::Errno;

/// The name of a system's error.
pub(super) fn of_os_error(os_error: i32) -> Cow<'static, str> {
    OsError(os_error).name()
}

/// The name of a request's failure, from what the system said or else from its kind.
pub(super) fn of_failure(kind: ErrorKind, os_error: Option<i32>) -> Cow<'static, str> {
    match (os_error, kind) {
        (Some(os_error), _) => of_os_error(os_error),
        // To Node a connection that ends within an answer was reset.
        (None, ErrorKind::Reset | ErrorKind::ClosedEarly) => of_os_error(Errno::CONNRESET.raw_os_error()),
        (None, ErrorKind::Timeout) => of_os_error(Errno::TIMEDOUT.raw_os_error()),
        (None, ErrorKind::Malformed) => "MALFORMED_RESPONSE".into(),
        (None, ErrorKind::TooLarge) => "RESPONSE_TOO_LARGE".into(),
        (None, other) => other.name().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_comes_before_the_kind() {
        assert_eq!(of_failure(ErrorKind::Reset, Some(Errno::PIPE.raw_os_error())), "EPIPE");
        assert_eq!(of_failure(ErrorKind::Reset, None), "ECONNRESET");
        assert_eq!(of_failure(ErrorKind::TooLarge, None), "RESPONSE_TOO_LARGE");
        assert_eq!(of_os_error(Errno::MSGSIZE.raw_os_error()), "ERRNO_90");
    }
}
