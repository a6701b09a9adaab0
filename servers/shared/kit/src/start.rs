//! From the command line to a running server, and from its end to an exit code.

use std::{
    fmt, io,
    net::SocketAddr,
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
};

use app::Faults;
use clap::Parser;
use host::{
    lossy,
    ready::{Profile, Ready},
};
use signal_hook::{consts::SIGXFSZ, flag};
use tracing_subscriber::EnvFilter;

use crate::{
    allocator,
    args::{Config, UsageError},
    failure,
};

/// Why a server did not start or did not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The arguments cannot be meant: exit code 2.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// There is no listener.
    #[error(transparent)]
    Listen(#[from] crate::listen::Error),
    /// The system refused something.
    #[error("cannot {what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Anything else, in words.
    #[error("{0}")]
    Failed(String),
    /// It drained as it should, but parts of it had failed before: exit code 3.
    #[error("{0}")]
    Degraded(String),
}

impl Error {
    /// For `map_err`: the system refused to do `what`.
    pub fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { what, source }
    }

    fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Listen(_) | Self::System { .. } | Self::Failed(_) => 1,
            Self::Degraded(_) => 3,
        }
    }
}

/// The body of every server's `main`: reads its arguments, sets up the log on stderr, runs `body`, and turns its end into an exit
/// code. `RUST_LOG=debug` says more.
///
/// What is lost of the log is lost, and nothing else ([`lossy`]): whether anybody takes it, and what becomes of that while the
/// server runs, changes nothing of its work or of its end.
pub fn main<Arguments: Parser>(body: impl FnOnce(Arguments) -> Result<(), Error>) -> ExitCode {
    main_with(|arguments| body(arguments).map(|()| ExitCode::SUCCESS))
}

/// The same for a program whose end may be another than a server's.
pub fn main_with<Arguments: Parser>(body: impl FnOnce(Arguments) -> Result<ExitCode, Error>) -> ExitCode {
    failure::set_trap();
    let arguments = Arguments::parse();
    set_up_the_log();
    // Each connection is an open file. Where it cannot be raised, the accept loop copes with what there is.
    if let Err(error) = host::open_files::raise() {
        tracing::warn!(%error, "cannot raise the limit of open files (`ulimit -n`)");
    }
    if let Err(error) = allocator::keep_pages_small() {
        tracing::warn!(%error, "cannot do without transparent huge pages: more memory will be resident than is used");
    }
    match body(arguments) {
        Ok(code) => code,
        Err(error) => {
            failure::say(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

fn set_up_the_log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(lossy::stderr)
        .with_ansi(lossy::stderr().is_terminal())
        .with_target(false)
        // It would print what it could not log, by the very macro that panics then.
        .log_internal_errors(false)
        .finish();
    if tracing::subscriber::set_global_default(log).is_err() {
        lossy::stderr().say(format_args!("a log was set up already; the first one is kept"));
    }
    // A log that is a file may be one byte longer than `ulimit -f` allows: with a handler for the signal that would end the
    // process the write fails, and a line is lost.
    if let Err(error) = flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false))) {
        tracing::warn!(%error, "a log that outgrows `ulimit -f` will end this server");
    }
}

/// Restricts the process to the configured CPUs. To be called before any other thread starts, since a thread
/// inherits the mask of the one that starts it.
///
/// # Errors
/// Whatever the kernel reports.
pub fn keep_to_cpus(config: &Config) -> Result<(), Error> {
    config.cpus.apply_to_current_thread().map_err(Error::system("restrict this process to its CPUs"))
}

/// Says on stdout, as one JSON line, and on stderr, for people, that the server accepts, and ends the start
/// ([`failure::started`]). To be called when it does. Whether anybody hears it is not the server's business: it serves.
pub fn announce(server: &str, config: &Config, address: SocketAddr) {
    let log = lossy::stderr();
    log.say(format_args!(
        "{server} listens on http://{address} with {} on CPUs {}",
        Count(config.workers, "worker"),
        config.cpus
    ));
    log.say(format_args!("try: curl 'http://{address}/complex?iterations=1000000'"));
    if Profile::of_this_build() == Profile::Debug {
        log.say(format_args!(
            "this is a debug build: fit for tests, not for measurements (cargo run --release)"
        ));
    }
    if config.faults == Faults::On {
        tracing::warn!(
            "--faults is on: any client can end this server by POST /fault, which is for tests only"
        );
    }
    failure::started();
    let ready = Ready {
        server: server.to_owned(),
        address,
        pid: std::process::id(),
        workers: config.workers,
        cpus: config.cpus.clone(),
        profile: Profile::of_this_build(),
    };
    if let Err(error) = ready.announce() {
        tracing::warn!("the ready line on stdout is lost ({error}): the server accepts all the same");
    }
}

struct Count(usize, &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(count, noun) = self;
        write!(f, "{count} {noun}{}", if *count == 1 { "" } else { "s" })
    }
}
