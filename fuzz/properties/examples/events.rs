//! Plays sequences of a connection's events until there were as many as is said:
//! `cargo run --release -p properties --example events -- 10000000 [SEED]`.
//!
//! Each sequence is played to every row and judged ([`properties::events`]), without a stop of the server and with one. It needs no libFuzzer, and counts events rather than
//! sequences. The first that does not hold is printed as an input of the fuzz target, for `fuzz/corpus/events`. Exit code 1.

use std::{error::Error, process::ExitCode};

use properties::events::{self, event::Events};

/// The longest input, bytes, which is about as many events.
const LONGEST: u64 = 40;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let wanted: u64 = arguments.next().ok_or("how many events? give COUNT [SEED]")?.parse()?;
    let mut numbers = Numbers(arguments.next().map_or(Ok(1), |seed| seed.parse())?);
    let (mut played, mut sequences) = (0, 0_u64);
    while played < wanted {
        let input: Vec<u8> = (0..1 + numbers.next() % LONGEST).map(|_| numbers.next() as u8).collect();
        let holds = events::check(&input).and_then(|()| events::stopped::check(&input));
        if let Err(violation) = holds {
            println!("{violation}\nafter {played} events; printf '{}'", input.escape_ascii());
            return Ok(ExitCode::FAILURE);
        }
        played += Events::parse(&input).events.len() as u64;
        sequences += 1;
    }
    println!("{played} events in {sequences} sequences, each in {} rows", events::row::ROWS.len());
    Ok(ExitCode::SUCCESS)
}

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    }
}
