//! Trees of processes, read from `/proc`.

use std::{
    collections::HashMap,
    fs, io,
    process::{Child, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use procfs::{FromRead, process::Stat};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open},
};

/// How often an end is looked for where it cannot be waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Every living descendant of process `root`, parents before their children. A process that ends while the
/// table is read may be missing. None where the table cannot be read: see [`try_descendants`].
pub fn descendants(root: u32) -> Vec<u32> {
    try_descendants(root).unwrap_or_default()
}

/// As [`descendants`]; takes one descriptor at a time.
///
/// # Errors
/// The table, or what it says of a process, cannot be read: there is no descriptor left, for one.
pub fn try_descendants(root: u32) -> io::Result<Vec<u32>> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for pid in all()? {
        if let Some(parent) = parent_of_living(pid)? {
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
    Ok(found)
}

/// Every process that `/proc` lists.
fn all() -> io::Result<Vec<u32>> {
    numbers_in("/proc")?.ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// The children of process `parent`, dead ones that nobody has waited for among them.
pub(crate) fn children(parent: u32) -> io::Result<Vec<u32>> {
    let mut children = Vec::new();
    for pid in all()? {
        let stat = stat(&format!("/proc/{pid}/stat"))?;
        if stat.is_some_and(|stat| u32::try_from(stat.ppid) == Ok(parent)) {
            children.push(pid);
        }
    }
    Ok(children)
}

/// The parent of a process; `None` if it has ended, or is not for this one to see.
fn parent_of_living(pid: u32) -> io::Result<Option<u32>> {
    let Some(stat) = stat(&format!("/proc/{pid}/stat"))? else { return Ok(None) };
    let lives = !matches!(stat.state, 'Z' | 'X');
    Ok(lives.then(|| u32::try_from(stat.ppid).unwrap_or(0)))
}

/// What a `stat` file of `/proc` says of a process or a thread; `None` if that has ended, or is not for this one to see.
///
/// # Errors
/// It cannot be read for another reason: there is no descriptor left, for one.
pub fn stat(path: &str) -> io::Result<Option<Stat>> {
    match read(path)? {
        Some(stat) => Stat::from_read(stat.as_slice()).map(Some).map_err(io::Error::other),
        None => Ok(None),
    }
}

/// Whether one of the threads of process `pid` is in a state of which `is` holds, by the letters of `proc_pid_stat(5)`.
pub(crate) fn any_thread(pid: u32, is: impl Fn(char) -> bool) -> io::Result<bool> {
    for thread in numbers_in(&format!("/proc/{pid}/task"))?.unwrap_or_default() {
        if stat(&format!("/proc/{pid}/task/{thread}/stat"))?.is_some_and(|stat| is(stat.state)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A file of `/proc` about a process; `None` if that has ended, or is not for this one to see.
///
/// # Errors
/// As of [`stat`].
pub fn read(path: &str) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if is_gone_or_unseen(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The numbers that a folder of `/proc` lists; `None` if what it is about has ended, or is not for this one to see.
///
/// # Errors
/// As of [`stat`].
pub fn numbers_in(folder: &str) -> io::Result<Option<Vec<u32>>> {
    let listed = fs::read_dir(folder).and_then(|entries| {
        let names = entries.map(|entry| entry.map(|entry| entry.file_name()));
        names.filter_map(|name| name.map(|name| name.to_str()?.parse().ok()).transpose()).collect()
    });
    match listed {
        Ok(numbers) => Ok(Some(numbers)),
        Err(error) if is_gone_or_unseen(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_gone_or_unseen(error: &io::Error) -> bool {
    let gone = error.raw_os_error() == Some(Errno::SRCH.raw_os_error());
    gone || matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied)
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
    // Without a descriptor left, or where a filter refuses the call, looking again and again does too.
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).ok();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let waited = pidfd.as_ref().map(|pidfd| {
            let timeout = Timespec::try_from(left).map_err(|_| Errno::INVAL)?;
            poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&timeout))
        });
        if !matches!(waited, Some(Ok(_) | Err(Errno::INTR))) {
            thread::sleep(left.min(LOOK_AGAIN));
        }
        match child.try_wait()? {
            None if !left.is_zero() => {}
            ended => return Ok(ended),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::*;
    use crate::tether;

    #[test]
    fn children_and_grandchildren_are_descendants_until_they_end() {
        let mut shell = tether::command("sh")
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
