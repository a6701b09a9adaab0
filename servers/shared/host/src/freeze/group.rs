//! Freezing by a cgroup of version 2 (`cgroup.freeze`), which no parent sees.
//!
//! Never by the freezer of version 1: SIGKILL does not end what that has frozen, so that a guard could not keep its promise.
//! Tasks that version 2 has frozen die of it, and are not shown as stopped: `cgroup.events` says when all of them stand.
//! `Documentation/admin-guide/cgroup-v2.rst` of the kernel, "Core Interface Files".

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use super::fault::FreezeFault;
use crate::{
    cgroup::{self, Version},
    members::{self, Member},
};

/// Between two looks at whether it is frozen.
const LOOK_AGAIN: Duration = Duration::from_micros(200);

/// A cgroup for one tree, below that of this process, which needs no controller. Dropping it removes it, if it is empty.
#[derive(Debug)]
pub struct Group {
    folder: PathBuf,
}

/// Why there is no such cgroup to be had.
#[derive(Debug, thiserror::Error)]
pub enum GroupError {
    /// Only version 1 is there.
    #[error(
        "no cgroup of version 2 can be seen, and version 1 is no use: SIGKILL does not end what it has frozen"
    )]
    OnlyVersion1,
    /// It cannot be made: the group of this process is not this user's.
    #[error("cannot make the cgroup {}: {error}", folder.display())]
    Refused {
        /// Which.
        folder: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The kernel is older than 5.2.
    #[error("the cgroup {} has no cgroup.freeze: Linux has it since 5.2", folder.display())]
    NoFreezer {
        /// Which.
        folder: PathBuf,
    },
}

impl Group {
    /// A group called `name` below that of this process.
    ///
    /// # Errors
    /// There is none of version 2, or none may be made there.
    pub fn create(name: &str) -> Result<Self, GroupError> {
        Self::create_below(Path::new("/"), name)
    }

    /// The same, where `/proc` and the mounted hierarchies are looked for below `root`.
    fn create_below(root: &Path, name: &str) -> Result<Self, GroupError> {
        let hierarchies = cgroup::hierarchies_of_this_process(root);
        let own = hierarchies.into_iter().filter(|one| one.version == Version::V2).find_map(|one| one.own);
        let folder = own.ok_or(GroupError::OnlyVersion1)?.join(name);
        match fs::create_dir(&folder) {
            // One that a run left which was killed.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(GroupError::Refused { folder, error }),
            Ok(()) => {}
        }
        let group = Self { folder };
        if group.folder.join("cgroup.freeze").exists() {
            return Ok(group);
        }
        Err(GroupError::NoFreezer { folder: group.folder.clone() })
    }

    /// Moves everything below `root` into the group and freezes it; who that is. Where it fails, all of it goes on.
    pub(super) fn stop(&self, root: u32, within: Duration) -> Result<Vec<Member>, FreezeFault> {
        let stopped = self.stop_all(root, Instant::now() + within, within);
        if stopped.is_err() {
            drop(self.resume());
        }
        stopped
    }

    /// Lets the group go on.
    pub(super) fn resume(&self) -> Result<(), FreezeFault> {
        self.write("cgroup.freeze", "0")
    }

    fn stop_all(&self, root: u32, deadline: Instant, within: Duration) -> Result<Vec<Member>, FreezeFault> {
        // Children start in the group of their parent, so that the first look finds nearly all of what there is to move.
        self.adopt(root, deadline, within)?;
        loop {
            self.write("cgroup.freeze", "1")?;
            while !self.is_frozen()? {
                if Instant::now() > deadline {
                    let member = members::below(root)?.living.into_iter().next();
                    let member = member.ok_or(FreezeFault::Nothing { root })?;
                    return Err(FreezeFault::NotStopped { member, within });
                }
                thread::sleep(LOOK_AGAIN);
            }
            // One that started another just before it was moved has left that outside.
            if self.adopt(root, deadline, within)? == 0 {
                return Ok(members::below(root)?.living);
            }
        }
    }

    /// Moves what is below `root` and not yet in the group; how many that were.
    fn adopt(&self, root: u32, deadline: Instant, within: Duration) -> Result<usize, FreezeFault> {
        let mut adopted = 0;
        loop {
            let here = self.read("cgroup.procs")?;
            let here: Vec<u32> = here.lines().filter_map(|pid| pid.parse().ok()).collect();
            let living = members::below(root)?.living;
            let new: Vec<Member> = living.into_iter().filter(|member| !here.contains(&member.pid)).collect();
            match new.first() {
                None => return Ok(adopted),
                Some(member) if Instant::now() > deadline => {
                    return Err(FreezeFault::NotStopped { member: member.clone(), within });
                }
                Some(_) => {}
            }
            for member in new {
                match fs::write(self.folder.join("cgroup.procs"), member.pid.to_string()) {
                    Ok(()) => adopted += 1,
                    // It has died in the meantime.
                    Err(error) if error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => {}
                    Err(error) => return Err(FreezeFault::Group(error)),
                }
            }
        }
    }

    fn is_frozen(&self) -> Result<bool, FreezeFault> {
        Ok(self.read("cgroup.events")?.lines().any(|line| line == "frozen 1"))
    }

    fn read(&self, name: &str) -> Result<String, FreezeFault> {
        fs::read_to_string(self.folder.join(name)).map_err(FreezeFault::Group)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), FreezeFault> {
        fs::write(self.folder.join(name), text).map_err(FreezeFault::Group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Which the kernel refuses while somebody is in it; the next run of this name takes it over.
        drop(fs::remove_dir(&self.folder));
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader},
        process::{Child, Stdio},
        sync::atomic::{AtomicBool, Ordering::Relaxed},
    };

    use rustix::process::Signal;

    use super::*;
    use crate::{processes, tether};

    const PATIENCE: Duration = Duration::from_secs(20);
    const OWN: &str = "0::/user\n";
    const MOUNTED: &str = "36 24 0:31 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n";

    /// A host whose files say what `groups` and `mounts` do, and the folder of this process's group on it.
    fn host(groups: &str, mounts: &str) -> (tempfile::TempDir, PathBuf) {
        let host = tempfile::tempdir().unwrap();
        let own = host.path().join("sys/fs/cgroup/user");
        fs::create_dir_all(host.path().join("proc/self")).unwrap();
        fs::create_dir_all(&own).unwrap();
        fs::write(host.path().join("proc/self/cgroup"), groups).unwrap();
        fs::write(host.path().join("proc/self/mountinfo"), mounts).unwrap();
        (host, own)
    }

    /// The files that the kernel puts into a group.
    fn files_in(folder: &Path) {
        fs::create_dir(folder).unwrap();
        for (name, text) in
            [("cgroup.procs", ""), ("cgroup.freeze", "0\n"), ("cgroup.events", "populated 0\nfrozen 0\n")]
        {
            fs::write(folder.join(name), text).unwrap();
        }
    }

    /// A tree of one process, since a file, unlike a cgroup, keeps only what was last written to it; and its parent.
    fn parent_and_child() -> (Child, u32) {
        let mut parent = tether::command("sh");
        let mut parent =
            parent.args(["-c", "sleep 60 & echo $!; wait"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        BufReader::new(parent.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
        (parent, said.trim().parse().unwrap())
    }

    fn end(parent: &mut Child, child: u32) {
        assert!(processes::send(child, Signal::KILL));
        parent.wait().unwrap();
    }

    #[test]
    fn where_only_version_1_is_there_is_no_group_and_where_none_may_be_made_that_is_said() {
        let version_1 = "36 24 0:31 / /sys/fs/cgroup/freezer rw shared:4 - cgroup cgroup rw,freezer\n";
        let (files, _) = host("6:freezer:/\n1:cpu:/\n", version_1);
        let error = Group::create_below(files.path(), "row").unwrap_err();
        assert!(matches!(error, GroupError::OnlyVersion1), "{error}");

        let (files, own) = host(OWN, MOUNTED);
        fs::remove_dir(&own).unwrap();
        let error = Group::create_below(files.path(), "row").unwrap_err();
        assert!(matches!(error, GroupError::Refused { .. }), "{error}");

        let (files, own) = host(OWN, MOUNTED);
        let error = Group::create_below(files.path(), "row").unwrap_err();
        assert!(matches!(error, GroupError::NoFreezer { .. }), "{error}");
        assert!(!own.join("row").exists());
    }

    #[test]
    fn a_tree_is_moved_in_and_frozen_once_the_kernel_says_so() {
        let (files, own) = host(OWN, MOUNTED);
        files_in(&own.join("row"));
        let group = Group::create_below(files.path(), "row").unwrap();
        let at = |name: &str| own.join("row").join(name);
        let (mut parent, pid) = parent_and_child();
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            // A kernel that takes its time.
            scope.spawn(|| {
                while !stop.load(Relaxed) {
                    if fs::read_to_string(at("cgroup.freeze")).unwrap() == "1" {
                        fs::write(at("cgroup.events"), "populated 1\nfrozen 1\n").unwrap();
                    }
                    thread::yield_now();
                }
            });
            let stopped = group.stop(parent.id(), PATIENCE);
            stop.store(true, Relaxed);
            assert_eq!(stopped.unwrap().iter().map(|member| member.pid).collect::<Vec<_>>(), [pid]);
        });
        assert_eq!(fs::read_to_string(at("cgroup.procs")).unwrap(), pid.to_string());
        assert_eq!(fs::read_to_string(at("cgroup.freeze")).unwrap(), "1");
        group.resume().unwrap();
        assert_eq!(fs::read_to_string(at("cgroup.freeze")).unwrap(), "0");
        end(&mut parent, pid);
    }

    #[test]
    fn one_that_never_freezes_is_a_fault_and_is_let_go() {
        let (files, own) = host(OWN, MOUNTED);
        files_in(&own.join("row"));
        let group = Group::create_below(files.path(), "row").unwrap();
        let (mut parent, pid) = parent_and_child();
        let fault = group.stop(parent.id(), Duration::from_millis(50)).unwrap_err();
        assert!(matches!(fault, FreezeFault::NotStopped { .. }), "{fault}");
        assert_eq!(fs::read_to_string(own.join("row/cgroup.freeze")).unwrap(), "0");
        end(&mut parent, pid);
    }
}
