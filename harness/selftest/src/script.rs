//! What the scripted server does, as data: both sides of a self-test read it, so that the judge knows the law of the
//! delays and the server draws from it.
//!
//! It knows no socket and no generator.

use std::time::Duration;

use serde::Serialize;

/// The self-test's cases; each has a script of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CaseName {
    /// Every answer takes equally long.
    Constant,
    /// Most answers are quick, some are not.
    Bimodal,
    /// The server stops for a tenth of the time.
    Stall,
    /// A single-server queue with exponential service times.
    Mm1,
    /// A single-server queue with constant service times.
    Md1,
    /// Everything that can go wrong with an answer.
    Errors,
}

impl CaseName {
    /// All cases, in the order in which they are run.
    pub const ALL: [Self; 6] =
        [Self::Constant, Self::Bimodal, Self::Stall, Self::Mm1, Self::Md1, Self::Errors];

    /// The name on the command line and in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Bimodal => "bimodal",
            Self::Stall => "stall",
            Self::Mm1 => "mm1",
            Self::Md1 => "md1",
            Self::Errors => "errors",
        }
    }

    /// The case of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|case| case.name() == name)
    }
}

/// How much time there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Length {
    /// A few minutes for all cases.
    Full,
    /// Some ten seconds for all cases, for continuous integration.
    Short,
}

/// How long the service times of a queue are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Exponentially distributed: M/M/1.
    Exponential,
    /// Always the mean: M/D/1.
    Deterministic,
}

/// When answers are due, and what they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Script {
    /// Each request on its own, after the same delay.
    Constant {
        /// The delay.
        delay: Duration,
    },
    /// Each request on its own, after one of two delays.
    Bimodal {
        /// The delay of most.
        usual: Duration,
        /// The delay of the others.
        rare: Duration,
        /// The probability of the second delay.
        rare_share: f64,
    },
    /// Like `Constant`, but at the end of each period nothing is answered until the period is over.
    Stall {
        /// The delay of whatever is not held.
        delay: Duration,
        /// The period; the first begins with the first request.
        every: Duration,
        /// How long the server stops at the end of each.
        stops: Duration,
    },
    /// One server, first come first served, on a virtual time axis: what is due is due at
    /// `max(previous completion, arrival) + service time`, however late the previous answer was really written.
    Queue {
        /// The mean service time.
        mean: Duration,
        /// Its law.
        service: Service,
    },
    /// Most requests are answered; each of the six ways to fail has the same probability.
    Errors {
        /// When whatever is done is done.
        delay: Duration,
        /// The generator's timeout; late answers come 1 to 100 ms after it.
        timeout: Duration,
        /// The probability of each way to fail.
        each: f64,
    },
}

/// The load of both queues: busy enough that waiting decides the tail, and the textbooks' example.
pub(crate) const QUEUE_LOAD: f64 = 0.7;

impl Script {
    /// The script of a case.
    pub fn of(case: CaseName, length: Length) -> Self {
        let ms = Duration::from_millis;
        match case {
            CaseName::Constant => Self::Constant { delay: ms(5) },
            // Not a tenth: p90 would lie on the step, where a single request more or less decides.
            CaseName::Bimodal => Self::Bimodal { usual: ms(1), rare: ms(20), rare_share: 0.07 },
            CaseName::Stall => {
                let (every, stops) = match length {
                    Length::Full => (ms(10_000), ms(1_000)),
                    Length::Short => (ms(1_000), ms(100)),
                };
                Self::Stall { delay: ms(1), every, stops }
            }
            // Two milliseconds: the journey through the kernel, which no script knows, is some 2% of it.
            CaseName::Mm1 => Self::Queue { mean: ms(2), service: Service::Exponential },
            CaseName::Md1 => Self::Queue { mean: ms(2), service: Service::Deterministic },
            CaseName::Errors => Self::Errors { delay: ms(1), timeout: ms(300), each: 0.07 },
        }
    }
}

/// What is done with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// The right answer.
    Answer,
    /// The right answer, after the generator's timeout.
    Late,
    /// Half of the content, then an orderly close.
    Truncate,
    /// No byte, and a reset.
    Reset,
    /// An answer of the right length with another content.
    WrongBytes,
    /// Half of a header field, then an orderly close.
    HalfHead,
    /// Nothing at all, on a connection that stays open.
    Never,
}

impl Act {
    /// All acts.
    pub const ALL: [Self; 7] = [
        Self::Answer,
        Self::Late,
        Self::Truncate,
        Self::Reset,
        Self::WrongBytes,
        Self::HalfHead,
        Self::Never,
    ];

    /// The ways to fail, in the order in which they are drawn.
    pub const FAILURES: [Self; 6] =
        [Self::Late, Self::Truncate, Self::Reset, Self::WrongBytes, Self::HalfHead, Self::Never];

    /// The name in logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Late => "late",
            Self::Truncate => "truncate",
            Self::Reset => "reset",
            Self::WrongBytes => "wrong_bytes",
            Self::HalfHead => "half_head",
            Self::Never => "never",
        }
    }

    /// The act of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_what_it_names() {
        for case in CaseName::ALL {
            assert_eq!(CaseName::named(case.name()), Some(case));
        }
        for act in Act::ALL {
            assert_eq!(Act::named(act.name()), Some(act));
        }
        assert_eq!((CaseName::named("mg1"), Act::named("")), (None, None));
    }

    #[test]
    fn a_stall_is_a_tenth_of_the_time_at_either_length() {
        for length in [Length::Full, Length::Short] {
            let Script::Stall { every, stops, .. } = Script::of(CaseName::Stall, length) else {
                panic!("another script")
            };
            assert_eq!(every, stops * 10);
        }
    }
}
