//! The tables of a scenario, and the one that says what to choose.

pub(crate) mod choices;
pub(crate) mod costs;
pub(crate) mod figures;
pub(crate) mod pairs;
pub(crate) mod rows;
pub(crate) mod scaling;
pub(crate) mod support;
pub(crate) mod times;
pub(crate) mod workers;
