//! The worker's side: who it is, what it was handed, and how it says that it is ready.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
};

use clap::Args;
use host::{
    lossy,
    parent::{self, Untied},
};
use kit::{
    failure,
    start::Error,
    worker::{Kind, Worker},
};
use rustix::process::Signal;

/// The hidden arguments by which a primary tells a worker what it is.
#[derive(Args, Clone, Copy, Debug)]
pub struct Role {
    /// For workers: their number
    #[arg(long, hide = true, requires = "primary", value_parser = within::whole(0..=usize::MAX))]
    worker_index: Option<usize>,

    /// For workers: the process that started them
    #[arg(long, hide = true, requires = "worker_index", value_parser = within::whole(1..=u32::MAX))]
    primary: Option<u32>,
}

/// The arguments of [`Role`] for worker number `index` of this process.
pub(crate) fn arguments(index: usize) -> [String; 4] {
    let primary = std::process::id().to_string();
    ["--worker-index".to_owned(), index.to_string(), "--primary".to_owned(), primary]
}

/// What a worker says when it is ready.
pub(crate) const READY: &[u8] = b"ready\n";

impl Role {
    /// What this process is to do if it is a worker, which then tells its primary why it cannot start; `None` in the primary.
    pub fn assignment(self) -> Option<Assignment> {
        let (index, primary) = self.worker_index.zip(self.primary)?;
        failure::tell_on_stdout();
        Some(Assignment { index, primary })
    }
}

/// One worker's part.
#[derive(Clone, Copy, Debug)]
pub struct Assignment {
    /// The worker's number.
    pub index: usize,
    primary: u32,
}

impl Assignment {
    /// Makes the calling thread, which must be the main one, the worker: ties the process to its primary, gives the thread the
    /// worker's name, and takes what the primary handed it.
    ///
    /// # Errors
    /// The primary is gone already, or the system refuses.
    pub fn begin(self) -> Result<OwnedFd, Error> {
        parent::end_with(self.primary, Signal::KILL).map_err(|untied| match untied {
            Untied::Orphaned(_) => Error::Failed("the primary is gone".to_owned()),
            Untied::Refused(source) => Error::System { what: "tie this worker to its primary", source },
        })?;
        Worker::new(Kind::Process, self.index).make_current();
        take_stdin().map_err(Error::system("take what the primary handed over on standard input"))
    }

    /// Tells the primary that this worker is ready.
    ///
    /// # Errors
    /// The primary is gone.
    pub fn ready(self) -> Result<(), Error> {
        // Nothing was written before into this pipe, so there is room.
        lossy::stdout().put(READY).map_err(Error::system("tell the primary that this worker is ready"))?;
        failure::started();
        Ok(())
    }
}

/// Takes standard input's place in the process, so that what was there closes when whoever has it lets go of it.
fn take_stdin() -> io::Result<OwnedFd> {
    let handed = io::stdin().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(&File::open("/dev/null")?)?;
    Ok(handed)
}
