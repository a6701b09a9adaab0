//! The other side of `harness clock`: it says what time it is, line by line, until nobody asks any more.

use std::io::{self, BufRead, Write};

use race::generators::clock::now_ns;

use super::{host::HostId, lines};

/// Answers each line of `asked` on `answers`, at once.
///
/// # Errors
/// Those of reading and writing.
pub fn answer(asked: &mut impl BufRead, answers: &mut impl Write) -> io::Result<()> {
    let mut say = |line: String| {
        // In one piece, so that it is one packet.
        answers.write_all(format!("{line}\n").as_bytes())?;
        answers.flush()
    };
    say(lines::greeting(&HostId::own()))?;
    let mut line = String::new();
    while asked.read_line(&mut line)? > 0 {
        let received_ns = now_ns();
        say(lines::answer(line.trim(), received_ns, now_ns()))?;
        line.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_answered_with_two_instants_of_this_clock() {
        let before = now_ns();
        let mut said = Vec::new();
        answer(&mut &b"0\n1\n"[..], &mut said).unwrap();
        let said = String::from_utf8(said).unwrap();
        let all: Vec<&str> = said.lines().collect();
        assert_eq!(lines::read_greeting(all[0]), lines::Greeting::Of(HostId::own()));
        let instants: Vec<i64> = (0..2)
            .zip(&all[1..])
            .flat_map(|(number, line)| <[i64; 2]>::from(lines::read_answer(line, number).unwrap()))
            .collect();
        assert_eq!((all.len(), instants.len()), (3, 4));
        // Nobody sets the clock of a machine that tests, but by its slew.
        assert!(instants.iter().all(|at| (at - before).abs() < 60_000_000_000), "{said}");
    }
}
