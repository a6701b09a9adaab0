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
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread,
};

use host::lossy::{self, Outlet};
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
const OUT_OF_MEMORY: &str = "error: cannot start: no memory is left: allow it more (`ulimit -v`, the limit of its cgroup)\n";

static STARTED: AtomicBool = AtomicBool::new(false);
/// Somebody is about to say why this process ends, or has.
static SPOKEN: AtomicBool = AtomicBool::new(false);
static ON_STDOUT: AtomicBool = AtomicBool::new(false);

/// Has panics end the process until it has [`started`], and be reported afterwards.
pub(crate) fn set_trap() {
    panic::set_hook(Box::new(on_panic));
}

/// Ends the start: the server accepts. A panic is no longer the end of the process.
pub fn started() {
    STARTED.store(true, SeqCst);
}

/// From now on a failure to start is told on standard output, where whoever started this process listens, instead of standard
/// error: so that one line says it, and not one for each process.
pub fn tell_on_stdout() {
    ON_STDOUT.store(true, SeqCst);
}

/// Says why the process ends with a failure, and what can be done about it. Of several threads that find out at the same time one
/// speaks; the others wait for the end, which is that one's to bring about.
pub(crate) fn say(failure: &dyn Display) {
    let line = format!("error: {}", with_advice(&failure.to_string()));
    claim();
    outlet().say(format_args!("{line}"));
}

/// For the allocator, whose caller gets no memory: ends the process while it starts.
pub(crate) fn out_of_memory() {
    if STARTED.load(SeqCst) {
        return;
    }
    if !SPOKEN.swap(true, SeqCst) {
        // Lost, it is lost.
        let _ = outlet().put(OUT_OF_MEMORY.as_bytes());
    }
    exit(1);
}

fn claim() {
    if SPOKEN.swap(true, SeqCst) {
        loop {
            thread::park();
        }
    }
}

fn outlet() -> &'static Outlet {
    let on_stdout = ON_STDOUT.load(SeqCst) && !STARTED.load(SeqCst);
    if on_stdout { lossy::stdout() } else { lossy::stderr() }
}

fn on_panic(info: &PanicHookInfo<'_>) {
    let message = message(info.payload());
    if !STARTED.load(SeqCst) {
        say(&format_args!("cannot start: {message}"));
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

fn message(payload: &dyn Any) -> Cow<'_, str> {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => Cow::from(*text),
        (_, Some(text)) => Cow::from(text.as_str()),
        _ => Cow::from("for a reason that is no text"),
    }
}

/// The message on one line, and what to do.
fn with_advice(message: &str) -> String {
    let line = without_debug_format(message).split_whitespace().collect::<Vec<_>>().join(" ");
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
        for (code, words) in [(11, "pids.max"), (23, "fs.file-max"), (24, "`ulimit -n`"), (12, "`ulimit -v`")] {
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
