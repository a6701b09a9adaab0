//! Whether three parts of a load find what one generator of the same rate finds: pairs of both, in alternating order, against one server.
//! It prints a table; nothing is judged but by who reads it. `just agreement` builds what it needs.
//!
//! ```text
//! agreement [PAIRS [SECONDS [RATE [ARGUMENT OF harness load]...]]]        10 pairs of 10 s at 3000 requests a second
//! ```

use std::{
    env, fs,
    io::Write as _,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use machines::{HOSTS, Machine, Running, Site, missing, until};
use serde_json::Value;

const PERCENTILES: [&str; 4] = ["p50", "p90", "p99", "p99.9"];

/// How long whatever ends may take beside the load itself.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> Result<()> {
    if let Some(why) = missing(&[HOSTS]) {
        bail!("no hosts: {why}");
    }
    let mut arguments = env::args().skip(1);
    let mut number = |default: u64| arguments.next().map_or(Ok(default), |text| text.parse().context(text));
    let (pairs, seconds, rate) = (number(10)?, number(10)?, number(3_000)?);
    let asked = Asked { seconds, rate, more: arguments.collect() };
    let site = Site::new()?;
    site.install(&["harness", "work-stealing"])?;
    let _server = serve(&site.server)?;
    let generators = [&site.generators[0], &site.generators[1], &site.control];
    let mut all: Vec<[Found; 2]> = Vec::new();
    for pair in 0..pairs {
        let of =
            |parts: usize| asked.load(&site, &generators[..parts], &format!("/srv/parts/{pair}-of-{parts}"));
        let (one, three) = match pair % 2 {
            0 => (of(1)?, of(3)?),
            _ => {
                let three = of(3)?;
                (of(1)?, three)
            }
        };
        say(&format!("pair {pair}\n  one    {one}\n  three  {three}"))?;
        all.push([one, three]);
    }
    say(&summary(&all, rate as f64))
}

/// What each load is.
struct Asked {
    seconds: u64,
    rate: u64,
    more: Vec<String>,
}

impl Asked {
    /// Makes the load in as many parts as hosts are given, and merges them.
    fn load(&self, site: &Site, hosts: &[&Machine], gather: &str) -> Result<Found> {
        let begun = Instant::now();
        let Self { seconds, rate, more } = self;
        let running = hosts.iter().enumerate().map(|(part, host)| {
            let mut ssh = site.control.command("ssh");
            // Server and generators on a CPU of their own, and all generators on one: a second would be the server's.
            ssh.arg(host.name()).arg(format!(
                "harness load http://server:8080/simple --rate {rate} --connections 60 --duration {seconds}s --cpus 1 --quiet \
                 --part {part}/{} --gather {gather} --clock-against server {}",
                hosts.len(),
                more.join(" ")
            ));
            Running::start(ssh)
        });
        for part in running.collect::<Result<Vec<_>>>()? {
            part.finish(Duration::from_secs(*seconds) + PATIENCE)?.well()?;
        }
        let mut merge = site.control.command("harness");
        merge.args(["merge", gather]);
        let merged = Running::start(merge)?.finish(PATIENCE)?.well()?;
        let offered = (0..hosts.len()).map(|part| {
            let record: Value =
                serde_json::from_slice(&fs::read(site.control.path(&format!("{gather}/part-{part}.json")))?)?;
            record
                .pointer("/report/streams/0/offered_per_second")
                .and_then(Value::as_f64)
                .context("no offered rate")
        });
        Ok(Found {
            times: times(&merged)?,
            offered: offered.sum::<Result<f64>>()?,
            together: words_after(&merged, "at work together for ").context(merged.clone())?,
            took: begun.elapsed(),
        })
    }
}

/// What a load found.
struct Found {
    times: [Time; 4],
    /// Requests due a second, over all parts.
    offered: f64,
    /// How long all parts were at work at once.
    together: String,
    took: Duration,
}

/// A percentile and its interval, in microseconds.
#[derive(Clone, Copy, Default)]
struct Time {
    at: f64,
    /// `None` where there were too few requests.
    within: Option<(f64, f64)>,
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (name, Time { at, within }) in PERCENTILES.iter().zip(self.times) {
            let within = within.map_or_else(String::new, |(low, high)| format!(" [{low:.0}, {high:.0}]"));
            write!(f, "{name} {at:.0}{within} us, ")?;
        }
        write!(
            f,
            "{:.3} a second offered, together for {}, took {:.1?}",
            self.offered, self.together, self.took
        )
    }
}

fn summary(all: &[[Found; 2]], rate: f64) -> String {
    let mut text = format!(
        "\n{:<10} {:>26} {:>34}\n",
        "percentile", "pairs whose intervals meet", "three over one: median (interval)"
    );
    for (n, name) in PERCENTILES.iter().enumerate() {
        let within = |pair: &[Found; 2]| Some((pair[0].times[n].within?, pair[1].times[n].within?));
        let known: Vec<_> = all.iter().filter_map(within).collect();
        let meet = known.iter().filter(|(one, three)| one.0 <= three.1 && three.0 <= one.1);
        let mut ratios: Vec<f64> =
            all.iter().map(|[one, three]| three.times[n].at / one.times[n].at).collect();
        ratios.sort_by(f64::total_cmp);
        let last = ratios.len().saturating_sub(1);
        let median = (ratios[last / 2] + ratios[ratios.len() / 2]) / 2.0;
        // Of ten, the second and the last but one hold the median at 97.9%.
        let cut = usize::from(ratios.len() > 2);
        let (low, high) = (ratios[cut], ratios[last - cut]);
        text += &format!(
            "{name:<10} {:>23}/{:<2} {median:>16.3} ({low:.3} to {high:.3})\n",
            meet.count(),
            known.len()
        );
    }
    for (n, name) in ["one", "three"].iter().enumerate() {
        let off = all.iter().map(|pair| (pair[n].offered / rate - 1.0).abs()).fold(0.0, f64::max);
        text += &format!("offered rate of {name}: at most {:.4}% from what was asked for\n", 100.0 * off);
    }
    text
}

/// The table of response times that `harness merge` prints.
fn times(merged: &str) -> Result<[Time; 4]> {
    let (_, table) =
        merged.split_once(".response: ").with_context(|| format!("no response times:\n{merged}"))?;
    let mut times = [Time::default(); 4];
    for (name, time) in PERCENTILES.iter().zip(&mut times) {
        let row =
            table.lines().find(|line| line.split_whitespace().nth(1) == Some(name)).context("no such row")?;
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, _, value, interval, _] = cells[..] else { bail!("`{row}` is no row of three cells") };
        time.at = us(value)?;
        time.within =
            interval.split_once(" to ").map(|(low, high)| anyhow::Ok((us(low)?, us(high)?))).transpose()?;
    }
    Ok(times)
}

/// `1.50ms` as 1500.
fn us(text: &str) -> Result<f64> {
    let units = [("ns", 1e-3), ("µs", 1.0), ("ms", 1e3), ("s", 1e6)];
    let (number, by) = units
        .iter()
        .find_map(|(unit, by)| Some((text.strip_suffix(unit)?, by)))
        .with_context(|| format!("`{text}` is no time"))?;
    Ok(number.parse::<f64>().with_context(|| format!("`{text}` is no time"))? * by)
}

fn words_after(text: &str, words: &str) -> Option<String> {
    text.lines().find_map(|line| line.strip_prefix(words)).map(str::to_owned)
}

/// A server on port 8080 and CPU 0, when it serves. It ends with its host.
fn serve(machine: &Machine) -> Result<machines::Daemon> {
    let mut command = machine.command("work-stealing");
    command.args(["--listen", "0.0.0.0:8080", "--cpus", "0", "--workers", "1"]).stdin(Stdio::null());
    let daemon = machine.daemon("server", command)?;
    let serves = until(PATIENCE, || machine.log("server").contains(":8080\"").then_some(()));
    ensure!(serves.is_some(), "the server does not serve: {}", machine.log("server"));
    Ok(daemon)
}

fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}
