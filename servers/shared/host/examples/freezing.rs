//! What freezing and thawing a tree of two processes takes, by the threads of one of them:
//! `cargo build --release -p host --examples`, then `target/release/examples/freezing`.

#![expect(clippy::disallowed_macros, reason = "what it prints is what it is for")]

use std::{
    error::Error,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use host::{
    freeze::Freezer,
    launch::{Heard, Launch},
};

const TIMES: usize = 300;
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn Error>> {
    let own = std::env::current_exe()?;
    let example = |name: &str| own.with_file_name(name);
    for threads in [1, 8, 256] {
        let mut process = Launch::new(example("family")).guarded_by([example("guard")]).spawn()?;
        let Heard::Line(ports) = process.next_line(Instant::now() + PATIENCE)? else {
            return Err("it says nothing".into());
        };
        let (port, told_on) = ports.split_once(' ').ok_or("two ports")?;
        let tell = |order: String| {
            let mut connection = TcpStream::connect(("127.0.0.1", told_on.parse::<u16>()?))?;
            writeln!(connection, "{order}")?;
            BufReader::new(connection).read_line(&mut String::new())?;
            Ok::<_, Box<dyn Error>>(())
        };
        tell("child".to_owned())?;
        tell(format!("threads {}", threads - 1))?;
        let freezer = Freezer::below(process.launched()).listening_on(port.parse()?);
        let mut parts: [(&str, Vec<Duration>); 3] =
            [("until stopped", Vec::new()), ("freezing", Vec::new()), ("thawing", Vec::new())];
        for _ in 0..TIMES {
            let began = Instant::now();
            let frozen = freezer.freeze()?;
            let (froze, stopped) = (began.elapsed(), frozen.took().until_stopped);
            let began = Instant::now();
            frozen.thaw()?;
            for ((_, times), time) in parts.iter_mut().zip([stopped, froze, began.elapsed()]) {
                times.push(time);
            }
            tell("rest".to_owned())?;
        }
        println!("{threads} threads:");
        for (name, mut times) in parts {
            times.sort();
            println!("  {name}: {:?} (median), {:?} (p95)", times[TIMES / 2], times[TIMES * 95 / 100]);
        }
    }
    Ok(())
}
