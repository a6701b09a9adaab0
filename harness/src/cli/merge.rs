//! Arguments of `merge`.

use std::path::PathBuf;

use clap::Args;

use client::merge::MergeOptions;

/// Shown below the help of `merge`.
pub(super) const MERGE_EXAMPLES: &str = "\
Examples:
  harness merge a.hlog b.hlog                 one result from two generators that ran together
  harness merge host-*.hlog -o all.hlog       and keep it, for merging further or for plotting
  harness merge a.hlog                        the percentiles of one log
  harness merge /shared/run                   the parts of one load, where they gathered

Logs are HdrHistogram's, in nanoseconds, whoever wrote them (V0 to V2, decimal commas, UTF-16). Counts are added and percentiles taken from the sum; percentiles \
themselves cannot be added or averaged. The tag `NAME.unanswered` holds the ages at which requests were given up: they \
stay in `NAME.response` as longer than that, and what lies among them is printed as `> x`.

Of a folder, all parts must be there, follow one plan, and have been at work together: where that was for less than 99% of the \
time it is said, and the exit code is 1. So it is where a part has figures and did not end well. Windows are corrected by what the \
parts recorded of their clocks, and what a generator found wrong with itself is said with its host.";

/// Arguments of `merge`.
#[derive(Debug, Args)]
pub(crate) struct MergeArgs {
    /// The generators' logs; or the folder in which the parts of a load gathered
    #[arg(value_name = "LOG|DIR", required = true)]
    pub logs: Vec<PathBuf>,
    /// Also write the merged log here; an existing file is replaced
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

impl From<MergeArgs> for MergeOptions {
    fn from(arguments: MergeArgs) -> Self {
        let MergeArgs { logs, out } = arguments;
        Self { logs, out }
    }
}
