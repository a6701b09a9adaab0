//! A server that is granted too little to start says so in one line and ends.
//!
//! Each limit is raised step by step, from what the program needs to be loaded at all, until it starts: so whatever comes first,
//! second and last of what it asks the system for is refused once, also to the libraries that it is made of.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use host::{
    launch::{Launch, LaunchError},
    processes, tether,
};

use super::program::{PATIENCE, Program, until};
use crate::room::{Takes, enter};

/// What is granted in part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Open files: `ulimit -n`.
    Files,
    /// Threads and processes of the cgroup: `pids.max`.
    Group,
    /// Threads and processes of the user: `ulimit -u`. It does not hold for root, so that the program is another user's.
    User,
    /// Address space: `ulimit -v`.
    Memory,
}

impl Limit {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Files, Self::Group, Self::User, Self::Memory];

    /// The least to try, and the next one.
    fn first(self) -> u64 {
        match self {
            Self::Files => 4,
            Self::Group | Self::User => 1,
            Self::Memory => 4 << 10,
        }
    }

    fn after(self, value: u64) -> u64 {
        // In KiB, in small steps: what is refused should be another allocation each time.
        if self == Self::Memory { value + (value / 32).max(512) } else { value + 1 }
    }
}

/// No server needs more of anything: one that does not start with it never does.
const MOST_STEPS: usize = 400;

/// How often a server must have started for the limit to be no longer one.
const ENOUGH: usize = 2;

/// The mark of what a server started, in its environment.
const MARK: &str = "SURROUNDINGS";

/// Has `program` start under each of `limits`, tightened and then loosened until it does: the body of a server's test. A
/// limit that cannot be set here is passed over with a word.
///
/// # Panics
/// If it neither starts and serves nor ends with code 1 and one line that says what to do; or leaves a process behind.
pub fn assert_tells_its_limits(program: &Program, limits: &[Limit]) {
    let _room = enter(Takes::Little);
    let mut faults = String::new();
    for &limit in limits {
        match sweep(program, limit) {
            Ok(seen) => println!("ok    {limit:?}: {seen}"),
            Err(Fault::NotHere(why)) => println!("skipped: {limit:?} ({why})"),
            Err(Fault::Seen(what)) => faults.push_str(&format!("\n  {limit:?}: {what}")),
        }
    }
    assert!(faults.is_empty(), "{} {:?}:{faults}", program.binary.display(), program.arguments);
}

enum Fault {
    /// This limit cannot be set here.
    NotHere(String),
    /// What a server did.
    Seen(String),
}

fn not_here(why: impl fmt::Display) -> Fault {
    Fault::NotHere(why.to_string())
}

fn sweep(program: &Program, limit: Limit) -> Result<String, Fault> {
    let setting = Setting::of(limit).map_err(not_here)?;
    let mut value = loads_from(program, &setting)?;
    let (mut refusals, mut last, mut started) = (0, String::new(), 0);
    for _ in 0..MOST_STEPS {
        match start(program, &setting, value).map_err(|fault| Fault::Seen(format!("at {value}: {fault}")))? {
            Outcome::Serves => started += 1,
            Outcome::Refuses(_) if started > 0 && limit != Limit::Memory => {
                return Err(Fault::Seen(format!(
                    "it started with less than {value}, and does not with that"
                )));
            }
            Outcome::Refuses(line) => {
                refusals += 1;
                last = line;
            }
            Outcome::Succumbs => {}
        }
        if started == ENOUGH {
            return Ok(format!("refused {refusals} times, at last: {last}"));
        }
        value = limit.after(value);
    }
    Err(Fault::Seen(format!("it does not start with {value}: {last}")))
}

/// The least with which the program is loaded: below, nothing of its own runs.
fn loads_from(program: &Program, setting: &Setting) -> Result<u64, Fault> {
    let mut value = setting.limit.first();
    for _ in 0..MOST_STEPS {
        let (shell, arguments) = setting.command(value);
        let mut command = tether::command(shell);
        command.args(arguments).arg(&program.binary).arg("--version");
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().map_err(not_here)?;
        if status.success() {
            return Ok(value);
        }
        value = setting.limit.after(value);
    }
    Err(not_here("the program cannot be run under it"))
}

enum Outcome {
    Serves,
    /// In these words.
    Refuses(String),
    /// The system ends it where there is no memory for a stack that grows, or, once it has started, for what cannot fail.
    Succumbs,
}

fn start(program: &Program, setting: &Setting, value: u64) -> Result<Outcome, String> {
    let (shell, arguments) = setting.command(value);
    let mark = format!("{}-{}", std::process::id(), next());
    let launch = Launch::new(shell)
        .args(arguments)
        .args([&program.binary])
        .args(&program.arguments)
        .args(["--listen", "127.0.0.1:0"])
        .env(MARK, &mark);
    let mut process = launch.spawn().map_err(|error| error.to_string())?;
    let outcome = match process.ready(PATIENCE) {
        Ok(ready) => {
            let answered = match setting.limit {
                // With no file too many, connections wait until there is one.
                Limit::Files => Ok(()),
                _ => program.answers(ready.address),
            };
            let exit = process.stop(PATIENCE).map_err(|error| error.to_string())?;
            match answered {
                Ok(()) if exit.is_clean() => Outcome::Serves,
                _ if setting.limit == Limit::Memory && !exit.forced => Outcome::Succumbs,
                answered => return Err(format!("it started, {answered:?}, and ended: {exit:?}")),
            }
        }
        Err(LaunchError::Died { ended, stderr })
            if setting.limit == Limit::Memory && is_by_signal(&ended, &stderr) =>
        {
            Outcome::Succumbs
        }
        Err(LaunchError::Died { ended, stderr }) => Outcome::Refuses(complaint(&ended, &stderr)?),
        Err(error) => return Err(error.to_string()),
    };
    until("nothing is left of it", || (!is_left(&mark)).then_some(()))?;
    Ok(outcome)
}

/// Whether the system, or the allocator, ended the server by a signal: itself, or one of its processes, as it then says.
fn is_by_signal(ended: &str, stderr: &[String]) -> bool {
    let is_process =
        |line: &String| line.starts_with("error: worker ") && line.contains(" was ended by signal ");
    ended.contains("signal") || stderr.iter().any(is_process)
}

/// The line that says why a server ended and what to do.
fn complaint(ended: &str, stderr: &[String]) -> Result<String, String> {
    let mut complaints = stderr.iter().filter(|line| line.starts_with("error: "));
    let (first, second) = (complaints.next(), complaints.next());
    let panicked = stderr.iter().any(|line| line.contains("panicked"));
    match first {
        Some(line) if second.is_none() && !panicked && ended == "exit code 1" && says_what_to_do(line) => {
            Ok(line.clone())
        }
        _ => Err(format!("{ended}, with these words: {stderr:#?}")),
    }
}

fn says_what_to_do(line: &str) -> bool {
    ["allow it more", "raise "].iter().any(|words| line.contains(words))
}

/// Whether a process that was started with `mark` is there.
fn is_left(mark: &str) -> bool {
    let wanted = format!("{MARK}={mark}");
    let processes = processes::numbers_in("/proc").ok().flatten().unwrap_or_default();
    processes.iter().any(|pid| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|&byte| byte == 0).any(|variable| variable == wanted.as_bytes())
    })
}

/// A number of its own for each call in this process.
fn next() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    NEXT.fetch_add(1, Relaxed)
}

/// How a limit is set.
struct Setting {
    limit: Limit,
    group: Option<Group>,
    user: u32,
}

impl Setting {
    fn of(limit: Limit) -> io::Result<Self> {
        let group = if limit == Limit::Group { Some(Group::create()?) } else { None };
        // Nobody's: what others of the user run would count.
        let user = 61_000 + (std::process::id() * 8 + next()) % 4_000;
        Ok(Self { limit, group, user })
    }

    /// The program, with its first arguments, that becomes another one under the limit.
    fn command(&self, value: u64) -> (&'static str, Vec<String>) {
        let shell = |set: String| ("sh", vec!["-c".to_owned(), format!("{set} && exec \"$0\" \"$@\"")]);
        match (self.limit, &self.group) {
            (Limit::Files, _) => shell(format!("ulimit -n {value}")),
            (Limit::Memory, _) => shell(format!("ulimit -v {value}")),
            (Limit::Group, Some(Group(group))) => {
                let group = group.display();
                shell(format!("echo {value} > {group}/pids.max && echo $$ > {group}/cgroup.procs"))
            }
            (Limit::Group | Limit::User, _) => {
                let user = self.user;
                let words = format!(
                    "--nproc={value}:{value} setpriv --reuid {user} --regid {user} --clear-groups --"
                );
                ("prlimit", words.split(' ').map(str::to_owned).collect())
            }
        }
    }
}

/// A group below the own one whose threads and processes can be limited; gone when this is.
struct Group(PathBuf);

impl Group {
    fn create() -> io::Result<Self> {
        let groups = fs::read_to_string("/proc/self/cgroup")?;
        let own = |wanted: fn(&str) -> bool, mounted: &str| {
            let lines = groups.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
            let path = lines.filter(|(controllers, _)| wanted(controllers)).map(|(_, path)| path).next()?;
            Some(Path::new(mounted).join(path.trim_start_matches('/')))
        };
        let own = own(|controllers| controllers.split(',').any(|name| name == "pids"), "/sys/fs/cgroup/pids")
            .or_else(|| own(str::is_empty, "/sys/fs/cgroup"))
            .ok_or_else(|| io::Error::other("no hierarchy with the pids controller"))?;
        let folder = own.join(format!("surroundings-{}-{}", std::process::id(), next()));
        fs::create_dir(&folder)?;
        let group = Self(folder);
        fs::write(group.0.join("pids.max"), "max")?;
        Ok(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Those that were in it have ended; the kernel may need a moment to know.
        let _ = until("the group is empty", || fs::remove_dir(&self.0).ok());
    }
}
