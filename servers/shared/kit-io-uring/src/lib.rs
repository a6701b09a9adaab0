//! Whether this process may use io_uring, and words for why not: the runtimes on it panic, end the process, or do without.
//!
//! What a runtime needs of it is its own crate's to say ([`Needs`]). What is refused, and which setting grants it, is the same for
//! all of them.

use std::{fs, io};

use io_uring::{IoUring, Parameters, Probe};
use kit::start::Error;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a runtime needs of io_uring.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    /// The first kernel that has it, for people.
    pub kernel: &'static str,
    /// The youngest of the operations that it asks for, by their codes.
    pub operations: &'static [u8],
    /// Whether a ring of this kernel can do what is no operation.
    pub is_enough: fn(&Parameters) -> bool,
    /// The locked memory without which it starts no executor, bytes; 0 where it asks for none.
    pub locked_memory_bytes: u64,
}

/// Why there can be no executor on io_uring.
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
        "the limit of locked memory is {0} bytes, too low: raise it (`ulimit -l 8192`; for a container --ulimit \
         memlock=8388608, compose.yaml: ulimits)"
    )]
    LockedMemory(u64),
    #[error("this kernel lacks what it needs: it takes Linux {0}")]
    Kernel(&'static str),
    /// What is no matter of io_uring alone.
    #[error(transparent)]
    Other(io::Error),
}

impl Needs {
    /// Fails where no executor could start, before one is tried. Raises the soft limit of locked memory to the hard one if that
    /// is what it takes.
    ///
    /// # Errors
    /// What is missing, and which setting provides it.
    pub fn check(&self) -> Result<(), Error> {
        self.enough_locked_memory().and_then(|()| self.try_ring()).map_err(failed)
    }

    /// The same words for what the kernel refused to an executor later: with many of them, memory of older kernels runs out.
    pub fn refused(&self, error: io::Error) -> Error {
        failed(self.explain(error))
    }

    fn enough_locked_memory(&self) -> Result<(), Unavailable> {
        let lacks = |limit: Option<u64>| limit.filter(|&bytes| bytes < self.locked_memory_bytes);
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

    /// Sets up a ring, enters it, and asks for the operations: each is a system call of its own, which a filter may forbid.
    fn try_ring(&self) -> Result<(), Unavailable> {
        let ring = IoUring::new(1).map_err(|error| self.explain(error))?;
        ring.submitter().submit().map_err(|error| self.explain(error))?;
        let mut probe = Probe::new();
        ring.submitter().register_probe(&mut probe).map_err(|error| self.explain(error))?;
        let is_supported = self.operations.iter().all(|&code| probe.is_supported(code));
        if is_supported && (self.is_enough)(ring.params()) {
            Ok(())
        } else {
            Err(Unavailable::Kernel(self.kernel))
        }
    }

    fn explain(&self, error: io::Error) -> Unavailable {
        let switch = || fs::read_to_string("/proc/sys/kernel/io_uring_disabled").ok()?.trim().parse().ok();
        match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
            Some(rustix::io::Errno::PERM | rustix::io::Errno::ACCESS | rustix::io::Errno::NOSYS) => {
                match switch() {
                    Some(level @ 1..) => Unavailable::Disabled(level),
                    _ => Unavailable::Forbidden(error),
                }
            }
            // Kernels before 5.12 count the rings themselves as locked memory. Where address space is limited as well, that may
            // be it.
            Some(rustix::io::Errno::NOMEM) => match getrlimit(Resource::Memlock).current {
                Some(bytes) if getrlimit(Resource::As).current.is_none() => Unavailable::LockedMemory(bytes),
                _ => Unavailable::Other(error),
            },
            // Before 5.6 nobody could ask.
            Some(rustix::io::Errno::INVAL) => Unavailable::Kernel(self.kernel),
            _ => Unavailable::Other(error),
        }
    }
}

fn failed(reason: Unavailable) -> Error {
    match reason {
        Unavailable::Other(source) => Error::System { what: "set up an executor on io_uring", source },
        reason => Error::Failed(format!("cannot use io_uring: {reason}; --io epoll works without")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Needs =
        Needs { kernel: "99.1", operations: &[], is_enough: |_| true, locked_memory_bytes: 0 };

    #[test]
    fn a_kernel_that_lacks_an_operation_or_a_feature_is_named() {
        // Where io_uring is forbidden altogether there is nothing to lack.
        if NOTHING.check().is_err() {
            return;
        }
        for lacking in
            [Needs { operations: &[u8::MAX], ..NOTHING }, Needs { is_enough: |_| false, ..NOTHING }]
        {
            let said = lacking.check().unwrap_err().to_string();
            assert!(said.contains("it takes Linux 99.1") && said.contains("--io epoll"), "{said}");
        }
    }
}
