//! What theory says of a single-server queue with Poisson arrivals: by closed form, and by as many replicated
//! simulations as it takes to say what chance may do to one run. Pure.

mod model;

mod closed_form;
mod simulation;

pub(crate) use closed_form::sojourn_quantile;
pub(crate) use model::Queue;
pub(crate) use simulation::Intervals;
