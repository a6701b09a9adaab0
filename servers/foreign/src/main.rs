//! Starts an original.

use std::{num::NonZeroUsize, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use foreign::{
    nginx::Balance,
    pm2,
    proxy::{self, Front, Instances},
    tied::Tied,
};
use kit::{
    args::{self, Config},
    shutdown::Shutdown,
    signals, start,
};

/// Starts a program that cannot speak this project's contract, and speaks for it
#[derive(Parser)]
#[command(version, after_help = EXAMPLES, mut_args(|argument| argument.global(true)))]
struct Arguments {
    #[command(subcommand)]
    original: Original,
    #[command(flatten)]
    shared: args::Shared,
}

const EXAMPLES: &str = "\
Examples:
  foreign nginx-return --listen 127.0.0.1:8080
  foreign nginx --in-front-of target/release/single-thread
  foreign nginx --in-front-of target/release/single-thread --instances 4 --balance least-conn
  foreign nginx-split --one target/release/single-thread --cluster target/release/single-thread
  foreign pm2 --listen 127.0.0.1:8080

nginx comes from the distribution (apt-get install nginx), Node.js too; `just setup-reference` installs what Node needs.
The first SIGTERM or SIGINT drains and ends everything that was started; SIGHUP has PM2 reload its instances.
Exit codes: 0 drained, 1 failure, 2 usage.";

#[derive(Subcommand)]
enum Original {
    /// nginx alone: the ceiling's answer to every request
    NginxReturn,
    /// nginx in front of instances of a server
    Nginx(InFront),
    /// nginx that sends /api/randoms to a cluster and everything else to one server
    NginxSplit(Split),
    /// The application under PM2: `pm2 start -i max`
    Pm2(Pm2),
    /// Becomes a program that ends with its parent
    #[command(hide = true)]
    Tied(Tied),
}

#[derive(Args)]
struct InFront {
    /// The server's binary
    #[arg(long, value_name = "PATH")]
    in_front_of: PathBuf,
    /// How many processes of it, each with one worker and all CPUs
    #[arg(long, value_name = "N", default_value = "1", value_parser = args::workers())]
    instances: NonZeroUsize,
    /// How requests are spread over them
    #[arg(long, value_enum, default_value_t = Balance::RoundRobin)]
    balance: Balance,
}

#[derive(Args)]
struct Split {
    /// The binary of the one server
    #[arg(long, value_name = "PATH")]
    one: PathBuf,
    /// The binary of the cluster's server
    #[arg(long, value_name = "PATH")]
    cluster: PathBuf,
    /// How many processes the cluster has, each with one worker and all CPUs
    #[arg(long, value_name = "N", default_value = "4", value_parser = args::workers())]
    instances: NonZeroUsize,
}

/// The exercise's application, where this was built.
const APP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/node/single.js");

#[derive(Args)]
struct Pm2 {
    /// The application; PM2 is in the node_modules beside it
    #[arg(long, value_name = "FILE", default_value = APP)]
    app: PathBuf,
}

fn main() -> ExitCode {
    start::main(|Arguments { original, shared }| match original {
        Original::Tied(tied) => tied.become_program(),
        Original::Pm2(Pm2 { app }) => {
            let (config, stopping) = set_up(shared)?;
            pm2::run(&config, &app, &stopping)
        }
        Original::NginxReturn => nginx(shared, &Front::Nothing),
        Original::Nginx(InFront { in_front_of: program, instances, balance }) => {
            nginx(shared, &Front::Balanced(Instances { program, count: instances.get() }, balance))
        }
        Original::NginxSplit(Split { one, cluster: program, instances }) => {
            nginx(shared, &Front::Split { one, cluster: Instances { program, count: instances.get() } })
        }
    })
}

fn nginx(shared: args::Shared, front: &Front) -> Result<(), start::Error> {
    let (config, stopping) = set_up(shared)?;
    proxy::run(&config, front, &stopping)
}

fn set_up(shared: args::Shared) -> Result<(Config, Shutdown), start::Error> {
    let config = shared.into_config()?;
    start::keep_to_cpus(&config)?;
    let stopping = signals::install(None).map_err(start::Error::system("handle stop signals"))?;
    Ok((config, stopping))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_numbers_have_ranges_that_refusals_state() {
        for (argument, range) in [("--instances", "from 1 to 1024")] {
            for value in ["-1", "", "18446744073709551615", "99999999999999999999", "NaN", "inf", "1e300"] {
                let given = format!("{argument}={value}");
                let refused =
                    Arguments::try_parse_from(["server", "nginx", "--in-front-of=x", given.as_str()])
                        .map(drop)
                        .unwrap_err()
                        .to_string();
                assert!(refused.contains(range), "{given}: {refused}");
            }
        }
    }
}
