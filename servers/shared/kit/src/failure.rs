//! How a server ends that cannot start: one line that says what to do, and exit code 1, at once, whoever finds out.
//!
//! The server's own code finds out by an error. A library may find out on any of its threads, and panic: tokio, may, actix and
//! glommio do where the system refuses them a thread, a descriptor or memory. Left alone such a panic ends one thread; the others
//! wait for it, and the process is there and answers nothing. So until the server says that it is ready, a panic anywhere ends
//! the process, before anything unwinds, and so does memory that is not to be had. The destructors that are skipped by that have
//! nothing to do yet, and what was started ends with the process, by the kernel's doing.
//!
//! Afterwards a panic is reported and ends what it ends. Neither report can hold up or end anything itself ([`lossy`]).

use std::{
    any::Any,
    backtrace::{Backtrace, BacktraceStatus},
    borrow::Cow,
    fmt::Display,
    io,
    panic::{self, PanicHookInfo},
    process::abort,
    sync::atomic::{AtomicBool, AtomicI32, AtomicU8, Ordering::SeqCst},
    thread,
    time::Duration,
};

use host::lossy::{self, Outlet};
use rustix::{io::fcntl_dupfd_cloexec, stdio, thread::gettid};
use signal_hook::low_level::exit;

/// What the system says where a limit is reached, and what whoever started the server can do then. Libraries pass on these words
/// (strerror(3)) in their panics, and often nothing else.
const ADVICE: [(&str, &str); 4] = [
    (
        "Resource temporarily unavailable",
        "allow it more threads and processes (`ulimit -u`, pids.max of its cgroup) or address space (`ulimit -v`), or start fewer (--workers)",
    ),
    ("Too many open files in system", "raise the system's limit of open files (`sysctl fs.file-max`)"),
    ("Too many open files", "allow it more open files (`ulimit -n`), or start fewer workers (--workers)"),
    (
        "Cannot allocate memory",
        "allow it more memory (`ulimit -v`, the limit of its cgroup, `sysctl vm.max_map_count`), or start fewer workers (--workers)",
    ),
];

/// Said without a byte of memory.
const CANNOT_START: &str =
    "error: cannot start: no memory is left: allow it more (`ulimit -v`, the limit of its cgroup)\n";
const OUT_OF_MEMORY: &str =
    "no memory is left, and the process ends: allow it more (`ulimit -v`, the limit of its cgroup)\n";

/// How far this process has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Whatever links this crate and is no server.
    NoServer,
    Starting,
    Started,
}

static PHASE: AtomicU8 = AtomicU8::new(Phase::NoServer as u8);
static ON_STDOUT: AtomicBool = AtomicBool::new(false);
/// The thread that says why this process ends, by its number; 0 while there is none.
static SPEAKER: AtomicI32 = AtomicI32::new(0);
static SAID: AtomicBool = AtomicBool::new(false);

impl Phase {
    fn now() -> Self {
        match PHASE.load(SeqCst) {
            phase if phase == Self::Starting as u8 => Self::Starting,
            phase if phase == Self::Started as u8 => Self::Started,
            _ => Self::NoServer,
        }
    }
}

/// Has panics end the process until it has [`started`], and be reported afterwards.
pub(crate) fn set_trap() {
    panic::set_hook(Box::new(on_panic));
    PHASE.store(Phase::Starting as u8, SeqCst);
}

/// Ends the start: the server accepts. A panic is no longer the end of the process.
pub fn started() {
    PHASE.store(Phase::Started as u8, SeqCst);
}

/// From now on a failure to start is told on standard output, where whoever started this process listens, instead of standard
/// error: so that one line says it, and not one for each process.
pub fn tell_on_stdout() {
    ON_STDOUT.store(true, SeqCst);
}

/// Says why the process ends with a failure, and what can be done about it. Of several threads that find out at the same time one
/// speaks; the others wait for the end, which is that one's to bring about.
pub(crate) fn say(failure: &dyn Display) {
    say_once(format!("error: {}\n", with_advice(&failure.to_string())).as_bytes());
}

/// For the allocator, whose caller gets no memory: ends the process as the standard library would, but without its words, which
/// wait for somebody to read them, and for a lock where they are to have a backtrace. Tests and others that link this crate
/// keep them.
pub(crate) fn out_of_memory() {
    match Phase::now() {
        Phase::NoServer => {}
        Phase::Starting => {
            say_once(CANNOT_START.as_bytes());
            exit(1);
        }
        Phase::Started => {
            // Not a failure to start, which is told in one line: whoever supervises this process may yet have one to tell.
            say_once(OUT_OF_MEMORY.as_bytes());
            abort();
        }
    }
}

/// Takes no memory: who speaks may be here for want of it, or a second time for that.
fn say_once(line: &[u8]) {
    let own = gettid().as_raw_nonzero().get();
    match SPEAKER.compare_exchange(0, own, SeqCst, SeqCst) {
        Err(other) if other != own => loop {
            thread::sleep(Duration::from_secs(3600));
        },
        _ if SAID.swap(true, SeqCst) => {}
        // Lost, it is lost.
        _ => drop(outlet().put(line)),
    }
}

fn outlet() -> &'static Outlet {
    let on_stdout = ON_STDOUT.load(SeqCst) && Phase::now() == Phase::Starting;
    if on_stdout { lossy::stdout() } else { lossy::stderr() }
}

fn on_panic(info: &PanicHookInfo<'_>) {
    let message = message(info.payload());
    if Phase::now() == Phase::Starting {
        match exhausted() {
            Some(refused) if !names_a_limit(&message) => {
                say(&format_args!("cannot start: {message}: {refused}"));
            }
            _ => say(&format_args!("cannot start: {message}")),
        }
        exit(1);
    }
    let thread = thread::current();
    let name = thread.name().unwrap_or("<unnamed>");
    let place = info.location().map(|location| format!(" at {location}")).unwrap_or_default();
    // Only where RUST_BACKTRACE asks for it.
    let backtrace = Backtrace::capture();
    let stack = match backtrace.status() {
        BacktraceStatus::Captured => format!("\n{backtrace}"),
        _ => String::new(),
    };
    lossy::stderr().say(format_args!("thread '{name}' panicked{place}: {message}{stack}"));
}

/// What the system refuses at this moment. A library may panic for that and say something else: glommio blames the kernel's age
/// where it has no descriptor.
fn exhausted() -> Option<io::Error> {
    fcntl_dupfd_cloexec(stdio::stderr(), 0).err().map(io::Error::from)
}

fn names_a_limit(message: &str) -> bool {
    ADVICE.iter().any(|(said, _)| message.contains(said))
}

fn message(payload: &dyn Any) -> Cow<'_, str> {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => Cow::from(*text),
        (_, Some(text)) => Cow::from(text.as_str()),
        _ => Cow::from("for a reason that is no text"),
    }
}

/// What `unwrap` puts before an error.
const UNWRAPPED: &str = "called `Result::unwrap()` on an `Err` value: ";

/// The message on one line, and what to do.
fn with_advice(message: &str) -> String {
    let message = message.replace(UNWRAPPED, "");
    let line = without_debug_format(&message).split_whitespace().collect::<Vec<_>>().join(" ");
    match ADVICE.iter().find(|(said, _)| line.contains(said)) {
        Some((_, advice)) if !line.contains(advice) => format!("{line}: {advice}"),
        _ => line,
    }
}

/// An [`io::Error`] that `expect` or `unwrap` wrote, as it reads elsewhere.
fn without_debug_format(message: &str) -> Cow<'_, str> {
    let rewritten = || {
        let (before, rest) = message.split_once("Os { code: ")?;
        let (inside, after) = rest.split_once('}')?;
        let code = inside.split(',').next()?.parse().ok()?;
        Some(format!("{before}{}{after}", io::Error::from_raw_os_error(code)))
    };
    rewritten().map_or(Cow::from(message), Cow::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_refused_is_told_with_what_to_do_and_once() {
        for (code, words) in [(11, "pids.max"), (23, "fs.file-max"), (24, "`ulimit -n`"), (12, "`ulimit -v`")]
        {
            let refused = io::Error::from_raw_os_error(code);
            let displayed = with_advice(&format!("cannot start a thread: {refused}"));
            assert!(displayed.contains(words), "{displayed}");
            assert!(displayed.contains(&format!("(os error {code}): ")), "{displayed}");
            assert_eq!(with_advice(&displayed), displayed);
        }
        assert_eq!(with_advice("port 80 is taken"), "port 80 is taken");
    }

    #[test]
    fn what_a_library_unwrapped_reads_like_any_error_and_stands_on_one_line() {
        let refused = io::Error::from_raw_os_error(11);
        let unwrapped = with_advice(&format!("failed to spawn\n thread: {refused:?}"));
        let displayed = format!("failed to spawn thread: {refused}: ");
        assert!(unwrapped.starts_with(&displayed), "{unwrapped}");
        for odd in ["Os { code: ", "Os { code: x }", "Os { code: 99999999999 }", "Os {"] {
            assert_eq!(without_debug_format(odd), odd);
        }
    }
}
