//! A view of a server that is drawn again and again, until Ctrl-C.
//!
//! Nothing of the terminal is changed for it: no mode, no other screen, no hidden cursor. Each frame moves the cursor up over the one
//! before and writes over it, so that the terminal is whole after any end of this process, by SIGKILL too, and the last frame stays.
//! For that a frame must fit, and is cut to the window.

use std::{
    fmt::Write as _,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::Path,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    pipe::{PipeFlags, pipe_with},
};
use signal_hook::{consts::SIGINT, low_level::pipe};
use unicode_width::UnicodeWidthChar;

use super::{
    exchange::{Failure, ask_status},
    screen::{Screen, Window},
    table,
};

/// Draws the status of the server at `path` `every` so often until Ctrl-C, which is no failure, or until nobody answers.
pub(super) fn watch(path: &Path, every: Duration, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let interrupt = on_interrupt()?;
    let interrupt = interrupt.as_fd();
    let mut height = 0;
    let ended = loop {
        let due = Instant::now() + every;
        let drawn = ask_status(path, Some(interrupt)).and_then(|status| {
            let window = screen.window();
            let text = table::render(&status, screen.colour);
            let frame = match window {
                Some(window) => frame(&text, height, window),
                // For a file or a pipe, one below the other.
                None => format!("{text}\n"),
            };
            height = window.map_or(0, |window| text.lines().count().min(window.rows.saturating_sub(1)));
            screen.print(&frame)
        });
        match drawn {
            Ok(()) if is_interrupted_before(due, interrupt) => break Ok(()),
            Ok(()) => {}
            Err(Failure::Interrupted) => break Ok(()),
            Err(failure) => break Err(failure),
        }
    };
    // The terminal has echoed `^C`.
    if height > 0 && ended.is_ok() {
        screen.print("\n")?;
    }
    ended
}

/// Readable from the first Ctrl-C on.
fn on_interrupt() -> Result<OwnedFd, Failure> {
    let failed = |error: std::io::Error| Failure::failed(format!("cannot wait for Ctrl-C: {error}"));
    let (seen, arrived) =
        pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).map_err(|errno| failed(errno.into()))?;
    pipe::register(SIGINT, arrived).map_err(failed)?;
    Ok(seen)
}

fn is_interrupted_before(due: Instant, interrupt: BorrowedFd<'_>) -> bool {
    loop {
        let left = due.saturating_duration_since(Instant::now());
        let patience = Timespec::try_from(left).ok();
        let mut polled = [PollFd::from_borrowed_fd(interrupt, PollFlags::IN)];
        if poll(&mut polled, patience.as_ref()).is_ok_and(|count| count > 0) {
            return true;
        }
        // Otherwise a signal interrupted it, and the next look tells which.
        if left.is_zero() {
            return false;
        }
    }
}

/// What draws `text` over the `height` lines before the cursor.
fn frame(text: &str, height: usize, window: Window) -> String {
    let mut frame = String::from("\r");
    if height > 0 {
        let _ = write!(frame, "\x1b[{height}A");
    }
    // The line that the cursor ends on is the window's as well.
    for line in text.lines().take(window.rows.saturating_sub(1)) {
        frame.push_str(&cut(line, window.columns));
        // The rest of what stood there, and then the next line.
        frame.push_str("\x1b[K\n");
    }
    frame.push_str("\x1b[J");
    frame
}

/// As much of a line as has room in so many columns. Sequences of colour take none, and all of them stay.
fn cut(line: &str, columns: usize) -> String {
    let (mut kept, mut taken, mut in_sequence) = (String::new(), 0, false);
    for character in line.chars() {
        if character == '\x1b' {
            in_sequence = true;
        }
        if in_sequence {
            kept.push(character);
            in_sequence = !character.is_ascii_alphabetic();
            continue;
        }
        taken += character.width().unwrap_or(0);
        if taken <= columns {
            kept.push(character);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_drawn_over_the_one_before_and_fits_into_the_window() {
        let window = Window { columns: 5, rows: 3 };
        assert_eq!(frame("first line\nb\nc\nd\n", 0, window), "\rfirst\x1b[K\nb\x1b[K\n\x1b[J");
        assert_eq!(frame("a\n", 2, window), "\r\x1b[2Aa\x1b[K\n\x1b[J");
        assert_eq!(frame("a\n", 0, Window { columns: 0, rows: 0 }), "\r\x1b[J");
    }

    #[test]
    fn what_is_cut_keeps_its_colours_and_counts_columns_and_not_bytes() {
        assert_eq!(cut("\x1b[31mfailed\x1b[0m p0", 4), "\x1b[31mfail\x1b[0m");
        assert_eq!(cut("äöü", 2), "äö");
        assert_eq!(cut("日本語", 4), "日本");
        assert_eq!(cut("日本語x", 3), "日");
    }
}
