//! Starts the thread-pool server.

use std::{num::NonZeroUsize, process::ExitCode};

use clap::Parser;
use kit::{args, listen, signals, start};

/// As many as Apache's prefork starts at most by default; Tomcat has 200.
const THREADS: NonZeroUsize = NonZeroUsize::new(256).expect("256 is not 0");

/// A bounded pool of threads: each serves one connection at a time, to its end
///
/// Further connections wait in a queue for a thread, first come, first served; when that is full, in the kernel's
/// backlog. An idle connection keeps its thread: have more threads than clients, or lower --idle-timeout.
#[derive(Parser)]
#[command(version, after_help = args::EXAMPLES)]
struct Arguments {
    #[command(flatten)]
    shared: args::Shared,

    /// How many threads: as many connections are served at once. Each is a worker: the same as --workers, and counts
    /// where both are given [default: 256]
    #[arg(long, env = "SERVER_THREADS", value_name = "N", value_parser = args::threads())]
    threads: Option<NonZeroUsize>,

    /// How many connections may wait for a thread before the server stops accepting
    #[arg(long, env = "SERVER_QUEUE", default_value = "1024", value_name = "N", value_parser = args::queue())]
    queue: usize,
}

fn main() -> ExitCode {
    start::main(|Arguments { shared, threads, queue }| {
        let config = shared.with_workers(|typed| threads.or(typed).unwrap_or(THREADS)).into_config()?;
        start::keep_to_cpus(&config)?;
        let listener = listen::one(config.listen)?;
        let stopping = signals::install(Some(config.limits.drain_timeout))
            .map_err(start::Error::system("handle stop signals"))?;
        thread_pool::run(&config, queue, listener, stopping)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_numbers_have_ranges_that_refusals_state() {
        for (argument, range) in [("--threads", "from 1 to 32768"), ("--queue", "from 0 to 10000000")] {
            for value in ["-1", "", "18446744073709551615", "99999999999999999999", "NaN", "inf", "1e300"] {
                let given = format!("{argument}={value}");
                let refused =
                    Arguments::try_parse_from(["server", given.as_str()]).map(drop).unwrap_err().to_string();
                assert!(refused.contains(range), "{given}: {refused}");
            }
        }
    }
}
