//! A worker process: one listener, one current-thread runtime.

use std::{io, net::TcpListener, os::fd::AsFd};

use kit::{
    args::Config,
    execute::Inline,
    service::Site,
    shutdown::Shutdown,
    start::{self, Error},
    worker::{Kind, Worker},
};
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

use crate::SERVER;

/// What the primary tells a worker.
#[derive(Clone, Copy, Debug)]
pub struct Assignment {
    /// The worker's number.
    pub index: usize,
    /// The process that started it.
    pub primary: u32,
    /// Whether it stays on one CPU.
    pub pin: bool,
}

/// Serves the listener that is this process's standard input, until `stopping` is raised and the drain is over.
///
/// # Errors
/// Standard input is no listener, the CPU is not to be had, or the runtime cannot be built.
pub fn work(config: &Config, assignment: Assignment, stopping: Shutdown) -> Result<(), Error> {
    end_with(assignment.primary)?;
    if assignment.pin {
        let own = [config.cpus.nth_wrapping(assignment.index)].into_iter().collect::<host::cpus::CpuSet>();
        own.apply_to_current_thread().map_err(Error::system("pin the worker to its CPU"))?;
    }
    Worker::new(Kind::Process, assignment.index).make_current();
    let listener = take_listener().map_err(Error::system("take the listener from standard input"))?;
    let address = listener.local_addr().map_err(Error::system("read the listener's address"))?;
    let share = config.limits.shared_by(config.workers).max_connections;
    let site = Site::new(SERVER, config, stopping);
    // Standard output is the primary's pipe.
    let ready = || start::ready(SERVER, config, address);
    kit_tokio::front::current_thread(site, listener, share, Inline, ready)?;
    Ok(())
}

/// Has the kernel end this process with its primary, however that ends.
fn end_with(primary: u32) -> Result<(), Error> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|errno| Error::System { what: "tie this worker to its primary", source: errno.into() })?;
    // The primary may have ended before the line above.
    let parent = getppid().map(Pid::as_raw_nonzero).map(|pid| pid.get().unsigned_abs());
    if parent == Some(primary) { Ok(()) } else { Err(Error::Failed("the primary is gone".to_owned())) }
}

/// Takes standard input's place in the process, so that the listener closes when the accept loop lets go of it.
fn take_listener() -> io::Result<TcpListener> {
    let listener = io::stdin().as_fd().try_clone_to_owned()?;
    let nothing = std::fs::File::open("/dev/null")?;
    rustix::stdio::dup2_stdin(&nothing)?;
    Ok(TcpListener::from(listener))
}
