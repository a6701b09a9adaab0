//! What one connection knows of the others.

use std::sync::{Arc, atomic::AtomicUsize};

use kit::service::Site;
use kit_may::Timer;

/// What all connections have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) site: Arc<Site>,
    pub(super) timer: Timer,
    /// Open connections.
    pub(super) open: AtomicUsize,
    /// Requests that are being answered.
    pub(super) busy: AtomicUsize,
    /// Requests in all.
    pub(super) asked: AtomicUsize,
}
