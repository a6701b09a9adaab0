//! The command line of `harness load`.

use std::{
    ffi::OsString,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use clap::{ArgGroup, Args};
use host::cpus::CpuSet;
use load::{Limits, Verify};

use client::load_command::{
    mix,
    values::{self, Bursts, Field, Ramp},
    wanted::LoadOptions,
};

use super::parts::PartsArgs;

/// Arguments of `load`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("arrivals").args(["rate", "ramp"]))]
pub(crate) struct LoadArgs {
    /// What to load; http:// may be left out
    #[arg(value_name = "URL")]
    pub url: String,

    /// Open loop: requests per second in all, evenly spaced; without it, a closed loop
    #[arg(short = 'q', long, value_name = "R", value_parser = values::rate, help_heading = "Load")]
    pub rate: Option<f64>,
    /// Random arrivals: exponential gaps with this mean rate
    #[arg(long, requires = "arrivals", help_heading = "Load")]
    pub poisson: bool,
    /// Open loop whose rate changes evenly over the window, from its start to its end
    #[arg(long, value_name = "FROM..TO", value_parser = values::ramp, conflicts_with = "warm_up", help_heading = "Load")]
    pub ramp: Option<Ramp>,
    /// Requests at --rate for so long, then none for so long, and again: --rate is that within a burst, and the mean is lower
    #[arg(long, value_name = "ON,OFF", value_parser = values::bursts, requires = "rate", help_heading = "Load")]
    pub bursts: Option<Bursts>,
    /// Several targets relative to the URL, each with its weight after the last `=`; in an open loop each has its own
    /// share of the rate and an equal part of the connections; a closed loop draws each next request by weight
    #[arg(long, value_name = "TARGET=WEIGHT,...", value_parser = mix::parse, help_heading = "Load")]
    pub mix: Option<mix::Mix>,
    /// Connections in all: no more requests than these are outstanding, what is due meanwhile waits, and the wait counts
    #[arg(short, long, value_name = "N", default_value_t = 50, value_parser = within::whole(1..=1_000_000_u32), help_heading = "Load")]
    pub connections: u32,
    /// Measuring window, such as 500ms, 10s or 2m [default: 10s, or until --requests are answered]
    #[arg(short = 'z', long, value_name = "TIME", value_parser = values::time, help_heading = "Load")]
    pub duration: Option<Duration>,
    /// End when so many requests were sent and answered
    #[arg(short = 'n', long, value_name = "N", value_parser = within::whole(1..=1_000_000_000_000_u64), conflicts_with = "warm_up", help_heading = "Load")]
    pub requests: Option<u64>,
    /// Load before the window, which is not recorded [default: 1s; none with --requests or --ramp]
    #[arg(short = 'w', long, alias = "warmup", value_name = "TIME", value_parser = values::time_or_none, help_heading = "Load")]
    pub warm_up: Option<Duration>,
    /// Start at this instant, RFC 3339 or @SECONDS since 1970, so that several generators begin together; by the clock of
    /// --clock-against. What is over by then, or when the connections are open, is an error
    #[arg(long, value_name = "TIME", value_parser = values::instant, help_heading = "Load")]
    pub start_at: Option<SystemTime>,
    /// Seed of arrivals and choices; printed with the results, a new one each time where nothing is said
    #[arg(long, value_name = "N", value_parser = within::whole(0..=u64::MAX), help_heading = "Load")]
    pub seed: Option<u64>,

    /// Method; GET, or POST where there is a body
    #[arg(short, long, value_name = "NAME", help_heading = "Request")]
    pub method: Option<String>,
    /// Body: text, or @FILE for the bytes of a file
    #[arg(short = 'd', long, value_name = "TEXT|@FILE", help_heading = "Request")]
    pub body: Option<OsString>,
    /// Header field, as often as wanted
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = Field::parse, help_heading = "Request")]
    pub headers: Vec<Field>,
    /// How long a request may take from its send, and an attempt to connect
    #[arg(short, long, value_name = "TIME", default_value = "5s", value_parser = values::time, help_heading = "Request")]
    pub timeout: Duration,

    /// Close each connection after so many requests, and open another
    #[arg(long, value_name = "K", value_parser = within::whole(1..=1_000_000_000_u32), help_heading = "Connections")]
    pub requests_per_connection: Option<u32>,
    /// Requests in flight on each connection at most (HTTP/1.1 pipelining)
    #[arg(long, value_name = "DEPTH", default_value_t = 1, value_parser = within::whole(1..=100_000_u32), help_heading = "Connections")]
    pub pipeline: u32,
    /// Open the connections evenly over so long, not before the load
    #[arg(long, value_name = "TIME", value_parser = values::time, help_heading = "Connections")]
    pub open_over: Option<Duration>,
    /// Slow clients: send no faster than this, in bytes per second
    #[arg(long, value_name = "B/S", value_parser = within::whole(1..=u32::MAX), help_heading = "Connections")]
    pub slow_send: Option<u32>,
    /// Slow clients: read no faster than this, in bytes per second
    #[arg(long, value_name = "B/S", value_parser = within::whole(1..=u32::MAX), help_heading = "Connections")]
    pub slow_read: Option<u32>,

    /// Which answers have their content compared: all, sample (one of 100), sample:N or none; status and framing are
    /// always checked
    #[arg(long, value_name = "WHICH", default_value = "all", value_parser = values::verify, help_heading = "Answers")]
    pub verify: Verify,
    /// The one status that is right, such as 204, whatever the content
    #[arg(long, value_name = "CODE", value_parser = within::whole(200..=599_u16), help_heading = "Answers")]
    pub expect_status: Option<u16>,
    /// The one content that is right: text, or @FILE
    #[arg(long, value_name = "TEXT|@FILE", help_heading = "Answers")]
    pub expect_body: Option<OsString>,
    /// The longest head of an answer in bytes, and the longest line of a chunk; an answer beyond it has failed (too_large)
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().max_head_bytes, value_parser = max_head(), help_heading = "Answers")]
    pub max_head: usize,
    /// The longest content of an answer in bytes, likewise; no limit where nothing is said: content is checked as it comes, and
    /// not kept
    #[arg(long, value_name = "BYTES", value_parser = within::whole(0..=1_u64 << 60), help_heading = "Answers")]
    pub max_body: Option<u64>,

    /// One generator thread pinned to each of these CPUs, such as 0-3,6; without it, one thread that is not pinned
    #[arg(long, value_name = "LIST", help_heading = "Generator")]
    pub cpus: Option<CpuSet>,
    /// Poll rather than sleep (in a closed loop: while an answer may come soon), for the least lag; only for CPUs that
    /// belong to the generator alone
    #[arg(long, requires = "cpus", help_heading = "Generator")]
    pub spin: bool,

    /// Write all figures as JSON
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub export_json: Option<PathBuf>,
    /// Write the histograms as an HdrHistogram log (V2), which other tools plot
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub export_hdr: Option<PathBuf>,
    /// No live view
    #[arg(long, help_heading = "Output")]
    pub quiet: bool,

    #[command(flatten)]
    pub parts: PartsArgs,
}

/// What the longest head may be: a head that comes in pieces is kept until it is whole, for each connection.
pub(super) fn max_head() -> impl Fn(&str) -> Result<usize, String> + Clone + Send + Sync + 'static {
    within::whole(64..=16 << 20)
}

impl From<LoadArgs> for LoadOptions {
    fn from(arguments: LoadArgs) -> Self {
        let LoadArgs {
            url,
            rate,
            poisson,
            ramp,
            bursts,
            mix,
            connections,
            duration,
            requests,
            warm_up,
            start_at,
            seed,
            method,
            body,
            headers,
            timeout,
            requests_per_connection,
            pipeline,
            open_over,
            slow_send,
            slow_read,
            verify,
            expect_status,
            expect_body,
            max_head,
            max_body,
            cpus,
            spin,
            export_json,
            export_hdr,
            quiet,
            parts,
        } = arguments;
        Self {
            url,
            rate,
            poisson,
            ramp,
            bursts,
            mix,
            connections,
            duration,
            requests,
            warm_up,
            start_at,
            seed,
            method,
            body,
            headers,
            timeout,
            requests_per_connection,
            pipeline,
            open_over,
            slow_send,
            slow_read,
            verify,
            expect_status,
            expect_body,
            max_head,
            max_body,
            cpus,
            spin,
            export_json,
            export_hdr,
            quiet,
            parts: parts.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::cli::{Cli, Command};

    use super::*;

    fn parsed(arguments: &[&str]) -> Result<LoadOptions, String> {
        let all = ["harness", "load", "127.0.0.1:1"].into_iter().chain(arguments.iter().copied());
        match Cli::try_parse_from(all) {
            Ok(Cli { command: Command::Load(arguments) }) => Ok((*arguments).into()),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn short_forms_are_those_of_oha() {
        let arguments =
            parsed(&["-c", "8", "-z", "2s", "-q", "1_500", "-m", "PUT", "-d", "x", "-t", "1s"]).unwrap();
        assert_eq!((arguments.connections, arguments.rate), (8, Some(1_500.0)));
        assert_eq!((arguments.window(), arguments.timeout), (Duration::from_secs(2), Duration::from_secs(1)));
        assert_eq!(
            (arguments.method.as_deref(), arguments.body.as_deref()),
            (Some("PUT"), Some("x".as_ref()))
        );
    }

    #[test]
    fn what_is_counted_or_ramped_has_no_warm_up() {
        let times = |arguments: &[&str]| {
            let arguments = parsed(arguments).unwrap();
            (arguments.warm_up().as_secs(), arguments.window().as_secs())
        };
        assert_eq!(times(&[]), (1, 10));
        assert_eq!(times(&["-n", "100"]), (0, 24 * 3600));
        assert_eq!(times(&["-n", "100", "-z", "3s"]), (0, 3));
        assert_eq!(times(&["--ramp", "0..100"]), (0, 10));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_what_would() {
        for (arguments, expected) in [
            (&["--rate", "0"][..], "a rate of 0 sends nothing; choose one from 0.000001 to 10000000"),
            (&["--rate=-5"], "a rate of -5 requests per second is none"),
            (&["--rate", "fast"], "`fast` is no rate"),
            (&["--poisson"], "--rate <R>|--ramp <FROM..TO>"),
            (&["--bursts", "1s,1s"], "--rate <R>"),
            (&["--ramp", "0..9", "--rate", "5"], "cannot be used with"),
            (&["--ramp", "0..9", "--warm-up", "1s"], "cannot be used with"),
            (&["--requests", "9", "--warm-up", "1s"], "cannot be used with"),
            (&["--verify", "some"], "`some` is none of"),
            (&["--start-at", "noon"], "`noon` is no instant"),
            (&["--header", "no-colon"], "`no-colon` is no header field"),
            (&["--spin"], "--cpus <LIST>"),
            (&["--mix", "simple"], "`simple` has no weight"),
            (&["--part", "3/2"], "`3/2` is no part of a load; write it as I/N"),
            (&["--part", "2/2"], "2/3 for the last"),
            (&["--part", "0/2", "--parts", "2"], "cannot be used with"),
            (&["--gather", "g", "-n", "9"], "cannot be used with"),
            (&["--gather-within", "9s"], "--gather <DIR>"),
            (&["--gather", "g", "--apart"], "--seed <N>"),
            (&["--gather-lead", "1s", "--gather", "g", "--start-at", "@1"], "cannot be used with"),
            (&["--clock-offset", "-3s"], "`-3s` is no offset of a clock"),
            (&["--clock-offset", "1s,1s", "--clock-against", "a"], "cannot be used with"),
        ] {
            let error = parsed(arguments).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
