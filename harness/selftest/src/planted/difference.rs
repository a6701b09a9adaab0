//! What can be planted in the null server. Plain data: the server follows it, the comparison is held to it.

use std::time::Duration;

/// What sets one server apart from the null server; nothing, unless it is said.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Difference {
    /// Steps that each request costs beside its answer. A step is some nanoseconds, in proportion to all else that the CPU does: a
    /// time would be another share of a request whenever the clock rate changes.
    pub burn_steps: u32,
    /// Answers that are held back.
    pub hold: Option<Hold>,
    /// When the whole server stands still.
    pub stall: Option<Stall>,
}

/// A share of the answers comes later, and keeps nobody else waiting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hold {
    /// The probability of each answer to be held, from 0 to 1.
    pub share: f64,
    /// For how long.
    pub time: Duration,
}

/// The loop blocks now and then, by the clock on the wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall {
    /// For how long.
    pub time: Duration,
    /// From the beginning of one to that of the next.
    pub every: Duration,
}

impl Difference {
    /// The arguments of `harness planted` that plant it.
    pub fn arguments(&self) -> Vec<String> {
        let ns = |time: Duration| format!("{}ns", time.as_nanos());
        let mut arguments = Vec::new();
        let mut add = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        if self.burn_steps > 0 {
            add("--burn", self.burn_steps.to_string());
        }
        if let Some(Hold { share, time }) = self.hold {
            add("--hold", format!("{share},{}", ns(time)));
        }
        if let Some(Stall { time, every }) = self.stall {
            add("--stall", format!("{}/{}", ns(time), ns(every)));
        }
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_planted_is_nothing_said() {
        assert_eq!(Difference::default().arguments(), [""; 0]);
        let all = Difference {
            burn_steps: 200,
            hold: Some(Hold { share: 0.03, time: Duration::from_micros(150) }),
            stall: Some(Stall { time: Duration::from_millis(30), every: Duration::from_secs(2) }),
        };
        let expected = ["--burn", "200", "--hold", "0.03,150000ns", "--stall", "30000000ns/2000000000ns"];
        assert_eq!(all.arguments(), expected);
    }
}
