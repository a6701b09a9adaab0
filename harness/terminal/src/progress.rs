//! What a person sees while a run is under way: bars on a terminal, a line a step elsewhere.

use std::{
    io::{self, IsTerminal, stderr},
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

use crate::{errln, streams};

/// How often a bar is drawn at most, each second.
const DRAWN_EACH_SECOND: u8 = 20;

/// Progress through a known number of steps.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    plain: bool,
    steps: u64,
}

impl Progress {
    /// A bar of `steps` steps, headed `title`.
    pub fn new(title: &'static str, steps: usize) -> Self {
        let plain = !stderr().is_terminal();
        let steps = steps as u64;
        let target = if plain { ProgressDrawTarget::hidden() } else { on_stderr() };
        let bar = ProgressBar::with_draw_target(Some(steps), target);
        let style = ProgressStyle::with_template(
            "{prefix:.bold} {bar:30.cyan/dim} {pos}/{len} {elapsed} (about {eta} left) {msg:.dim}",
        )
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸ ");
        bar.set_style(style);
        bar.set_prefix(title);
        Self { bar, plain, steps }
    }

    /// What is being done now.
    pub fn doing(&self, what: impl Into<String>) {
        self.bar.set_message(what.into());
    }

    /// One step is done. `result` is kept as a line where there is no terminal.
    pub fn done(&self, result: &str) {
        self.bar.inc(1);
        if self.plain {
            errln!("[{}/{}] {result}", self.bar.position(), self.steps);
        }
    }

    /// So many steps fall away.
    pub fn skip(&mut self, steps: usize) {
        self.steps = self.steps.saturating_sub(steps as u64);
        self.bar.set_length(self.steps);
    }

    /// More steps than were known at first.
    pub fn add_steps(&mut self, more: u64) {
        self.steps += more;
        self.bar.inc_length(more);
    }

    /// A line that stays above the bar.
    pub fn say(&self, line: &str) {
        self.bar.suspend(|| errln!("{line}"));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A length of time for people: `8 minutes`.
pub fn about(time: Duration) -> String {
    HumanDuration(time).to_string()
}

/// Where bars are drawn: the terminal that stderr is, in one order with the lines that are printed there. One that is held (Ctrl-S, a
/// connection that stalls) is drawn on later, and holds nobody.
pub fn on_stderr() -> ProgressDrawTarget {
    ProgressDrawTarget::term_like_with_hz(Box::<Terminal>::default(), DRAWN_EACH_SECOND)
}

/// A terminal as far as bars need one: what it is told until it is flushed is one frame.
#[derive(Debug, Default)]
struct Terminal {
    frame: Mutex<String>,
}

impl Terminal {
    fn frame(&self) -> MutexGuard<'_, String> {
        self.frame.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, text: &str) -> io::Result<()> {
        self.frame().push_str(text);
        Ok(())
    }

    /// A cursor that is moved by nothing is moved by one (ECMA-48, 8.3.22).
    fn moved(&self, by: usize, towards: char) -> io::Result<()> {
        if by > 0 { self.add(&format!("\x1b[{by}{towards}")) } else { Ok(()) }
    }
}

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        size(|size| size.ws_col, 80)
    }

    fn height(&self) -> u16 {
        size(|size| size.ws_row, 24)
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.moved(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.moved(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.moved(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.moved(n, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.add(text)?;
        self.add("\n")
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.add(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.add("\r\x1b[2K")
    }

    fn flush(&self) -> io::Result<()> {
        streams::draw(&mem::take(&mut *self.frame()));
        Ok(())
    }
}

/// One side of the terminal that stderr is; `unknown` where it does not tell.
fn size(side: impl Fn(&rustix::termios::Winsize) -> u16, unknown: u16) -> u16 {
    let told = rustix::termios::tcgetwinsize(stderr()).ok();
    told.map(|size| side(&size)).filter(|&side| side > 0).unwrap_or(unknown)
}
