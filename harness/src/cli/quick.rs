//! Arguments of `quick`: the flags of `artillery quick`, with its letters and defaults.

use std::path::PathBuf;

use clap::Args;

use client::quick::QuickOptions;
use load::Limits;

use super::load::max_head;

/// Shown below the help of `quick`.
pub(super) const EXAMPLES: &str = "\
Examples:
  harness quick --count 40 --num 50 http://127.0.0.1:8080/operacion-simple -o report.json
  harness quick -c 1 -n 1000 http://127.0.0.1:8080/simple       a single user
  harness quick -q -o report.json http://127.0.0.1:8080/simple  for scripts: the report alone

Users arrive evenly over one second. Each opens a connection and sends its requests in turn, the
next one when the last is answered; a user whose request gets no answer has failed and sends no
more. http.response_time is the time from the request to the first byte of its answer. The lines
and the keys of the report are those of artillery 2: what reads the one reads the other.

What differs:
  - percentiles come from HDR histograms (0.1%, not 1%); times below 10 ms have three decimals
  - http.request_rate of the whole run is taken over the whole run, not a mean over its periods
  - a redirect is an answer and is not followed; cookies are not kept; TLS is not spoken
  - an answer that breaks off is an error alone, not also a response
  - what is no HTTP is errors.MALFORMED_RESPONSE, whatever is wrong with it
  - a connection has 10 s to open, and an answer 10 s from its request to its last byte; artillery
    gives both together 10 s to the first byte
  - a host without an address ends the command before it starts
  - a run without any answer, or on a machine out of ports or descriptors, ends with code 1,
    an interrupted one with code 130";

/// Arguments of `quick`.
#[derive(Debug, Args)]
pub(crate) struct QuickArgs {
    /// What to load, such as http://127.0.0.1:8080/simple
    #[arg(value_name = "URL")]
    pub url: String,
    /// Users that arrive, evenly over one second
    #[arg(short, long, value_name = "C", default_value_t = 10, value_parser = within::whole(1..=1_000_000_u32))]
    pub count: u32,
    /// Requests that each user sends, one after the other
    #[arg(short, long, value_name = "N", default_value_t = 10, value_parser = within::whole(1..=1_000_000_000_u32))]
    pub num: u32,
    /// Write the report to this file, as JSON
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The longest head of an answer, in bytes; artillery's is Node's, 16384
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().max_head_bytes, value_parser = max_head())]
    pub max_head: usize,
    /// Print nothing but warnings and errors
    #[arg(short, long)]
    pub quiet: bool,
    /// Accepted so that existing commands work; without effect, since TLS is not supported
    #[arg(short = 'k', long)]
    pub insecure: bool,
}

impl From<QuickArgs> for QuickOptions {
    fn from(arguments: QuickArgs) -> Self {
        let QuickArgs { url, count, num, output, max_head, quiet, insecure: _ } = arguments;
        Self { url, count, num, output, max_head, quiet }
    }
}
