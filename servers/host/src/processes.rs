//! Trees of processes, read from `/proc`.

use std::collections::HashMap;

use procfs::process::all_processes;
use rustix::process::{Pid, Signal, kill_process};

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

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn children_and_grandchildren_are_descendants_until_they_end() {
        let mut shell = Command::new("sh")
            .args(["-c", "cat & echo started; wait"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = std::io::BufReader::new(shell.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut stdout, &mut String::new()).unwrap();
        let found = descendants(std::process::id());
        assert!(found.contains(&shell.id()));
        let grandchildren = descendants(shell.id());
        assert_eq!(grandchildren.len(), 1, "the shell started one `cat`");
        assert!(found.contains(&grandchildren[0]));
        assert!(send(grandchildren[0], Signal::KILL));
        shell.wait().unwrap();
        assert!(!descendants(std::process::id()).contains(&shell.id()));
    }
}
