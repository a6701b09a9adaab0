//! One question that a report asks of itself.

use serde::Serialize;

/// One question and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SelfCheck {
    /// What was asked.
    pub name: CheckName,
    /// Whether all is well.
    pub passed: bool,
    /// The figures that the answer comes from.
    pub finding: String,
    /// What to do; only where something is wrong and something can be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl SelfCheck {
    pub(super) fn new(name: CheckName, passed: bool, finding: String) -> Self {
        Self { name, passed, finding, advice: None }
    }

    /// Says what to do if the check failed.
    pub(super) fn advise(mut self, advice: impl Into<String>) -> Self {
        if !self.passed {
            self.advice = Some(advice.into());
        }
        self
    }
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckName {
    /// All connections of the plan were open when load began.
    Connections,
    /// Every answer was the expected one.
    Answers,
    /// The counts of requests add up.
    Accounting,
    /// Little's law holds within 5%.
    LittlesLaw,
    /// The generator's own lag is small beside the tail that it reports.
    Lag,
    /// The drawn schedule is what a Poisson process draws.
    DrawnSchedule,
    /// Requests left as randomly as they were scheduled.
    Departures,
    /// The server kept up with the offered rate.
    Saturation,
    /// A connection was free when a request was due.
    OutstandingLimit,
    /// The closed loop hid no stall.
    ClosedLoop,
    /// Response times neither grew nor fell over the window.
    Stationarity,
    /// The generator had a CPU whenever it wanted one.
    Starvation,
    /// The generator was not what bounded the rate.
    GeneratorBound,
}
