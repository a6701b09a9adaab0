//! Scheduling classes: how the kernel weighs a thread against the others that want its CPU.

use std::{fmt, io};

use serde::{Deserialize, Serialize};

/// The kernel's policy for one thread (`sched(7)`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SchedulingClass {
    /// `SCHED_OTHER`: what every thread starts with.
    #[default]
    Normal,
    /// `SCHED_BATCH`: never preempts another thread by waking.
    Batch,
    /// `SCHED_IDLE`: runs where nothing else wants the CPU, and gives way to a waking thread at once.
    Idle,
    /// `SCHED_FIFO` at the lowest real-time priority: runs before every thread of the classes above. A thread
    /// of this class must never spin on a CPU that others need.
    Fifo,
}

impl SchedulingClass {
    /// Gives the calling thread this class.
    ///
    /// # Errors
    /// `Fifo` needs `CAP_SYS_NICE` or a real-time limit (`ulimit -r`).
    #[expect(
        unsafe_code,
        reason = "no safe binding sets a scheduling policy without touching niceness as well"
    )]
    pub fn apply_to_current_thread(self) -> io::Result<()> {
        let (policy, sched_priority) = match self {
            Self::Normal => (libc::SCHED_OTHER, 0),
            Self::Batch => (libc::SCHED_BATCH, 0),
            Self::Idle => (libc::SCHED_IDLE, 0),
            Self::Fifo => (libc::SCHED_FIFO, 1),
        };
        let parameter = libc::sched_param { sched_priority };
        // SAFETY: 0 names the calling thread, and the parameter outlives the call, which only reads it.
        if unsafe { libc::sched_setscheduler(0, policy, &raw const parameter) } == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        Err(io::Error::new(
            error.kind(),
            format!("cannot give a thread the scheduling class {self}: {error}"),
        ))
    }
}

impl fmt::Display for SchedulingClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Normal => "normal",
            Self::Batch => "batch",
            Self::Idle => "idle",
            Self::Fifo => "fifo",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The policy numbers of `sched.h`, as field 41 of `/proc/self/task/TID/stat` shows them.
    fn kernel_policy_of_current_thread() -> u32 {
        let tid = rustix::thread::gettid().as_raw_nonzero().get();
        let task = procfs::process::Process::myself().unwrap().task_from_tid(tid).unwrap();
        task.stat().unwrap().policy.unwrap()
    }

    #[test]
    fn the_kernel_sees_the_class_that_was_set() {
        for (class, number) in [(SchedulingClass::Batch, 3), (SchedulingClass::Idle, 5)] {
            std::thread::spawn(move || {
                class.apply_to_current_thread().unwrap();
                assert_eq!(kernel_policy_of_current_thread(), number);
            })
            .join()
            .unwrap();
        }
    }

    #[test]
    fn a_real_time_class_is_set_or_refused_with_its_name() {
        std::thread::spawn(|| match SchedulingClass::Fifo.apply_to_current_thread() {
            Ok(()) => assert_eq!(kernel_policy_of_current_thread(), 1),
            Err(error) => assert!(error.to_string().contains("fifo"), "{error}"),
        })
        .join()
        .unwrap();
    }
}
