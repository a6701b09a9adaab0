//! In which cgroups this process is, and where their files can be seen.
//!
//! A hierarchy has one of two forms: v1, one for each controller or a few, and v2, one for all of them. `/proc/self/cgroup` names the
//! group in each, and `/proc/self/mountinfo` says where which part of the hierarchy can be seen. Everything is read below a root
//! folder, so that tests can make trees of files. What is in the files is for others to know.
//!
//! In a cgroup namespace both name groups from that namespace's root, which is `/`. A mount that was made outside begins above it,
//! at `/../..`: two levels, of which nobody says the names. There the own group is the one that has this process among its members.
//! The formats: `cgroups(7)`, `cgroup_namespaces(7)`, `proc(5)`, and `Documentation/admin-guide/cgroup-v2.rst` of the kernel.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

/// More folders than are looked into for the one of this process. A busy host has some thousand groups in each hierarchy.
const MOST_LOOKED_INTO: usize = 10_000;

/// A hierarchy that may have the CPU controller, as this process sees it.
///
/// A controller is in one hierarchy only: on a host with both forms, the other one simply has no such files.
#[derive(Debug)]
pub(crate) struct Hierarchy {
    pub(crate) version: Version,
    /// How `/proc/self/cgroup` names the group of this process.
    pub(crate) group: PathBuf,
    /// The folder of that group, if it can be seen.
    pub(crate) own: Option<PathBuf>,
    /// Those of groups above it, as far as they can be seen.
    pub(crate) above: Vec<PathBuf>,
}

/// The hierarchy v2, and the one of v1 that has the CPU controller; `/proc` and the mounted hierarchies are looked for below `root`.
pub(crate) fn hierarchies_of_this_process(root: &Path) -> Vec<Hierarchy> {
    let read =
        |path: &str| fs::read(root.join(path)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let Ok(groups) = read("proc/self/cgroup") else { return Vec::new() };
    let mounts = read("proc/self/mountinfo").unwrap_or_default();
    let mounts: Vec<Mount> = mounts.lines().filter_map(Mount::parse).collect();
    let memberships = groups.lines().filter_map(Membership::parse);
    let hierarchies = memberships.map(|Membership { version, path }| {
        let mut hierarchy = Hierarchy { version, group: path, own: None, above: Vec::new() };
        mounts.iter().filter(|mount| mount.version == version).for_each(|mount| hierarchy.look(mount, root));
        hierarchy
    });
    hierarchies.collect()
}

impl Hierarchy {
    /// Looks for the own group, and those above it, where `mount` shows them.
    fn look(&mut self, mount: &Mount, root: &Path) {
        let point = below(root, &mount.point);
        let shown = match mount.place_of(&self.group) {
            Some(Place::At(group)) => Some(group),
            Some(Place::Below { levels, group }) => {
                let mut left = MOST_LOOKED_INTO;
                let found = with_this_process(&point, levels, &group, &mut left);
                if found.is_none() {
                    // What is known is that the group which the mount shows stands above this process.
                    self.above.push(point.clone());
                }
                found.and_then(|folder| Some(folder.strip_prefix(&point).ok()?.to_owned()))
            }
            // Another branch of the hierarchy, whose limits are not ours.
            None => None,
        };
        if let Some(shown) = shown {
            let mut folders = shown.ancestors().map(|group| point.join(group));
            let own = folders.next();
            self.own = self.own.take().or(own);
            self.above.extend(folders);
        }
    }
}

/// The folder `levels` below `point`, and there that of `group`, that has this process among its members. `left` is how many folders
/// may still be looked into.
fn with_this_process(point: &Path, levels: usize, group: &Path, left: &mut usize) -> Option<PathBuf> {
    *left = left.checked_sub(1)?;
    if levels == 0 {
        let folder = point.join(group);
        let members = fs::read_to_string(folder.join("cgroup.procs")).ok()?;
        let own = std::process::id().to_string();
        return members.lines().any(|pid| pid == own).then_some(folder);
    }
    let entries = fs::read_dir(point).ok()?.flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .find_map(|entry| with_this_process(&entry.path(), levels - 1, group, left))
}

/// The two forms of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
}

/// The group of this process in one hierarchy that may have the CPU controller: a line of `/proc/self/cgroup`.
#[derive(Debug)]
struct Membership {
    version: Version,
    path: PathBuf,
}

impl Membership {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.splitn(3, ':');
        let (hierarchy, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
        let version = match (hierarchy, controllers) {
            ("0", "") => Version::V2,
            (_, controllers) if controllers.split(',').any(|name| name == "cpu") => Version::V1,
            _ => return None,
        };
        Some(Self { version, path: PathBuf::from(path) })
    }
}

/// Where a hierarchy can be seen: a line of `/proc/self/mountinfo`.
#[derive(Debug)]
struct Mount {
    version: Version,
    /// The group that the mount point shows; in a cgroup namespace as seen from that namespace's root, so that it can
    /// begin with `/..`.
    group: PathBuf,
    /// Where it does.
    point: PathBuf,
}

impl Mount {
    fn parse(line: &str) -> Option<Self> {
        let (mount, filesystem) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let (group, point) = (unescaped(mount.next()?), unescaped(mount.next()?));
        let mut filesystem = filesystem.split(' ');
        let (kind, _source, options) = (filesystem.next()?, filesystem.next()?, filesystem.next()?);
        let version = match kind {
            "cgroup2" => Version::V2,
            "cgroup" if options.split(',').any(|option| option == "cpu") => Version::V1,
            _ => return None,
        };
        Some(Self { version, group: PathBuf::from(group), point: PathBuf::from(point) })
    }

    /// Where the group at `path` is below this mount's point, if it is.
    fn place_of(&self, path: &Path) -> Option<Place> {
        if let Ok(rest) = path.strip_prefix(&self.group)
            && rest.components().all(|part| matches!(part, Component::Normal(_)))
        {
            return Some(Place::At(rest.to_owned()));
        }
        let (levels, below) = levels_up(&self.group);
        let (own_levels, group) = levels_up(path);
        if below.as_os_str().is_empty() && levels > own_levels {
            return Some(Place::Below { levels: levels - own_levels, group });
        }
        None
    }
}

/// A group below a mount's point.
enum Place {
    At(PathBuf),
    /// So many levels further down, whose names are not known.
    Below {
        levels: usize,
        group: PathBuf,
    },
}

/// How often a path leads up at its start, and the rest of it.
fn levels_up(path: &Path) -> (usize, PathBuf) {
    let parts = || path.components().filter(|part| *part != Component::RootDir);
    let levels = parts().take_while(|part| *part == Component::ParentDir).count();
    (levels, parts().skip(levels).collect())
}

/// An absolute path, below a root of one's own.
fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// The kernel writes blanks, tabs, newlines and backslashes of a path as a backslash and three octal digits.
fn unescaped(path: &str) -> String {
    let mut plain = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match escaped.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(code) if byte == b'\\' => {
                plain.push(code);
                rest = &after[3..];
            }
            _ => {
                plain.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_escapes_in_a_path_is_read_back() {
        assert_eq!(unescaped(r"/with\040blank\134and\011tab"), "/with blank\\and\ttab");
        for literal in [r"/no\9digits", r"/short\04", r"/beyond\777", "\\", "/plain/é"] {
            assert_eq!(unescaped(literal), literal);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*", path in "/?(\\.\\./|[a-c/:\\\\]|\\\\0[0-9]{0,2}){0,6}") {
            let _ = (Membership::parse(&text), unescaped(&text), unescaped(&path));
            if let Some(mount) = Mount::parse(&format!("1 2 0:3 {path} {text} - cgroup2 x rw")) {
                mount.place_of(Path::new(&path));
                mount.place_of(Path::new(&text));
            }
            let _ = Mount::parse(&text);
        }
    }
}
