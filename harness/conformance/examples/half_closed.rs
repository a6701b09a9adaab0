//! Counts the requests that servers lose whose clients end their sending half right behind them:
//! `cargo run --release -p conformance --example half_closed -- 1000000 'target/release/work-stealing --workers 2' ...`.
//!
//! Each server command is launched alone, on a free port, and gets its share of the requests, in every shape of
//! [`conformance::half_closed`]. Splits commands at blanks. Exit code 1 if a request is lost, or anything else is wrong.

use std::{
    error::Error,
    net::SocketAddr,
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use conformance::half_closed::{MORE_SHAPES, SHAPES, Shape, Tally};
use host::launch::Launch;

const PATIENCE: Duration = Duration::from_secs(20);
/// Connections at the same time: enough for a server's workers to be busy when the end comes.
const CLIENTS: usize = 4;
/// Rounds that a client takes at once.
const BATCH: u64 = 50;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let count: u64 = arguments.next().ok_or("how many requests? give COUNT 'COMMAND'...")?.parse()?;
    let commands: Vec<String> = arguments.collect();
    let share = count.div_ceil((commands.len() as u64).max(1));
    let (mut all, mut worst) = (Tally::default(), ExitCode::SUCCESS);
    println!(
        "{:>11}  {:>11}  {:>7}  {:>7}  {:>8}  server",
        "connections", "requests", "lost", "wrong", "seconds"
    );
    for command in &commands {
        match count_of(command, share) {
            Ok(tally) => all.add(tally),
            Err(error) => {
                println!("{command}: {error}");
                worst = ExitCode::FAILURE;
            }
        }
    }
    let Tally { rounds, requests, lost, wrong, .. } = all;
    println!("{rounds:>11}  {requests:>11}  {lost:>7}  {wrong:>7}  {:>8}  in all", "");
    if requests < count && worst == ExitCode::SUCCESS {
        println!("fewer than the {count} that were asked for");
        worst = ExitCode::FAILURE;
    }
    Ok(if lost + wrong > 0 { ExitCode::FAILURE } else { worst })
}

/// A server of its own that is asked `share` times, in every shape as often.
fn count_of(command: &str, share: u64) -> Result<Tally, Box<dyn Error>> {
    let mut words = command.split_whitespace();
    let program = words.next().ok_or("an empty command")?;
    let mut server = Launch::new(program).args(words).args(["--listen", "127.0.0.1:0"]).spawn()?;
    let address = server.ready(PATIENCE)?.address;
    let began = Instant::now();
    let shapes = || SHAPES.iter().chain(MORE_SHAPES);
    let each: f64 = shapes().map(Shape::requests_each).sum();
    // How many requests a round has differs from round to round; a twentieth more is enough of them.
    let rounds = (1.05 * share as f64 / each).ceil() as u64;
    let (mut all, mut faults) = (Tally::default(), String::new());
    for shape in shapes() {
        let tally = played(shape, address, rounds)?;
        let Tally { requests, lost, wrong, .. } = tally;
        if lost + wrong > 0 {
            faults.push_str(&format!("  {}: {lost} of {requests} lost, {wrong} wrong\n", shape.name));
        }
        for first in tally.first_lost.iter().chain(&tally.first_wrong) {
            faults.push_str(&format!("    {first}\n"));
        }
        all.add(tally);
    }
    let Tally { rounds, requests, lost, wrong, .. } = all;
    let seconds = began.elapsed().as_secs_f64();
    println!("{rounds:>11}  {requests:>11}  {lost:>7}  {wrong:>7}  {seconds:>8.1}  {command}");
    print!("{faults}");
    let exit = server.stop(PATIENCE)?;
    if !exit.is_clean() {
        return Err(format!("it did not end cleanly: {exit:?}").into());
    }
    Ok(all)
}

/// Rounds 0 to `rounds` of one shape, from several clients at once.
fn played(shape: &Shape, address: SocketAddr, rounds: u64) -> std::io::Result<Tally> {
    let next = AtomicU64::new(0);
    let play = || {
        let mut tally = Tally::default();
        loop {
            let first = next.fetch_add(BATCH, Relaxed);
            if first >= rounds {
                return Ok(tally);
            }
            tally.add(shape.play(address, None, PATIENCE, first..rounds.min(first + BATCH))?);
        }
    };
    let tallies: Vec<std::io::Result<Tally>> = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(play)).collect();
        let joined = clients.into_iter().map(|client| client.join());
        joined.map(|tally| tally.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    let mut all = Tally::default();
    for tally in tallies {
        all.add(tally?);
    }
    Ok(all)
}
