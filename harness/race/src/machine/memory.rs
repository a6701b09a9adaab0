//! How much memory the processes of a row hold together.

use std::io;

use host::processes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Memory of all processes of a tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Memory {
    /// In total.
    pub kib: u64,
    /// What that is the sum of.
    pub counted: Counted,
}

/// How pages count that several processes share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// Once in all, shared out among those that have them: the proportional set size.
    #[default]
    Proportionally,
    /// Once for each process: the resident set size. Where the kernel does not tell the other of one of them.
    Repeatedly,
}

/// What `pids` hold; one that has ended holds nothing.
///
/// # Errors
/// `/proc` cannot be read.
pub fn of(pids: impl Iterator<Item = u32>) -> io::Result<Memory> {
    let mut total = Memory::default();
    let mut resident_kib = 0;
    for pid in pids {
        let Some(statm) = processes::read(&format!("/proc/{pid}/statm"))? else { continue };
        let resident = String::from_utf8_lossy(&statm);
        let pages: u64 = resident.split_ascii_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
        resident_kib += pages * procfs::page_size() / 1024;
        // One that died and is unburied holds nothing, and has no such file to read.
        if pages > 0 {
            match processes::read(&format!("/proc/{pid}/smaps_rollup"))?.and_then(|text| proportional(&text))
            {
                Some(kib) => total.kib += kib,
                None => total.counted = Counted::Repeatedly,
            }
        }
    }
    if total.counted == Counted::Repeatedly {
        total.kib = resident_kib;
    }
    Ok(total)
}

/// The line `Pss:    1234 kB`.
fn proportional(rollup: &[u8]) -> Option<u64> {
    let rollup = String::from_utf8_lossy(rollup);
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proportional_line_is_told_from_its_parts() {
        let rollup =
            b"00400000-7fff ---p 00000000 00:00 0  [rollup]\nRss:  900 kB\nPss:  812 kB\nPss_Dirty: 3 kB\n";
        assert_eq!(proportional(rollup), Some(812));
        assert_eq!(proportional(b"Rss: 900 kB\n"), None);
    }

    #[test]
    fn what_a_process_takes_shows_in_its_memory() {
        let own = || of([std::process::id()].into_iter()).unwrap();
        let before = own();
        let taken = vec![1_u8; 64 << 20];
        assert!(own().kib > before.kib + (taken.len() as u64 >> 11), "{before:?}");
    }

    #[test]
    fn who_is_gone_holds_nothing() {
        assert_eq!(of([u32::MAX].into_iter()).unwrap(), Memory::default());
    }
}
