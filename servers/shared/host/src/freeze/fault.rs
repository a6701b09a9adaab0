//! What can be wrong with a tree that is to stand still, or did.

use std::{io, time::Duration};

use rustix::io::Errno;

use crate::members::{Changes, Member};

/// Why a tree could not be frozen, or was not the same when it was thawed.
#[derive(Debug, thiserror::Error)]
pub enum FreezeFault {
    /// There is nothing to freeze.
    #[error("nothing runs below process {root}")]
    Nothing {
        /// What the tree was to be below.
        root: u32,
    },
    /// It is at work.
    #[error("still uses {:.0}% of a CPU, or waits for one, after {within:?} without load", share * 100.0)]
    NotIdle {
        /// CPU time by time, when last looked at.
        share: f64,
        /// How long it was waited for.
        within: Duration,
    },
    /// The system does not let this process stop it: it runs as another user.
    #[error("process {member} may not be stopped: {errno}")]
    Refused {
        /// Which process.
        member: Member,
        /// What the system says.
        errno: Errno,
    },
    /// It was told to, and did not.
    #[error("process {member} had not stopped after {within:?}")]
    NotStopped {
        /// Which process.
        member: Member,
        /// How long it was given.
        within: Duration,
    },
    /// Some of it is gone.
    #[error("{} died while frozen", listed(gone))]
    Died {
        /// Who is.
        gone: Vec<Member>,
    },
    /// There are others than before.
    #[error("{}", changed(.0))]
    ForkedAnew(Changes),
    /// A frozen process uses no CPU.
    #[error("process {member} used {used:?} of CPU while frozen: somebody let it go on")]
    Ran {
        /// Which process.
        member: Member,
        /// How much.
        used: Duration,
    },
    /// A socket on which connections were accepted is none any more.
    #[error("nobody listens any more where port {port} was served")]
    ClosedListener {
        /// The port.
        port: u16,
    },
    /// The cgroup that should freeze it did not let itself be used.
    #[error("the cgroup that freezes it: {0}")]
    Group(io::Error),
    /// The processes cannot be looked at.
    #[error("cannot look at the processes: {0}")]
    Unseen(#[from] io::Error),
}

fn listed(members: &[Member]) -> String {
    match members {
        [one] => format!("process {one}"),
        _ => {
            let listed: Vec<String> = members.iter().map(Member::to_string).collect();
            format!("processes {}", listed.join(", "))
        }
    }
}

fn changed(Changes { gone, come }: &Changes) -> String {
    let come = format!("{} started while the tree was frozen", listed(come));
    if gone.is_empty() { come } else { format!("{come}, and {} died", listed(gone)) }
}
