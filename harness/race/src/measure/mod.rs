//! One window: a server under load, what was measured of it, and whether that may count.

pub mod answers;
pub mod soundness;
pub mod workers;

pub(crate) mod held;
pub(crate) mod parts;
pub mod ports;

pub mod figures;
pub mod validity;

pub mod drive;

pub mod calibrate;
