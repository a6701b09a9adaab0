//! Trees of processes, read from `/proc`.

use std::{
    collections::HashMap,
    io,
    process::{Child, ExitStatus},
    time::Instant,
};

use procfs::process::all_processes;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open},
};

/// Every living descendant of process `root`, parents before their children. A process that ends while the
/// table is read may be missing.
pub fn descendants(root: u32) -> Vec<u32> {
    let Ok(processes) = all_processes() else { return Vec::new() };
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for stat in processes.flatten().filter_map(|process| process.stat().ok()) {
        let alive = !matches!(stat.state, 'Z' | 'X');
        if let (true, Ok(pid), Ok(parent)) = (alive, u32::try_from(stat.pid), u32::try_from(stat.ppid)) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = Vec::new();
    let mut unvisited = vec![root];
    while let Some(parent) = unvisited.pop() {
        let own = children.remove(&parent).unwrap_or_default();
        found.extend(&own);
        unvisited.extend(&own);
    }
    found
}

/// Sends `signal` to process `pid`; whether the process was there to get it.
pub fn send(pid: u32, signal: Signal) -> bool {
    i32::try_from(pid).ok().and_then(Pid::from_raw).is_some_and(|pid| kill_process(pid, signal).is_ok())
}

/// Waits for `child` until `deadline`; `None` if it still runs then.
///
/// # Errors
/// The child was already waited for by somebody else.
pub fn wait_until(child: &mut Child, deadline: Instant) -> io::Result<Option<ExitStatus>> {
    if let Some(status) = child.try_wait()? {
        return Ok(Some(status));
    }
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(|_| io::ErrorKind::InvalidInput)?;
        match poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&timeout)) {
            Ok(0) | Err(rustix::io::Errno::INTR) if left.is_zero() => return child.try_wait(),
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return child.wait().map(Some),
            Err(errno) => return Err(errno.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn children_and_grandchildren_are_descendants_until_they_end() {
        let mut shell = Command::new("sh")
            .args(["-c", "sleep 60 & echo started; wait"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = std::io::BufReader::new(shell.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut stdout, &mut String::new()).unwrap();
        let found = descendants(std::process::id());
        assert!(found.contains(&shell.id()));
        let grandchildren = descendants(shell.id());
        assert_eq!(grandchildren.len(), 1, "the shell started one `sleep`");
        assert!(found.contains(&grandchildren[0]));
        assert!(send(grandchildren[0], Signal::KILL));
        shell.wait().unwrap();
        assert!(!descendants(std::process::id()).contains(&shell.id()));
    }
}
