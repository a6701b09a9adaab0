//! What receive stamps, and reading when it suits, change: two ways in turn against one server, and the ratios of pairs.
//! `cargo run --release -p load --example pairs -- stamps|reading ADDRESS PATH CONNECTIONS SECONDS PAIRS [RATE|closed]
//! [spin|linger|sleep] [CPU]`.
//!
//! `stamps`: with and without stamps, both reading promptly. `reading`: with stamps, reading when the next request is due and
//! reading promptly. On CPUs that the server shares, start it below `chrt -f 1`, as a race would raise its threads.

use std::{env, error::Error, sync::Arc, time::Duration};

use load::{AnySuccess, Outcome, Pacing, Plan, Request, StopHandle, Stream, Wait};
use stats::student::StudentT;

const USAGE: &str = "usage: pairs stamps|reading ADDRESS PATH CONNECTIONS SECONDS PAIRS [RATE|closed] \
                     [spin|linger|sleep] [CPU]";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [what, address, path, connections, seconds, pairs, options @ ..] = arguments.as_slice() else {
        return Err(USAGE.into());
    };
    let pacing = match options.first().map(String::as_str) {
        None | Some("closed") => Pacing::Closed,
        Some(rate) => Pacing::Poisson { per_second: rate.parse::<f64>()?.into() },
    };
    let request = Request::get(path, address)?;
    let stream = Stream::new(path, request, Arc::new(AnySuccess), pacing, connections.parse()?);
    let mut plan = Plan::new(address.parse()?, vec![stream]);
    plan.warm_up = Duration::from_millis(200);
    plan.window = Duration::from_secs_f64(seconds.parse()?);
    plan.wait = match options.get(1).map(String::as_str) {
        None | Some("sleep") => Wait::Sleep,
        Some("linger") => Wait::Linger,
        Some("spin") => Wait::Spin,
        Some(_) => return Err(USAGE.into()),
    };
    plan.cpus = options.get(2).map(|cpu| cpu.parse()).transpose()?.into_iter().collect();
    let mut other = plan.clone();
    match what.as_str() {
        "stamps" => {
            plan.reads_promptly = true;
            other.stamps = false;
        }
        "reading" => other.reads_promptly = true,
        _ => return Err(USAGE.into()),
    }
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for pair in 0..pairs.parse::<u64>()? {
        (plan.seed, other.seed) = (pair, pair);
        // Which is first alternates, so that a drift falls on both alike.
        if pair % 2 == 0 {
            ours.push(Figures::of(&run(&plan)?));
            theirs.push(Figures::of(&run(&other)?));
        } else {
            theirs.push(Figures::of(&run(&other)?));
            ours.push(Figures::of(&run(&plan)?));
        }
    }
    for (index, name) in Figures::NAMES.into_iter().enumerate() {
        let of = |figures: &[Figures]| figures.iter().map(|one| one.0[index]).collect::<Vec<f64>>();
        print(name, &of(&ours), &of(&theirs));
    }
    Ok(())
}

fn run(plan: &Plan) -> Result<Outcome, Box<dyn Error>> {
    let outcome = load::run(plan, &(), &StopHandle::new())?;
    if outcome.streams[0].errors.total() > 0 || outcome.clock_was_set() {
        return Err(
            format!("{:?}, clock set by {:?} ns", outcome.streams[0].errors, outcome.clock_step_ns).into()
        );
    }
    Ok(outcome)
}

/// What one window came to.
struct Figures([f64; 9]);

impl Figures {
    const NAMES: [&str; 9] = [
        "right answers/s",
        "CPU a request, us",
        "sleeps a request",
        "waits a request",
        "response p50, us",
        "response p99, us",
        "observed p50, us",
        "service p50, us",
        "lateness p50, us",
    ];

    fn of(outcome: &Outcome) -> Self {
        let (stream, thread) = (&outcome.streams[0], &outcome.threads[0]);
        let requests = stream.counts.ok_in_window.max(1) as f64;
        let us = |histogram: &stats::Histogram, q| histogram.quantile_ns(q).unwrap_or(0) as f64 / 1e3;
        Self([
            stream.achieved_per_second(),
            thread.cpu_time_s * 1e6 / requests,
            thread.voluntary_switches as f64 / requests,
            (thread.waits + thread.dozes) as f64 / requests,
            us(&stream.response, 0.5),
            us(&stream.response, 0.99),
            us(&stream.observed, 0.5),
            us(&stream.service, 0.5),
            us(&stream.lag, 0.5),
        ])
    }
}

/// Medians of both, and the mean ratio of pairs with its 95% interval.
fn print(name: &str, ours: &[f64], theirs: &[f64]) {
    let median = |values: &[f64]| {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 2]
    };
    let logs: Vec<f64> = ours.iter().zip(theirs).map(|(own, other)| (own / other).ln()).collect();
    let n = logs.len() as f64;
    let mean = logs.iter().sum::<f64>() / n;
    let t = StudentT::new(logs.len() - 1).map_or(f64::INFINITY, |t| t.critical(0.05));
    let half = t * (logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt();
    println!(
        "{name:<18} {:>10.2} {:>10.2}  ratio {:.3} [{:.3}, {:.3}]",
        median(ours),
        median(theirs),
        mean.exp(),
        (mean - half).exp(),
        (mean + half).exp()
    );
}
