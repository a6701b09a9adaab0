//! Starts the server of coroutines.

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use kit::{args, listen, signals, start};
use kit_may::{Coroutines, DEFAULT_STACK_BYTES, May};

/// Stackful coroutines: each connection in one of its own, on workers that steal from each other
#[derive(Parser)]
#[command(version, after_help = args::EXAMPLES)]
struct Arguments {
    #[command(flatten)]
    shared: args::Shared,

    #[command(flatten)]
    pinning: args::Pinning,

    /// The size of each coroutine's stack, from 32 KiB to 1 GiB; a connection whose stack overflows is never answered
    #[arg(
        long,
        env = "SERVER_STACK_SIZE",
        default_value_t = DEFAULT_STACK_BYTES,
        value_name = "BYTES",
        value_parser = within::whole(32_usize << 10..=1 << 30),
    )]
    stack_size: usize,

    /// Who speaks HTTP
    #[arg(long, env = "SERVER_HTTP", value_enum, default_value = "hyper")]
    http: Http,
}

#[derive(Clone, Copy, ValueEnum)]
enum Http {
    /// hyper, polled by each connection's coroutine, with all limits
    Hyper,
    /// may_minihttp as published, which keeps only --max-body and --drain-timeout
    Minihttp,
}

fn main() -> ExitCode {
    start::main(|arguments: Arguments| {
        let config = arguments.shared.into_config()?;
        start::keep_to_cpus(&config)?;
        let coroutines = Coroutines { stack_bytes: arguments.stack_size, pin: arguments.pinning.or(false) };
        let stopping = signals::install(Some(config.limits.drain_timeout))
            .map_err(start::Error::system("handle stop signals"))?;
        let may = May::start(coroutines, config.workers)
            .map_err(start::Error::system("start the threads beside may's workers"))?;
        match arguments.http {
            Http::Hyper => may_coroutines::run_hyper(&config, may, listen::one(config.listen)?, stopping),
            Http::Minihttp => may_coroutines::run_minihttp(&config, may, stopping),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_numbers_have_ranges_that_refusals_state() {
        for (argument, range) in [("--stack-size", "from 32768 to 1073741824")] {
            for value in ["-1", "", "18446744073709551615", "99999999999999999999", "NaN", "inf", "1e300"] {
                let given = format!("{argument}={value}");
                let refused =
                    Arguments::try_parse_from(["server", given.as_str()]).map(drop).unwrap_err().to_string();
                assert!(refused.contains(range), "{given}: {refused}");
            }
        }
    }
}
