//! Where a client prints: standard output, which may be a terminal.

use std::{
    env,
    io::{self, IsTerminal as _, Write},
};

use rustix::{stdio, termios::tcgetwinsize};

use super::exchange::Failure;

/// Columns and rows of a window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) columns: usize,
    pub(super) rows: usize,
}

/// Where what a client says goes.
pub(super) struct Screen<'a> {
    out: Box<dyn Write + 'a>,
    is_terminal: bool,
    /// Whether it may be coloured.
    pub(super) colour: bool,
}

impl<'a> Screen<'a> {
    /// Standard output. Coloured where that is a terminal, unless `NO_COLOR` is set or the terminal is a dumb one.
    pub(super) fn stdout() -> Self {
        #[expect(clippy::disallowed_methods, reason = "a client waits for whoever reads what it prints")]
        let out = io::stdout();
        let is_terminal = out.is_terminal();
        let colour = is_terminal
            && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && env::var_os("TERM").is_none_or(|term| term != "dumb");
        Self { out: Box::new(out), is_terminal, colour }
    }

    /// What is no terminal.
    #[cfg(test)]
    pub(super) fn plain(out: impl Write + 'a) -> Self {
        Self { out: Box::new(out), is_terminal: false, colour: false }
    }

    /// The size of the window now, if it is a terminal.
    pub(super) fn window(&self) -> Option<Window> {
        let size = self.is_terminal.then(|| tcgetwinsize(stdio::stdout()).ok()).flatten()?;
        // Some terminals do not know.
        let known = |cells: u16, otherwise| if cells == 0 { otherwise } else { usize::from(cells) };
        Some(Window { columns: known(size.ws_col, 80), rows: known(size.ws_row, 24) })
    }

    /// Prints, and waits for whoever reads it.
    pub(super) fn print(&mut self, text: &str) -> Result<(), Failure> {
        let printed = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        printed.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::Unread,
            _ => Failure::failed(format!("cannot write to standard output: {error}")),
        })
    }
}
