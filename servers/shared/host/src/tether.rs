//! What a process launches ends with it, however it ends: by SIGKILL too, and grandchildren that left its session too.
//!
//! The first launch starts a watcher, a shell that waits on a pipe whose other end only this process has. What is launched
//! carries a mark in its environment, which its children inherit. When the pipe closes, for whatever reason, the watcher kills
//! whatever carries the mark. It stands beside the processes and not above them, so that pids, signals, exit codes and who
//! inherits an orphan are what they are without it: a test can still see what a server leaves behind.
//!
//! Not by a parent-death signal, which reaches no grandchild and is sent when the *thread* ends that launched, as those of
//! tests do. Not reached are programs that empty their environment; such are for a [guard](crate::guard), which needs no mark
//! and carries none: were it killed before what is below it, nobody would end that.

use std::{
    ffi::OsStr,
    io::{self, PipeWriter},
    os::unix::process::CommandExt,
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
};

/// The variable that marks what ends with the process of its value.
pub(crate) const MARK: &str = "ENDS_WITH";

/// Its `$0` is the mark. A process between fork and exec, or killed and not yet dead, may show in one look and not in the
/// next, so that several must find none; one that cannot die is given up after ten seconds.
const WATCHER: &str = r#"
trap '' HUP INT TERM
read -r nothing
looks=0 quiet=0
while [ "$quiet" -lt 3 ] && [ "$looks" -lt 500 ]; do
    looks=$((looks + 1)) quiet=$((quiet + 1))
    for file in $(grep -lsF "$0" /proc/[0-9]*/environ); do
        quiet=0
        pid=${file#/proc/}
        kill -9 "${pid%/environ}"
    done
    sleep 0.02
done
"#;

struct Watched {
    mark: String,
    /// Closed by the end of this process and by nothing else.
    _pipe: PipeWriter,
}

/// The value of [`MARK`] for what this process launches; starts the watcher where there is none yet.
///
/// # Errors
/// The watcher cannot be started.
pub(crate) fn mark() -> io::Result<String> {
    static WATCHED: Mutex<Option<Watched>> = Mutex::new(None);
    let mut watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    let watched = match &mut *watched {
        Some(watched) => watched,
        none => none.insert(watch()?),
    };
    Ok(watched.mark.clone())
}

fn watch() -> io::Result<Watched> {
    // With the time of its start a pid is nobody else's, and with the point it is not the beginning of another's.
    let own = procfs::process::Process::myself().and_then(|own| own.stat()).map_err(io::Error::other)?;
    let mark = format!("{}-{}.", own.pid, own.starttime);
    let (ours, pipe) = io::pipe()?;
    #[expect(
        clippy::disallowed_methods,
        reason = "the watcher outlives this process, and ends soon after it"
    )]
    let mut watcher = Command::new("sh");
    watcher
        .args(["-c", WATCHER, &format!("{MARK}={mark}")])
        // Without the mark of whoever launched this process: it has its work to do when that ends.
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        // What ends a terminal's group is not for it.
        .process_group(0)
        .stdin(ours)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    Ok(Watched { mark, _pipe: pipe })
}

/// A command whose process, and whatever it starts, ends with this one. [`Launch`](crate::launch::Launch) launches so without
/// being told.
///
/// # Panics
/// If the watcher cannot be started: nothing may be launched then.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    #[expect(clippy::disallowed_methods, reason = "it is marked here")]
    let mut command = Command::new(program);
    command.env(MARK, mark().expect("a shell that watches over what is launched"));
    command
}
