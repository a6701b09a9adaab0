//! The arguments of `selftest`, and of the scripted server that it starts.

use std::path::PathBuf;

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};

use selftest::{CaseName, Length};
use selftest::{ScriptedOptions, SelftestOptions};

/// What `selftest --help` ends with.
pub(super) const SELFTEST_EXAMPLES: &str = "\
Examples:
  harness selftest                    every case, about three minutes
  harness selftest --short            every case in shorter windows, at most 20 seconds
  harness selftest --case mm1         one case alone
  harness selftest --seed 7           other arrivals and other service times
  harness selftest --export-json selftest.json

A check is FAIL only for a real disagreement. A case in which the machine's own noise (stolen
time, other processes, a late generator) may have caused one is repeated up to twice, as far as
there is time, and is CANNOT TELL if it stays so. Exit code 1: a FAIL, or too few CPUs.";

/// Arguments of `selftest`.
#[derive(Debug, Args)]
pub(crate) struct SelftestArgs {
    /// Shorter windows, for continuous integration: at most 20 seconds in all
    #[arg(long)]
    pub short: bool,
    /// Only this case
    #[arg(long, value_name = "NAME", value_parser = case_name())]
    pub case: Option<CaseName>,
    /// What arrivals, delays and replicated simulations are drawn from
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Also write every check, with its figures, as JSON
    #[arg(long, value_name = "FILE")]
    pub export_json: Option<PathBuf>,
    /// The part of each delay by which the server waits longer than it logs; every timing case must then fail
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, hide = true, value_parser = share)]
    pub lie: f64,
}

/// Arguments of `scripted`.
#[derive(Debug, Args)]
pub(crate) struct ScriptedArgs {
    /// The case whose script is followed
    #[arg(long, value_name = "NAME", value_parser = case_name())]
    pub script: CaseName,
    /// The script of the short form
    #[arg(long)]
    pub short: bool,
    /// What everything random is drawn from
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Where the log is written at SIGTERM
    #[arg(long, value_name = "FILE")]
    pub log: PathBuf,
    /// Poll without pause: only on a CPU that the server has for itself
    #[arg(long)]
    pub spin: bool,
    /// The part of each delay by which it waits longer than it logs
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    pub lie: f64,
}

impl From<SelftestArgs> for SelftestOptions {
    fn from(arguments: SelftestArgs) -> Self {
        let SelftestArgs { case, seed, export_json, lie, short } = arguments;
        Self { case, seed, export_json, lie, length: length(short) }
    }
}

impl From<ScriptedArgs> for ScriptedOptions {
    fn from(arguments: ScriptedArgs) -> Self {
        let ScriptedArgs { script, seed, log, spin, lie, short } = arguments;
        Self { script, seed, log, spin, lie, length: length(short) }
    }
}

fn length(short: bool) -> Length {
    if short { Length::Short } else { Length::Full }
}

fn case_name() -> impl TypedValueParser<Value = CaseName> {
    PossibleValuesParser::new(CaseName::ALL.map(CaseName::name))
        .try_map(|name| CaseName::named(&name).ok_or("no such case"))
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err(format!("`{text}` is not a number from 0 to 1")),
    }
}
