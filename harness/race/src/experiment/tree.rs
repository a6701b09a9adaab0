//! Which processes of a server are what: the one that the harness started, the workers, and who watches over these.

use std::io;

use host::{
    members::{self, Member},
    processes,
};

use crate::registry::WorkerProcesses;

/// The processes below a guard.
#[derive(Debug)]
pub(super) struct Tree {
    guard: u32,
    server: u32,
    workers: Option<WorkerProcesses>,
}

impl Tree {
    /// The tree below `guard`, in which `workers` says which are the workers.
    ///
    /// # Errors
    /// `/proc` cannot be read, or there is nothing below it.
    pub(super) fn of(guard: u32, workers: Option<&WorkerProcesses>) -> io::Result<Self> {
        let children = children_among(&members::below(guard)?.living, guard)?;
        let first = children.first().ok_or_else(|| io::Error::other("the server has ended"))?;
        Ok(Self { guard, server: first.pid, workers: workers.cloned() })
    }

    /// The process that the harness started.
    pub(super) fn server(&self) -> u32 {
        self.server
    }

    /// Who watches over the workers: whose children they are. `None` where the registry names no workers, or nobody is it.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub(super) fn primary(&self) -> io::Result<Option<u32>> {
        self.primary_among(&members::below(self.guard)?.living)
    }

    /// The workers that live, the oldest first; none where the registry names none.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub(super) fn workers(&self) -> io::Result<Vec<Member>> {
        let living = members::below(self.guard)?.living;
        match self.primary_among(&living)? {
            Some(primary) => children_among(&living, primary),
            None => Ok(Vec::new()),
        }
    }

    fn primary_among(&self, living: &[Member]) -> io::Result<Option<u32>> {
        let Some(WorkerProcesses { children_of }) = &self.workers else { return Ok(None) };
        if children_of == WorkerProcesses::SERVER {
            return Ok(living.iter().map(|member| member.pid).find(|pid| *pid == self.server));
        }
        for member in living {
            let line = processes::read(&format!("/proc/{}/cmdline", member.pid))?.unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            if line.contains(children_of.as_str()) {
                return Ok(Some(member.pid));
            }
        }
        Ok(None)
    }
}

/// Those whose parent is `parent`, the oldest first.
fn children_among(living: &[Member], parent: u32) -> io::Result<Vec<Member>> {
    let mut children = Vec::new();
    for member in living {
        let stat = processes::stat(&format!("/proc/{}/stat", member.pid))?;
        if stat.is_some_and(|stat| u32::try_from(stat.ppid) == Ok(parent)) {
            children.push(member.clone());
        }
    }
    children.sort_by_key(|member| (member.started, member.pid));
    Ok(children)
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader},
        process::Stdio,
    };

    use host::tether;

    use super::*;

    #[test]
    fn workers_are_the_children_of_the_server_or_of_whoever_the_command_line_names() {
        // This process stands for the guard, and the first shell for the server. Its child has two of its own.
        let script = "sh -c 'sleep 600 & sleep 600 & echo ready; wait; : named so' & wait";
        let mut server = tether::command("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let tree = |children_of: &str| Tree {
            guard: std::process::id(),
            server: server.id(),
            workers: Some(WorkerProcesses { children_of: children_of.to_owned() }),
        };
        let of_server = tree("server");
        assert_eq!(of_server.primary().unwrap(), Some(server.id()));
        let inner = of_server.workers().unwrap();
        assert_eq!(inner.len(), 1);
        // The server's own command line names it as well, and comes first.
        assert_eq!(tree("named so").primary().unwrap(), Some(server.id()));
        let named = Tree { guard: server.id(), ..tree("named so") };
        assert_eq!(named.primary().unwrap(), Some(inner[0].pid));
        assert_eq!(named.workers().unwrap().len(), 2);
        assert_eq!(tree("nobody at all has this").workers().unwrap().len(), 0);
        for pid in named.workers().unwrap().iter().map(|member| member.pid).chain([inner[0].pid, server.id()])
        {
            processes::send(pid, rustix::process::Signal::KILL);
        }
        server.wait().unwrap();
    }
}
