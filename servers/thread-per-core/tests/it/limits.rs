//! What a container, or whoever starts the server, may take away from it: CPUs, CPU time, io_uring, locked memory.

use std::{collections::BTreeMap, fs, io, path::PathBuf, thread, time::Duration};

use host::{
    cpus::CpuSet,
    launch::{Launch, LaunchError},
    ready::Ready,
};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

const SERVER: &str = env!("CARGO_BIN_EXE_thread-per-core");
const PATIENCE: Duration = Duration::from_secs(20);
const ANY_PORT: [&str; 2] = ["--listen", "127.0.0.1:0"];

/// The server behind what `shell` does first.
fn after(shell: &str, arguments: &[&str]) -> Launch {
    let program = format!("{shell} && exec \"$0\" \"$@\"");
    Launch::new("sh").args(["-c", &program, SERVER]).args(ANY_PORT).args(arguments)
}

/// Starts it, stops it, and says what it announced.
fn ready(launch: Launch) -> Result<Ready, LaunchError> {
    let mut process = launch.spawn()?;
    let ready = process.ready(PATIENCE)?;
    let exit = process.stop(PATIENCE)?;
    assert!(exit.is_clean(), "{exit:?}");
    Ok(ready)
}

/// What a server that does not start says at last.
fn complaint(launch: Launch) -> String {
    let error = ready(launch).expect_err("the server started all the same").to_string();
    assert!(error.contains("exit code 1"), "{error}");
    error
}

#[test]
fn a_server_starts_as_many_workers_as_its_cpu_mask_has_cpus() {
    let one = CpuSet::from_iter([CpuSet::allowed().unwrap().iter().last().unwrap()]);
    for io in ["glommio", "compio", "epoll"] {
        let launch = || Launch::new(SERVER).args(ANY_PORT).args(["--io", io]).cpus(one.clone());
        let narrow = ready(launch()).unwrap();
        assert_eq!((narrow.workers, &narrow.cpus), (1, &one));
        let told = ready(launch().args(["--workers", "2"])).unwrap();
        assert_eq!((told.workers, &told.cpus), (2, &one), "what is said counts");
    }
    let all = ready(Launch::new(SERVER).args(ANY_PORT).args(["--io", "epoll"])).unwrap();
    assert_eq!(all.workers, host::cpus::default_workers());
}

#[test]
fn the_soft_limit_of_open_files_is_raised_to_the_hard_one() {
    let mut process = after("ulimit -S -n 64", &["--io", "epoll"]).spawn().unwrap();
    let pid = process.ready(PATIENCE).unwrap().pid;
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let [soft, hard, _] = files.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{files}") };
    assert_eq!(soft, hard);
    assert!(process.stop(PATIENCE).unwrap().is_clean());
}

/// A cgroup of one CPU's time, with v1's files; gone when this is.
struct OneCpu(PathBuf);

impl OneCpu {
    fn create() -> io::Result<Self> {
        let group = Self(PathBuf::from(format!("/sys/fs/cgroup/cpu/limits-test-{}", std::process::id())));
        fs::create_dir(&group.0)?;
        fs::write(group.0.join("cpu.cfs_quota_us"), "100000")?;
        Ok(group)
    }
}

impl Drop for OneCpu {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn a_server_starts_as_many_workers_as_its_cpu_quota_allows() {
    if host::cpus::default_workers() < 2 {
        return eprintln!("skipped: with one CPU no quota of one CPU shows");
    }
    let group = match OneCpu::create() {
        Ok(group) => group,
        Err(error) => {
            return eprintln!("skipped: no v1 group can be made here ({error}); host's tests know both");
        }
    };
    let join = format!("echo $$ > {}/cgroup.procs", group.0.display());
    assert_eq!(ready(after(&join, &["--io", "epoll"])).unwrap().workers, 1);
    assert_eq!(ready(after(&join, &["--io", "epoll", "--workers", "2"])).unwrap().workers, 2);
}

#[test]
fn too_little_locked_memory_is_told_with_what_to_do() {
    let error = complaint(after("ulimit -l 100", &["--io", "glommio"]));
    for word in ["limit of locked memory is 102400 bytes", "ulimit -l", "compose.yaml", "--io epoll"] {
        assert!(error.contains(word), "{word}: {error}");
    }
    ready(after("ulimit -l 100", &["--io", "epoll"])).unwrap();
    // compio locks none.
    ready(after("ulimit -l 100", &["--io", "compio"])).unwrap();
    // A soft limit below the hard one is the server's own to raise.
    ready(after("ulimit -l 1024 && ulimit -S -l 100", &["--io", "glommio"])).unwrap();
}

/// Does `work` where the kernel answers `errno` to one of io_uring's system calls, as a container's does.
fn without<T: Send + 'static>(call: i64, errno: i32, work: impl FnOnce() -> T + Send + 'static) -> T {
    let forbidden = BTreeMap::from([(call, Vec::new())]);
    let errno = SeccompAction::Errno(errno.unsigned_abs());
    let here = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(forbidden, SeccompAction::Allow, errno, here).unwrap();
    let filter = BpfProgram::try_from(filter).unwrap();
    // A filter is a thread's, for good, and inherited by what the thread starts.
    let confined = thread::spawn(move || {
        seccompiler::apply_filter(&filter).unwrap();
        work()
    });
    confined.join().unwrap()
}

#[test]
fn forbidden_io_uring_is_told_with_what_to_do() {
    let calls = [libc::SYS_io_uring_setup, libc::SYS_io_uring_register, libc::SYS_io_uring_enter];
    for (call, errno) in calls.into_iter().flat_map(|call| [(call, libc::EPERM), (call, libc::ENOSYS)]) {
        let launch = |io| Launch::new(SERVER).args(ANY_PORT).args(["--io", io]);
        // Where an administrator has disabled it altogether, the filter does not even matter.
        let words = match fs::read_to_string("/proc/sys/kernel/io_uring_disabled").as_deref().map(str::trim) {
            Err(_) | Ok("0") => ["seccomp=containers/seccomp.json", "the kernel refuses it"],
            Ok(_) => ["kernel.io_uring_disabled", "set it to 0"],
        };
        for io in ["glommio", "compio"] {
            let error = without(call, errno, move || complaint(launch(io)));
            for word in words.into_iter().chain(["--io epoll"]) {
                assert!(error.contains(word), "{io}, {word}: {error}");
            }
        }
        without(call, errno, move || ready(launch("epoll"))).unwrap();
    }
}
