//! A single-server queue.

use crate::script::Service;

/// A queue: all times in units of the caller's choice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Queue {
    /// Arrivals per unit of time.
    pub(crate) arrival_rate: f64,
    /// The mean service time.
    pub(crate) mean_service: f64,
    pub(crate) service: Service,
}

impl Queue {
    /// The part of the time in which the server is busy.
    pub(crate) fn load(&self) -> f64 {
        self.arrival_rate * self.mean_service
    }
}
