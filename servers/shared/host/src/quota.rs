//! How much CPU time the cgroups of this process grant it: the other half, beside the mask, of how many CPUs it has.
//!
//! Containers are limited by such a quota (`docker run --cpus 1.5`, a Kubernetes CPU limit): every CPU stays in the mask, but
//! once the group has used its share of a period, all its threads stop until the next one. The kernel keeps the quota in
//! files, in one of two forms (v2: `cpu.max`; v1: `cpu.cfs_quota_us` and `cpu.cfs_period_us`), and a group is also held to the
//! quota of each group above it: the tightest counts.
//!
//! Everything is read below a root folder, so that tests can make trees of files. This module knows neither masks nor workers,
//! and nothing of other limits (memory, processes); what cannot be read or understood grants no less than all. Where it is the
//! own group that cannot be seen, that is [`Unseen`] and to be said: there may be a quota all the same.
//! The formats: `Documentation/admin-guide/cgroup-v2.rst` and `Documentation/scheduler/sched-bwc.rst` of the kernel.

use std::{
    cmp::Ordering,
    fmt, fs,
    path::{Path, PathBuf},
};

use crate::cgroup::{self, Hierarchy, Version};

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
        let of_hierarchy = |Hierarchy { version, own, above, .. }: Hierarchy| {
            own.into_iter().chain(above).filter_map(move |folder| Self::of_folder(version, &folder)).min()
        };
        cgroup::hierarchies_of_this_process(root).into_iter().filter_map(of_hierarchy).min()
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

/// The group of this process in the hierarchy with the CPU controller cannot be seen, so that it cannot be told whether it has a
/// quota: nothing shows the hierarchy, or what does was mounted outside of this process's cgroup namespace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the CPU quota cannot be told, since no mount shows the cgroup {} of this process (see /proc/self/cgroup and \
     /proc/self/mountinfo)", group.display()
)]
pub struct Unseen {
    group: PathBuf,
}

impl Unseen {
    /// Whether it is so for this process.
    pub fn of_this_process() -> Option<Self> {
        Self::below(Path::new("/"))
    }

    /// The same, where `/proc` and the mounted hierarchies are looked for below `root`.
    pub fn below(root: &Path) -> Option<Self> {
        let hierarchies = cgroup::hierarchies_of_this_process(root);
        // v2 names a group on every host; it has no CPU controller where v1 has it.
        let decides = hierarchies.iter().find(|one| one.version == Version::V1).or(hierarchies.first())?;
        decides.own.is_none().then(|| Self { group: decides.group.clone() })
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

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = (Quota::parse(&text, "1"), Quota::parse("1", &text));
        }
    }
}
