//! How much CPU time the cgroups of this process grant it: the other half, beside the mask, of how many CPUs it has.
//!
//! Containers are limited by such a quota (`docker run --cpus 1.5`, a Kubernetes CPU limit): every CPU stays in the mask, but
//! once the group has used its share of a period, all its threads stop until the next one. The kernel keeps the quota in
//! files, in one of two forms (v2: `cpu.max`; v1: `cpu.cfs_quota_us` and `cpu.cfs_period_us`), and a group is also held to the
//! quota of each group above it: the tightest counts. `/proc/self/cgroup` names the group and `/proc/self/mountinfo` says
//! where which part of the hierarchy can be seen.
//!
//! Everything is read below a root folder, so that tests can make trees of files. This module knows neither masks nor workers,
//! and nothing of other limits (memory, processes); what cannot be read or understood grants no less than all.
//! The formats: `Documentation/admin-guide/cgroup-v2.rst` and `Documentation/scheduler/sched-bwc.rst` of the kernel,
//! `proc(5)`, `cgroups(7)`.

use std::{
    cmp::Ordering,
    fmt, fs,
    path::{Component, Path, PathBuf},
};

/// CPU time in each period of time, for all threads of a group together.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    quota_us: u64,
    period_us: u64,
}

impl Quota {
    /// What the cgroups of this process grant it; none where nothing limits it.
    pub fn of_this_process() -> Option<Self> {
        Self::below(Path::new("/"))
    }

    /// The same, where `/proc` and the mounted hierarchies are looked for below `root`.
    pub fn below(root: &Path) -> Option<Self> {
        let read =
            |path: &str| fs::read(root.join(path)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let (groups, mounts) = (read("proc/self/cgroup").ok()?, read("proc/self/mountinfo").ok()?);
        let mounts: Vec<Mount> = mounts.lines().filter_map(Mount::parse).collect();
        // A controller is in one hierarchy only: on a host with both, the other one simply has no such files.
        groups
            .lines()
            .filter_map(Membership::parse)
            .flat_map(|membership| {
                let mounts = mounts.iter().filter(move |mount| mount.version == membership.version);
                mounts.flat_map(move |mount| mount.folders_of(&membership.path)).collect::<Vec<_>>()
            })
            .filter_map(|(version, folder)| Self::of_folder(version, &below(root, &folder)))
            .min()
    }

    /// Reads one group's own files.
    fn of_folder(version: Version, folder: &Path) -> Option<Self> {
        let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
        match version {
            Version::V1 => Self::parse(&read("cpu.cfs_quota_us")?, &read("cpu.cfs_period_us")?),
            Version::V2 => {
                let text = read("cpu.max")?;
                let mut fields = text.split_ascii_whitespace();
                Self::parse(fields.next()?, fields.next()?)
            }
        }
    }

    /// Neither `max` (v2) nor -1 (v1), which mean that there is no limit, is a number of microseconds.
    fn parse(quota: &str, period: &str) -> Option<Self> {
        let microseconds = |text: &str| text.trim().parse().ok().filter(|&number: &u64| number > 0);
        Some(Self { quota_us: microseconds(quota)?, period_us: microseconds(period)? })
    }

    /// How many CPUs that is; seldom a whole number.
    pub fn cpus(self) -> f64 {
        self.quota_us as f64 / self.period_us as f64
    }

    /// How many workers never use up the quota, computing all the time: the whole CPUs in it, and at least one.
    ///
    /// Rounded down, as [`std::thread::available_parallelism`] does. One worker more would use the fraction that this leaves
    /// idle, but under load the group then runs out before its period ends, and every worker is stopped at once: with 1.5
    /// CPUs, two workers compute for 75 ms of each 100 and stand still for 25, which whoever asks meanwhile waits for, cheap
    /// request or not. A throughput that is missed can be seen and bought back with `--workers`; such stalls look like the
    /// server's own latency. Below one CPU there is no choice, and they do occur.
    pub fn whole_cpus(self) -> usize {
        usize::try_from(self.quota_us / self.period_us).unwrap_or(usize::MAX).max(1)
    }
}

impl Ord for Quota {
    fn cmp(&self, other: &Self) -> Ordering {
        let share = |one: &Self, other: &Self| u128::from(one.quota_us) * u128::from(other.period_us);
        share(self, other).cmp(&share(other, self))
    }
}

impl PartialOrd for Quota {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Quota {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Quota {}

/// As people write it: `1.5 CPUs`.
impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Rounded down, like the workers: what is short of two CPUs must not read as two.
        let hundredths = u128::from(self.quota_us) * 100 / u128::from(self.period_us);
        write!(f, "{} CPU{}", hundredths as f64 / 100.0, if hundredths == 100 { "" } else { "s" })
    }
}

/// The two forms of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
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
    fn whole_cpus_are_rounded_down_and_at_least_one() {
        for (quota_us, whole, text) in [
            (50_000, 1, "0.5 CPUs"),
            (100_000, 1, "1 CPU"),
            (199_999, 1, "1.99 CPUs"),
            (150_000, 1, "1.5 CPUs"),
            (200_000, 2, "2 CPUs"),
            (1_234_000, 12, "12.34 CPUs"),
        ] {
            let quota = Quota { quota_us, period_us: 100_000 };
            assert_eq!((quota.whole_cpus(), quota.to_string().as_str()), (whole, text));
        }
    }

    #[test]
    fn the_tighter_quota_is_the_smaller_share_not_the_smaller_number() {
        let quota = |quota_us, period_us| Quota { quota_us, period_us };
        assert!(quota(150_000, 100_000) > quota(200_000, 200_000));
        assert_eq!(quota(50_000, 100_000), quota(1_000, 2_000));
        assert!(quota(u64::MAX, 1) > quota(u64::MAX, 2));
    }

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
            let _ = (Membership::parse(&text), Quota::parse(&text, "1"), unescaped(&text), unescaped(&path));
            if let Some(mount) = Mount::parse(&format!("1 2 0:3 {path} {text} - cgroup2 x rw")) {
                mount.folders_of(Path::new(&path));
                mount.folders_of(Path::new(&text));
            }
            let _ = Mount::parse(&text);
        }
    }
}
