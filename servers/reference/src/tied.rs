//! A program that ends with whoever started it.
//!
//! `reference tied PARENT SIGNAL PROGRAM ARGUMENT...` has the kernel send it the signal when its parent ends, however that
//! ends, and then becomes the program. That takes no code between fork and exec, and no process more.

use std::{ffi::OsString, io, os::unix::process::CommandExt, path::Path, process::Command};

use clap::{Args, ValueEnum};
use host::launch::Launch;
use kit::start::Error;
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

/// What a program is sent when its parent is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LastSignal {
    /// SIGTERM, for programs that have children of their own to end.
    Term,
    /// SIGKILL.
    Kill,
}

/// The hidden command's arguments.
#[derive(Args, Debug)]
pub struct Tied {
    parent: u32,
    signal: LastSignal,
    program: OsString,
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// How to launch `program` so that it ends with this process.
pub(crate) fn tied(program: &Path, signal: LastSignal) -> Launch {
    let signal = match signal {
        LastSignal::Term => "term",
        LastSignal::Kill => "kill",
    };
    // This very file, even where it was replaced on disk meanwhile.
    Launch::new("/proc/self/exe")
        .args(["tied", &std::process::id().to_string(), signal])
        .args([program])
}

impl Tied {
    /// Ties this process to its parent and becomes the program; returns only where that fails.
    ///
    /// # Errors
    /// The parent is gone, or there is no such program.
    pub fn become_program(self) -> Result<(), Error> {
        let signal = match self.signal {
            LastSignal::Term => Signal::TERM,
            LastSignal::Kill => Signal::KILL,
        };
        set_parent_process_death_signal(Some(signal))
            .map_err(|errno| Error::System { what: "tie a program to its launcher", source: errno.into() })?;
        // The parent may have ended before the line above.
        let parent = getppid().map(Pid::as_raw_nonzero).map(|pid| pid.get().unsigned_abs());
        if parent != Some(self.parent) {
            return Err(Error::Failed("the launcher is gone".to_owned()));
        }
        // The launcher does without huge pages; what others wrote is measured as the system runs it.
        rustix::thread::disable_transparent_huge_pages(false)
            .map_err(|errno| Error::System { what: "restore huge pages", source: errno.into() })?;
        let error: io::Error = Command::new(&self.program).args(self.arguments).exec();
        Err(Error::Failed(format!("cannot start {}: {error}", self.program.display())))
    }
}
