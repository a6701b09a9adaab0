//! Faults of hyper 1.12 that fuzzing found and that are not mended yet, as narrow as they can be told: what they concern
//! is passed over, so that fuzzing can go on. `tests/known.rs` shows that each is still there, and so says when to take it out.

use crate::{
    connection::Script,
    requests::{BARE_LF_IN_TRAILERS, Reading, Stop},
};

/// Takes what is known out of what is judged.
///
/// - A bare LF in the trailers ends nothing for hyper, and neither is it refused: what follows up to an empty line ended with
///   CRLF is taken for trailers as well, unread. Whatever follows such a message is not judged.
/// - After a request with an Upgrade field hyper ends a connection without waiting until its last answer is written. Such
///   a client takes all at once.
pub fn pass_over(reading: &mut Reading<'_>, script: &mut Script<'_>) {
    if reading.stop == Stop::Invalid(BARE_LF_IN_TRAILERS) {
        reading.stop = Stop::Unclear;
    }
    let asks_for_upgrade = |bytes: &[u8]| bytes.windows(8).any(|part| part.eq_ignore_ascii_case(b"upgrade:"));
    if script.room.is_some() && asks_for_upgrade(script.delivery.bytes) {
        script.room = None;
    }
}
