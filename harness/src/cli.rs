//! The command line: raw arguments in, validated values out. Only this module knows clap.

pub(crate) mod bench;
pub(crate) mod bench_args;
pub(crate) mod bench_plan;
mod clock;
mod generators;
pub(crate) mod list;
mod load;
mod load_help;
#[cfg(test)]
mod load_plans;
mod merge;
mod parts;
mod quick;
pub(crate) mod report;
pub(crate) mod selftest;
pub(crate) mod show;
pub(crate) mod verify;

use std::{ffi::OsString, net::SocketAddr, path::PathBuf};

use clap::{Parser, Subcommand};
use host::cpus::CpuSet;

use self::{
    bench_args::BenchArgs,
    clock::ClockArgs,
    generators::GeneratorsArgs,
    list::ListArgs,
    load::LoadArgs,
    merge::MergeArgs,
    quick::QuickArgs,
    report::{CheckArgs, ReportArgs},
    selftest::{PlantedArgs, ScriptedArgs, SelftestArgs},
    show::ShowArgs,
    verify::VerifyArgs,
};

/// Races server architectures on this machine's cores and says what is true, how surely, and how far from the
/// ceiling.
#[derive(Debug, Parser)]
#[command(name = "harness", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    everything asked for was done
  1    something failed; the message, or the report, says what
  2    the command line, the registry or a scenario is wrong
  3    everything was done, and what was printed did not all arrive: its reader did not read, or
       its disk is full (a reader that closes it, such as head, has what it wanted)
  130  interrupted (Ctrl-C, SIGTERM, SIGHUP); finished starts are kept";

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Race the rows and leave a results folder with tables.
    #[command(after_help = bench_args::EXAMPLES)]
    Bench(Box<BenchArgs>),
    /// Play the conformance suite against the rows, and say which keep the contract.
    #[command(after_help = verify::EXAMPLES)]
    Verify(VerifyArgs),
    /// Load one server, and say what its answers took and how far the figures can be trusted.
    #[command(after_help = load_help::LOAD_EXAMPLES)]
    Load(Box<LoadArgs>),
    /// Run C users who send N requests each: what `artillery quick` does, with the same report.
    #[command(after_help = quick::EXAMPLES)]
    Quick(QuickArgs),
    /// Add up what several generators recorded, and take percentiles from the sum.
    #[command(after_help = merge::MERGE_EXAMPLES)]
    Merge(MergeArgs),
    /// Say how far another host's clock is from this one's, and how surely; both stay as they are.
    #[command(after_help = clock::CLOCK_EXAMPLES)]
    Clock(ClockArgs),
    /// Say what time it is, line by line as asked on stdin: the other side of `clock`.
    #[command(hide = true)]
    ClockAnswers,
    /// Show what a run found: the answers, and tables that fit the terminal; or as Markdown, CSV or JSON.
    #[command(after_help = show::EXAMPLES)]
    Show(ShowArgs),
    /// List the rows, the scenarios or the runs that there are.
    #[command(after_help = list::EXAMPLES)]
    List(ListArgs),
    /// Render the tables of a results folder again, from its records; publish a run.
    #[command(after_help = report::EXAMPLES)]
    Report(ReportArgs),
    /// Check that a results folder is whole and that its tables are what its records say.
    Check(CheckArgs),
    /// Measure this load generator beside wrk and oha, and the null server beside nginx and may_minihttp.
    #[command(after_help = generators::EXAMPLES)]
    Generators(GeneratorsArgs),
    /// Serve constant answers and write down when each request arrived.
    #[command(hide = true)]
    ArrivalLog {
        /// Where to listen
        #[arg(long, value_name = "ADDRESS:PORT", value_parser = within::address)]
        listen: SocketAddr,
        /// The CPUs to keep to, one of which is polled without pause
        #[arg(long, value_name = "LIST")]
        cpus: CpuSet,
        /// Where the arrivals go at the end, nanoseconds of CLOCK_MONOTONIC, one a line
        #[arg(long, value_name = "FILE")]
        log: PathBuf,
    },
    /// Check the load generator against a scripted server that logs what it did, or the comparison against planted differences.
    #[command(after_help = selftest::SELFTEST_EXAMPLES)]
    Selftest(SelftestArgs),
    /// Serve as a script says and log it: the other side of `selftest`.
    #[command(hide = true)]
    Scripted(ScriptedArgs),
    /// Serve as the null server does, but for a planted difference: the other side of `selftest --comparison`.
    #[command(hide = true)]
    Planted(PlantedArgs),
    /// Run a program and end it, with all that it started, when stdin closes.
    #[command(hide = true)]
    Guard {
        /// The program and its arguments.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        program: Vec<OsString>,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    /// How a number is asked for: the command with what it needs besides, the argument, the range that a refusal states, and a
    /// value that is not in it.
    const NUMBERS: &[(&[&str], &str, &str, &str)] = &[
        (&["bench"], "--budget", "from 1s to 168h", "0"),
        (&["bench"], "--starts", "from 1 to 1000", "0"),
        (&["bench"], "--rounds", "from 1 to 1000", "1001"),
        (&["bench"], "--duration", "from 50ms to 1h", "1us"),
        (&["bench"], "--connections", "from 1 to 1000000", "0"),
        (&["bench"], "--churn", "from 1 to 1000000", "0"),
        (&["bench"], "--burst", "from 1us to 24h", "1s,25h"),
        (&["bench"], "--seed", "from 0 to 18446744073709551615", "18446744073709551616"),
        (&["load", "u"], "--rate", "from 0.000001 to 10000000", "1e9"),
        (&["load", "u"], "--ramp", "from 0.000001 to 10000000", "0..1e9"),
        (&["load", "u", "--rate=1"], "--bursts", "from 1us to 24h", "1s,25h"),
        (&["load", "u"], "--mix", "from 0.000001 to 1000000", "a=0"),
        (&["load", "u"], "--connections", "from 1 to 1000000", "0"),
        (&["load", "u"], "--duration", "from 1ms to 24h", "0"),
        (&["load", "u"], "--requests", "from 1 to 1000000000000", "0"),
        (&["load", "u"], "--warm-up", "from 0 to 24h", "25h"),
        (&["load", "u"], "--start-at", "from 1970 to the year 9999", "@1e12"),
        (&["load", "u"], "--seed", "from 0 to 18446744073709551615", "-0.5"),
        (&["load", "u"], "--timeout", "from 1ms to 24h", "0"),
        (&["load", "u"], "--requests-per-connection", "from 1 to 1000000000", "0"),
        (&["load", "u"], "--pipeline", "from 1 to 100000", "4294967295"),
        (&["load", "u"], "--open-over", "from 1ms to 24h", "0"),
        (&["load", "u"], "--slow-send", "from 1 to 4294967295", "0"),
        (&["load", "u"], "--slow-read", "from 1 to 4294967295", "0"),
        (&["load", "u"], "--verify", "from 1 to 4294967295", "sample:0"),
        (&["load", "u"], "--expect-status", "from 200 to 599", "99"),
        (&["load", "u"], "--max-head", "from 64 to 16777216", "0"),
        (&["load", "u"], "--max-body", "from 0 to 1152921504606846976", "18446744073709551615"),
        (&["load", "u"], "--part", "N from 1 to 1000", "3/2"),
        (&["load", "u"], "--parts", "from 1 to 1000", "1001"),
        (&["load", "u", "--gather=g"], "--gather-within", "from 1ms to 24h", "0"),
        (&["load", "u", "--gather=g"], "--gather-lead", "from 1ms to 24h", "0"),
        (&["load", "u"], "--clock-offset", "each up to 24 h", "25h,1s"),
        (&["clock", "h"], "--exchanges", "from 1 to 100000", "0"),
        (&["clock", "h"], "--within", "from 1ms to 24h", "0"),
        (&["quick", "u"], "--count", "from 1 to 1000000", "0"),
        (&["quick", "u"], "--num", "from 1 to 1000000000", "0"),
        (&["quick", "u"], "--max-head", "from 64 to 16777216", "0"),
        (&["generators"], "--pairs", "from 2 to 100", "1"),
        (&["generators"], "--window", "from 1s to 10m", "1.5"),
        (&["generators"], "--connections", "from 1 to 50000", "64,0"),
        (&["selftest"], "--seed", "from 0 to 18446744073709551615", "1.5"),
        (&["selftest"], "--lie", "from 0 to 1", "1.5"),
        (&["selftest", "--comparison"], "--races", "from 1 to 1000", "0"),
        (&["scripted", "--script=mm1", "--log=l"], "--seed", "from 0 to 18446744073709551615", "1.5"),
        (&["scripted", "--script=mm1", "--log=l"], "--lie", "from 0 to 1", "1.5"),
        (&["planted", "--listen=127.0.0.1:0", "--cpus=0"], "--burn", "from 0 to 4294967295", "4294967296"),
    ];

    /// Arguments that are no numbers, or are held to account elsewhere.
    const OTHERS: &[&str] = &[
        "body",
        "cache",
        "case",
        "clock_against",
        "cpus",
        "despite",
        "expect_body",
        "export_hdr",
        "export_json",
        "folder",
        "format",
        "gather",
        "headers",
        "hold",
        "host",
        "listen",
        "load",
        "log",
        "logs",
        "markdown",
        "method",
        "objective",
        "only",
        "out",
        "output",
        "own",
        "profile",
        "program",
        "registry",
        "resume",
        "rows",
        "run",
        "scenario",
        "scenarios",
        "script",
        "ssh",
        "stall",
        "table",
        "there",
        "trials",
        "url",
        "what",
        "with",
    ];

    /// What nobody means.
    const ABSURD: [&str; 10] = [
        "-1",
        "",
        "NaN",
        "inf",
        "-inf",
        "1e300",
        "1e-300",
        "99999999999999999999",
        "9223372036854775807",
        "0x10",
    ];

    #[test]
    fn every_number_of_every_command_has_a_range_that_its_refusal_states() {
        for &(command, argument, range, beyond) in NUMBERS {
            for value in ABSURD.into_iter().chain([beyond]) {
                let given = format!("{argument}={value}");
                let typed = [&["harness"], command, &[given.as_str()]].concat();
                // What is in the range may be meant.
                let Err(error) = Cli::try_parse_from(&typed) else {
                    assert!(value != beyond && value != "NaN" && value != "-1", "{typed:?} is taken");
                    continue;
                };
                let is_mix = argument == "--mix" && value != beyond;
                let is_bursts = argument.starts_with("--burst") && !value.contains(',');
                let message = error.to_string();
                assert!(is_mix || is_bursts || message.contains(range), "{typed:?}: {message}");
                assert!(message.contains(argument), "{typed:?}: {message}");
            }
        }
    }

    #[test]
    fn no_number_is_forgotten() {
        let root = Cli::command();
        for command in root.get_subcommands() {
            for argument in command.get_arguments().filter(|argument| argument.get_action().takes_values()) {
                let (name, id) = (command.get_name(), argument.get_id().as_str());
                let long = argument.get_long().map(|long| format!("--{long}")).unwrap_or_default();
                let is_number = NUMBERS.iter().any(|(typed, own, ..)| typed[0] == name && *own == long);
                let is_other = OTHERS.contains(&id);
                assert!(is_number != is_other, "{name} {id} is in neither list of this test, or in both");
            }
        }
    }
}
