//! The arguments of `selftest`, and of the scripted and the planted server that it starts.

use std::{net::SocketAddr, ops::RangeInclusive, path::PathBuf, time::Duration};

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};

use host::cpus::CpuSet;
use selftest::{
    CaseName, Length, ScriptedOptions, SelftestOptions,
    known_answers::{self, ComparisonOptions},
    planted::{Difference, Hold, PlantedOptions, Stall},
};
use terminal::outcome::Outcome;

/// What `selftest --help` ends with.
pub(super) const SELFTEST_EXAMPLES: &str = "\
Examples:
  harness selftest                    every case, about three minutes
  harness selftest --short            every case in shorter windows, at most 20 seconds
  harness selftest --case mm1         one case alone
  harness selftest --seed 7           other arrivals and other service times
  harness selftest --export-json selftest.json
  harness selftest --comparison       the comparison, by planted differences: over an hour
  harness selftest --comparison --races 6 --out races

A check is FAIL only for a real disagreement. A case in which the machine's own noise (stolen
time, other processes, a late generator) may have caused one is repeated up to twice, as far as
there is time, and is CANNOT TELL if it stays so. Exit code 1: a FAIL, or too few CPUs.

The comparison races the null server with itself and with planted differences. It must find what
is there in at least 34 of 40 races, and what is not there in at most 6 of 60, or as often in as
many races as there are. Exit code 1: not all of it passed.";

/// Arguments of `selftest`.
#[derive(Debug, Args)]
pub(crate) struct SelftestArgs {
    /// Shorter windows, for continuous integration: at most 20 seconds in all
    #[arg(long)]
    pub short: bool,
    /// Only this case
    #[arg(long, value_name = "NAME", value_parser = case_name())]
    pub case: Option<CaseName>,
    /// What arrivals, delays, orders and replicated simulations are drawn from
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = within::whole(0..=u64::MAX))]
    pub seed: u64,
    /// Also write every check, with its figures, as JSON
    #[arg(long, value_name = "FILE")]
    pub export_json: Option<PathBuf>,
    /// The part of each delay by which the server waits longer than it logs; every timing case must then fail
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, hide = true, value_parser = within::real(SHARES))]
    pub lie: f64,
    /// Check the comparison of rows by planted differences, instead of the load generator by a script
    #[arg(long, conflicts_with_all = ["short", "case", "lie"])]
    pub comparison: bool,
    /// Races of the comparison, somewhat over a minute each
    #[arg(long, value_name = "N", default_value_t = 60, requires = "comparison", value_parser = within::whole(1..=1000_u32))]
    pub races: u32,
    /// Leave the results folder of each race of the comparison in this one
    #[arg(long, value_name = "DIR", requires = "comparison")]
    pub out: Option<PathBuf>,
}

/// Arguments of `planted`.
#[derive(Debug, Args)]
pub(crate) struct PlantedArgs {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = within::address)]
    pub listen: SocketAddr,
    /// The CPUs to keep to
    #[arg(long, value_name = "LIST")]
    pub cpus: CpuSet,
    /// Steps of work that each request costs, some nanoseconds each
    #[arg(long, value_name = "STEPS", default_value_t = 0, value_parser = within::whole(0..=u32::MAX))]
    pub burn: u32,
    /// Hold a share of the answers back for some time
    #[arg(long, value_name = "SHARE,TIME", value_parser = hold)]
    pub hold: Option<Hold>,
    /// Block for some time, again and again
    #[arg(long, value_name = "TIME/EVERY", value_parser = stall)]
    pub stall: Option<Stall>,
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
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = within::whole(0..=u64::MAX))]
    pub seed: u64,
    /// Where the log is written at SIGTERM
    #[arg(long, value_name = "FILE")]
    pub log: PathBuf,
    /// Poll without pause: only on a CPU that the server has for itself
    #[arg(long)]
    pub spin: bool,
    /// The part of each delay by which it waits longer than it logs
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = within::real(SHARES))]
    pub lie: f64,
}

/// Runs `harness selftest`: of the load generator, or of the comparison. `command` is what the person typed.
///
/// # Errors
/// See [`selftest::selftest`] and [`known_answers::comparison`].
pub(crate) fn run(arguments: SelftestArgs, command: String) -> anyhow::Result<Outcome> {
    let SelftestArgs { case, seed, export_json, lie, short, comparison, races, out } = arguments;
    if comparison {
        return known_answers::comparison(&ComparisonOptions { races, seed, out, export_json }, command);
    }
    selftest::selftest(&SelftestOptions { case, seed, export_json, lie, length: length(short) })
}

impl From<PlantedArgs> for PlantedOptions {
    fn from(arguments: PlantedArgs) -> Self {
        let PlantedArgs { listen, cpus, burn, hold, stall } = arguments;
        Self { listen, cpus, difference: Difference { burn_steps: burn, hold, stall } }
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

const SHARES: RangeInclusive<f64> = 0.0..=1.0;

/// What a hold or a stall takes at most, and the time between two stalls.
const TIMES: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(3600);

fn hold(text: &str) -> Result<Hold, String> {
    let (of, time) =
        text.split_once(',').ok_or_else(|| format!("`{text}` is no SHARE,TIME such as 0.03,150us"))?;
    Ok(Hold { share: within::real(SHARES)(of)?, time: within::time(TIMES)(time)? })
}

fn stall(text: &str) -> Result<Stall, String> {
    let (time, every) =
        text.split_once('/').ok_or_else(|| format!("`{text}` is no TIME/EVERY such as 30ms/2s"))?;
    let stall = Stall { time: within::time(TIMES)(time)?, every: within::time(TIMES)(every)? };
    if Duration::ZERO < stall.time && stall.time < stall.every {
        Ok(stall)
    } else {
        Err(format!("`{text}`: a stall lasts for some time, and ends before the next begins"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_planted_is_read_as_the_selftest_writes_it() {
        let all = Difference {
            burn_steps: 0,
            hold: Some(Hold { share: 0.03, time: Duration::from_micros(150) }),
            stall: Some(Stall { time: Duration::from_millis(30), every: Duration::from_secs(2) }),
        };
        let written = all.arguments();
        assert_eq!(hold(&written[1]).ok(), all.hold);
        assert_eq!(stall(&written[3]).ok(), all.stall);
    }

    #[test]
    fn what_cannot_be_planted_is_refused_with_an_example() {
        for text in ["", "0.03", "1.5,3ms", "NaN,3ms", "0.5,soon", "0.5,61m"] {
            assert!(hold(text).is_err(), "{text}");
        }
        for text in ["30ms", "0ms/2s", "2s/2s", "3s/2s", "1s/9223372036854775807"] {
            assert!(stall(text).is_err(), "{text}");
        }
        assert!(stall("30ms").unwrap_err().contains("30ms/2s"));
    }
}
