//! Whether this process may use io_uring, and words for why not: glommio itself panics, or ends the process.

use std::{fs, io};

use io_uring::{IoUring, Probe, opcode};
use kit::start::Error;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// glommio starts no executor under a lower limit of locked memory, whoever the user is (0.9.0, `Reactor::new`).
const LOCKED_MEMORY_BYTES: u64 = 512 << 10;

/// Why there can be no io_uring executor.
#[derive(Debug, thiserror::Error)]
enum Unavailable {
    #[error(
        "kernel.io_uring_disabled is {0} on this host: set it to 0 (`sysctl kernel.io_uring_disabled=0`)"
    )]
    Disabled(u8),
    #[error(
        "the kernel refuses it ({0}), as it does under the default seccomp profile of containers: run the container with \
         --security-opt seccomp=containers/seccomp.json (compose.yaml: security_opt)"
    )]
    Forbidden(io::Error),
    #[error(
        "the limit of locked memory is {0} bytes, too low: raise it to {LOCKED_MEMORY_BYTES} or more (`ulimit -l 8192`; for a \
         container --ulimit memlock=8388608, compose.yaml: ulimits)"
    )]
    LockedMemory(u64),
    #[error("this kernel lacks what it needs: it takes Linux 5.8")]
    Kernel,
    /// What is no matter of io_uring alone.
    #[error(transparent)]
    Other(io::Error),
}

/// Fails where no executor could start, before one is tried. Raises the soft limit of locked memory to the hard one if that
/// is what it takes.
///
/// # Errors
/// What is missing, and which setting provides it.
pub fn check() -> Result<(), Error> {
    enough_locked_memory().and_then(|()| try_ring()).map_err(failed)
}

/// The same words for what the kernel refused to an executor later: with many of them, memory of older kernels runs out.
pub(crate) fn refused(error: io::Error) -> Error {
    failed(explain(error))
}

fn failed(reason: Unavailable) -> Error {
    match reason {
        Unavailable::Other(source) => Error::System { what: "set up an executor on io_uring", source },
        reason => Error::Failed(format!("cannot use io_uring: {reason}; --io epoll works without")),
    }
}

fn enough_locked_memory() -> Result<(), Unavailable> {
    let lacks = |limit: Option<u64>| limit.filter(|&bytes| bytes < LOCKED_MEMORY_BYTES);
    let Rlimit { current, maximum } = getrlimit(Resource::Memlock);
    if lacks(current).is_some() {
        if let Some(most) = lacks(maximum) {
            return Err(Unavailable::LockedMemory(most));
        }
        setrlimit(Resource::Memlock, Rlimit { current: maximum, maximum })
            .map_err(|e| Unavailable::Other(e.into()))?;
    }
    Ok(())
}

/// Sets up a ring, enters it, and asks for the youngest of the operations that glommio demands: each is a system call of its own,
/// which a filter may forbid.
fn try_ring() -> Result<(), Unavailable> {
    let ring = IoUring::new(1).map_err(explain)?;
    ring.submitter().submit().map_err(explain)?;
    let mut probe = Probe::new();
    ring.submitter().register_probe(&mut probe).map_err(explain)?;
    let supported =
        [opcode::Recv::CODE, opcode::Statx::CODE].into_iter().all(|code| probe.is_supported(code));
    if supported { Ok(()) } else { Err(Unavailable::Kernel) }
}

fn explain(error: io::Error) -> Unavailable {
    let switch = || fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok()?.trim().parse().ok();
    match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
        Some(rustix::io::Errno::PERM | rustix::io::Errno::ACCESS | rustix::io::Errno::NOSYS) => {
            match switch() {
                Some(level @ 1..) => Unavailable::Disabled(level),
                _ => Unavailable::Forbidden(error),
            }
        }
        // Kernels before 5.12 count the rings themselves as locked memory. Where address space is limited as well, that may be it.
        Some(rustix::io::Errno::NOMEM) => match getrlimit(Resource::Memlock).current {
            Some(bytes) if getrlimit(Resource::As).current.is_none() => Unavailable::LockedMemory(bytes),
            _ => Unavailable::Other(error),
        },
        // Before 5.6 nobody could ask.
        Some(rustix::io::Errno::INVAL) => Unavailable::Kernel,
        _ => Unavailable::Other(error),
    }
}
