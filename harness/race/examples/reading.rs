//! What one reading of everything costs, by the threads of the row: `cargo run --release -p race --example reading`.
//!
//! Twice: where no thread of the row has run since the last reading, as between an edge and the next thaw, and where all have, as at
//! the end of a window. On the CPU to which the reading thread is pinned, as in a race.

use std::{
    env,
    error::Error,
    io::{BufRead, BufReader, Write},
    process::Stdio,
    sync::{Arc, Barrier},
    thread,
    time::{Duration, Instant},
};

use host::{cpus::CpuSet, members, tether};
use race::machine::{edge::Edges, memory};

const TIMES: usize = 200;

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(threads) = env::args().nth(1) {
        return wake_all(threads.parse()?);
    }
    let _pinned = CpuSet::from_iter(CpuSet::allowed()?.iter().last()).pin_current_thread()?;
    for threads in [1, 8, 256] {
        // A shell stands above the row, as a guard does.
        let mut row = tether::command("sh");
        row.args(["-c", "\"$0\" \"$1\"; :"]).arg(env::current_exe()?).arg(threads.to_string());
        let mut row = row.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (mut orders, answers) = (row.stdin.take().ok_or("stdin")?, row.stdout.take().ok_or("stdout")?);
        let mut answers = BufReader::new(answers);
        let mut wake = || {
            writeln!(orders, "wake")?;
            answers.read_line(&mut String::new())
        };
        wake()?;
        let mut edges = Edges::default();
        let first = edges.read(row.id(), &[])?.took();
        let (mut idle, mut woken, mut rollup) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..TIMES {
            idle.push(edges.read(row.id(), &[])?.took());
            wake()?;
            woken.push(edges.read(row.id(), &[])?.took());
            let row = members::below(row.id())?.living;
            let began = Instant::now();
            memory::of(row.iter().map(|member| member.pid))?;
            rollup.push(began.elapsed());
        }
        println!("{threads} threads: the first reading {first:?}");
        for (name, times) in [("nobody ran", idle), ("all have run", woken), ("memory alone", rollup)] {
            println!("  {name}: {}", median_and_p95(times));
        }
        drop(orders);
        row.wait()?;
    }
    Ok(())
}

fn median_and_p95(mut times: Vec<Duration>) -> String {
    times.sort();
    format!("{:?} (median), {:?} (p95)", times[times.len() / 2], times[times.len() * 95 / 100])
}

/// The row: threads that all run once for each line on stdin.
fn wake_all(threads: usize) -> Result<(), Box<dyn Error>> {
    let barrier = Arc::new(Barrier::new(threads));
    for _ in 1..threads {
        let barrier = Arc::clone(&barrier);
        thread::spawn(move || {
            loop {
                barrier.wait();
            }
        });
    }
    for order in std::io::stdin().lines() {
        order?;
        barrier.wait();
        println!("done");
    }
    // The others wait for ever.
    std::process::exit(0)
}
