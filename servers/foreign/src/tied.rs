//! A program that ends with whoever started it.
//!
//! `foreign tied PARENT SIGNAL -- PROGRAM ARGUMENT...` has the kernel send it the signal when its parent ends, however that
//! ends, and then becomes the program. That takes no code between fork and exec, and no process more.

use std::{ffi::OsString, os::unix::process::CommandExt, path::Path, process::Command};

use clap::{Args, ValueEnum};
use host::{
    launch::Launch,
    parent::{self, Untied},
};
use kit::start::Error;
use rustix::process::Signal;

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
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// This very file, even where it was replaced on disk meanwhile.
pub(crate) const SELF: &str = "/proc/self/exe";

/// How to launch `program` so that it ends with this process.
pub(crate) fn tied(program: &Path, signal: LastSignal) -> Launch {
    Launch::new(SELF).args(tied_arguments(program, signal)).ends_by_itself()
}

/// What [`SELF`] is told to become `program`; its arguments follow.
pub(crate) fn tied_arguments(program: &Path, signal: LastSignal) -> [OsString; 5] {
    let signal = match signal {
        LastSignal::Term => "term",
        LastSignal::Kill => "kill",
    };
    let parent = std::process::id().to_string();
    ["tied".into(), parent.into(), signal.into(), "--".into(), program.into()]
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
        parent::end_with(self.parent, signal).map_err(|untied| match untied {
            Untied::Orphaned(_) => Error::Failed("the launcher is gone".to_owned()),
            Untied::Refused(source) => Error::System { what: "tie a program to its launcher", source },
        })?;
        // The launcher does without huge pages; what others wrote is measured as the system runs it.
        rustix::thread::disable_transparent_huge_pages(false)
            .map_err(|errno| Error::System { what: "restore huge pages", source: errno.into() })?;
        let [program, arguments @ ..] = self.command.as_slice() else {
            return Err(Error::Failed("there is no program to start".to_owned()));
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "this very process, which is tied, becomes the program"
        )]
        let error = Command::new(program).args(arguments).exec();
        Err(Error::Failed(format!("cannot start {}: {error}", program.display())))
    }
}
