//! The cases, by subject. A requirement on a new subject gets a file of its own.

pub(crate) mod answers;
pub(crate) mod bodies;
pub(crate) mod connections;
pub(crate) mod described;
pub(crate) mod limits;
pub(crate) mod methods;
pub(crate) mod parameters;
pub(crate) mod refusals;
