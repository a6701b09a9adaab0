//! In which cgroups this process is, and where their files can be seen.
//!
//! A hierarchy has one of two forms: v1, one for each controller or a few, and v2, one for all of them. `/proc/self/cgroup` names the
//! group in each, and `/proc/self/mountinfo` says where which part of the hierarchy can be seen. Everything is read below a root
//! folder, so that tests can make trees of files. What is in the files is for others to know.
//! The formats: `cgroups(7)`, `proc(5)`, and `Documentation/admin-guide/cgroup-v2.rst` of the kernel.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

/// The folders of this process's group in the hierarchy v2, and in the one of v1 that has the CPU controller, each followed by those
/// of the groups above it, as far as they can be seen; `/proc` and the mounted hierarchies are looked for below `root`.
///
/// A controller is in one hierarchy only: on a host with both forms, the other one simply has no such files.
pub(crate) fn folders_of_this_process(root: &Path) -> Vec<(Version, PathBuf)> {
    let read =
        |path: &str| fs::read(root.join(path)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let (Ok(groups), Ok(mounts)) = (read("proc/self/cgroup"), read("proc/self/mountinfo")) else {
        return Vec::new();
    };
    let mounts: Vec<Mount> = mounts.lines().filter_map(Mount::parse).collect();
    let memberships = groups.lines().filter_map(Membership::parse);
    let folders = memberships.flat_map(|membership| {
        let mounts = mounts.iter().filter(move |mount| mount.version == membership.version);
        mounts.flat_map(move |mount| mount.folders_of(&membership.path)).collect::<Vec<_>>()
    });
    folders.map(|(version, folder)| (version, below(root, &folder))).collect()
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

    /// The folders of the group at `path` and of those above it, as far as this mount shows them.
    fn folders_of(&self, path: &Path) -> Vec<(Version, PathBuf)> {
        let shown = match path.strip_prefix(&self.group) {
            Ok(rest) if rest.components().all(|part| matches!(part, Component::Normal(_))) => rest,
            // The mount shows a group above the namespace's root, whose name below that group nobody tells: what is
            // known is that the shown one stands above this process.
            _ if is_above_the_namespace(&self.group) && !path.starts_with("/..") => Path::new(""),
            // Another branch of the hierarchy, whose limits are not ours.
            _ => return Vec::new(),
        };
        shown.ancestors().map(|group| (self.version, self.point.join(group))).collect()
    }
}

fn is_above_the_namespace(group: &Path) -> bool {
    let mut parts = group.components().filter(|part| *part != Component::RootDir).peekable();
    parts.peek().is_some() && parts.all(|part| part == Component::ParentDir)
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
                mount.folders_of(Path::new(&path));
                mount.folders_of(Path::new(&text));
            }
            let _ = Mount::parse(&text);
        }
    }
}
