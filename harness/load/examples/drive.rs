//! Drives the generator by hand:
//! `cargo run --release -p load --example drive -- ADDRESS PATH CONNECTIONS SECONDS [RATE|closed] [spin|linger|sleep] [CPU]`.

use std::{env, error::Error, sync::Arc, time::Duration};

use load::{AnySuccess, Pacing, Plan, Request, StopHandle, Stream, Wait};

const USAGE: &str = "usage: drive ADDRESS PATH CONNECTIONS SECONDS [RATE|closed] [spin|linger|sleep] [CPU]";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [address, path, connections, seconds, options @ ..] = arguments.as_slice() else {
        return Err(USAGE.into());
    };
    let pacing = match options.first().map(String::as_str) {
        None | Some("closed") => Pacing::Closed,
        Some(rate) => Pacing::Poisson { per_second: rate.parse::<f64>()?.into() },
    };
    let request = Request::get(path, address)?;
    let stream = Stream::new(path, request, Arc::new(AnySuccess), pacing, connections.parse()?);
    let mut plan = Plan::new(address.parse()?, vec![stream]);
    plan.window = Duration::from_secs_f64(seconds.parse()?);
    plan.wait = match options.get(1).map(String::as_str) {
        None | Some("sleep") => Wait::Sleep,
        Some("linger") => Wait::Linger,
        Some("spin") => Wait::Spin,
        Some(_) => return Err(USAGE.into()),
    };
    plan.cpus = options.get(2).map(|cpu| cpu.parse()).transpose()?.into_iter().collect();
    let outcome = load::run(&plan, &(), &StopHandle::new())?;
    for stream in &outcome.streams {
        println!("{}/s offered, {}/s achieved", stream.offered_per_second(), stream.achieved_per_second());
        println!("{:?}\n{:?}\n{:?}", stream.counts, stream.errors, stream.connections);
        for (name, histogram) in [
            ("response", &stream.response),
            ("observed", &stream.observed),
            ("service", &stream.service),
            ("queue wait", &stream.queue_wait),
            ("lag", &stream.lag),
        ] {
            let us = [0.5, 0.9, 0.99, 0.999, 1.0].map(|q| histogram.quantile_ns(q).unwrap_or(0) as f64 / 1e3);
            println!("{name}: p50 p90 p99 p99.9 max in us: {us:?}");
        }
        println!("{:?}\n{:?}", stream.accounting(), stream.departures.summary());
        println!("{:?}\n{:?}", stream.clocked, stream.residence);
    }
    println!("clock set by {:?} ns; {:?}", outcome.clock_step_ns, outcome.closed_loop());
    for thread in &outcome.threads {
        println!("{thread:?}");
    }
    Ok(())
}
