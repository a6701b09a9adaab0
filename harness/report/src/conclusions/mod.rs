//! What follows from what counts: who differs from whom, which row serves which purpose best, and what must be known beside it.

pub(crate) mod analysis;
pub(crate) mod answer;
pub(crate) mod disturbance;
pub(crate) mod field;
pub(crate) mod findings;
pub(crate) mod generators;
pub(crate) mod instrument;
pub mod itself;
pub(crate) mod marks;
pub(crate) mod more;
pub(crate) mod named;
pub(crate) mod notes;
pub(crate) mod objectives;
pub(crate) mod offered;
pub mod pairs;
pub(crate) mod workers;
