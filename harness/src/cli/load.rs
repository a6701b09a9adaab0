//! The command line of `harness load`.

use std::{path::PathBuf, time::Duration};

use clap::{ArgGroup, Args};
use host::cpus::CpuSet;

use crate::{
    duration,
    load_command::{mix, options::Field},
};

/// What follows the arguments in the help page.
pub(super) const LOAD_EXAMPLES: &str = "\
Examples:
  harness load http://127.0.0.1:8080/simple                       closed loop: as fast as it answers
  harness load 127.0.0.1:8080/simple --rate 2000 --poisson        open loop: 2,000 independent users a second
  harness load http://127.0.0.1:8080 --rate 500 --mix 'simple=0.8,complex?iterations=1e6=0.2'
  harness load 127.0.0.1:8080/echo -d @body.json -H 'content-type: application/json' -c 8 -z 30s
  harness load 127.0.0.1:8080/simple -q 1000 --cpus 1 --spin --export-json result.json

In a closed loop each connection waits for its answer before it asks again, so that a stalled server is asked less:
its response times say nothing of what users would have met. With --rate, requests are due whether the server keeps up
or not, and response times count from the due time.

Answers of this project's own endpoints are checked against the right answer; elsewhere any status of class 2xx is
right. Redirects are not followed and proxies not asked: only the host of the URL is contacted. TLS is not supported.

Exit codes:
  0    measured; what is wrong with the measurement, or with the server under this load, is said in warnings
  1    nothing was answered rightly, an answer had the wrong content, or the server could not be reached
  2    the command line is wrong
  130  interrupted; what was measured until then is shown";

/// Arguments of `load`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("arrivals").args(["rate"]))]
pub struct LoadArgs {
    /// What to load; http:// may be left out
    #[arg(value_name = "URL")]
    pub url: String,

    /// Open loop: requests per second in all, evenly spaced; without it, a closed loop
    #[arg(short = 'q', long, value_name = "R", value_parser = rate, help_heading = "Load")]
    pub rate: Option<f64>,
    /// Random arrivals: exponential gaps with this mean rate
    #[arg(long, requires = "arrivals", help_heading = "Load")]
    pub poisson: bool,
    /// Several targets relative to the URL, each with its weight after the last `=`; in an open loop each has its own
    /// share of the rate and of the connections
    #[arg(long, value_name = "TARGET=WEIGHT,...", value_parser = mix::parse, help_heading = "Load")]
    pub mix: Option<mix::Mix>,
    /// Connections in all: no more requests than these are outstanding, what is due meanwhile waits, and the wait counts
    #[arg(short, long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Load")]
    pub connections: u32,
    /// Measuring window, such as 500ms, 10s or 2m
    #[arg(short = 'z', long, value_name = "TIME", default_value = "10s", value_parser = window, help_heading = "Load")]
    pub duration: Duration,
    /// Load before the window, which is not recorded
    #[arg(short = 'w', long, alias = "warmup", value_name = "TIME", default_value = "1s", value_parser = duration::parse, help_heading = "Load")]
    pub warm_up: Duration,
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
    #[arg(short, long, value_name = "TIME", default_value = "5s", value_parser = timeout, help_heading = "Request")]
    pub timeout: Duration,

    /// The one status that is right, such as 204, whatever the content
    #[arg(long, value_name = "CODE", value_parser = clap::value_parser!(u16).range(200..=599), help_heading = "Answers")]
    pub expect_status: Option<u16>,
    /// The one content that is right: text, or @FILE
    #[arg(long, value_name = "TEXT|@FILE", help_heading = "Answers")]
    pub expect_body: Option<String>,

    /// One generator thread pinned to each of these CPUs, such as 0-3,6; without it, one thread that is not pinned
    #[arg(long, value_name = "LIST", help_heading = "Generator")]
    pub cpus: Option<CpuSet>,
    /// Poll without sleeping, for the least lag; only for CPUs that belong to the generator alone
    #[arg(long, requires = "cpus", help_heading = "Generator")]
    pub spin: bool,

    /// Write all figures as JSON
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub export_json: Option<PathBuf>,
    /// No live view
    #[arg(long, help_heading = "Output")]
    pub quiet: bool,
}

/// What `load::Plan` can schedule.
const HIGHEST_RATE: f64 = 1e9;

/// A rate of requests: a number above 0, which may have an exponent.
fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text
        .replace('_', "")
        .parse()
        .map_err(|_| format!("`{text}` is no rate; write it as 500 or 2.5e3"))?;
    if rate == 0.0 {
        Err("a rate of 0 sends nothing; choose one above 0, or leave it out for a closed loop".to_owned())
    } else if rate > 0.0 && rate <= HIGHEST_RATE {
        Ok(rate)
    } else {
        Err(format!("a rate of {text} requests per second is none; choose one above 0 and up to 1e9"))
    }
}

/// A window longer than this is a typing error.
const LONGEST_WINDOW: Duration = Duration::from_secs(24 * 3600);

fn window(text: &str) -> Result<Duration, String> {
    let window = duration::parse(text)?;
    if window.is_zero() || window > LONGEST_WINDOW {
        return Err(format!("a window of {window:?} is not above 0 and up to {LONGEST_WINDOW:?}"));
    }
    Ok(window)
}

fn timeout(text: &str) -> Result<Duration, String> {
    let timeout = duration::parse(text)?;
    if timeout.is_zero() {
        return Err("a timeout of 0 fails every request; make it longer".to_owned());
    }
    Ok(timeout)
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
        assert_eq!((arguments.duration, arguments.timeout), (Duration::from_secs(2), Duration::from_secs(1)));
        assert_eq!((arguments.method.as_deref(), arguments.body.as_deref()), (Some("PUT"), Some("x")));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_what_would() {
        for (arguments, expected) in [
            (&["--rate", "0"][..], "a rate of 0 sends nothing; choose one above 0"),
            (&["--rate=-5"], "a rate of -5 requests per second is none"),
            (&["--rate", "2e9"], "up to 1e9"),
            (&["--rate", "fast"], "`fast` is no rate"),
            (&["--poisson"], "--rate <R>"),
            (&["--connections", "0"], "1.."),
            (&["--duration", "0"], "not above 0"),
            (&["--timeout", "0s"], "fails every request"),
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
