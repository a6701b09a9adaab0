//! What a ladder of rates says: latency against throughput, and up to which rate each row holds an objective.
//!
//! Every step is read as a scenario of its own would be, by the same windows, gate and verdicts. An objective without a ladder is a ladder of one
//! step. Rows are not ranked by what is found here: it is for whoever has a load and a bound, and asks what fits.

mod answer;
mod capacity;
mod climbed;
mod curve;
mod holds;
mod plot;
mod tables;
#[cfg(test)]
mod tests;

pub(crate) use climbed::Climbed;

use crate::model::{Plot, Table};

impl Climbed<'_> {
    /// What is true of the objective, in a sentence; nothing without one, or where nothing was measured.
    pub(crate) fn answer(&self) -> Option<String> {
        answer::of(self)
    }

    /// Which rows hold the objective, and up to which rate; nothing without one.
    pub(crate) fn objective_table(&self) -> Option<Table> {
        tables::objective(self)
    }

    /// The percentile of each row at each step; nothing without a ladder.
    pub(crate) fn times_table(&self) -> Option<Table> {
        curve::by_step(self)
    }

    /// Every row at every step, with what it carried; nothing without a ladder.
    pub(crate) fn curve_table(&self) -> Option<Table> {
        curve::whole(self)
    }

    /// Latency against throughput, a picture for each percentile; none without a ladder.
    pub(crate) fn plots(&self) -> Vec<Plot> {
        plot::of(self)
    }
}
