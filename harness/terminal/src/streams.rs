//! What is printed: the one way to stdout and stderr.
//!
//! The result of a command goes to stdout ([`out!`](crate::out), [`outln!`](crate::outln)), what is said beside it to stderr
//! ([`errln!`](crate::errln)). Printing neither fails nor waits for a reader (see `writer`): what did not arrive is known at the
//! [`end`], which decides the exit code. The macros of the standard library panic instead, and clippy refuses them.
//!
//! A reader that closed its end (`| head`) has what it wanted, and nothing is lost.

use std::{
    env, fmt,
    io::{self, IsTerminal as _},
    sync::{Arc, OnceLock, atomic::AtomicBool},
    time::Duration,
};

use anstream::{AutoStream, ColorChoice, adapter::strip_str};
use signal_hook::{consts::SIGXFSZ, flag};

use crate::{
    charset,
    writer::{Lost, Writer},
};

/// What stderr may have waiting for a reader, bytes: the lines of hours. What stdout has is the result, and never dropped.
const MOST_SAID: usize = 1 << 20;
/// A bar is not drawn again while so many bytes wait: what it would replace is not seen yet.
const MOST_DRAWN: usize = 64 << 10;
/// How long what was said is kept for a reader of stderr who takes nothing, at the end. A reader of stdout (a pager) is waited for
/// as long as it has it open.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where something is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output: the result.
    Out,
    /// Standard error: what is said beside it.
    Err,
}

struct Printer {
    writer: Writer,
    choice: ColorChoice,
}

static OUT: OnceLock<Printer> = OnceLock::new();
static ERR: OnceLock<Printer> = OnceLock::new();

impl Stream {
    fn printer(self) -> &'static Printer {
        match self {
            Self::Out => OUT.get_or_init(|| Printer {
                writer: Writer::new(io::stdout(), usize::MAX),
                choice: AutoStream::choice(&io::stdout()),
            }),
            Self::Err => ERR.get_or_init(|| Printer {
                writer: Writer::new(io::stderr(), MOST_SAID),
                choice: AutoStream::choice(&io::stderr()),
            }),
        }
    }

    /// Whether a person sees it.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Out => io::stdout().is_terminal(),
            Self::Err => io::stderr().is_terminal(),
        }
    }

    /// Whether colours are seen: on a terminal, unless NO_COLOR or TERM=dumb says otherwise, and anywhere with CLICOLOR_FORCE.
    pub fn is_coloured(self) -> bool {
        self.printer().choice != ColorChoice::Never
    }

    /// How wide a line may be: as wide as the terminal is; elsewhere what COLUMNS says, and nothing where it says nothing.
    pub fn columns(self) -> Option<usize> {
        let size = match self {
            Self::Out => rustix::termios::tcgetwinsize(io::stdout()),
            Self::Err => rustix::termios::tcgetwinsize(io::stderr()),
        };
        let of_terminal = size.ok().map(|size| usize::from(size.ws_col));
        let said = || env::var("COLUMNS").ok()?.parse().ok();
        of_terminal.filter(|&columns| columns > 0).or_else(said)
    }
}

/// Has a write beyond the limit of file sizes (`ulimit -f`) be an error like that of a full disk, and not the end of the process; to be
/// called once, before anything is written. What this process starts is not told of it.
pub fn begin() {
    // Where it cannot be had, everything is as it was.
    let _ = flag::register(SIGXFSZ, Arc::<AtomicBool>::default());
}

/// Prints a text; its colours are left out where nobody would see them, and what is drawn is ASCII where the locale has no more. [`out!`](crate::out) and its like are shorter.
pub fn print(stream: Stream, text: fmt::Arguments<'_>) {
    let (printer, text) = (stream.printer(), text.to_string());
    let text = charset::shown(&text);
    match printer.choice {
        ColorChoice::Never => printer.writer.put(strip_str(&text).to_string().as_bytes()),
        _ => printer.writer.put(text.as_bytes()),
    }
    printer.writer.keep_order();
}

/// Prints bytes as they are: what programs read has no colours, and is the same in every locale.
pub fn print_bytes(stream: Stream, bytes: &[u8]) {
    let printer = stream.printer();
    printer.writer.put(bytes);
    printer.writer.keep_order();
}

/// Draws on the terminal that stderr is: escape sequences, which what is drawn next replaces.
pub(crate) fn draw(frame: &str) {
    let writer = &Stream::Err.printer().writer;
    if writer.left() <= MOST_DRAWN {
        writer.put(charset::shown(frame).as_bytes());
    }
}

/// Waits until all that was printed has arrived; to be called once, before the process ends.
///
/// # Errors
/// Some of it is lost, other than by a reader who wanted no more. What is lost on stdout was said on stderr.
pub fn end() -> Result<(), Lost> {
    let wanted =
        |ended: Result<(), Lost>| ended.or_else(|lost| if lost.is_unwanted() { Ok(()) } else { Err(lost) });
    let out = OUT.get().map_or(Ok(()), |printer| wanted(printer.writer.end(None)));
    if let Err(lost) = out {
        crate::errln!("error: what was printed on stdout is not all there: {lost}");
    }
    let err = ERR.get().map_or(Ok(()), |printer| wanted(printer.writer.end(Some(PATIENCE))));
    out.and(err)
}

/// Prints a part of the result on stdout, as `print!` would.
#[macro_export]
macro_rules! out {
    ($($argument:tt)*) => {
        $crate::streams::print($crate::streams::Stream::Out, ::std::format_args!($($argument)*))
    };
}

/// Prints a line of the result on stdout, as `println!` would.
#[macro_export]
macro_rules! outln {
    ($($argument:tt)*) => {
        $crate::out!("{}\n", ::std::format_args!($($argument)*))
    };
}

/// Prints a line on stderr, as `eprintln!` would.
#[macro_export]
macro_rules! errln {
    ($($argument:tt)*) => {
        $crate::streams::print(
            $crate::streams::Stream::Err,
            ::std::format_args!("{}\n", ::std::format_args!($($argument)*)),
        )
    };
}
