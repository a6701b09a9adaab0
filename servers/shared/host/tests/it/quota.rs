//! CPU quotas: on made-up trees of files in all the shapes that hosts and containers have, and in a real cgroup.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Output,
};

use host::{
    cpus::workers_within,
    quota::{Quota, Unseen},
    tether,
};
use proptest::prelude::{any, prop};
use tempfile::TempDir;

/// A made-up `/`.
struct Tree(TempDir);

impl Tree {
    /// With what `/proc` says of this process's groups and of what is mounted.
    fn new(cgroup: &str, mountinfo: &str) -> Self {
        let tree = Self(TempDir::new().unwrap());
        tree.file("proc/self/cgroup", cgroup).file("proc/self/mountinfo", mountinfo)
    }

    fn file(self, path: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// A v1 group's two files.
    fn v1(self, folder: &str, quota: &str, period: &str) -> Self {
        self.file(&format!("{folder}/cpu.cfs_quota_us"), quota)
            .file(&format!("{folder}/cpu.cfs_period_us"), period)
    }

    fn quota(&self) -> Option<Quota> {
        Quota::below(self.0.path())
    }

    /// What there is to be said of a group that cannot be seen.
    fn unseen(&self) -> Option<String> {
        Unseen::below(self.0.path()).map(|unseen| unseen.to_string())
    }

    /// In words, for comparisons.
    fn says(&self) -> String {
        self.quota().map_or_else(|| "none".to_owned(), |quota| quota.to_string())
    }
}

/// The unified hierarchy, whole, where it usually is.
const V2: &str = "24 1 0:21 / /proc rw,nosuid - proc proc rw
30 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
";

/// The hierarchies of a host with v1, the CPU controller beside accounting, whole.
const V1: &str = "33 30 0:28 / /sys/fs/cgroup/cpuset rw,relatime shared:9 - cgroup cgroup rw,cpuset
34 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:15 - cgroup cgroup rw,cpu,cpuacct
";

#[test]
fn a_quota_of_the_own_group_counts() {
    let v2 = Tree::new("0::/job\n", V2).file("sys/fs/cgroup/job/cpu.max", "150000 100000\n");
    assert_eq!(v2.says(), "1.5 CPUs");
    assert_eq!(workers_within(8, v2.quota()), 1);

    let v1 = Tree::new("5:cpu,cpuacct:/work\n4:cpuset:/\n", V1);
    let v1 = v1.v1("sys/fs/cgroup/cpu,cpuacct/work", "300000\n", "100000\n");
    assert_eq!(v1.says(), "3 CPUs");
    assert_eq!(workers_within(8, v1.quota()), 3);
    assert_eq!(workers_within(2, v1.quota()), 2, "the mask allows fewer");
}

#[test]
fn the_tightest_group_from_the_own_one_upwards_counts() {
    let v2 = Tree::new("0::/pod/container/inner\n", V2)
        .file("sys/fs/cgroup/pod/cpu.max", "50000 20000\n")
        .file("sys/fs/cgroup/pod/container/cpu.max", "1500000 500000\n")
        .file("sys/fs/cgroup/pod/container/inner/cpu.max", "max 100000\n")
        .file("sys/fs/cgroup/pod/neighbour/cpu.max", "10000 100000\n");
    assert_eq!(v2.says(), "2.5 CPUs");

    let v1 = Tree::new("7:cpu,cpuacct:/pod/container\n", V1)
        .v1("sys/fs/cgroup/cpu,cpuacct", "-1", "100000")
        .v1("sys/fs/cgroup/cpu,cpuacct/pod", "800000", "100000")
        .v1("sys/fs/cgroup/cpu,cpuacct/pod/container", "400000", "100000");
    assert_eq!(v1.says(), "4 CPUs");
}

#[test]
fn no_limit_is_no_quota() {
    assert_eq!(Tree::new("0::/\n", V2).says(), "none", "the root group has no such file");
    assert_eq!(Tree::new("0::/job\n", V2).file("sys/fs/cgroup/job/cpu.max", "max 100000\n").says(), "none");
    let v1 = Tree::new("5:cpu,cpuacct:/work\n", V1).v1("sys/fs/cgroup/cpu,cpuacct/work", "-1\n", "100000\n");
    assert_eq!(v1.says(), "none");
    assert_eq!(workers_within(6, v1.quota()), 6);
    assert_eq!(workers_within(0, None), 1);
}

#[test]
fn a_namespace_makes_the_own_group_the_root() {
    let tree = Tree::new("0::/\n", V2).file("sys/fs/cgroup/cpu.max", "200000 100000\n");
    assert_eq!(tree.says(), "2 CPUs");
}

#[test]
fn a_mount_from_outside_the_namespace_shows_a_group_above() {
    let mounts = V2.replace("0:26 / /sys", "0:26 /../.. /sys");
    let tree = Tree::new("0::/\n", &mounts).file("sys/fs/cgroup/cpu.max", "400000 100000\n");
    assert_eq!(tree.says(), "4 CPUs");
    assert!(
        tree.unseen().is_some_and(|unseen| unseen.contains("shows the cgroup / ")),
        "{:?}",
        tree.unseen()
    );
    // A process that was moved to where the namespace does not reach is found in such a mount.
    let tree = Tree::new("0::/../beside\n", &V2.replace("0:26 / /sys", "0:26 /.. /sys"))
        .file("sys/fs/cgroup/beside/cpu.max", "300000 100000\n");
    assert_eq!(tree.says(), "3 CPUs");
    // And not in one that shows what is inside only, whatever the path would lead to.
    let tree = Tree::new("0::/../beside\n", V2).file("sys/fs/beside/cpu.max", "100000 100000\n");
    assert_eq!(tree.says(), "none");
}

#[test]
fn below_a_mount_from_outside_the_namespace_the_own_group_is_the_one_with_this_process() {
    let own = format!("1\n{}\n", std::process::id());
    let v2 = |group: &str, up: &str| {
        Tree::new(&format!("0::{group}\n"), &V2.replace("0:26 / /sys", &format!("0:26 {up} /sys")))
    };
    let at = "sys/fs/cgroup";
    for (group, up, folder) in [
        ("/", "/../..", "pod/ours"),
        ("/inner", "/../..", "pod/ours/inner"),
        ("/../mate/inner", "/../..", "pod/mate/inner"),
    ] {
        let tree = v2(group, up)
            .file(&format!("{at}/pod/cpu.max"), "900000 100000\n")
            .file(&format!("{at}/pod/other/cgroup.procs"), "1\n")
            .file(&format!("{at}/pod/other/cpu.max"), "100000 100000\n")
            .file(&format!("{at}/beside/cgroup.procs"), &own)
            .file(&format!("{at}/{folder}/cgroup.procs"), &own)
            .file(&format!("{at}/{folder}/cpu.max"), "300000 100000\n");
        assert_eq!((tree.says().as_str(), tree.unseen()), ("3 CPUs", None), "{group}");
        // The tighter of those above it.
        assert_eq!(tree.file(&format!("{at}/pod/cpu.max"), "200000 100000\n").says(), "2 CPUs", "{group}");
    }
    let mounts = V1.replace("0:29 / ", "0:29 /.. ");
    let v1 = Tree::new("5:cpu,cpuacct:/\n0::/\n", &mounts)
        .file("sys/fs/cgroup/cpu,cpuacct/ours/cgroup.procs", &own)
        .v1("sys/fs/cgroup/cpu,cpuacct/ours", "150000", "100000");
    assert_eq!((v1.says().as_str(), v1.unseen()), ("1.5 CPUs", None));
}

#[test]
fn a_group_that_nothing_shows_is_said_to_be_unseen() {
    let elsewhere = V2.replace("0:26 / /sys", "0:26 /../beside /sys");
    for (groups, mounts) in [
        ("0::/\n", elsewhere.as_str()),
        ("0::/job\n", "24 1 0:21 / /proc rw,nosuid - proc proc rw\n"),
        ("5:cpu,cpuacct:/work\n0::/\n", V2),
    ] {
        let tree = Tree::new(groups, mounts).file("sys/fs/cgroup/cpu.max", "100000 100000\n");
        let unseen = tree.unseen().unwrap();
        assert!(unseen.starts_with("the CPU quota cannot be told"), "{unseen}");
    }
    for (groups, mounts) in
        [("0::/\n", V2), ("5:cpu,cpuacct:/work\n0::/gone\n", V1), ("", ""), ("4:cpuset:/\n", V1)]
    {
        assert_eq!(Tree::new(groups, mounts).unseen(), None, "{groups}");
    }
}

#[test]
fn a_mount_that_shows_only_the_own_subtree_is_read_from_there() {
    let mounts = V1.replace("0:29 / ", "0:29 /docker/c0ffee ");
    let tree = Tree::new("5:cpu,cpuacct:/docker/c0ffee/inner\n", &mounts)
        .v1("sys/fs/cgroup/cpu,cpuacct", "250000", "100000")
        .v1("sys/fs/cgroup/cpu,cpuacct/inner", "500000", "100000");
    assert_eq!(tree.says(), "2.5 CPUs");
    let mounts = V2.replace("0:26 / ", "0:26 /docker/c0ffee ");
    let tree = Tree::new("0::/docker/c0ffee\n", &mounts).file("sys/fs/cgroup/cpu.max", "100000 100000\n");
    assert_eq!(tree.says(), "1 CPU");
    // A namesake with a longer name is another group.
    let tree = Tree::new("0::/docker/c0ffee2\n", &mounts).file("sys/fs/cgroup/cpu.max", "100000 100000\n");
    assert_eq!(tree.says(), "none");
}

#[test]
fn on_a_hybrid_host_the_hierarchy_that_has_the_controller_counts() {
    let mounts = format!("{V1}35 30 0:30 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n");
    let groups = "5:cpu,cpuacct:/work\n1:name=systemd:/other\n0::/other\n";
    let tree = Tree::new(groups, &mounts).v1("sys/fs/cgroup/cpu,cpuacct/work", "200000", "100000");
    assert_eq!(tree.says(), "2 CPUs");
    // v1 without the CPU controller, which v2 has.
    let mounts = mounts.replace("rw,cpu,cpuacct", "rw,cpuacct");
    let tree = Tree::new("5:cpuacct:/work\n0::/other\n", &mounts)
        .v1("sys/fs/cgroup/cpu,cpuacct/work", "900000", "100000")
        .file("sys/fs/cgroup/unified/other/cpu.max", "300000 100000\n");
    assert_eq!(tree.says(), "3 CPUs");
}

#[test]
fn a_hierarchy_is_found_wherever_it_is_mounted() {
    let mounts = "40 1 0:40 / /my\\040groups/cpu rw - cgroup none rw,cpu\n";
    let tree = Tree::new("2:cpu:/a\n", mounts).v1("my groups/cpu/a", "100000", "50000");
    assert_eq!(tree.says(), "2 CPUs");
}

#[test]
fn what_is_missing_or_makes_no_sense_limits_nothing() {
    let empty = TempDir::new().unwrap();
    assert!(Quota::below(empty.path()).is_none(), "no /proc at all");
    assert_eq!(Tree::new("0::/job\n", "").says(), "none", "nothing mounted");
    assert_eq!(Tree::new("", V2).file("sys/fs/cgroup/cpu.max", "1 1").says(), "none", "no group");
    for garbage in
        ["", "\n", "max", "100000", "x y", "-1 100000", "100000 0", "0 100000", "99999999999999999999 1"]
    {
        let tree = Tree::new("0::/job\n", V2).file("sys/fs/cgroup/job/cpu.max", garbage);
        assert_eq!(tree.says(), "none", "{garbage:?}");
        // What stands above is not forgotten over it.
        assert_eq!(tree.file("sys/fs/cgroup/cpu.max", "200000 100000").says(), "2 CPUs", "{garbage:?}");
    }
    let half =
        Tree::new("5:cpu,cpuacct:/\n", V1).file("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "100000");
    assert_eq!(half.says(), "none", "a quota without a period");
    let folder = Tree::new("0::/\n", V2).file("sys/fs/cgroup/cpu.max/inside", "");
    assert_eq!(folder.says(), "none", "a folder where a file should be");
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(64))]

    #[test]
    fn no_content_of_the_files_panics(
        cgroup in prop::collection::vec(any::<u8>(), 0..60),
        mountinfo in prop::collection::vec(any::<u8>(), 0..120),
        max in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let tree = Tree::new("", "").file("proc/self/cgroup", cgroup).file("proc/self/mountinfo", mountinfo);
        tree.quota();
        Tree::new("0::/\n", V2).file("sys/fs/cgroup/cpu.max", max).quota();
    }

    #[test]
    fn of_nested_quotas_the_least_decides(quotas in prop::collection::vec(1_000_u64..10_000_000, 1..6)) {
        let group: String = (0..quotas.len()).map(|level| format!("/g{level}")).collect();
        let mut tree = Tree::new(&format!("0::{group}\n"), V2);
        let mut folder = "sys/fs/cgroup".to_owned();
        for (level, quota) in quotas.iter().enumerate() {
            folder += &format!("/g{level}");
            tree = tree.file(&format!("{folder}/cpu.max"), format!("{quota} 100000\n"));
        }
        let least = quotas.iter().min().unwrap();
        proptest::prop_assert_eq!(tree.quota().unwrap().cpus(), *least as f64 / 100_000.0);
    }
}

/// This crate's example that prints what it may use.
fn allowance() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    own.parent().and_then(Path::parent).unwrap().join("examples/allowance")
}

fn lines(output: &Output) -> Vec<String> {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

#[test]
fn here_the_standard_library_says_the_same() {
    let lines = lines(&tether::command(allowance()).output().unwrap());
    let number = |name: &str| lines.iter().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
    assert_eq!(number("workers "), number("standard library "), "{lines:?}");
}

/// A group that is gone when this is.
struct Group(PathBuf);

impl Group {
    fn create(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Empty by now: its only member has been waited for.
        let _ = fs::remove_dir(&self.0);
    }
}

/// This process's own group that has the CPU controller, if it is where it is mounted as a rule.
enum Own {
    V1(PathBuf),
    V2(PathBuf),
}

impl Own {
    fn find() -> Option<Self> {
        let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
        let group = |wanted: fn(&str) -> bool| {
            let mut lines = groups.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
            lines.find(|(controllers, _)| wanted(controllers)).map(|(_, path)| path.trim_start_matches('/'))
        };
        match group(|controllers| controllers.split(',').any(|name| name == "cpu")) {
            Some(path) => {
                let mounted = ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"].map(Path::new);
                mounted.into_iter().find(|at| at.is_dir()).map(|at| Self::V1(at.join(path)))
            }
            None => group(str::is_empty).map(|path| Self::V2(Path::new("/sys/fs/cgroup").join(path))),
        }
    }

    /// A new group below the own one that has 1.5 CPUs.
    fn limited(&self, number: usize) -> io::Result<Group> {
        let (Self::V1(own) | Self::V2(own)) = self;
        let group = Group::create(own.join(format!("quota-test-{}-{number}", std::process::id())))?;
        match self {
            Self::V1(_) => {
                fs::write(group.0.join("cpu.cfs_period_us"), "50000")?;
                fs::write(group.0.join("cpu.cfs_quota_us"), "75000")?;
            }
            Self::V2(_) => fs::write(group.0.join("cpu.max"), "75000 50000")?,
        }
        Ok(group)
    }
}

/// What the example says inside of a real group with a quota of 1.5 CPUs, in a group of its own below that, started by `start`.
fn in_a_real_group(start: &str) -> io::Result<Output> {
    let own =
        Own::find().ok_or_else(|| io::Error::other("no hierarchy with the CPU controller is mounted"))?;
    let outer = own.limited(start.len())?;
    // In v2 the controller is handed down only where that is asked for; the limit above counts either way.
    let inner = Group::create(outer.0.join("inner"))?;
    let program = format!("echo $$ > \"$1/cgroup.procs\" && exec {start} \"$2\"");
    tether::command("sh").args(["-c", &program, "sh"]).arg(&inner.0).arg(allowance()).output()
}

#[test]
fn a_process_in_a_real_group_with_a_quota_starts_as_many_workers_as_that_allows() {
    match in_a_real_group("") {
        Err(error) => {
            eprintln!(
                "skipped: no group can be made here ({error}); root may, where the controller is handed down"
            );
        }
        Ok(output) => {
            let lines = lines(&output);
            assert!(lines.contains(&"quota 1.5 CPUs".to_owned()), "{lines:?}");
            assert!(lines.contains(&"workers 1".to_owned()), "{lines:?}");
            assert!(lines.contains(&"standard library 1".to_owned()), "{lines:?}");
        }
    }
}

#[test]
fn a_quota_is_found_in_a_real_cgroup_namespace_under_the_mount_of_the_host() {
    match in_a_real_group("unshare --cgroup") {
        Err(error) => eprintln!("skipped: no group can be made here ({error})"),
        Ok(output) if !output.status.success() => {
            eprintln!("skipped: no cgroup namespace can be made here ({output:?})");
        }
        Ok(output) => {
            let lines = lines(&output);
            assert!(lines.contains(&"quota 1.5 CPUs".to_owned()), "{lines:?}");
            assert!(!lines.iter().any(|line| line.starts_with("unseen")), "{lines:?}");
        }
    }
}
