//! From the command line to a running server, and from its end to an exit code.

use std::{
    fmt,
    io::{self, IsTerminal as _},
    net::SocketAddr,
    process::ExitCode,
};

use host::ready::{Profile, Ready};
use tracing_subscriber::EnvFilter;

use crate::args::{Config, UsageError};

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
        }
    }
}

/// The body of every server's `main`: sets up the log on stderr, runs `body`, and turns its end into an exit code.
/// `RUST_LOG=debug` says more.
pub fn main(body: impl FnOnce() -> Result<(), Error>) -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false)
        .finish();
    if tracing::subscriber::set_global_default(log).is_err() {
        eprintln!("a log was set up already; the first one is kept");
    }
    // Each connection is an open file. Where it cannot be raised, the accept loop copes with what there is.
    if let Err(error) = host::open_files::raise() {
        tracing::warn!(%error, "cannot raise the limit of open files (`ulimit -n`)");
    }
    // With them, one page in use of a buffer makes 2 MiB around it resident: ten thousand idle connections held twice the
    // memory, and how much depended on the kernel's mood (METHODOLOGY.md, "Idle connections").
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::warn!(%error, "cannot do without transparent huge pages: more memory will be resident than is used");
    }
    match body() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.exit_code())
        }
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

/// Says on stdout, as one JSON line, and on stderr, for people, that the server accepts. To be called when it does.
///
/// # Errors
/// Stdout cannot be written to: whoever started the server is gone.
pub fn announce(server: &str, config: &Config, address: SocketAddr) -> Result<(), Error> {
    eprintln!(
        "{server} listens on http://{address} with {} on CPUs {}",
        Count(config.workers, "worker"),
        config.cpus
    );
    eprintln!("try: curl 'http://{address}/complex?iterations=1000000'");
    if Profile::of_this_build() == Profile::Debug {
        eprintln!("this is a debug build: fit for tests, not for measurements (cargo run --release)");
    }
    let ready = Ready {
        server: server.to_owned(),
        address,
        pid: std::process::id(),
        workers: config.workers,
        cpus: config.cpus.clone(),
        profile: Profile::of_this_build(),
    };
    ready.announce().map_err(Error::system("write the ready line on stdout"))
}

struct Count(usize, &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(count, noun) = self;
        write!(f, "{count} {noun}{}", if *count == 1 { "" } else { "s" })
    }
}
