//! The command line of `harness load`.

use std::{
    path::PathBuf,
    time::{Duration, SystemTime},
};

use clap::{ArgGroup, Args};
use host::cpus::CpuSet;
use load::Verify;

use crate::{
    duration,
    load_command::{
        mix,
        values::{self, Bursts, Field, LONGEST_WINDOW, Ramp},
    },
};

/// What follows the arguments in the help page.
pub(super) const LOAD_EXAMPLES: &str = "\
Examples:
  harness load http://127.0.0.1:8080/simple                   closed loop: as fast as it answers
  harness load 127.0.0.1:8080/simple --rate 2000 --poisson    open loop: 2,000 users a second
  harness load 127.0.0.1:8080 -q 500 --mix 'simple=0.8,complex?iterations=1e6=0.2'
  harness load 127.0.0.1:8080/echo -d @body.json -H 'content-type: application/json' -z 30s
  harness load 127.0.0.1:8080/simple -q 1000 --cpus 1 --spin --export-json result.json

In a closed loop each connection waits for its answer before it asks again, so that a stalled
server is asked less: its response times say nothing of what users would have met. With --rate,
requests are due whether the server keeps up or not, and response times count from the due time.

Answers of this project's own endpoints are checked against the right answer, and numbers in
their queries are written out (1e6 is sent as 1000000); elsewhere any status of class 2xx is
right, and queries are sent as given. Redirects are not followed and proxies not asked: only the
host of the URL is contacted. TLS is not supported.

Exit codes:
  0    measured; warnings say what is wrong with the measurement, or with the server
  1    nothing was answered rightly, an answer had the wrong content, or the server or a file
       could not be reached
  2    the command line is wrong
  130  interrupted; what was measured until then is shown";

/// Arguments of `load`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("arrivals").args(["rate", "ramp"]))]
pub struct LoadArgs {
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
    /// Requests at --rate for so long, then none for so long, and again
    #[arg(long, value_name = "ON,OFF", value_parser = values::bursts, requires = "rate", help_heading = "Load")]
    pub bursts: Option<Bursts>,
    /// Several targets relative to the URL, each with its weight after the last `=`; in an open loop each has its own
    /// share of the rate and an equal part of the connections; a closed loop draws each next request by weight
    #[arg(long, value_name = "TARGET=WEIGHT,...", value_parser = mix::parse, help_heading = "Load")]
    pub mix: Option<mix::Mix>,
    /// Connections in all: no more requests than these are outstanding, what is due meanwhile waits, and the wait counts
    #[arg(short, long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Load")]
    pub connections: u32,
    /// Measuring window, such as 500ms, 10s or 2m [default: 10s, or until --requests are answered]
    #[arg(short = 'z', long, value_name = "TIME", value_parser = values::window, help_heading = "Load")]
    pub duration: Option<Duration>,
    /// End when so many requests were sent and answered
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "warm_up", help_heading = "Load")]
    pub requests: Option<u64>,
    /// Load before the window, which is not recorded [default: 1s; none with --requests or --ramp]
    #[arg(short = 'w', long, alias = "warmup", value_name = "TIME", value_parser = duration::parse, help_heading = "Load")]
    pub warm_up: Option<Duration>,
    /// Start at this instant, RFC 3339 or @SECONDS since 1970, so that several generators begin together
    #[arg(long, value_name = "TIME", value_parser = values::instant, help_heading = "Load")]
    pub start_at: Option<SystemTime>,
    /// Seed of arrivals and choices; printed with the results, a new one each time where nothing is said
    #[arg(long, value_name = "N", help_heading = "Load")]
    pub seed: Option<u64>,

    /// Method; GET, or POST where there is a body
    #[arg(short, long, value_name = "NAME", help_heading = "Request")]
    pub method: Option<String>,
    /// Body: text, or @FILE for the bytes of a file
    #[arg(short = 'd', long, value_name = "TEXT|@FILE", help_heading = "Request")]
    pub body: Option<String>,
    /// Header field, as often as wanted
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = Field::parse, help_heading = "Request")]
    pub headers: Vec<Field>,
    /// How long a request may take from its send, and an attempt to connect
    #[arg(short, long, value_name = "TIME", default_value = "5s", value_parser = values::above_zero, help_heading = "Request")]
    pub timeout: Duration,

    /// Close each connection after so many requests, and open another
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Connections")]
    pub requests_per_connection: Option<u32>,
    /// Requests in flight on each connection at most (HTTP/1.1 pipelining)
    #[arg(long, value_name = "DEPTH", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Connections")]
    pub pipeline: u32,
    /// Open the connections evenly over so long, not before the load
    #[arg(long, value_name = "TIME", value_parser = values::above_zero, help_heading = "Connections")]
    pub open_over: Option<Duration>,
    /// Slow clients: send no faster than this, in bytes per second
    #[arg(long, value_name = "B/S", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Connections")]
    pub slow_send: Option<u32>,
    /// Slow clients: read no faster than this, in bytes per second
    #[arg(long, value_name = "B/S", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Connections")]
    pub slow_read: Option<u32>,

    /// Which answers have their content compared: all, sample (one of 100), sample:N or none; status and framing are
    /// always checked
    #[arg(long, value_name = "WHICH", default_value = "all", value_parser = values::verify, help_heading = "Answers")]
    pub verify: Verify,
    /// The one status that is right, such as 204, whatever the content
    #[arg(long, value_name = "CODE", value_parser = clap::value_parser!(u16).range(200..=599), help_heading = "Answers")]
    pub expect_status: Option<u16>,
    /// The one content that is right: text, or @FILE
    #[arg(long, value_name = "TEXT|@FILE", help_heading = "Answers")]
    pub expect_body: Option<String>,

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
}

impl LoadArgs {
    /// Whether requests are due whether or not the server answers.
    pub fn is_open(&self) -> bool {
        self.rate.is_some() || self.ramp.is_some()
    }

    /// How long is measured: 10 s, or as long as so many requests take.
    pub fn window(&self) -> Duration {
        self.duration.unwrap_or(if self.requests.is_some() {
            LONGEST_WINDOW
        } else {
            Duration::from_secs(10)
        })
    }

    /// How long load is made before: 1 s, but nothing before what counts requests, or before a ramp, which is its own.
    pub fn warm_up(&self) -> Duration {
        let none = self.requests.is_some() || self.ramp.is_some();
        self.warm_up.unwrap_or(if none { Duration::ZERO } else { Duration::from_secs(1) })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::cli::{Cli, Command};

    use super::*;

    fn parsed(arguments: &[&str]) -> Result<LoadArgs, String> {
        let all = ["harness", "load", "127.0.0.1:1"].into_iter().chain(arguments.iter().copied());
        match Cli::try_parse_from(all) {
            Ok(Cli { command: Command::Load(arguments) }) => Ok(*arguments),
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
        assert_eq!((arguments.method.as_deref(), arguments.body.as_deref()), (Some("PUT"), Some("x")));
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
            (&["--rate", "0"][..], "a rate of 0 sends nothing; choose one above 0"),
            (&["--rate=-5"], "a rate of -5 requests per second is none"),
            (&["--rate", "2e9"], "up to 1e9"),
            (&["--rate", "fast"], "`fast` is no rate"),
            (&["--poisson"], "--rate <R>|--ramp <FROM..TO>"),
            (&["--connections", "0"], "1.."),
            (&["--duration", "0"], "not above 0"),
            (&["--timeout", "0s"], "`0s` is too short"),
            (&["--bursts", "1s,1s"], "--rate <R>"),
            (&["--ramp", "0..9", "--rate", "5"], "cannot be used with"),
            (&["--ramp", "0..9", "--warm-up", "1s"], "cannot be used with"),
            (&["--requests", "9", "--warm-up", "1s"], "cannot be used with"),
            (&["--requests", "0"], "1.."),
            (&["--verify", "some"], "`some` is none of"),
            (&["--pipeline", "0"], "1.."),
            (&["--start-at", "noon"], "`noon` is no instant"),
            (&["--header", "no-colon"], "`no-colon` is no header field"),
            (&["--spin"], "--cpus <LIST>"),
            (&["--mix", "simple"], "`simple` has no weight"),
            (&["--expect-status", "99"], "200..=599"),
        ] {
            let error = parsed(arguments).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
