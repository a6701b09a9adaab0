//! What the two sides of a comparison of clocks say to each other: one line each.
//!
//! ```text
//! there: harness-clock 1 NAME BOOT       once; whatever a login shell prints before is no such line
//! here:  NUMBER                          asked
//! there: NUMBER RECEIVED ANSWERED        nanoseconds since 1970 by the clock there
//! ```

use super::host::HostId;

/// The beginning of the line with which the other side names itself.
const GREETING: &str = "harness-clock";
/// What the lines mean: raised when that changes.
const REVISION: u32 = 1;
/// What stands for a text that is empty.
const NOTHING: &str = "-";

/// What a line of the other side is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Greeting {
    /// It is a harness, on this host.
    Of(HostId),
    /// It is one that speaks otherwise.
    OtherRevision,
    /// It is something else.
    None,
}

/// How the other side begins.
pub(super) fn greeting(host: &HostId) -> String {
    let word = |text: &str| {
        let text = text.replace(char::is_whitespace, "_");
        if text.is_empty() { NOTHING.to_owned() } else { text }
    };
    format!("{GREETING} {REVISION} {} {}", word(&host.name), word(&host.boot))
}

/// Reads a line that may be its greeting.
pub(super) fn read_greeting(line: &str) -> Greeting {
    let words: Vec<&str> = line.split_whitespace().collect();
    let text = |word: &str| if word == NOTHING { String::new() } else { word.to_owned() };
    match words[..] {
        [GREETING, revision, name, boot] if revision == REVISION.to_string() => {
            Greeting::Of(HostId { name: text(name), boot: text(boot) })
        }
        [GREETING, ..] => Greeting::OtherRevision,
        _ => Greeting::None,
    }
}

/// An answer: the number that was asked with, when that came, and when this goes.
pub(super) fn answer(number: &str, received_ns: i64, answered_ns: i64) -> String {
    format!("{number} {received_ns} {answered_ns}")
}

/// Reads the answer to `number`.
pub(super) fn read_answer(line: &str, number: u32) -> Option<(i64, i64)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [own, received, answered] = words[..] else { return None };
    (own == number.to_string()).then_some(())?;
    Some((received.parse().ok()?, answered.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_side_writes_the_other_reads() {
        let host = HostId { name: "node 1".to_owned(), boot: String::new() };
        assert_eq!(greeting(&host), "harness-clock 1 node_1 -");
        let read = HostId { name: "node_1".to_owned(), boot: String::new() };
        assert_eq!(read_greeting(&greeting(&host)), Greeting::Of(read));
        assert_eq!(read_answer(&answer("7", 5, -6), 7), Some((5, -6)));
    }

    #[test]
    fn what_a_login_shell_prints_is_no_greeting_and_another_revision_is_told_apart() {
        assert_eq!(read_greeting("Welcome to node 1"), Greeting::None);
        assert_eq!(read_greeting(""), Greeting::None);
        assert_eq!(read_greeting("harness-clock 2 node 5"), Greeting::OtherRevision);
        for line in ["", "7", "7 1", "8 1 2", "7 1 x", "7 1 2 3"] {
            assert_eq!(read_answer(line, 7), None, "{line}");
        }
    }
}
