//! A load that one generator made, or its part of one.

use std::time::Duration;

use load::{Outcome, PlanError, RunError, StopHandle, Wait};

use super::order::Order;
use crate::{
    machine::edge::Accounts,
    measure::{
        figures::{Driven, measured},
        parts::{Tallies, whole},
    },
    programs::instance::InstanceError,
    records::window::Measured,
};

/// What a generator found.
#[derive(Debug)]
pub struct Made<'a> {
    order: &'a Order,
    /// One stream for each of the load.
    pub outcome: Outcome,
    tallies: Tallies,
}

/// Why it found nothing.
#[derive(Debug, thiserror::Error)]
pub enum NotMade {
    /// It was to begin together with others, and its connections were not open by then.
    #[error("the generator's connections were open {:.1} ms after its load was to begin", .0.as_secs_f64() * 1e3)]
    TooSoon(Duration),
    /// It could not do its work at all.
    #[error(transparent)]
    Instance(#[from] InstanceError),
}

/// Does as `order` says, on this host.
///
/// # Errors
/// See [`NotMade`].
pub fn make<'a>(order: &'a Order, stop: &StopHandle) -> Result<Made<'a>, NotMade> {
    let tallies = Tallies::of(&order.load);
    let plan = order.plan(&tallies)?;
    let outcome = load::run(&plan, &(), stop).map_err(|error| match error {
        RunError::Plan(PlanError::TooSoon(late) | PlanError::Past(late)) => NotMade::TooSoon(late),
        error => InstanceError::Generator(error.to_string()).into(),
    })?;
    if let Some(stream) = outcome.streams.iter().find(|stream| stream.connections.unreachable) {
        let named = stream.failed_attempts.iter().map(|(error, count)| format!("{} {count}", error.name()));
        let causes = named.collect::<Vec<_>>().join(", ");
        let said = format!("no connection for {} could be opened ({causes})", stream.name);
        return Err(InstanceError::Generator(said).into());
    }
    Ok(Made { order, outcome: whole(outcome, &order.load), tallies })
}

impl Made<'_> {
    /// The figures, with what the kernel accounted meanwhile.
    pub fn measured(&self, accounts: Accounts) -> Measured {
        let Order { load, raised, .. } = self.order;
        let spins = self.order.wait() == Wait::Spin;
        let driven = Driven { outcome: &self.outcome, load, tallies: &self.tallies, spins, raised: *raised };
        measured(driven, accounts)
    }
}
