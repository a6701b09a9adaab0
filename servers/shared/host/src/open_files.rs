//! How many files a process may have open (RLIMIT_NOFILE): each connection is one.
//!
//! The soft limit of 1024 that most systems start processes with is for the sake of programs that use select(2);
//! whoever does not may raise it to the hard one without any privilege.

use std::{collections::BTreeSet, io};

use procfs::process::Process;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit, setrlimit};

/// Raises this process's soft limit to its hard one, for itself and what it will start. Returns the limit now in force.
///
/// # Errors
/// Whatever setrlimit(2) reports.
pub fn raise() -> io::Result<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    }
    Ok(maximum.unwrap_or(u64::MAX))
}

/// Lowers the limit of process `pid` so far that it can open exactly `more` files. Returns the limit, which is on
/// the numbers of descriptors: free ones below the highest in use count as well.
///
/// # Errors
/// The process is gone or belongs to somebody else.
pub fn starve(pid: u32, more: u64) -> io::Result<u64> {
    let used = numbers_in_use(pid)?;
    let mut free = (0..).filter(|number| !used.contains(number));
    let limit =
        usize::try_from(more).ok().and_then(|more| free.nth(more)).ok_or(io::ErrorKind::InvalidInput)?;
    let wanted = Rlimit { current: Some(limit), maximum: Some(limit) };
    prlimit(Some(rustix_pid(pid)?), Resource::Nofile, wanted)?;
    Ok(limit)
}

/// Whether process `pid`, which may have numbers below `limit` only, can open no file.
///
/// # Errors
/// The process is gone or belongs to somebody else.
pub fn is_starved(pid: u32, limit: u64) -> io::Result<bool> {
    let used = numbers_in_use(pid)?;
    Ok((0..limit).all(|number| used.contains(&number)))
}

fn rustix_pid(pid: u32) -> io::Result<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

fn numbers_in_use(pid: u32) -> io::Result<BTreeSet<u64>> {
    let process = Process::new(rustix_pid(pid)?.as_raw_nonzero().get());
    let files = process.and_then(|process| process.fd()).map_err(io::Error::other)?;
    Ok(files.flatten().filter_map(|file| u64::try_from(file.fd).ok()).collect())
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead as _, BufReader, Write as _},
        process::Stdio,
        time::{Duration, Instant},
    };

    use super::*;
    use crate::tether;

    #[test]
    fn a_process_that_is_starved_of_files_has_room_for_so_many_more() {
        // Closes what it may have inherited under these numbers, says so, and opens five files when told to.
        let script = "exec 3<&- 4<&- 5<&- 6<&- 7<&-; echo ready; read go; \
            exec 3</dev/null 4</dev/null 5</dev/null 6</dev/null 7</dev/null; read go";
        let mut child = tether::command("bash")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        assert_eq!(ready, "ready\n");
        let limit = starve(child.id(), 5).unwrap();
        assert!(!is_starved(child.id(), limit).unwrap());
        assert_eq!(child.stdin.as_mut().unwrap().write(b"\n").unwrap(), 1);
        let deadline = Instant::now() + Duration::from_secs(20);
        while !is_starved(child.id(), limit).unwrap() {
            assert!(Instant::now() < deadline, "it has room for more than five");
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn the_soft_limit_is_raised_to_the_hard_one() {
        let raised = raise().unwrap();
        assert_eq!(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX), raised);
    }
}
