//! Who is in a tree of processes, by name and not only by number: so that it can be told whether it is still the same tree.
//!
//! The tree is everything below one process, which is not part of it: a [guard](crate::guard), below which everything stays,
//! whatever session or group it puts itself into. Where the kernel lists the children of each thread
//! (`/proc/PID/task/TID/children`, proc_pid_task(5)) a look costs one file for each thread of the tree; elsewhere the whole
//! table of processes is read. A list is sure to be whole only where nobody in the tree runs: what is looked at while it forks
//! must be looked at again.

use std::{fmt, io};

use crate::processes;

/// A process, which is not another one that has its number later.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its number.
    pub pid: u32,
    /// When it began, in the kernel's ticks since the machine did.
    pub started: u64,
    /// What it is called; a process can change that.
    pub name: String,
}

/// The processes of a tree, parents before their children.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    /// Those that live: with at least one thread that does.
    pub living: Vec<Member>,
    /// Those that died and that nobody has waited for.
    pub unburied: Vec<Member>,
}

/// How a tree differs from what it was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Who lived then and does not now.
    pub gone: Vec<Member>,
    /// Who lives now and did not then.
    pub come: Vec<Member>,
}

/// Everything below process `root`, which is gone itself where there is nothing.
///
/// # Errors
/// `/proc` cannot be read: there is no descriptor left, for one.
pub fn below(root: u32) -> io::Result<Members> {
    let mut found = Members::default();
    let mut pids = children_of(root)?;
    let mut next = 0;
    while let Some(&pid) = pids.get(next) {
        next += 1;
        let Some(stat) = processes::stat(&format!("/proc/{pid}/stat"))? else { continue };
        let lives = match stat.state {
            // Its first thread has ended, which says nothing of the others.
            'Z' | 'X' => processes::any_thread(pid, |state| !matches!(state, 'Z' | 'X'))?,
            _ => true,
        };
        let member = Member { pid, started: stat.starttime, name: stat.comm };
        if lives {
            pids.extend(children_of(pid)?);
            found.living.push(member);
        } else {
            found.unburied.push(member);
        }
    }
    Ok(found)
}

impl Changes {
    /// How who lives `now` differs from who did `then`.
    pub fn between(then: &[Member], now: &[Member]) -> Self {
        let without = |these: &[Member], those: &[Member]| {
            these.iter().filter(|member| !those.contains(member)).cloned().collect()
        };
        Self { gone: without(then, now), come: without(now, then) }
    }

    /// Whether it is the same tree.
    pub fn is_none(&self) -> bool {
        self.gone.is_empty() && self.come.is_empty()
    }
}

/// The children of all threads of process `pid`; none if it is gone.
fn children_of(pid: u32) -> io::Result<Vec<u32>> {
    let threads = processes::numbers_in(&format!("/proc/{pid}/task"))?.unwrap_or_default();
    let mut children = Vec::new();
    for thread in threads {
        let list = format!("/proc/{pid}/task/{thread}/children");
        match processes::read(&list)? {
            Some(text) => children.extend(pids_in(&text)),
            // It has ended, and its children are another thread's; or this kernel has no such lists.
            None if processes::stat(&format!("/proc/{pid}/task/{thread}/stat"))?.is_some() => {
                return processes::children(pid);
            }
            None => {}
        }
    }
    // A child whose thread ends between two files is in both.
    children.sort_unstable();
    children.dedup();
    Ok(children)
}

fn pids_in(list: &[u8]) -> Vec<u32> {
    String::from_utf8_lossy(list).split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        (self.pid, self.started) == (other.pid, other.started)
    }
}

impl Eq for Member {}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.pid, self.name)
    }
}

#[cfg(test)]
mod tests {
    use std::{process::Stdio, thread};

    use super::*;
    use crate::tether;

    #[test]
    fn the_children_of_every_thread_are_found_and_so_they_are_without_the_kernels_lists() {
        // Whose parent is this thread and not the process's first.
        let mut child = thread::spawn(|| {
            let mut child = tether::command("cat").stdin(Stdio::piped()).spawn().unwrap();
            let own = std::process::id();
            assert!(children_of(own).unwrap().contains(&child.id()));
            assert!(processes::children(own).unwrap().contains(&child.id()));
            // That thread ends before its child.
            child.stdin.take().map(|stdin| (child, stdin)).unwrap()
        })
        .join()
        .unwrap();
        assert!(below(std::process::id()).unwrap().living.iter().any(|member| member.pid == child.0.id()));
        drop(child.1);
        child.0.wait().unwrap();
    }

    #[test]
    fn who_died_is_unburied_until_it_is_waited_for_and_gone_then() {
        let mut child = tether::command("true").spawn().unwrap();
        let unburied = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::waitid(rustix::process::WaitId::Pid(pid), unburied).unwrap();
        let found = below(std::process::id()).unwrap();
        let is_it = |member: &Member| member.pid == child.id();
        assert!(found.unburied.iter().any(is_it) && !found.living.iter().any(is_it), "{found:?}");
        child.wait().unwrap();
        assert!(!below(std::process::id()).unwrap().unburied.iter().any(|member| member.pid == child.id()));
    }

    #[test]
    fn one_that_has_the_number_of_another_is_somebody_else() {
        let member = |pid, started| Member { pid, started, name: "sh".to_owned() };
        let changes = Changes::between(&[member(7, 1), member(8, 1)], &[member(7, 2), member(8, 1)]);
        assert_eq!(changes, Changes { gone: vec![member(7, 1)], come: vec![member(7, 2)] });
        assert!(Changes::between(&[member(8, 1)], &[member(8, 1)]).is_none());
    }
}
