//! A place as others see it.

use kit::cluster::PlaceState;

use crate::machine::{Place, Stage};

/// How a place is, in one word.
pub(super) fn state(place: &Place) -> PlaceState {
    let is = |wanted: fn(&Stage) -> bool| place.workers().any(|worker| wanted(&worker.stage));
    if is(|stage| matches!(stage, Stage::Ready { .. })) {
        PlaceState::Ready
    } else if is(|stage| matches!(stage, Stage::Starting { .. })) {
        PlaceState::Starting
    } else if place.has_failed() {
        PlaceState::Failed
    } else if place.due().is_some() || place.awaits_an_end() {
        PlaceState::BackingOff
    } else if place.is_empty() {
        PlaceState::Empty
    } else {
        PlaceState::Draining
    }
}
