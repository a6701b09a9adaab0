//! What may, and what stands on it, prints on standard error by the standard library's macros: that a coroutine's stack has
//! overflowed (generator), that a request is malformed (may_minihttp). They wait where a pipe is full that nobody reads, and a worker
//! with them, and panic where nobody can read any more, in a signal handler even. So they print into a pipe that is always read,
//! and what comes out of it is written where it may be lost ([`lossy`]).

use std::{
    io::{self, PipeReader, Read as _},
    thread,
};

use host::lossy;

/// As much as one line, or many.
const BUFFER_BYTES: usize = 4096;

/// Begins to pass it on, for as long as the process lives. To be called once.
///
/// # Errors
/// No descriptor or no thread is to be had.
pub(crate) fn forward() -> io::Result<()> {
    let printed = lossy::divert_stderr()?;
    thread::Builder::new().name("printed".to_owned()).spawn(move || pass_on(printed)).map(drop)
}

fn pass_on(mut printed: PipeReader) {
    let mut buffer = [0; BUFFER_BYTES];
    // It has no end: this process holds the other one.
    loop {
        match printed.read(&mut buffer) {
            // Counted where it is lost.
            Ok(count) => drop(lossy::stderr().put(&buffer[..count])),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return tracing::error!(%error, "what may prints is no longer taken"),
        }
    }
}
